"""A thread that looks at a machine a hundred times a second, and says what the time between two looks went into."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Collection
from types import CodeType
from typing import TYPE_CHECKING, Final

from stoffel import threads
from stoffel.notices import say_once
from stoffel.profiling.reading import PACKAGE, Reader
from stoffel.profiling.stacks import COMPILING, Stacks

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

RATE: Final = 100
"""Looks per second unless another rate is asked for."""
REST: Final = 50
"""After a look the sampler rests for so many times as long as it took: a deep stack costs no more than a flat one."""

_MAKES_MACHINE_CODE: Final = str(PACKAGE / "compiler" / "kernels" / "codegen" / "llvm.py")


class ThreadClock:
    """The processor time of the thread in which a machine runs, in seconds.

    Where the platform has no clock of another thread, it is that of the process.
    """

    def __init__(self) -> None:
        self._thread = 0
        self._clock: int | None = None

    def read(self, thread: int) -> float:
        """Return the processor time of *thread*, which is in a run."""
        if thread != self._thread:
            self._thread = thread
            get = getattr(time, "pthread_getcpuclockid", None)
            self._clock = None if get is None else get(thread)
        if self._clock is None:
            return time.process_time()
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            # The thread has ended, and another has its identity.
            self._thread = 0
            return 0.0


class Sampler:
    """Samples *state* into ``stacks``; *boundaries* are as in :class:`~stoffel.profiling.reading.Reader`.

    ``take`` takes one sample; a thread calls it *rate* times a second from :meth:`start` to :meth:`stop`. ``failed``
    counts samples that came to nothing, because the stack changed meanwhile; the next one stands for their time too.
    """

    def __init__(self, state: VMState, boundaries: Collection[CodeType], rate: float = RATE) -> None:
        self.stacks = Stacks()
        self.failed = 0
        self._state = state
        self._reader = Reader(state, boundaries)
        self._interval = 1 / rate
        self._clock = ThreadClock()
        self._last: tuple[int, float, float] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Note in which stack the machine is, with the processor time since the sample before."""
        runs = self._state.runs
        # Between two runs the time goes on in the thread of the last one.
        thread = runs[-1][1] if runs else self._last[0] if self._last else 0
        if not thread:
            return
        innermost = sys._current_frames().get(thread)
        now = thread, self._clock.read(thread), time.process_time()
        last, self._last = self._last, now
        if not runs or last is None or last[0] != thread or innermost is None:
            return
        try:
            stack = self._reader.read(innermost)
        except Exception:
            # The thread went on while its stack was read.
            stack = []
        if not stack:
            self.failed += 1
            self._last = last
            return
        # Where machine code is waited for, another thread makes it.
        waits = stack[-1][0] is COMPILING and innermost.f_code.co_filename == _MAKES_MACHINE_CODE
        clock = 2 if waits else 1
        self.stacks.add(stack, max(now[clock] - last[clock], 0.0))

    def start(self) -> None:
        """Begin to take samples; where no thread is to be had there are none, which is said once."""
        thread = threading.Thread(target=self._run, name="stoffel profile", daemon=True)
        if threads.start(thread):
            self._thread = thread
        else:
            say_once("no thread can be started: nothing is sampled")

    def stop(self) -> None:
        """Take no more samples."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        due = time.perf_counter() + self._interval
        while not self._stop.wait(max(due - time.perf_counter(), 0.0)):
            busy = time.thread_time()
            self.take()
            rest = REST * (time.thread_time() - busy)
            due = max(due + self._interval, time.perf_counter() + rest)
