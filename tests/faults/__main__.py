"""Plants faults in the compiler, one at a time, and reports which of them the tests catch.

    python -m tests.faults [--only NAME] [--jobs N]

Every fault is applied to a copy of the tree, where a fast selection of the ordinary suite then runs until the first
failure. A run that does not end in time counts as caught. Before all that the selection must pass without a fault
(not with --only). Exit status 1 if fewer than 95 % are caught.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.faults import FAULTS as CODE_FAULTS
from tests.faults.faults import Fault
from tests.faults.kernel_faults import KERNEL_FAULTS

FAULTS = (*CODE_FAULTS, *KERNEL_FAULTS)

ROOT = Path(__file__).resolve().parents[2]
WANTED = 0.95
"""Share of the faults that must be caught."""
TIMEOUT = 600
"""Seconds after which a stage is taken to hang."""

STAGES: tuple[tuple[str, ...], ...] = (
    ("tests/compiler/test_differential.py", "-k", " or ".join(f"[{part}]" for part in range(10))),
    ("tests/compiler", "-k", "not differential and not reach and not stdlib and not visibility"),
    ("tests/conformance", "-k", "always and pair"),
    ("tests/runtime", "-k", "always"),
    ("tests/conformance", "-k", "(always or 2nd) and program_gives and not _O"),
    ("tests/compiler", "-k", "differential or reach or visibility"),
)
"""What runs after the tests of the faulty module itself, quickest first."""
KERNEL_STAGES: tuple[tuple[str, ...], ...] = (
    ("tests/compiler/kernels", "-k", "operations or arrays or objects"),
    ("tests/runtime/test_kernels.py",),
    ("tests/compiler/kernels", "-k", "alike"),
    ("tests/runtime", "-k", "kernels or elements or typed_arrays"),
)
"""The same for faults in kernels."""
PROGRAMS = "4000"
"""Generated programs of the selection: a fifth of those in the ordinary suite."""


def stages_of(fault: Fault | None, tree: Path) -> list[list[str]]:
    """Return the pytest commands of the fast selection."""
    base = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=line"]
    of_kernels = fault in KERNEL_FAULTS
    stages = [*KERNEL_STAGES] if of_kernels else [*STAGES]
    if fault is not None:
        source = Path(fault.file)
        own = Path("tests", *source.parts[1:-1], f"test_{source.name}")
        if not of_kernels and (tree / own).exists():
            stages.insert(0, (str(own),))
    return [[*base, *stage] for stage in stages]


def plant(fault: Fault, tree: Path) -> None:
    """Apply *fault* to the source tree. Raises ValueError if its old text does not occur exactly once."""
    path = tree / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: the old text occurs {text.count(fault.old)} times in {fault.file}")
    path.write_text(text.replace(fault.old, fault.new))


def try_fault(fault: Fault | None) -> tuple[bool, str]:
    """Return whether the tests catch *fault*, and what caught it. None plants nothing: then no test may fail."""
    with tempfile.TemporaryDirectory(prefix="stoffel-fault-") as directory:
        tree = Path(directory)
        for name in ("stoffel", "tests", "examples", "docs", "benchmarks"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        if fault is not None:
            plant(fault, tree)
        environment = os.environ | {"STOFFEL_PROGRAMS": PROGRAMS, "STOFFEL_REDUCE": "0"}
        for command in stages_of(fault, tree):
            stage = command[-3:]
            try:
                done = subprocess.run(
                    command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
                )
            except subprocess.TimeoutExpired:
                return True, f"no end after {TIMEOUT} s in {' '.join(stage)}"
            if done.returncode not in (0, 5):  # 5: the selection is empty
                lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
                return True, lines[0] if lines else f"status {done.returncode} of {' '.join(stage)}"
    return False, "all tests pass"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="try this fault only (may be repeated)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="faults tried at the same time (default 2)")
    options = parser.parse_args()
    names = [fault.name for fault in FAULTS]
    unknown = sorted(set(options.only or ()) - set(names))
    if unknown:
        parser.error(f"no fault is called {', '.join(unknown)}; there are: {', '.join(names)}")
    chosen = [fault for fault in FAULTS if not options.only or fault.name in options.only]

    if not options.only:
        failed, how = try_fault(None)
        if failed:
            print(f"without any fault: {how}")
            return 1

    def timed(fault: Fault) -> tuple[Fault, bool, str, float]:
        began = time.perf_counter()
        try:
            caught, how = try_fault(fault)
        except ValueError as error:
            return fault, False, f"does not apply: {error}", 0.0
        return fault, caught, how, time.perf_counter() - began

    caught_count = 0
    survivors = []
    with ThreadPoolExecutor(max(options.jobs, 1)) as pool:
        for fault, caught, how, seconds in pool.map(timed, chosen):
            caught_count += caught
            if not caught:
                survivors.append(fault.name)
            print(f"{'caught' if caught else 'SURVIVED':9} {seconds:5.0f} s  {fault.name}: {how[:150]}", flush=True)
    print(f"{caught_count} of {len(chosen)} caught ({100 * caught_count / len(chosen):.1f} %)")
    if survivors:
        print("survived:", ", ".join(survivors))
    return 0 if caught_count >= WANTED * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
