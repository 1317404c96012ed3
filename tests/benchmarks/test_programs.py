"""The hand-written versions compute what the programs compute."""

from __future__ import annotations

import importlib

import pytest

import stoffel
from benchmarks.catalogue import BENCHMARKS, LEVELS, Benchmark, number, references
from benchmarks.programs import read

NAMES = [benchmark.name for benchmark in BENCHMARKS]


def interpreted(benchmark: Benchmark, level: str, n: int) -> int | float:
    machine = stoffel.VirtualMachine()
    machine.load(read(benchmark.path(level)))
    return number(stoffel.diagnostic(machine.execute("bench", n)))


@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=NAMES)
def test_the_python_version_gives_the_reference_result(benchmark_: Benchmark) -> None:
    module = importlib.import_module(f"benchmarks.python.{benchmark_.name}")
    assert module.main() == number(references()[benchmark_.name])


@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=NAMES)
def test_the_main_of_the_python_version_is_bench_at_full_size(benchmark_: Benchmark, monkeypatch) -> None:
    module = importlib.import_module(f"benchmarks.python.{benchmark_.name}")
    monkeypatch.setattr(module, "bench", lambda n: n)
    assert module.main() == benchmark_.full


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=NAMES)
def test_the_interpreter_and_the_python_version_agree_at_small_sizes(benchmark_: Benchmark, level: str) -> None:
    module = importlib.import_module(f"benchmarks.python.{benchmark_.name}")
    sizes = (1, 2, benchmark_.quick // 4)
    assert [interpreted(benchmark_, level, n) for n in sizes] == [module.bench(n) for n in sizes]


@pytest.mark.parametrize("benchmark_", BENCHMARKS, ids=NAMES)
def test_the_main_of_the_program_calls_bench_at_full_size(benchmark_: Benchmark) -> None:
    constants = [
        instruction.operands[1]
        for instruction in read(benchmark_.path()).functions["main"].instructions
        if instruction.name == "LDI"
    ]
    assert constants == [benchmark_.full]


def test_sizes_grow() -> None:
    assert [b.name for b in BENCHMARKS if not b.quick < b.default < b.full] == []


def test_numbers_are_read_from_both_text_forms() -> None:
    texts = ("350000", "2743968594793246349u64", "63.19029467800458f64", "0.5", "-3")
    assert [number(text) for text in texts] == [350000, 2743968594793246349, 63.19029467800458, 0.5, -3]
