"""What is measured beside the comparison of programs, one subject in each module.

A section module has ``TITLE``, ``measure(options)``, which returns plain data, and ``lines(data)``, which returns the
text. ``measure`` raises :class:`SkippedError` where the machine does not have what is to be measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.catalogue import HERE, Benchmark
from benchmarks.rounds import PATIENCE, Effort


class Options(NamedTuple):
    """What a section needs to know of the command line."""

    benchmarks: Sequence[Benchmark]
    level: str
    effort: Effort
    quick: bool


class SkippedError(Exception):
    """A section cannot be measured here; the text says why, in a sentence."""


def isolated(module: str, *arguments: str) -> Any:
    """Run ``python -m MODULE ARGUMENTS`` and return what it prints, read as JSON.

    A process of its own keeps measurements from influencing each other, and a crash of one from ending the run. Raises
    SkippedError, with the last words of the process, if it fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise SkippedError(f"{module} {' '.join(arguments)} did not end in {PATIENCE:.0f} s") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SkippedError(f"{module} {' '.join(arguments)} failed: {words[-1]}")
    return json.loads(done.stdout)
