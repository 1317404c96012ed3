"""LLVM IR to object code to code in memory: what LLVM does with it, what it refuses, and that memory is given back."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import threading
from ctypes import CFUNCTYPE, c_double, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any

import pytest

from stoffel.compiler.kernels.codegen import llvm
from stoffel.compiler.kernels.codegen.llvm import assembly, build, host_identity, load, optimised, why_not
from stoffel.compiler.refusal import Refusal

ROOT = Path(__file__).parents[4]

SUM = """
declare {i64, i1} @llvm.sadd.with.overflow.i64(i64, i64)

define i32 @kernel(ptr %state) {
entry:
  %n = load i64, ptr %state
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %fine]
  %sum = phi i64 [0, %entry], [%more, %fine]
  %pair = call {i64, i1} @llvm.sadd.with.overflow.i64(i64 %sum, i64 %i)
  %more = extractvalue {i64, i1} %pair, 0
  %overflow = extractvalue {i64, i1} %pair, 1
  br i1 %overflow, label %leave, label %fine
fine:
  %next = add i64 %i, 1
  %again = icmp slt i64 %next, %n
  br i1 %again, label %loop, label %done
done:
  %place = getelementptr i64, ptr %state, i64 1
  store i64 %more, ptr %place
  ret i32 0
leave:
  ret i32 1
}
"""
"""Adds 0, 1, ... below the first number of the state and stores the sum in the second; returns 1 on overflow."""

LIBRARY = """
declare double @fmod(double, double)
declare ptr @memcpy(ptr, ptr, i64)
declare ptr @memmove(ptr, ptr, i64)
declare ptr @memset(ptr, i32, i64)

