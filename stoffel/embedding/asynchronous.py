"""Runs on an event loop: in slices, between which the loop does other things, and with foreign functions that wait.

A run that pauses leaves its activation records here, on the heap, so any number of runs take turns in one thread.
Compiled code is left at the end of each slice and entered again in the next, as it is for hooks. Between two slices, of
whatever runs, the loop comes to everything else once.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from stoffel.embedding import conversion
from stoffel.model.foreign import CallbackError, ForeignFunction
from stoffel.model.values import Value
from stoffel.runtime import calls
from stoffel.runtime.deadlines import CLOCK, Deadline
from stoffel.runtime.frames import ActivationRecord
from stoffel.runtime.state import PAUSED, VMState

if TYPE_CHECKING:
    from stoffel.embedding.engine import Engine
    from stoffel.runtime.budget import Budget
    from stoffel.runtime.limits import Limits

SLICE: Final = 0.001
"""Seconds after which a run is asked to pause."""
SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which Python gives the thread that asks its turn, while a slice runs; 5 ms is what it takes usually."""


class Awaited:
    """What a run waits for: the foreign *function* called with *arguments* has returned *result*."""

    def __init__(self, function: ForeignFunction, arguments: list[Value], result: Awaitable[Any]) -> None:
        self.function = function
        self.arguments = arguments
        self.result = result


def suspend(state: VMState, function: ForeignFunction, arguments: list[Value], result: Any) -> None:
    """Have the run in progress pause until *result*, an awaitable that a foreign function returned, is there.

    Raises CallbackError where no run can wait.
    """
    if not state.pausable or state.pausable != state.nesting:
        if inspect.iscoroutine(result):
            result.close()
        inside = "the run was started by another foreign function" if state.pausable else "use execute_async"
        raise CallbackError(f"a coroutine function cannot be awaited here: {inside}")
    state.awaited = Awaited(function, arguments, result)
    state.pause()


class AsynchronousRun:
    """One run on an event loop: of the VM function *name* with *values*, within *limits*."""

    def __init__(self, state: VMState, engine: Engine, name: str, values: list[Any], limits: Limits | None) -> None:
        self.state = state
        self.engine = engine
        self.name = name
        self.values = values
        self.limits = limits or state.limits
        self.budget: Budget | None = None
        self.records: list[ActivationRecord] = []
        self.stopped: str | None = None
        self._future: asyncio.Future[Any] | None = None
        self._loop = asyncio.get_running_loop()

    def stop(self, reason: str) -> None:
        """Have the run end when it goes on, which is soon; any thread may call this."""
        if self.stopped is None:
            self.stopped = reason
        future = self._future
        if future is not None:
            self._loop.call_soon_threadsafe(future.cancel)

    async def result(self) -> Any:
        """Run to the end and return the result; raises VMError."""
        paused = self.state.paused
        paused.add(self)
        try:
            found, awaited = await self._turn(self._begin)
            while found is PAUSED:
                if awaited is None:
                    found, awaited = await self._turn(self._go_on)
                else:
                    outcome = await self._outcome(awaited)
                    found, awaited = await self._turn(self._deliver, awaited, *outcome)
            return found
        finally:
            paused.discard(self)

    async def _turn(self, work: Callable[..., Any], *given: Any) -> tuple[Any, Awaited | None]:
        """Do *work* for a slice of time, and let the loop come to everything else once before the next slice."""
        async with _turns_of(self._loop):
            found = self._slice(work, *given)
            if found[0] is PAUSED:
                await asyncio.sleep(0)
            return found

    def _begin(self) -> Any:
        state, name, values = self.state, self.name, self.values
        callee = state.functions.get(name)
        if isinstance(callee, ForeignFunction):
            state.observe_hooks()
            state.cursor = None
            if state.budget is not None:
                state.budget.call(callee, values)
            result = callee.invoke(state, values)
            if state.awaited is not None:
                return PAUSED
            return self.engine.run(state) if len(state.records) > state.base else result
        code = calls.entry(state, name, values)
        if state.budget is not None:
            state.budget.record(code)
        state.tier.called_by_host(code, values)
        state.records.append(ActivationRecord(state, code, values, [], None))
        return self.engine.run(state)

    def _go_on(self) -> Any:
        return self.engine.run(self.state)

    def _deliver(self, awaited: Awaited, value: Any, error: Exception | None) -> Any:
        """Go on with what a foreign function has come to."""
        state = self.state
        top = state.records[-1] if len(state.records) > state.base else None
        try:
            if error is not None:
                raise error
            if state.stopped is not None:
                raise state.stop_error()
            result = conversion.to_value(state, value, "result")
            if state.budget is not None:
                state.budget.result(result)
        except Exception as failure:
            if top is not None:
                top.stack = awaited.arguments
            awaited.function.fail(state, failure)
        if top is None:
            return result
        top.registers[0] = result
        return self.engine.run(state)

    async def _outcome(self, awaited: Awaited) -> tuple[Any, Exception | None]:
        """Wait for what a foreign function has returned; return its value, or the exception that it has raised."""
        future = self._future = asyncio.ensure_future(awaited.result)
        ends = None if self.budget is None else self.budget.ends
        try:
            if self.stopped is not None:
                future.cancel()
            if ends is None:
                return await future, None
            return await asyncio.wait_for(future, max(ends - monotonic(), 0)), None
        except TimeoutError as error:
            if ends is not None and monotonic() >= ends and future.cancelled():
                # The run notices it itself, at once.
                return None, None
            return None, error
        except asyncio.CancelledError:
            if self.stopped is None:
                raise
            return None, None
        except Exception as error:
            return None, error
        finally:
            self._future = None

    def _slice(self, work: Callable[..., Any], *given: Any) -> tuple[Any, Awaited | None]:
        """Do *work* for a slice of time; return its result, or PAUSED, and what it waits for."""
        state = self.state
        with state.lock, _short_turns():
            state.stopped = self.stopped
            with state.entered(self.limits, goes_on=True, budget=self.budget):
                self.budget = state.budget
                state.records.extend(self.records)
                outer = state.pausable
                state.pausable = state.nesting
                end = Deadline(monotonic() + SLICE, state.pause)
                CLOCK.add(end)
                try:
                    state.look_up()
                    found = work(*given)
                    awaited, state.awaited = state.awaited, None
                    self.records = state.records[state.base :]
                    return found, awaited
                finally:
                    end.cancel()
                    state.pausable, state.pausing = outer, 0
                    state.awaited = None
                    self.stopped = self.stopped or state.stopped


_TURNS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()


def _turns_of(loop: asyncio.AbstractEventLoop) -> asyncio.Lock:
    """Return what the runs on *loop* hold by turns."""
    lock = _TURNS.get(loop)
    if lock is None:
        lock = _TURNS[loop] = asyncio.Lock()
    return lock


@contextmanager
def _short_turns() -> Iterator[None]:
    """Have Python give other threads of this process, such as the clock, their turns sooner."""
    before = sys.getswitchinterval()
    if before <= SWITCH_INTERVAL:
        yield
        return
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


async def execute(state: VMState, engine: Engine, name: str, arguments: Sequence[Any], limits: Limits | None) -> Any:
    """Run the function *name* on the running event loop and return its result."""
    return await AsynchronousRun(state, engine, name, list(arguments), limits).result()
