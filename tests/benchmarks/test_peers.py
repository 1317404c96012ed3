"""The versions for other languages, where those are installed, and what is said where they are not."""

from __future__ import annotations

import importlib

import pytest

from benchmarks import ways
from benchmarks.catalogue import BENCHMARKS, Benchmark, number
from benchmarks.rounds import Worker

NAMES = [benchmark.name for benchmark in BENCHMARKS]
# numba is left to the tool itself: compiling all its versions takes a minute.
FAST_PEERS = [way.name for way in ways.PEER_WAYS if way is not ways.NUMBA]


@pytest.mark.parametrize("peer", FAST_PEERS)
@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=NAMES)
def test_a_peer_gives_the_same_results(benchmark_: Benchmark, peer: str, tmp_path) -> None:
    if ways.missing(peer):
        pytest.skip(ways.missing(peer))
    try:
        command = ways.command(peer, benchmark_, "O0", tmp_path)
    except ways.NoVersionError:
        pytest.skip(f"{benchmark_.name} has no version in {peer}")
    module = importlib.import_module(f"benchmarks.python.{benchmark_.name}")
    sizes = (1, 2, benchmark_.quick)
    with Worker(peer, command) as worker:
        assert [number(worker.ask(n)[1]) for n in sizes] == [module.bench(n) for n in sizes]


def test_every_numeric_program_has_a_version_in_c_and_numba() -> None:
    numeric = [benchmark for benchmark in BENCHMARKS if benchmark.group in ("scalar", "array")]
    for folder, ending in (("c", ".c"), ("numba_versions", ".py"), ("lua", ".lua")):
        assert [b.name for b in numeric if not (ways.PEERS / folder / (b.name + ending)).exists()] == []


def test_a_peer_that_is_not_installed_is_left_out_with_a_sentence(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    for variable in ("CC", "LUA", "LUAJIT", "PYPY"):
        monkeypatch.delenv(variable, raising=False)
    assert ways.missing("luajit") == "none of luajit is installed (or set LUAJIT)"
    monkeypatch.setenv("LUAJIT", "/nowhere/luajit")
    assert ways.missing("luajit") == "LUAJIT=/nowhere/luajit is not an executable"


def test_a_c_version_that_does_not_compile_says_what_the_compiler_says(monkeypatch, tmp_path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'no such dialect' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(ways.CompilerError, match=r"the C compiler refused gcd\.c: no such dialect"):
        ways.command("c", next(b for b in BENCHMARKS if b.name == "gcd"), "O0", tmp_path)