define double @kernel(ptr %to, ptr %from, i64 %size, double %x, double %y) {
  %1 = call ptr @memset(ptr %to, i32 1, i64 %size)
  %2 = call ptr @memcpy(ptr %to, ptr %from, i64 %size)
  %next = getelementptr i8, ptr %to, i64 8
  %3 = call ptr @memmove(ptr %next, ptr %to, i64 %size)
  %rest = call double @fmod(double %x, double %y)
  ret double %rest
}
"""
"""Calls what LLVM itself may call; whether a call is made in line is up to it."""


def constant(number: int) -> str:
    return f"define i64 @kernel() {{ ret i64 {number} }}"


def call_constant(loaded: llvm.Loaded) -> int:
    return CFUNCTYPE(c_int64)(loaded.address)()


def call_sum(loaded: llvm.Loaded, n: int) -> tuple[int, int]:
    state = (c_int64 * 2)(n, -1)
    return CFUNCTYPE(c_int, c_void_p)(loaded.address)(state), state[1]


def function_body(text: str) -> str:
    """Return the body of the function ``kernel`` in the text of a module."""
    found = re.search(r"define [^\n]*@kernel\(.*?^}", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[0]


def mapped_pages() -> int:
    """Return how many pages of memory this process has mapped executable."""
    total = 0
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        span, mode, *_ = line.split()
        if "x" in mode:
            first, last = (int(part, 16) for part in span.split("-"))
            total += (last - first) // 4096
    return total


# Building and running


def test_there_can_be_machine_code_here() -> None:
    assert why_not() is None


def test_code_that_was_built_and_loaded_runs() -> None:
    loaded = load(build(SUM), "kernel")
    assert call_sum(loaded, 10) == (0, 45)
    assert call_sum(loaded, 2**33 // 1024) == (0, 2**22 * (2**23 - 1))


def test_the_same_source_gives_the_same_object_code() -> None:
    assert build(SUM) == build(SUM)


def test_functions_of_the_c_library_are_found() -> None:
    loaded = load(build(LIBRARY), "kernel")
    source = (c_int64 * 3)(7, 8, 9)
    target = (c_int64 * 4)()
    function = CFUNCTYPE(c_double, c_void_p, c_void_p, c_int64, c_double, c_double)(loaded.address)
    assert function(target, source, 24, -7.5, 2.0) == -1.5
    assert list(target) == [7, 7, 8, 9]


def test_object_code_is_loaded_and_finds_the_c_library_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "code.o").write_bytes(build(LIBRARY))
    script = (
        "import sys\n"
        "from ctypes import *\n"
        "from pathlib import Path\n"
        "from stoffel.compiler.kernels.codegen.llvm import load\n"
        "loaded = load(Path(sys.argv[1]).read_bytes(), 'kernel')\n"
        "a, b = (c_int64 * 3)(1, 2, 3), (c_int64 * 4)()\n"
        "f = CFUNCTYPE(c_double, c_void_p, c_void_p, c_int64, c_double, c_double)(loaded.address)\n"
        "print(f(b, a, 24, 9.25, 4.0), list(b), 'numba' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "code.o"], cwd=ROOT, capture_output=True, check=False, timeout=120
    )
    assert (done.stdout.decode(), done.stderr.decode()) == ("1.25 [1, 1, 2, 3] False\n", "")


def test_numbers_that_only_a_constant_pool_holds_are_there() -> None:
    loaded = load(build("define double @kernel(double %x) {\n %y = fadd double %x, 0.1\n ret double %y\n}"), "kernel")
    assert CFUNCTYPE(c_double, c_double)(loaded.address)(1.0) == 1.0 + 0.1


def test_a_large_switch_jumps_where_it_should() -> None:
    cases = [f"i64 {i}, label %case{i}" for i in range(100)]
    blocks = [f"case{i}:\n  call void @llvm.sideeffect()\n  ret i64 {i * i % 37}" for i in range(100)]
    text = (
        "declare void @llvm.sideeffect()\n"
        f"define i64 @kernel(i64 %x) {{\n  switch i64 %x, label %other [ {' '.join(cases)} ]\n"
        "other:\n  ret i64 -1\n" + "\n".join(blocks) + "\n}"
    )
    loaded = load(build(text), "kernel")
    function = CFUNCTYPE(c_int64, c_int64)(loaded.address)
    assert [function(i) for i in range(101)] == [*(i * i % 37 for i in range(100)), -1]


# What LLVM does with the code


def test_a_variable_in_memory_becomes_a_register() -> None:
    text = optimised(
        "define i64 @kernel(i64 %x) {\n"
        "  %slot = alloca i64\n  store i64 %x, ptr %slot\n  %y = load i64, ptr %slot\n  ret i64 %y\n}"
    )
    assert "ret i64 %x" in function_body(text)
    assert not re.search("alloca|load|store", function_body(text))


def test_a_small_function_is_inlined() -> None:
    text = optimised(
        "define internal i64 @double(i64 %x) {\n  %y = add i64 %x, %x\n  ret i64 %y\n}\n"
        "define i64 @kernel(i64 %x) {\n  %y = call i64 @double(i64 %x)\n  ret i64 %y\n}"
    )
    assert "call" not in function_body(text)
    assert "@double" not in text


TYPES = '!0 = !{!"all"}\n!1 = !{!"ints", !0}\n!2 = !{!"floats", !0}\n!3 = !{!1, !1, i64 0}\n!4 = !{!2, !2, i64 0}\n'


def loads(text: str) -> int:
    return function_body(text).count(" load ")


@pytest.mark.parametrize(("tag", "expected"), [("", 2), (", !tbaa !4", 1)])
def test_a_store_of_another_type_leaves_what_is_known_of_memory(tag: str, expected: int) -> None:
    text = optimised(
        "define i64 @kernel(ptr %p, ptr %q) {\n"
        "  %a = load i64, ptr %p, !tbaa !3\n"
        f"  store double 1.0, ptr %q{tag}\n"
        "  %b = load i64, ptr %p, !tbaa !3\n  %c = add i64 %a, %b\n  ret i64 %c\n}\n" + TYPES
    )
    assert loads(text) == expected


@pytest.mark.parametrize(("tag", "hoisted"), [("", False), (", !tbaa !4", True)])
def test_a_load_that_no_store_of_the_loop_changes_leaves_the_loop(tag: str, hoisted: bool) -> None:
    text = optimised(
        "declare void @llvm.sideeffect()\n"
        "define void @kernel(ptr %p, ptr %q, i64 %n) {\n"
        "entry:\n  br label %loop\n"
        "loop:\n  %i = phi i64 [0, %entry], [%next, %loop]\n"
        "  %a = load i64, ptr %p, !tbaa !3\n  %f = sitofp i64 %a to double\n"
        "  %place = getelementptr double, ptr %q, i64 %i\n"
        f"  store volatile double %f, ptr %place{tag}\n"
        "  %next = add i64 %i, 1\n  %again = icmp slt i64 %next, %n\n  br i1 %again, label %loop, label %out\n"
        "out:\n  ret void\n}\n" + TYPES
    )
    assert (loads(text) == 1) is hoisted  # else one in each copy of the unrolled loop


def test_a_condition_that_is_tested_twice_is_tested_once() -> None:
    text = optimised(
        "declare void @one()\ndeclare void @two()\ndeclare void @three()\n"
        "define void @kernel(i64 %x) {\n"
        "entry:\n  %c = icmp slt i64 %x, 5\n  br i1 %c, label %a, label %b\n"
        "a:\n  call void @one()\n  br label %join\n"
        "b:\n  call void @two()\n  br label %join\n"
        "join:\n  %flag = phi i64 [1, %a], [0, %b]\n  %again = icmp eq i64 %flag, 1\n"
        "  br i1 %again, label %c1, label %c2\n"
        "c1:\n  call void @three()\n  br label %c2\n"
        "c2:\n  ret void\n}"
    )
    assert function_body(text).count("br i1") == 1


def test_a_loop_over_numbers_uses_vectors() -> None:
    text = optimised(
        "define void @kernel(ptr noalias %p, ptr noalias %q, i64 %n) {\n"
        "entry:\n  br label %loop\n"
        "loop:\n  %i = phi i64 [0, %entry], [%next, %loop]\n"
        "  %from = getelementptr double, ptr %p, i64 %i\n  %x = load double, ptr %from\n"
        "  %y = fmul double %x, 3.0\n"
        "  %to = getelementptr double, ptr %q, i64 %i\n  store double %y, ptr %to\n"
        "  %next = add i64 %i, 1\n  %again = icmp slt i64 %next, %n\n  br i1 %again, label %loop, label %out\n"
        "out:\n  ret void\n}"
    )
    assert re.search(r"<\d+ x double>", function_body(text))


def test_the_assembly_is_that_of_the_function() -> None:
    assert re.search("^_?kernel:", assembly(SUM), re.MULTILINE)


# Refusals


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("define i32 @f( {", "expected type"),
        ("define i32 @f() { ret i64 0 }", "doesn't match function result type"),
        ("define i32 @f() {\n %a = add i32 %b, 1\n %b = add i32 1, 1\n ret i32 %b\n}", "does not dominate all uses"),
        ("define void @f() {\n ret void\n}\ndefine void @f() {\n ret void\n}", "invalid redefinition"),
        ("define void @f() { ret void }\n\0", "zero byte"),
        ("\N{SNOWMAN}", "expected top-level entity"),
        ("\ud800", "surrogates not allowed"),
    ],
)
@pytest.mark.parametrize("function", [build, optimised, assembly])
def test_what_llvm_does_not_accept_is_refused_in_one_line(function: Any, text: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as caught:
        function(text)
    assert str(caught.value).startswith("LLVM refuses the code: ")
    assert "\n" not in str(caught.value)


def test_code_without_the_function_is_refused() -> None:
    with pytest.raises(Refusal, match=r"^the machine code cannot be loaded: .*other"):
        load(build(SUM), "other")


def test_code_that_calls_what_does_not_exist_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    text = "declare void @nowhere_at_all()\ndefine void @kernel() {\n call void @nowhere_at_all()\n ret void\n}"
    with pytest.raises(Refusal, match=r"^the machine code cannot be loaded: "):
        load(build(text), "kernel")
    assert capfd.readouterr() == ("", "")
    assert call_constant(load(build(constant(5)), "kernel")) == 5


def test_bytes_that_are_no_object_code_are_refused() -> None:
    for data in (b"", b"hello" * 100):
        with pytest.raises(Refusal, match=r"^the machine code cannot be loaded: "):
            load(data, "kernel")


# Where it cannot work


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that llvmlite was found."""
    monkeypatch.setattr(llvm, "_ready", None)


