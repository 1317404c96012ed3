"""The core of the debugger: a program on a machine of its own, where it stops, and how it goes on.

Everything happens in one thread: where the run stops the front is called, and the run goes on when it returns. A run
that is to be another one (from its start, or backwards) is left by an exception, and begun again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from stoffel.debug import replay as back
from stoffel.debug.breakpoints import Breakpoints, Watch
from stoffel.debug.expressions import DebugError, evaluate
from stoffel.debug.places import line_at
from stoffel.debug.recording import RecordedStorage, Recording
from stoffel.debug.replay import EVERY_TRAP, EVERY_TRAP_AND_LINE, PRINTED, Change, EveryTrap, Replay, Stretch, Trail
from stoffel.debug.traps import EVERYWHERE, TrappedSteps
from stoffel.embedding.engine import ModeName
from stoffel.embedding.vm import VirtualMachine
from stoffel.errors import VMError
from stoffel.isa.program import Program
from stoffel.model.code import Code
from stoffel.runtime.storage import open_storage

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState


class Stop(NamedTuple):
    """Where a run has stopped: *reason*, and *text* about it for people; *error* of a failure, *result* at the end."""

    reason: str
    text: str = ""
    error: VMError | None = None
    result: Any = None


class Front(Protocol):
    """Who is asked at a stop, and gets what the program prints."""

    def stopped(self, stop: Stop) -> None:
        """Return when the run is to go on, after telling the session how."""

    def printed(self, line: str) -> None:
        """Show a line of the program."""


class Quit(BaseException):
    """The debugger is to end."""


class _Again(BaseException):
    """The program is to run again from its start."""


class _Everything:
    def __contains__(self, _code: object) -> bool:
        return True


EVERYTHING: Final = _Everything()
"""All functions."""


class _Engine:
    """An engine that tells of a failure while its records are there."""

    def __init__(self, engine: Any, failed: Callable[[VMState, VMError], None]) -> None:
        self._engine = engine
        self._failed = failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, state: VMState) -> Any:
        try:
            return self._engine.run(state)
        except VMError as error:
            state.locate(error)
            self._failed(state, error)
            raise


class Session:
    """A program being debugged: *entry* with *arguments*, as *jit* says, with local storage as for a machine.

    ``how`` is how the run goes on after a stop: "continue", "step", "stepi", "next", "nexti" or "finish".
    """

    def __init__(
        self,
        program: Program,
        entry: str,
        arguments: list[Any],
        front: Front,
        *,
        jit: ModeName = "off",
        storage: str | None = None,
        cache: str | None = None,
    ) -> None:
        self.program = program
        self.entry = entry
        self.arguments = arguments
        self.front = front
        self.breakpoints = Breakpoints()
        self.watches: list[Watch] = []
        self.stops_at_start = True
        self.stops_on_error = True
        self.stops_on_print: str | None = None
        """Text, part of a printed line, that stops the run; the empty one stops at each."""
        self.how = "continue"
        self.is_running = False
        self._jit: ModeName = jit
        self._cache = cache
        self._storage = open_storage(storage)
        self._recording = Recording()
        self._replay: Replay | None = None
        self._trail: Trail | None = []
        self._met = 0
        self._shown = self._line = 0
        self._from: tuple[str, int | None, int] = ("", None, 0)
        self._inside = self._pausing = False
        self._before: tuple[str, int | None, int] = ("", None, 0)
        self._traps: Mapping[str, frozenset[int]] = {}
        self._steps: dict[str, TrappedSteps] = {}
        self._told: VMError | None = None
        self._make_machine()

    # The machine

    def _make_machine(self) -> None:
        storage = None if self._storage is None else RecordedStorage(self._storage, self._recording)
        self.machine = VirtualMachine(self._jit, self._print, storage, cache=self._cache)
        self.machine.load(self.program)
        state = self.state = self.machine.state
        random_bytes = state.random_bytes
        state.random_bytes = lambda size: self._recording.call(random_bytes, size)
        self.machine._engine = _Engine(self.machine._engine, self._failed)  # type: ignore[assignment]
        names = {function.name for function in self.program.functions}
        self.codes = {name: code for name, code in state.functions.items() if type(code) is Code and name in names}
        heat = state.tier.counts_heat
        self._steps = {}
        for name, code in self.codes.items():
            code.steps = code.counted = self._steps[name] = TrappedSteps(code, heat, self._asked)
        self._traps = {}
        self._met = self._line = 0
        self._told = None

    def run(self) -> None:
        """Run the program, again and again as the front wants it; raises Quit when that ends it."""
        while True:
            try:
                self.is_running = True
                self._execute()
                return
            except _Again:
                self._recording.rewind()
                self.watches.clear()
                self._make_machine()

    def _execute(self) -> None:
        if self._replay is not None or self.stops_at_start:
            self._set_traps(EVERY_TRAP)
            self.how = "stepi"
        else:
            self._go_on("continue")
        try:
            stop = Stop("end", result=self.machine.execute(self.entry, *self.arguments))
        except VMError as error:
            stop = Stop("end", error=error)
        if self._replay is not None:
            self._replayed_to(self._replay.ended("end"), inside=True)
            self._replay, self._trail = None, None
            stop = stop._replace(text="the run was another one this time")
        self._stop(stop, inside=True, ending="end")

    def restart(self, arguments: list[Any] | None = None) -> None:
        """Run the program from its start, with other *arguments* if there are some; does not return."""
        if arguments is not None:
            self.arguments = arguments
        self._replay, self._trail, self._recording, self._shown = None, [], Recording(), 0
        raise _Again

    def pause(self) -> None:
        """Stop at the next instruction; for signal handlers."""
        if self._replay is None:
            self._pausing = True
            self._set_traps(EVERY_TRAP)

    # Where it is

    def records(self) -> list[ActivationRecord]:
        """Return the records, innermost first."""
        return self.state.frames[::-1]

    def _here(self, record: ActivationRecord, index: int) -> tuple[str, int | None, int]:
        line = line_at(record.code, index)
        return record.code.name, -1 - index if line is None else line, len(self.state.frames)

    # Traps

    def _set_traps(self, traps: Mapping[str, frozenset[int]]) -> None:
        self._traps = traps
        for name, steps in self._steps.items():
            steps.trap(traps.get(name, frozenset()))
        state = self.state
        if not state.tier.counts_heat:
            return
        # Functions with traps run in the interpreter, wherever they are called from.
        pinned: Any = EVERYTHING
        if not isinstance(traps, EveryTrap):
            pinned = frozenset([self.codes[name] for name, at in traps.items() if at and name in self.codes]) or ()
        statistics: Any = state.tier.statistics
        if pinned != statistics.pinned:
            statistics.pinned = pinned
            state.tier.meanings_changed()
            state._changed()

    def refresh(self) -> None:
        """Have the breakpoints as they are now; for those that are set while the program runs."""
        self._go_on(self.how)

    def _go_on(self, how: str) -> None:
        self.how = how
        if how in ("step", "stepi") or any(self.watches):
            self._set_traps(EVERY_TRAP if self.stops_on_print is None else EVERY_TRAP_AND_LINE)
            return
        traps = self.breakpoints.traps()
        if how != "continue":
            # Only what is on the stack: what is called from there runs as fast as ever.
            traps.update({record.code.name: EVERYWHERE for record in self.state.frames})
        if self.stops_on_print is not None:
            traps[PRINTED] = EVERYWHERE
        self._set_traps(traps)

    def _asked(self, record: ActivationRecord, index: int) -> None:
        """Look whether the run stops before the instruction at *index*."""
        if self._replay is not None:
            self._replayed(record, index)
            return
        self._met += 1
        stop = self._reason(record, index)
        if stop is not None:
            self._stop(stop)

    def _reason(self, record: ActivationRecord, index: int) -> Stop | None:
        if self._pausing:
            return Stop("pause", "interrupted")
        for watch in self.watches:
            text = watch.changed(self.state.frames)
            if text is not None:
                if watch.is_over:
                    self.watches.remove(watch)
                return Stop("watch", text)
        hit = self.breakpoints.hit(record, index)
        if hit is not None:
            return Stop("breakpoint", hit)
        if self._trail == []:
            return Stop("entry") if self.stops_at_start else None
        return Stop("step") if self._is_there(record, index) else None

    def _is_there(self, record: ActivationRecord, index: int) -> bool:
        """Return whether a step ends here."""
        if self.how == "continue":
            return False
        if self.how == "stepi":
            return True
        here = self._here(record, index)
        depth = self._from[2]
        if self.how == "finish":
            return here[2] < depth
        return (self.how == "step" or here[2] <= depth) and (here != self._from or self.how == "nexti")

    # Stops

    def _stop(self, stop: Stop, *, inside: bool = False, ending: str = "") -> None:
        if self._trail is not None:
            if stop.reason == "pause":
                self._trail = None
            else:
                self._trail.append(Stretch(self._traps, self._met, ending))
        self._met = 0
        self._inside = inside
        self._pausing = False
        self.how = "continue"
        self.is_running = False
        self.front.stopped(stop)
        self.is_running = True
        records = self.records()
        if records:
            self._from = self._here(records[0], max(records[0].next_instruction - 1, 0))
            for watch in self.watches:
                watch.look()
        self._go_on(self.how)

    def _failed(self, state: VMState, error: VMError) -> None:  # noqa: ARG002 - as the engine calls it
        if error is self._told or (self._told is not None and error.__cause__ is self._told):
            return
        self._told = error
        if self._replay is not None:
            if self.stops_on_error:
                self._replayed_to(self._replay.ended("error"), inside=True)
        elif self.stops_on_error:
            self._stop(Stop("error", str(error), error), inside=True, ending="error")

    def _print(self, line: str) -> None:
        self._line += 1
        if self._line > self._shown:
            self._shown = self._line
            self.front.printed(line)
        if self._replay is not None:
            self._replayed_to(self._replay.met(PRINTED, 0)[0], inside=True)
        elif self.stops_on_print is not None and self._traps.get(PRINTED):
            self._met += 1
            if self.stops_on_print in line:
                self._stop(Stop("print", f"printed {line}"), inside=True)

    def set_register(self, record: ActivationRecord, register: int, text: str) -> Any:
        """Set a register to the value of an expression, which is returned."""
        if not 0 <= register < len(record.registers):
            raise DebugError(
                f"{record.code.name} has no register {register}: they are r0 to r{len(record.registers) - 1}"
            )
        value = record.registers[register] = evaluate(text, record)
        if self._trail is not None:
            self._trail.append(Change(self.state.frames.index(record), register, text))
        return value

    # Backwards

    def rewind(self, kind: str, count: int = 1) -> None:
        """Go back to an earlier instruction, as *kind* says (see ``replay``); does not return if that can be."""
        if self._trail is None:
            raise DebugError("no way back: the run was interrupted at an unknown instruction; restart it")
        if self._trail == [Stretch(EVERY_TRAP, 1)] and not self._inside:
            raise DebugError("this is the first instruction")
        depth = max(len(self.state.frames), 1)
        self._replay = Replay(self._trail, kind, depth, count)
        raise _Again

    def _replayed(self, record: ActivationRecord, index: int) -> None:
        replay = self._replay
        assert replay is not None
        replay.time += 1
        if replay.goal is not None:
            hit = self.breakpoints.hit(record, index, count=False) if replay.time == replay.goal else None
            self._apply([change for time, change in replay.changes if time == replay.time])
            if replay.time == replay.goal:
                self._replay = None
                self._trail = replay.trail()
                self._met = 0
                self._inside = False
                self._stop_again(record, index, hit)
            return
        here = self._here(record, index)
        if replay.kind == back.BREAKPOINT:
            wanted = self.breakpoints.hit(record, index, count=False) is not None
        else:
            wanted = here != self._before and (replay.kind == back.LINE or here[2] <= replay.depth)
        finished, changes = replay.met(record.code.name, index)
        self._apply(changes)
        if wanted and not finished:
            replay.propose()
        self._before = here
        self._replayed_to(finished, inside=False)

    def _replayed_to(self, finished: bool, *, inside: bool) -> None:
        if finished and self._replay is not None:
            self._replay = self._replay.to(self._replay.found(inside=inside))
            self._before = ("", None, 0)
            raise _Again

    def _apply(self, changes: list[Change]) -> None:
        for change in changes:
            record = self.state.frames[change.depth]
            record.registers[change.register] = evaluate(change.text, record)

    def _stop_again(self, record: ActivationRecord, index: int, hit: str | None) -> None:
        stop = Stop("breakpoint", hit) if hit is not None else Stop("back")
        self.how = "continue"
        self.is_running = False
        self.front.stopped(stop)
        self.is_running = True
        self._from = self._here(record, index)
        self._go_on(self.how)
