"""VMState: everything that one machine holds, in one place, guarded by one lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from stoffel import forks
from stoffel.errors import ErrorKind, VMError
from stoffel.model.code import LARGE_FRAME, Code
from stoffel.model.foreign import out_of_memory, too_deep
from stoffel.model.tables import ObjectStore
from stoffel.runtime import calls
from stoffel.runtime.events import OF_CALLS, OF_INSTRUCTIONS, OF_TABLES, AfterFunctionCall
from stoffel.runtime.frames import RunState, Tier
from stoffel.runtime.hooks import NOTHING, HookContext, HookManager
from stoffel.runtime.host_stack import FRAMES_OF_A_RUN, RECURSION_LIMIT, runs_on_stack
from stoffel.runtime.methods import MethodRegistry
from stoffel.runtime.tier import Interpreted, NoTier

if TYPE_CHECKING:
    from types import TracebackType

    from stoffel.model.foreign import ForeignFunction
    from stoffel.runtime.budget import Budget
    from stoffel.runtime.deadlines import Deadline
    from stoffel.runtime.events import Event
    from stoffel.runtime.foreign_objects import ForeignObjects
    from stoffel.runtime.limits import Limits

MAX_CALL_DEPTH: Final = 250_000
"""Activation records that a run may stack up unless the machine is told otherwise."""
MAX_REENTRY: Final = 200
"""Runs inside each other, through foreign functions that call back, unless the machine is told otherwise."""


NOT_DONE: Final = object()
"""Result of a direct call that cannot be made: nothing has happened."""
PAUSED: Final = object()
"""Result of a run that has paused: its records are there, and it is to go on later."""
LEFT: Final = object()
"""Result of a direct call whose compiled code was left: the run goes on from the records."""


class _LostRun:
    """The lock of a machine in a forked process, when another thread was running it: nobody can go on with that."""

    def __enter__(self) -> None:
        raise VMError("This machine was running in another thread when the process was forked: use a new one here")

    def __exit__(self, *exception: object) -> None:
        """Never reached."""


class Lender(Protocol):
    """What hosts ask before they touch a table that a kernel may have taken; inside it no kernel takes any."""

    def __enter__(self) -> None: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def require(self, table: object) -> None:
        """Raise VMError if a kernel that this thread has interrupted, in a signal handler, works on *table*."""


class VMState(RunState):
    """The state of one machine.

    *write_line* delivers a printed line; *storage* is the LocalStorage backend or None. ``lock`` is held during a run.
    ``functions`` and ``methods`` change through :meth:`define` alone; ``changes`` counts what runs in progress must not
    go on without: names that may mean something else, limits that are lower. ``compiled_depth`` is ``max_call_depth``,
    or less where the memory of frames limits it: compiled code does not look at the size of each. ``nesting`` is the
    number of runs inside each other, ``runs`` has for each where its records begin and the identity of its thread,
    which any thread may read. ``pausable`` is the ``nesting`` of a run that may pause, 0 for none, ``pausing`` the same
    once it is to do so; ``paused`` are the runs that have begun so, ``awaited`` is what one that pauses waits for.
    ``lending`` is None while there are no kernels that could take tables. ``direct`` makes calls by the host without a
    record, by function and classes of the arguments: under the lock, with the result, :data:`NOT_DONE` or :data:`LEFT`;
    None where that cannot be.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "_largest_frame",
        "_obeyed",
        "awaited",
        "changes",
        "compiled_depth",
        "deadline",
        "direct",
        "foreign_objects",
        "hooks",
        "lending",
        "limits",
        "lock",
        "machine",
        "max_reentry",
        "nesting",
        "pausable",
        "paused",
        "pausing",
        "random_bytes",
        "runs",
        "storage",
        "write_line",
    )

    machine: Any
    """The VirtualMachine, which is above this layer."""

    def __init__(self, write_line: Callable[[str], None], storage: Any, foreign_objects: ForeignObjects) -> None:
        self.functions = {}
        self.methods = MethodRegistry()
        self.records = []
        self.tier = NoTier()
        self.lending: Lender | None = None
        self.direct: dict[tuple[object, tuple[type, ...]], Callable[[tuple[Any, ...]], Any] | None] = {}
        self.base = 0
        self.limits: Limits | None = None
        self.budget = None
        self.stopped = None
        self.pausing = self.pausable = 0
        self.paused: set[Any] = set()
        self.awaited: Any = None
        self.deadline: Deadline | None = None
        self.runs: list[tuple[int, int]] = []
        self.result = None
        self.cursor = None
        self.objects = ObjectStore()
        self.foreign_objects = foreign_objects
        self.changes = self._obeyed = 0
        self.attention = False
        self.watch(False, NOTHING)
        self.hooks = HookManager(self.ask_attention)
        self.write_line = write_line
        self.storage = storage
        self.random_bytes: Callable[[int], bytes] = os.urandom
        self._largest_frame = self.compiled_depth = 0
        self.limit_depth(MAX_CALL_DEPTH)
        self.max_reentry = MAX_REENTRY
        self.nesting = 0
        self.lock: AbstractContextManager[Any] = threading.RLock()
        self._context = HookContext(self)
        forks.renew(self)

    def define(
        self,
        functions: Iterable[Code | ForeignFunction] = (),
        methods: MethodRegistry | None = None,
        removed: Iterable[str] = (),
    ) -> None:
        """Add or replace *functions*, take *methods* for the registry unless None, and remove the names *removed*.

        Where a name that had a meaning may have another one now, compiled code that relies on it is dropped, and what
        runs of it is left at its next safepoint. A new name had none that anything compiled could rely on.
        """
        changes = methods is not None
        with self.lock:
            for function in functions:
                changes = changes or function.name in self.functions
                if type(function) is Code:
                    self._largest_frame = max(self._largest_frame, function.register_count)
                self.functions[function.name] = function
            for name in removed:
                changes = True
                del self.functions[name]
            if methods is not None:
                self.methods = methods
            self.limit_depth(self.max_call_depth)
            if changes:
                self.tier.meanings_changed()
                self._changed()

    def limit_depth(self, depth: int) -> None:
        """Let runs, those in progress too, stack up *depth* activation records."""
        self.max_call_depth = depth
        large = self._largest_frame > LARGE_FRAME
        compiled = min(depth, calls.REGISTER_BUDGET // self._largest_frame + 1) if large else depth
        before, self.compiled_depth = self.compiled_depth, compiled
        if compiled < before:
            self._changed()

    def _changed(self) -> None:
        """Have every run in progress look at its next safepoint for what it relies on."""
        self.changes += 1
        self.ask_attention()

    def renew_after_fork(self) -> None:
        """Have new locks, and threads if there were some, in a forked process.

        The machine can be used there unless another thread was running it.
        """
        self.hooks.renew_after_fork()
        self.foreign_objects.renew_after_fork()
        mine = threading.get_ident()
        if any(thread != mine for _, thread in self.runs):
            self.lock = _LostRun()
        elif not self.runs:
            self.lock = threading.RLock()
        self.tier.renew_after_fork()

    def ask_attention(self) -> None:
        """Make the run, if there is one, look at the hooks at its next safepoint."""
        self.attention = True
        self.tier.ask_attention()

    def ask_unless_hooked(self) -> None:
        """The same for what an observed run has no use for, and is not to see a difference of."""
        if not self.hooked:
            self.ask_attention()

    def observe_hooks(self) -> None:
        """Obey the hooks' switches: called at safepoints only."""
        # Cleared before the hooks are looked at: a switch in between asks again.
        self.attention = False
        self.tier.clear_attention()
        self._obeyed = self.changes
        self.watch(self.hooks.active, self.hooks.wanted)

    def watch(self, hooked: bool, wanted: frozenset[type]) -> None:
        """Have the run produce the events that are *wanted*, and be seen as *hooked*."""
        self.hooked, self.wanted = hooked, wanted
        self.watches_instructions = not wanted.isdisjoint(OF_INSTRUCTIONS)
        self.watches_calls = not wanted.isdisjoint(OF_CALLS)
        self.watches_returns = self.watches_instructions or AfterFunctionCall in wanted
        self.watches_tables = not wanted.isdisjoint(OF_TABLES)

    @property
    def has_changed(self) -> bool:
        """Whether what the current run must not go on without (``changes``) has happened since it last looked."""
        return self._obeyed != self.changes

    def fire(self, event: Event) -> None:
        """Offer an event to the hooks; raises VMError (kind Hook) if a callback fails."""
        records = self.records
        if not self.watches_instructions and len(records) > self.base:
            # Nobody has kept it: whatever has events now is, or has come back to, a call of the current record.
            frame = records[-1]
            self.cursor = (frame.code.name, frame.next_instruction - 1)
        self.hooks.fire(event, self._context)

    # Limits

    @property
    def counting(self) -> Budget | None:
        """The budget of the run if each of its instructions has to be looked at, else None."""
        budget = self.budget
        return budget if budget is not None and budget.counted else None

    @property
    def _is_to_end(self) -> bool:
        """Whether a run around the one that ends has to end too, or to pause."""
        return self.stopped is not None or self.pausing > 0

    def pause(self) -> None:
        """Have the run in progress, whatever is called inside it, return ``PAUSED`` at its next safepoint."""
        self.pausing = self.pausable
        if self.pausing:
            self.ask_attention()

    def stop(self, reason: str) -> VMError:
        """Have the run end at its next safepoint, whatever it does until then; return the error to end it with.

        Any thread may call this. Only the first reason counts.
        """
        if self.stopped is None:
            self.stopped = reason
        self.ask_attention()
        return self.stop_error()

    def stop_error(self) -> VMError:
        """Return the error of a run that has to end."""
        return VMError(self.stopped or "The run has been stopped", ErrorKind.LIMIT)

    def look_up(self, elements: int = 0) -> None:
        """Raise VMError if the run has to end; for work that takes long, every few milliseconds.

        A run with a limit on instructions is charged for *elements*.
        """
        if elements and (budget := self.counting) is not None:
            budget.work(elements)
        deadline = self.deadline
        if deadline is not None and self.stopped is None and monotonic() >= deadline.time and deadline.passed:
            deadline.passed()
        if self.stopped is not None:
            raise self.stop_error()

    def _limit(self, limits: Limits, budget: Budget | None) -> None:
        """Begin to obey *limits*, for the run that has just begun, or goes on with its *budget*."""
        from stoffel.runtime.budget import Budget
        from stoffel.runtime.reachable import units_of

        self.budget = budget or Budget(limits, self.stop, lambda: units_of(self.frames), self.budget)
        if self.budget.counted and type(self.tier) is not NoTier and type(self.tier) is not Interpreted:
            self.tier = Interpreted(self.tier)
        if limits.depth is not None:
            self.limit_depth(min(limits.depth, self.max_call_depth) if self.nesting else limits.depth)
        if limits.reentry is not None:
            self.max_reentry = min(limits.reentry, self.max_reentry) if self.nesting else limits.reentry
        self.write_line = self.budget.writer(self.write_line)
        if limits.seconds is not None and self.budget.ends is not None:
            self._set_deadline(self.budget.ends, limits.seconds)

    def _set_deadline(self, ends: float, seconds: float) -> None:
        from stoffel.runtime.deadlines import CLOCK, Deadline

        def passed() -> None:
            if self.deadline is deadline:
                self.stop(f"Time limit of {seconds:g} seconds exceeded")

        deadline = Deadline(ends, passed)
        outer = self.deadline
        if outer is None or deadline.time < outer.time:
            self.deadline = deadline
            CLOCK.add(deadline)

    @property
    def current_instruction(self) -> tuple[str, int] | None:
        """Function name and index of the instruction in progress, or None outside a run."""
        frames = self.frames
        if not frames:
            return None
        frame = frames[-1]
        return frame.code.name, max(frame.next_instruction - 1, 0)

    def locate(self, error: VMError) -> None:
        """Note on *error* where the run is, unless an inner run has done so."""
        if error.function is None and len(self.records) > self.base:
            from stoffel.runtime.backtrace import note_records

            note_records(error, self.functions, self.records)

    @contextmanager
    def entered(
        self, limits: Limits | None = None, *, goes_on: bool = False, budget: Budget | None = None
    ) -> Iterator[None]:
        """Hold the machine for a run: records pushed inside are dropped on leaving, whatever happens.

        *limits* are obeyed besides those of the run around, which are the machine's own unless the first run has
        others. *goes_on* says that the run has begun before; *budget* is what is left of its limits then.

        Errors leave with their position. Host failures that a program can provoke become VMErrors: running out of
        memory, and host recursion through foreign functions that call back.
        """
        # A generator, which is closed even if a signal handler raises before it is left; a class's __exit__ is not.
        with self.lock:
            saved = self.base, self.result, self.cursor, self.hooked, self.wanted, self._obeyed, self.nesting
            bottom = len(self.records)
            suspension = self.tier.suspend()
            self.base = len(self.records)
            run = object()
            depth = len(self.runs)
            limited = None
            try:
                if self.nesting:
                    self._nest(run)
                else:
                    if not goes_on:
                        self.stopped = None
                    limits = limits or self.limits
                if limits is not None:
                    limited = (
                        *(self.budget, self.deadline, self.tier, self.write_line),
                        *(self.max_call_depth, self.max_reentry),
                    )
                    self._limit(limits, budget)
                self.nesting += 1
                self.runs.append((self.base, threading.get_ident()))
                yield
            except VMError as error:
                self.locate(error)
                raise
            except RecursionError as error:
                raise self._host_failure(too_deep(self)) from error
            except MemoryError as error:
                raise self._host_failure(out_of_memory()) from error
            finally:
                del self.runs[depth:]
                del self.records[self.base :]
                if limited is not None:
                    self._unlimit(*limited)
                if suspension is not None:
                    self.tier.resume(suspension, self.records[bottom:])
                    del self.records[bottom:]
                self.base, self.result, self.cursor, hooked, wanted, self._obeyed, self.nesting = saved
                self.watch(hooked, wanted)
                if self.nesting:
                    RECURSION_LIMIT.lower_for(run)
                    # It may have obeyed a change that the outer run has not seen yet.
                    if self.hooked != self.hooks.active or self._obeyed != self.changes or self._is_to_end:
                        self.ask_attention()
                else:
                    self.stopped = None

    def _unlimit(
        self,
        budget: Budget | None,
        deadline: Deadline | None,
        tier: Tier,
        write_line: Callable[[str], None],
        depth: int,
        reentry: int,
    ) -> None:
        """Obey again what was obeyed before :meth:`_limit`; may be called once more after an interruption."""
        if self.budget is not None and self.budget is not budget:
            self.budget.end()
        self.budget = budget
        self.write_line = write_line
        if self.deadline is not None and self.deadline is not deadline:
            self.deadline.cancel()
        self.deadline = deadline
        if type(self.tier) is Interpreted:
            self.tier = tier
        if self.max_call_depth != depth:
            self.limit_depth(depth)
        self.max_reentry = reentry

    def _nest(self, run: object) -> None:
        """Find place for one more run inside the others; raises VMError if there is none."""
        most = min(self.max_reentry, runs_on_stack())
        if self.nesting > most:
            raise VMError(f"Re-entry depth exceeds {most}", ErrorKind.RUNTIME)
        RECURSION_LIMIT.raise_for(run, FRAMES_OF_A_RUN)

    def _host_failure(self, error: VMError) -> VMError:
        self.locate(error)
        return error
