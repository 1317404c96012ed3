"""The benchmark programs: where they are, how large they are run, and what they must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "programs"

LEVELS: Final = ("O0", "O3")
"""Optimisation levels of the StoffelLang compiler at which the compiled programs are kept."""

SCALAR: Final = "scalar"
ARRAY: Final = "array"
GENERAL: Final = "general"

SIZES: Final = ("quick", "default", "full")
"""``quick`` is for counting and for tests, ``full`` is the size of ``reference.json``."""


class Benchmark(NamedTuple):
    """One program. Its entry ``bench(n)`` does the work for size *n*, ``main()`` for the size ``full``."""

    name: str
    group: str
    """``"scalar"`` (numbers only), ``"array"`` (arrays of numbers) or ``"general"``."""
    loop: bool
    """True if its time goes into loops, as opposed to calls."""
    quick: int
    default: int
    full: int

    def size(self, which: str) -> int:
        """Return the argument of ``bench`` for one of :data:`SIZES`."""
        return int(getattr(self, which))

    def path(self, level: str = LEVELS[0]) -> Path:
        """Return the program's file: compiled at *level*, or text assembly where there is no compiled one."""
        compiled = PROGRAMS / f"{self.name}.{level}.stflb"
        return compiled if compiled.exists() else PROGRAMS / f"{self.name}.stfasm"


BENCHMARKS: Final[tuple[Benchmark, ...]] = (
    Benchmark("fib_recursive", SCALAR, False, 16, 23, 28),
    Benchmark("int_loop", SCALAR, True, 4_000, 100_000, 1_000_000),
    Benchmark("float_orbit", SCALAR, True, 5_000, 100_000, 700_000),
    Benchmark("xorshift_hash", SCALAR, True, 3_000, 60_000, 700_000),
    Benchmark("gcd", SCALAR, True, 700, 12_000, 80_000),
    Benchmark("collatz", SCALAR, True, 150, 2_000, 8_000),
    Benchmark("mandelbrot", SCALAR, True, 14, 65, 190),
    Benchmark("sieve", ARRAY, True, 2_500, 50_000, 300_000),
    Benchmark("matmul_int", ARRAY, True, 18, 50, 90),
    Benchmark("matmul_float", ARRAY, True, 18, 50, 90),
    Benchmark("quicksort", ARRAY, True, 350, 6_000, 38_000),
    Benchmark("edit_distance", ARRAY, True, 30, 140, 400),
    Benchmark("nbody", GENERAL, True, 40, 1_000, 7_000),
    Benchmark("small_calls", GENERAL, False, 2_000, 40_000, 250_000),
    Benchmark("closure_counter", GENERAL, False, 4_000, 60_000, 350_000),
    Benchmark("object_fields", GENERAL, True, 1_200, 30_000, 180_000),
    Benchmark("dict_string_keys", GENERAL, True, 2_500, 50_000, 300_000),
    Benchmark("string_building", GENERAL, True, 1_200, 30_000, 220_000),
)
"""All of them, numeric ones first."""

BY_NAME: Final[dict[str, Benchmark]] = {benchmark.name: benchmark for benchmark in BENCHMARKS}

HELLO: Final = PROGRAMS / "hello.stfasm"
"""A program that prints one line."""


def references() -> dict[str, str]:
    """Return the expected result of ``main()`` of each program, in the machine's diagnostic text form."""
    with (PROGRAMS / "reference.json").open(encoding="utf-8") as file:
        compiled = json.load(file)["benchmarks"]
    with (PROGRAMS / "assembled.json").open(encoding="utf-8") as file:
        assembled: dict[str, str] = json.load(file)
    return {entry["name"]: entry["levels"]["O0"]["result"] for entry in compiled} | assembled


def number(text: str) -> int | float:
    """Return the number that a result's text means, in the machine's form (``5``, ``5u64``, ``1.5f64``) or plain."""
    for suffix in ("f64", "u64"):
        text = text.removesuffix(suffix)
    try:
        return int(text)
    except ValueError:
        return float(text)
