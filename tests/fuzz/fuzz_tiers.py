"""Runs generated programs in the interpreter and compiled, and looks for a difference.

    python tests/fuzz/fuzz_tiers.py --count 1000000 --seed 0 --jobs 2

Program number n is made from seed n alone, so a run is resumed with --seed and a failure repeated with --count 1.
Differences are reduced to a small listing before they are printed. Exit status 1 if there was one.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from stoffel.compiler.cpython.verifier import check_unit
from stoffel.compiler.emission.deopt_points import Unit
from stoffel.jit.translating import Translator
from tests.compiler.generators import make_case
from tests.compiler.generators.numeric import make_numeric_case
from tests.compiler.minimising import minimised
from tests.compiler.oracle import COMPILED, KERNELS, KERNELS_LEFT, compare, way_for

CHUNK = 100
KERNELS_EVERY = 20
"""Every so many-th program is run in kernels, and most of these are numeric ones; machine code takes long to make."""


def refuse_unsafe(unit: Unit) -> None:
    """Fail in a way that shows as a difference, instead of running an unsafe code object."""
    faults = check_unit(unit)
    if faults:
        raise AssertionError(f"unsafe code object for {unit.function.name}: {'; '.join(faults[:5])}")


def keep(directory: str) -> None:
    """Have this process keep kernels in *directory*."""
    os.environ["STOFFEL_CACHE_DIR"] = directory


def examine(first: int, count: int, reduce: bool, whole: bool) -> list[tuple[int, str]]:
    """Return seed and report of every difference among *count* programs."""
    found = []
    Translator.inspect = staticmethod(refuse_unsafe)
    for seed in range(first, first + count):
        if seed % KERNELS_EVERY == 0:
            forced = KERNELS_LEFT[seed // KERNELS_EVERY % len(KERNELS_LEFT)]
            make = make_numeric_case if seed // KERNELS_EVERY % 4 else make_case
            difference = compare(make(random.Random(seed)), [KERNELS, *(KERNELS_LEFT if whole else [forced])])
        else:
            difference = compare(make_case(random.Random(seed)), COMPILED if whole else [way_for(seed)])
        if difference is not None:
            found.append((seed, (minimised(difference) if reduce else difference).report()))
    return found


def main(argv: list[str]) -> int:
    """Run the tool and return its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000, help="programs to try")
    parser.add_argument("--seed", type=int, default=0, help="number of the first program")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--no-reduce", action="store_true", help="print programs as they were generated")
    parser.add_argument("--all-ways", action="store_true", help="run every program in every way, not in one by turns")
    options = parser.parse_args(argv)
    began = time.perf_counter()
    last = options.seed + options.count
    starts = range(options.seed, last, CHUNK)
    counts = [min(CHUNK, last - start) for start in starts]
    different = done = 0
    # Kernels are kept for the ways that follow, and away from the user's own.
    with (
        tempfile.TemporaryDirectory() as directory,
        ProcessPoolExecutor(options.jobs, initializer=keep, initargs=(directory,)) as pool,
    ):
        results = pool.map(examine, starts, counts, repeat(not options.no_reduce), repeat(options.all_ways))
        for start, count, found in zip(starts, counts, results, strict=True):
            done += count
            for seed, report in found:
                different += 1
                print(f"--- seed {seed}\n{report}", flush=True)
            rate = done / (time.perf_counter() - began)
            print(f"up to seed {start + count}: {different} different, {rate:.0f} programs/s", file=sys.stderr)
    print(f"{done} programs from seed {options.seed}: {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