@pytest.mark.usefixtures("fresh")
def test_without_llvmlite_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    reason = why_not()
    assert reason is not None
    assert reason.startswith("machine code is made by llvmlite, which cannot be imported: ")
    for call in (host_identity, lambda: build(SUM), lambda: optimised(SUM), lambda: load(b"", "kernel")):
        with pytest.raises(Refusal, match=r"^machine code is made by llvmlite"):
            call()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("error", [OSError(13, "cannot allocate executable memory"), RuntimeError("no such target")])
def test_where_code_must_not_run_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    import llvmlite.binding

    def refuse() -> None:
        raise error

    monkeypatch.setattr(llvmlite.binding, "check_jit_execution", refuse)
    assert why_not() == f"llvmlite cannot make machine code here: {error}"


@pytest.mark.usefixtures("fresh")
def test_an_llvmlite_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import llvmlite.binding

    monkeypatch.delattr(llvmlite.binding, "create_lljit_compiler")
    assert why_not() == (
        "llvmlite cannot make machine code here: module 'llvmlite.binding' has no attribute 'create_lljit_compiler'"
    )


def test_the_identity_of_the_host_names_what_code_depends_on() -> None:
    import llvmlite
    import llvmlite.binding as llvm

    identity = host_identity()
    assert host_identity() == identity
    assert "\n" not in identity
    for part in (llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()):
        assert f"{part} " in identity
    assert f"llvm {'.'.join(map(str, llvm.llvm_version_info))} llvmlite {llvmlite.__version__} " in identity
    assert " 64 bits" in identity or " 32 bits" in identity


