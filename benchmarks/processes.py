"""Timing whole processes, interleaved: what a person waits for who types a command."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.catalogue import HERE

PATIENCE = 600.0
"""Seconds after which a process counts as hanging."""
SETTLED: Final = 5
"""Rounds after which it is known what is far slower than something else."""


class ProcessError(Exception):
    """A process failed; the text says which, and shows its last words."""


class Command(NamedTuple):
    """A command line, and what is to be set in its environment; *prepare* runs before each process, untimed."""

    words: Sequence[str]
    environment: Mapping[str, str] = {}
    prepare: Callable[[], None] | None = None


class Wall(NamedTuple):
    """Wall-clock seconds of one command."""

    best: float
    median: float


def once(command: Command) -> float:
    """Run a command and return its wall-clock seconds. Raises ProcessError."""
    if command.prepare is not None:
        command.prepare()
    start = time.perf_counter()
    try:
        done = subprocess.run(
            list(command.words),
            cwd=HERE.parent,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise ProcessError(f"{' '.join(command.words)} did not end in {PATIENCE:.0f} s") from None
    seconds = time.perf_counter() - start
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise ProcessError(f"{' '.join(command.words)}: {words[-1]}")
    return seconds


def interleaved(commands: Mapping[str, Command], rounds: int, hopeless: float = math.inf) -> dict[str, Wall]:
    """Run all commands once to warm caches, then once in each round. Raises ProcessError.

    After :data:`SETTLED` rounds those that take *hopeless* times as long as the quickest have no more turns.
    """
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        once(command)
    for count in range(rounds):
        least = min((min(values) for values in samples.values() if values), default=math.inf)
        for name, command in commands.items():
            if count < SETTLED or min(samples[name]) < hopeless * least:
                samples[name].append(once(command))
    return {name: Wall(min(values), statistics.median(values)) for name, values in samples.items()}
