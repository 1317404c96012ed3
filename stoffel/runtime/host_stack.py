"""What runs take of the host's own stack: of its recursion limit, which is the host's too, and of the thread's."""

from __future__ import annotations

import sys
import threading
from typing import Final

from stoffel import forks
from stoffel.threads import stack_of_thread

FRAMES_OF_A_RUN: Final = 40
"""Host frames that a run inside a foreign function takes, with some to spare, besides those of compiled code."""
FRAMES_OF_COMPILED_CODE: Final = 840
"""Host frames that compiled code in one run takes at first, with some to spare, whatever the host's limit is."""
STACK_OF_A_RUN: Final = 2 << 10
"""Bytes of the thread's stack that a run inside a foreign function takes at most: twice what was measured."""
STACK_TO_SPARE: Final = 32 << 10
"""Bytes of the thread's stack that runs inside each other leave to whatever else there is."""


class RecursionLimit:
    """Python's recursion limit, which is raised by what runs in progress take.

    So a foreign function finds as many frames as if it had been called without a machine. A limit that the host sets
    meanwhile stays as it is.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._raised: dict[object, int] = {}
        self._limit = 0

    def raise_for(self, run: object, frames: int) -> None:
        """Raise it by *frames* for *run*, in all, until :meth:`lower_for` is called for it."""
        with self._lock:
            limit = sys.getrecursionlimit()
            if limit != self._limit:
                # The host has set another one, for all that runs.
                self._raised = dict.fromkeys(self._raised, 0)
            limit += frames - self._raised.get(run, 0)
            change = sys.setrecursionlimit
            # Python looks for signals after the call, not before: a handler finds all three or none.
            self._limit = limit
            self._raised[run] = frames
            change(limit)

    def adjust_for(self, run: object, frames: int) -> None:
        """Raise it by *frames*, in all, for *run* if it is raised for that."""
        with self._lock:
            if run in self._raised:
                self.raise_for(run, frames)

    def lower_for(self, run: object) -> None:
        """Take back what it was raised by for *run*, if it was."""
        with self._lock:
            frames = self._raised.get(run)
            if frames is None:
                return
            limit = sys.getrecursionlimit()
            if limit == self._limit:
                limit -= frames
                self._limit = limit
            change = sys.setrecursionlimit
            del self._raised[run]
            change(limit)

    def renew_after_fork(self) -> None:
        """Forget who held the lock."""
        self._lock = threading.RLock()


RECURSION_LIMIT: Final = RecursionLimit()
forks.renew(RECURSION_LIMIT)


def runs_on_stack() -> int:
    """Return for how many runs inside each other this thread's stack has place."""
    if threading.current_thread() is threading.main_thread():
        # Its stack grows; measuring it takes a library that may not be loaded yet.
        return sys.maxsize
    return max(stack_of_thread()[1] - STACK_TO_SPARE, 0) // STACK_OF_A_RUN
