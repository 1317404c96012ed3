"""The map by which perf names kernels."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from stoffel.compiler.kernels.codegen import llvm
from stoffel.jit.kernels import perf_map
from tests.cli.conftest import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="perf is a tool of Linux")

RUN = """
import os, sys
import stoffel
machine = stoffel.VirtualMachine(jit="kernels", cache="off")
machine.load(stoffel.assemble('''
function "with space"(n: int64) -> int64
    LDI r1, 0
    LDI r2, 1
again:
    ADD r1, r1, r2
    CMP r1, r0
    JMPLT again
    RET r1
end
function main(text)
    PUSHARG r0
    CALL to_string
    RET r0
end
'''))
assert machine.execute("with space", 1000) == 1000
machine.execute("main", 5)
path = f"/tmp/perf-{os.getpid()}.map"
try:
    sys.stdout.write(open(path).read())
    os.unlink(path)
except FileNotFoundError:
    pass
"""


def lines(*words: str, **variables: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, *words, "-c", RUN], env=environment(**variables), capture_output=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def test_kernels_are_named_after_their_functions() -> None:
    names = [line.split(maxsplit=2) for line in lines(STOFFEL_PERF="1")]
    address, size, _ = next(parts for parts in names if parts[2] == "stoffel::with?space")
    assert int(address, 16) > 0
    assert 0 < int(size, 16) < 100_000


@pytest.mark.skipif(sys.version_info < (3, 12), reason="CPython has a map of its own since 3.12")
def test_python_names_code_objects_beside_them() -> None:
    assert any("py::main:<stoffel:main:" in line for line in lines(STOFFEL_PERF="1"))
    assert any("stoffel::with?space" in line for line in lines("-X", "perf"))


@pytest.mark.parametrize("value", ["", "0"])
def test_without_being_asked_for_there_is_no_map(value: str) -> None:
    assert lines(STOFFEL_PERF=value) == []


def test_a_map_that_cannot_be_written_fails_no_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    monkeypatch.setattr(ctypes, "pythonapi", object())
    code = llvm.build("define void @kernel(ptr %S) { ret void }")
    perf_map.note(4096, code, ["main"])
    assert "the map for perf cannot be written: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"\x7fELF\x01\x01", b"MZ" + bytes(100)])
def test_object_code_of_another_kind_has_no_names(data: bytes) -> None:
    assert list(perf_map._symbols(data)) == []
    perf_map.note(4096, data, ["main"])


def test_functions_are_found_where_they_are() -> None:
    code = llvm.build(
        "define internal i64 @f0(i64 %x) noinline { %y = mul i64 %x, %x ret i64 %y }\n"
        "define void @kernel(ptr %S) { %v = load i64, ptr %S %r = call i64 @f0(i64 %v) store i64 %r, ptr %S ret void }"
    )
    found = {name: (section, value, size) for name, section, value, size in perf_map._symbols(code)}
    assert found["kernel"][2] > 0
    if "f0" in found:
        assert found["f0"][0] == found["kernel"][0]
        assert found["f0"][1] != found["kernel"][1]
