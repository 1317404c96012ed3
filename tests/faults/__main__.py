"""Plants faults in the compiler, one at a time, and reports which of them the tests catch.

    python -m tests.faults [--only NAME] [--from NAME] [--jobs N]

Every fault is applied to a copy of the tree, where the ordinary suite then runs until the first failure, in the order
that ``tests/faults/stages.py`` gives: what knows the faulty module first, the whole suite at last. A stage without an
end counts as caught. Before all that the suite must pass without a fault (not with --only and --from). A run that was
stopped goes on with --from and the first fault that it did not report. Exit status 1 if fewer than 95 % are caught.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.faults import FAULTS as CODE_FAULTS
from tests.faults.faults import Fault
from tests.faults.kernel_faults import KERNEL_FAULTS
from tests.faults.lang_faults import LANG_FAULTS
from tests.faults.limit_faults import LIMIT_FAULTS
from tests.faults.profiling_faults import PROFILING_FAULTS
from tests.faults.stages import EVERYTHING, Stage, stages_of

FAULTS = (*CODE_FAULTS, *KERNEL_FAULTS, *PROFILING_FAULTS, *LIMIT_FAULTS, *LANG_FAULTS)

ROOT = Path(__file__).resolve().parents[2]
WANTED = 0.95
"""Share of the faults that must be caught."""
PROGRAMS = "4000"
"""Generated programs of the selection: a fifth of those in the ordinary suite."""


PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=line")
LEFT_OUT = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "*.egg-info")
"""What a copy of the tree does without."""
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
"""Signals by which wrong code ends a process; by others somebody else does."""
RUNNING: list[subprocess.Popen[str]] = []
"""Runs of tests in progress; each is the leader of a process group of its own."""


def plant(fault: Fault, tree: Path) -> None:
    """Apply *fault* to the source tree. Raises ValueError if its old text does not occur exactly once."""
    path = tree / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: the old text occurs {text.count(fault.old)} times in {fault.file}")
    path.write_text(text.replace(fault.old, fault.new))


def run_tests(stage: Stage, tree: Path) -> tuple[int, str]:
    """Run a stage in *tree*; return its exit status and what it printed. Raises subprocess.TimeoutExpired."""
    process = subprocess.Popen(
        [*PYTEST, *stage.arguments],
        cwd=tree,
        env=os.environ | {"STOFFEL_PROGRAMS": PROGRAMS, "STOFFEL_REDUCE": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    RUNNING.append(process)
    try:
        printed, _ = process.communicate(timeout=stage.seconds)
    except BaseException:
        end(process)
        process.communicate()
        raise
    finally:
        RUNNING.remove(process)
    return process.returncode, printed


def end(process: subprocess.Popen[str]) -> None:
    """End a run of tests, and with it the processes that it has started: one of them may be what has no end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def try_fault(fault: Fault | None) -> tuple[bool, str]:
    """Return whether the tests catch *fault*, and what caught it. None plants nothing: then no test may fail."""
    with tempfile.TemporaryDirectory(prefix="stoffel-fault-") as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        stages = [EVERYTHING]
        if fault is not None:
            plant(fault, tree)
            stages = stages_of(fault.file, tree)
        for stage in stages:
            shown = " ".join(stage.arguments)
            try:
                status, printed = run_tests(stage, tree)
            except subprocess.TimeoutExpired:
                return True, f"no end after {stage.seconds} s in {shown}"
            if status in (1, 2) or -status in CRASHES:  # 2: tests could not even be collected
                lines = [line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))]
                return True, lines[0] if lines else f"status {status} of {shown}"
            if status not in (0, 5):  # 5: the selection is empty
                return False, f"no verdict, status {status} of {shown}"
    return False, "all tests pass"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="try this fault only (may be repeated)")
    parser.add_argument("--from", dest="first", metavar="NAME", help="try this fault and those listed after it")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="faults tried at the same time (default 2)")
    options = parser.parse_args()
    names = [fault.name for fault in FAULTS]
    unknown = sorted({*(options.only or ()), *([options.first] if options.first else [])} - set(names))
    if unknown:
        parser.error(f"no fault is called {', '.join(unknown)}; there are: {', '.join(names)}")
    first = names.index(options.first) if options.first else 0
    chosen = [fault for fault in FAULTS[first:] if not options.only or fault.name in options.only]

    if not options.only and not options.first:
        failed, how = try_fault(None)
        print(f"without any fault: {how}", flush=True)
        if failed:
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
        try:
            for fault, caught, how, seconds in pool.map(timed, chosen):
                caught_count += caught
                if not caught:
                    survivors.append(fault.name)
                print(f"{'caught' if caught else 'SURVIVED':9} {seconds:5.0f} s  {fault.name}: {how[:150]}", flush=True)
        except KeyboardInterrupt:
            for process in RUNNING.copy():
                end(process)
            raise
    print(f"{caught_count} of {len(chosen)} caught ({100 * caught_count / len(chosen):.1f} %)")
    if survivors:
        print("survived:", ", ".join(survivors))
    return 0 if caught_count >= WANTED * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
