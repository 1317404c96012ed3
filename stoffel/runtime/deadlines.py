"""Deadlines of runs: one thread for all machines tells a run when its time is up."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count
from time import monotonic
from typing import Final

from stoffel import forks, threads

_MANY: Final = 1000
"""Deadlines that are kept before those that were cancelled are looked for."""
_IDLE: Final = 60.0
"""Seconds without any deadline after which the thread ends."""


class Deadline:
    """Calls *passed*, from another thread, once *time* (of ``time.monotonic``) is reached, unless cancelled before."""

    __slots__ = ("passed", "time")

    def __init__(self, time: float, passed: Callable[[], object]) -> None:
        self.time = time
        self.passed: Callable[[], object] | None = passed

    def cancel(self) -> None:
        """Call nothing any more."""
        self.passed = None


class Clock:
    """Keeps deadlines, and the thread that waits for the next one."""

    def __init__(self) -> None:
        self._numbers = count()
        self.renew_after_fork()
        forks.renew(self)

    def renew_after_fork(self) -> None:
        """Have a new lock; the runs that had deadlines are those of the other process, or get a new thread."""
        self._changed = threading.Condition(threading.Lock())
        self._pending: list[tuple[float, int, Deadline]] = []
        self._thread: threading.Thread | None = None
        self._most = _MANY

    def add(self, deadline: Deadline) -> bool:
        """Have *deadline* told; return False if there is no thread to be had for that."""
        with self._changed:
            if len(self._pending) >= self._most:
                self._pending = [entry for entry in self._pending if entry[2].passed is not None]
                heapq.heapify(self._pending)
                self._most = max(2 * len(self._pending), _MANY)
            heapq.heappush(self._pending, (deadline.time, next(self._numbers), deadline))
            if self._thread is not None:
                self._changed.notify()
                return True
            self._thread = threading.Thread(target=self._run, name="stoffel deadlines", daemon=True)
        if threads.start(self._thread):
            return True
        self._thread = None
        return False

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._pending and self._pending[0][2].passed is None:
                    heapq.heappop(self._pending)
                wait = self._pending[0][0] - monotonic() if self._pending else _IDLE
                if wait > 0:
                    told = self._changed.wait(wait)
                    if not told and not self._pending:
                        self._thread = None
                        return
                    continue
                passed = heapq.heappop(self._pending)[2].passed
            if passed is not None:
                passed()
            # Nothing is kept alive by the thread that waits.
            passed = None


CLOCK: Final = Clock()