def test_importing_the_door_does_not_import_llvmlite() -> None:
    script = "import sys; import stoffel.compiler.kernels.codegen.llvm; print('llvmlite' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, timeout=60)
    assert done.stdout == b"False\n"


# Memory and threads


def test_loaded_codes_do_not_share_memory() -> None:
    loaded = [load(build(constant(number)), "kernel") for number in range(5)]
    assert len({one.address for one in loaded}) == 5
    assert [call_constant(one) for one in loaded] == list(range(5))


def test_code_outlives_the_linker_that_loaded_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvm, "_LOADS_OF_A_LINKER", 2)
    codes = [build(constant(number)) for number in range(3)]
    loaded = [load(codes[number % 3], "kernel") for number in range(9)]
    del loaded[2:4]
    gc.collect()
    assert [call_constant(one) for one in loaded] == [0, 1, 1, 2, 0, 1, 2]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads the memory map of Linux")
def test_memory_of_code_is_given_back() -> None:
    code = build(SUM)
    load(code, "kernel")
    before = mapped_pages()
    kept = [load(code, "kernel") for _ in range(100)]
    assert mapped_pages() - before >= 99  # one load is freed by the next
    kept.clear()
    for _ in range(100):
        load(code, "kernel")
    assert mapped_pages() - before <= 2


MEMORY = """
from pathlib import Path
from stoffel.compiler.kernels.codegen.llvm import build, load

def resident():
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * 4096

def build_and_drop(count):
    for number in range(count):
        build(f"define i64 @kernel() {{ ret i64 {number} }}")

def load_and_drop(count):
    for number in range(count):
        load(code, "kernel")

kept = []
code = build("define i64 @kernel() { ret i64 5 }")

def load_and_keep(count):
    kept.extend(load(code, "kernel") for _ in range(count))

for work, warming, count in ((build_and_drop, 20, 80), (load_and_drop, 100, 1000), (load_and_keep, 0, 200)):
    work(warming)
    before = resident()
    work(count)
    print((resident() - before) // count)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory use of Linux")
def test_what_is_dropped_takes_no_memory_and_what_is_kept_takes_little() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], cwd=ROOT, capture_output=True, check=True, timeout=120)
    built, loaded, kept = map(int, done.stdout.split())
    assert built < 40_000  # 80 KB with llvmlite's own way of closing pass managers; up to 20 are seen
    assert loaded < 3_000  # 6 KB with one linker for all
    assert kept < 60_000  # 170 KB with a linker for each


def test_several_threads_build_and_load_at_once() -> None:
    results: dict[int, list[int]] = {}

    def work(thread: int) -> None:
        numbers = range(100 * thread, 100 * thread + 8)
        results[thread] = [call_constant(load(build(constant(number)), "kernel")) for number in numbers]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {thread: list(range(100 * thread, 100 * thread + 8)) for thread in range(4)}
