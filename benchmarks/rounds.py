"""Timing several ways to do the same work in one run: workers, and rounds in which each has its turn.

A worker is a process that reads lines ``N REPETITIONS`` and answers each with ``SECONDS RESULT``. In a round every
worker is asked once (A B C, A B C ...), so that what disturbs the machine for a while disturbs all of them alike; only
one is busy at a time. The best time of a way is what the work costs, the median tells how much the machine was
disturbed.
"""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO, Final, NamedTuple

from benchmarks.catalogue import HERE

PATIENCE: Final = 600.0
"""Seconds after which a worker that does not answer counts as hanging."""

MOST_REPETITIONS: Final = 100_000


class WorkerError(Exception):
    """A worker died, hangs, or answers nonsense; the text says which and shows its last words."""


class Worker:
    """A running worker process. *name* is what errors call it, *warmth* how many times a usual warm-up it needs."""

    def __init__(self, name: str, command: Sequence[str], warmth: int = 1) -> None:
        self.name = name
        self.warmth = warmth
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        # The same string hashes in every process of a run: dictionaries then behave alike.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        try:
            self._process = subprocess.Popen(
                list(command),
                cwd=HERE.parent,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
            )
        except OSError as error:
            self._errors.close()
            raise WorkerError(f"{name}: cannot run {command[0]}: {error.strerror}") from error

    def ask(self, n: int, repetitions: int = 1) -> tuple[float, str]:
        """Return seconds of one repetition, and the result. Raises WorkerError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{n} {repetitions}\n".encode())
        except OSError:
            raise self._failure("ended") from None
        answer = self._read_line()
        seconds, _, result = answer.partition(" ")
        try:
            return float(seconds) / repetitions, result
        except ValueError:
            raise self._failure(f"answered {answer!r}") from None

    def _read_line(self) -> str:
        stream = self._process.stdout
        assert stream is not None
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([stream], [], [], PATIENCE)
            if not ready:
                raise self._failure(f"gave no answer in {PATIENCE:.0f} s")
            piece = os.read(stream.fileno(), 1 << 16)
            if not piece:
                raise self._failure("ended")
            line += piece
        return line.decode().rstrip("\n")

    def _failure(self, what: str) -> WorkerError:
        self.close()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()
        return WorkerError(f"{self.name} {what}" + (f": {words[-1]}" if words else ""))

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                stream.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
        self._errors.close()


class Timing(NamedTuple):
    """What was measured of one way to run one program, in seconds of one run of ``bench(n)``."""

    first: float
    """The first run in a fresh process: with whatever is compiled then."""
    samples: tuple[float, ...]
    """One for each round, after warming up."""
    repetitions: int
    """Runs in each sample; the sample is their mean."""
    result: str

    @property
    def best(self) -> float:
        """The shortest sample."""
        return min(self.samples)

    @property
    def median(self) -> float:
        """The median sample."""
        return statistics.median(self.samples)


class Effort(NamedTuple):
    """How much to measure."""

    rounds: int
    sample: float
    """Seconds that one sample should take at least; short runs are repeated."""
    warm_up: float
    """Seconds of running before the rounds, and :attr:`warm_up_runs` runs at least."""
    warm_up_runs: int = 3


QUICK: Final = Effort(rounds=3, sample=0.002, warm_up=0.0, warm_up_runs=2)
NORMAL: Final = Effort(rounds=7, sample=0.02, warm_up=0.3)


def measure(workers: Sequence[Worker], n: int, effort: Effort) -> dict[str, Timing | str]:
    """Time ``bench(n)`` in all *workers*, interleaved; return each one's timing, or why it has none, by its name."""
    found: dict[str, Timing | str] = {}
    first: dict[str, float] = {}
    results: dict[str, str] = {}
    samples: dict[str, list[float]] = {}
    repetitions: dict[str, int] = {}
    for worker in workers:
        try:
            first[worker.name], results[worker.name] = worker.ask(n)
            one = _warm_up(worker, n, effort, first[worker.name])
        except WorkerError as error:
            found[worker.name] = str(error)
        else:
            repetitions[worker.name] = min(MOST_REPETITIONS, max(1, round(effort.sample / max(one, 1e-9))))
            samples[worker.name] = []
    for _ in range(effort.rounds):
        for worker in workers:
            if worker.name not in found:
                try:
                    seconds, _result = worker.ask(n, repetitions[worker.name])
                except WorkerError as error:
                    found[worker.name] = str(error)
                else:
                    samples[worker.name].append(seconds)
    for name, values in samples.items():
        if name not in found:
            found[name] = Timing(first[name], tuple(values), repetitions[name], results[name])
    return found


def _warm_up(worker: Worker, n: int, effort: Effort, first: float) -> float:
    """Run until the effort's warm-up is over; return the seconds of the fastest run so far."""
    best = first
    spent = first
    runs = 1
    batch = 1
    while spent < effort.warm_up * worker.warmth or runs < effort.warm_up_runs:
        seconds, _ = worker.ask(n, batch)
        best = min(best, seconds)
        spent += seconds * batch
        runs += batch
        # Single runs would be mostly pipe traffic where a run takes microseconds.
        batch = min(MOST_REPETITIONS, max(1, round(0.01 / max(seconds, 1e-9))))
    return best
