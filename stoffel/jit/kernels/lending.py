"""Tables that kernels work on, and hosts that want them meanwhile, from other threads or from signal handlers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stoffel.jit.kernels.outcomes import Mismatch
from stoffel.model.values import in_use

if TYPE_CHECKING:
    from types import TracebackType

    from stoffel.jit.kernels.marshalling import Run

PAUSE: Final = 0.0005
"""Seconds between two looks at whether a kernel has been left."""


class Lending:
    """The runs of kernels of one machine that have tables in their hands.

    A kernel copies what it is given, so a host that touches one of its tables has to wait until it is left, which the
    host asks for. *ask_attention* makes kernels that run leave.
    """

    def __init__(self, ask_attention: Callable[[], None]) -> None:
        self._ask_attention = ask_attention
        self._lock = threading.RLock()
        self._holders = 0
        self._runs: dict[Run, int] = {}

    @property
    def is_held(self) -> bool:
        """Whether a host is at work on tables, so that no kernel may begin."""
        return self._holders > 0

    def begin(self, run: Run) -> None:
        """Note that *run* is about to take tables. Raises Mismatch while a host is at work on some."""
        self._runs[run] = threading.get_ident()
        # Whoever begins to hold tables after this line finds the run.
        if self._holders:
            self.end(run)
            raise Mismatch

    def end(self, run: Run) -> None:
        """Note that *run* has given everything back."""
        self._runs.pop(run, None)

    def __enter__(self) -> None:
        """Keep kernels from beginning, and wait until those of other threads have been left."""
        with self._lock:
            self._holders += 1
        while any(thread != threading.get_ident() for thread in self._runs.copy().values()):
            self._ask_attention()
            time.sleep(PAUSE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._holders -= 1

    def require(self, table: object) -> None:
        """Raise VMError if a kernel that this thread has interrupted, in a signal handler, works on *table*."""
        if any(id(table) in run.made for run in self._runs.copy()):
            raise in_use()

    def renew_after_fork(self) -> None:
        """Forget other threads, in a forked process."""
        self._lock = threading.RLock()
        mine = threading.get_ident()
        self._holders = 0
        self._runs = {run: thread for run, thread in self._runs.items() if thread == mine}
