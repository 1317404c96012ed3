"""The compiled tier: units of one machine, entering them, and leaving them with exact state.

Compiled code runs on the host's stack. When it has to be left, every compiled frame between the innermost one and the
boundary where it was entered is rebuilt as an activation record from its Python locals (deoptimisation), and one
exception drops the Python frames; the interpreter goes on from the records.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from stoffel.compiler.analysis.facts import RAW, is_raw, kind_of
from stoffel.compiler.analysis.layout import layout_of
from stoffel.compiler.emission import global_names
from stoffel.compiler.emission.deopt_points import (
    BEFORE,
    BOUNDS,
    DEPTH,
    DURING,
    ENTRY,
    HANDOVER,
    LOOP,
    Line,
    Site,
    Unit,
    boxed,
)
from stoffel.compiler.refusal import Refusal
from stoffel.errors import VMError
from stoffel.jit import direct_calls
from stoffel.jit.code_cache import Units
from stoffel.jit.deoptimisation import (
    POLLS,
    REASONS,
    Left,
    Suspension,
    captured_by,
    cause_of_attention,
    exit_of,
    exit_of_kernel,
    innermost,
    is_of,
    kinds_of_sources,
    note_place,
    private_closures,
    records_of,
    snapshot_of,
    variable_at,
)
from stoffel.jit.host_stack import HostStack
from stoffel.jit.kernels.outcomes import KernelLeft, Mismatch
from stoffel.jit.policy import sampling_clock, thresholds
from stoffel.jit.policy.long_functions import LongFunctions, heat_of_translating
from stoffel.jit.statistics import Statistics
from stoffel.model.code import NEVER, Code
from stoffel.model.values import Closure, Operand, Value
from stoffel.runtime.calls import find_in, leave, missing_upvalue
from stoffel.runtime.frames import ActivationRecord, Captures
from stoffel.runtime.host_stack import FRAMES_OF_COMPILED_CODE, RECURSION_LIMIT

if TYPE_CHECKING:
    import os

    from stoffel.jit.events import Exit
    from stoffel.jit.kernels.tier import KernelTier
    from stoffel.jit.policy.run_history import Outcome
    from stoffel.runtime.state import VMState


class CompiledTier:
    """Runs the units of one machine. *threshold* scales the heat at which functions are compiled; 0 means at once.

    ``loading`` is the ``time.thread_time`` before and after the translator was loaded; ``from_start`` says whether the
    run is compiled from its start, because that was quicker before.
    """

    called_by_host = direct_calls.offer

    def __init__(
        self,
        state: VMState,
        threshold: float,
        kernels: str = "",
        cache: str | os.PathLike[str] | None = None,
        statistics: Statistics | None = None,
    ) -> None:
        self.state = state
        self.counts_heat = True
        self.threshold = threshold
        self.statistics = statistics or Statistics()
        self.kernels: KernelTier | None = None
        self._kernels_wanted = kernels
        self._cache = cache
        self._finished = self._is_asked = False
        self.units = Units(state, self.statistics, self._hand_over)
        self.units.namespace |= {
            global_names.LEAVE: self._leave,
            global_names.RECOVER: self._recover,
            global_names.EMPTIED: self._emptied,
            global_names.CALL_CLOSURE: self._call_closure,
            global_names.FIND_UPVALUE: self._find_upvalue,
        }
        self.code_objects = self.units.by_code
        self.loading = 0.0, 0.0
        self.from_start = False
        self._ticks = self._waits = self._every = self._countdown = 0
        self._fresh = True
        self._handovers: dict[Code, int] = {}
        self._long = LongFunctions()
        self.boundary: FrameType | None = None
        self._stack = HostStack(state)
        self._override: list[ActivationRecord] | None = None
        if kernels == "eager":
            self._load_kernels()
        elif kernels:
            sampling_clock.start(self)

    # Kernels

    def tick(self, ticks: int) -> None:
        """Have the records looked at when next all are there; called by the clock, from its own thread."""
        self._ticks = ticks
        self.state.ask_unless_hooked()

    def kernel_finished(self) -> None:
        """Have finished kernels taken when next all records are there; called from the thread that makes them."""
        self._finished = True
        self.state.ask_unless_hooked()

    def _sample(self) -> None:
        ticks, self._ticks, self._finished = self._ticks, 0, False
        with self.units.working():
            if self.kernels is None:
                self._load_kernels()
            if self.kernels is not None:
                self.kernels.sample(self.state.records, ticks)

    def _load_kernels(self) -> None:
        from stoffel.jit.kernels.tier import KernelTier
        from stoffel.jit.store.kernel_cache import open_cache

        self.kernels = KernelTier(self, open_cache(self._cache), eager=self._kernels_wanted == "eager")

    def leave_kernel(self, left: KernelLeft) -> NoReturn:
        """Leave all compiled code after a kernel that it has called was left. Raises Left, or what interrupted it."""
        found = exit_of_kernel(left.records)
        self._drop_all(list(reversed(left.records)), sys._getframe(1), found, left.interruption)

    # What the next run of the same program may learn from

    def recall(self, remember: Callable[[], Outcome | None]) -> None:
        """Ask *remember* what the program has come to before, and prepare for that."""
        if (known := remember()) is not None:
            self.prepare(known)

    def prepare(self, outcome: Outcome) -> None:
        """Have the kernels that ran when the program was last run."""
        if self._kernels_wanted and outcome.kernels:
            if self.kernels is None:
                self._load_kernels()
            assert self.kernels is not None
            self.kernels.recall(outcome.kernels)
            self._waits = thresholds.WAITS

    # Attention and suspension

    def ask_attention(self) -> None:
        """Make compiled code stop at its next safepoint."""
        self._is_asked = True
        self.units.ask_attention(True)
        if self.kernels is not None:
            self.kernels.kernels.ask_attention(True)

    def clear_attention(self) -> None:
        """Let compiled code pass its safepoints."""
        if self._is_asked:
            self._is_asked = wanted = self._every > 0
            self.units.ask_attention(wanted)
            if self.kernels is not None:
                self.kernels.kernels.ask_attention(wanted)

    def meanings_changed(self) -> None:
        """Drop all compiled code, since a name may mean something else from now on; what runs is still known."""
        self.units.forget_all()
        if self.kernels is not None:
            self.kernels.forget_all()

    def renew_after_fork(self) -> None:
        """Have new locks and threads in a forked process."""
        self.units.renew_after_fork()
        if self.kernels is not None:
            self.kernels.renew_after_fork()
        if self._kernels_wanted == "wanted":
            sampling_clock.start(self)

    @property
    def every(self) -> int:
        """If not 0, compiled code is left at every so many-th safepoint: shows that leaving is exact."""
        return self._every

    @every.setter
    def every(self, count: int) -> None:
        self._every = self._countdown = count
        self.state.direct.clear()
        self.ask_attention()
        if self.kernels is not None:
            self.kernels.kernels.every = count

    @property
    def is_suspended(self) -> bool:
        """True while compiled code is on the host's stack, suspended in a call that looks at the machine."""
        return self.boundary is not None

    def snapshot(self) -> list[ActivationRecord]:
        """Return the records of the suspended compiled frames, oldest first."""
        return self._snapshot()[0]

    def _snapshot(self) -> tuple[list[ActivationRecord], bool]:
        """Return them, and whether they are exact."""
        records, exact = self._override or [], True
        if not records:
            records, exact = snapshot_of(self.units, self._chain(sys._getframe(1)))
        if self.units.shown is not None:
            self.units.shown.extend(records[-1:])
        return records, exact

    def suspend(self) -> Suspension | None:
        """Put the records of suspended compiled frames on the machine's stack, for a run inside a foreign function."""
        boundary = self.boundary
        if boundary is None:
            return None
        records, exact = self._snapshot()
        self.state.records.extend(records)
        self.boundary = self._override = None
        taken = self._stack.suspend(len(records))
        # Changes of records that are not exact do not come to the frames.
        kept = records if exact else []
        return Suspension(boundary, taken, kept, [record.registers.copy() for record in kept])

    def resume(self, suspension: Suspension, records: list[ActivationRecord]) -> None:
        """Take back what :meth:`suspend` put aside; registers that the inner run changed replace the frames' own."""
        self.boundary = suspension.boundary
        self._stack.resume(*suspension.taken)
        for record, before in zip(suspension.records, suspension.copies, strict=True):
            if any(mine is not other for mine, other in zip(record.registers, before, strict=True)):
                self._override = records
                self.state.ask_attention()
                return

    # Entering

    def call(
        self, frame: ActivationRecord, callee: Code, arguments: list[Operand], upvalues: list[tuple[str, Operand]]
    ) -> bool | None:
        """Run a plain call from the interpreter in compiled code if there is or should be a unit.

        *upvalues* are those that the call has captured.
        Returns None if the interpreter is to run it; else the result is in the caller's register 0 and the return value
        says whether the loop must look at the stack of records.
        """
        if self.units.busy:
            return None
        key = callee, tuple(map(type, arguments))
        if self.kernels is not None and not callee.upvalue_names:
            try:
                outcome = self.kernels.call(callee, key[1], arguments, self._room_for_kernels())
            except Mismatch:
                pass
            else:
                self._waits = 0
                self.statistics.called(callee)
                if type(outcome) is KernelLeft:
                    self._take_over(outcome)
                    return True
                frame.registers[0] = outcome
                return self.state.attention
        function = self.units.calls.get(key)
        if function is None:
            if key in self.units.calls or not self.units.writable:
                return None
            callee.heat += len(callee.function.instructions)
            if not self.is_hot(callee) or self._is_waiting():
                return None
            function = self.units.compile_call(key)
            if function is None:
                return None
        unit = self.units.by_code[function.__code__]
        room = self._stack.room_below()
        if unit.calls and (room < unit.calls or self._stack.is_used_up()):
            return None
        if unit.raw_arguments:
            arguments = arguments.copy()
            for position in unit.raw_arguments:
                arguments[position] = int(arguments[position])
        state = self.state
        given: list[Any] = [Captures(tuple(upvalues)), *arguments] if callee.upvalue_names else arguments
        try:
            result = self._run(unit, function, room, given)
        except Left:
            return True
        frame.registers[0] = result
        return state.attention

    def closure_called(self, callee: Code) -> None:
        """Count the call of a closure by the interpreter or the host."""
        self.statistics.called(callee)

    def enter(self, frame: ActivationRecord) -> bool:
        """Go on with the current record, which has just jumped back, in compiled code (on-stack replacement).

        Returns False if it cannot; else the record has run to its end or was left again.
        """
        code = frame.code
        if self.units.busy:
            return False
        if self._ticks or self._finished:
            self._sample()
        if not self.is_hot(code):
            return False
        if code in self.units.refusals:
            code.hot = NEVER
            return False
        entry = frame.next_instruction
        if not self.units.can_enter(code, entry):
            return False
        layout = layout_of(code, self.units.instructions_of(code))
        privates = private_closures(frame)
        values = (
            frame.registers + [frame.spill.get(slot) if frame.spill else None for slot in layout.slots] + frame.stack
        )
        if self.kernels is not None:
            try:
                outcome = self.kernels.enter(frame, entry, values, self._room_for_kernels() + 1)
            except Mismatch:
                pass
            else:
                self._waits = 0
                if type(outcome) is KernelLeft:
                    self.state.records.pop()
                    self._take_over(outcome)
                    # The interpreter makes a step first: entered anew, the kernel might leave where it is.
                    return False
                leave(frame, outcome)
                return True
        if not self.units.writable:
            return False
        private = [type(value) is Closure and any(value is item for item in privates) for value in values]
        key = code, entry, frame.flag, captured_by(frame), (*map(type, values), *private)
        function = self.units.entries.get(key)
        if function is None:
            if self._is_waiting() or not self._long.may_translate(code):
                return False
            if key in self.units.entries or not self.units.compile_entry(key, values, private):
                code.hot = NEVER
                return False
            function = self.units.entries[key]
            assert function is not None
        unit = self.units.by_code[function.__code__]
        state = self.state
        room = self._stack.room_below(1)
        if unit.calls and (room < unit.calls or (entry == 0 and self._stack.is_used_up())):
            return False
        self.statistics.entered(code)
        state.records.pop()
        given = [value for value in values if value is not None]
        given = [int(value) if kind_of(value) & RAW else value for value in given]
        plain = frame.closure is None and frame.upvalues
        runs = Captures(tuple(frame.upvalues)) if plain else frame.closure
        try:
            result = self._run(unit, function, room, [frame.arguments, frame.upvalues, runs, *given])
        except Left:
            return True
        if len(state.records) == state.base:
            state.result = result
        else:
            state.records[-1].registers[0] = result
        return True

    def _take_over(self, left: KernelLeft) -> None:
        """Go on in the interpreter where a kernel that it had called was left."""
        self.statistics.left(exit_of_kernel(left.records), len(left.records))
        self.state.records.extend(left.records)
        if left.interruption is not None:
            raise left.interruption

    def _room_for_kernels(self) -> int:
        return self.state.compiled_depth - len(self.state.records) - 1

    def _run(self, unit: Unit, function: Callable[..., Operand], room: int, arguments: list[Any]) -> Operand:
        """Run a unit to its end; raises Left after the records have been rebuilt."""
        outer, self.boundary = self.boundary, sys._getframe()
        run = self._stack.begin()
        self.statistics.runs += 1
        if self.statistics.listeners:
            self.statistics.entering("code object", unit.function, unit.entry)
        self._fresh = True
        try:
            if unit.suspends:
                RECURSION_LIMIT.raise_for(run, FRAMES_OF_COMPILED_CODE)
            result = function(room, *arguments)
        except VMError as error:
            note_place(error, self.state, self.units.by_code)
            raise
        except RecursionError as error:
            self._leave_unmade_call(error)
            raise
        finally:
            self.boundary = outer
            if unit.suspends:
                RECURSION_LIMIT.lower_for(run)
        if type(result) is Closure:
            result.shared = True
        return boxed(result, unit.result.mask) if is_raw(unit.result) else result

    def _call_closure(self, room: int, closure: Operand, *arguments: Operand) -> Operand:
        """Call any closure from compiled code; what cannot be compiled is handed over."""
        function = None
        if type(closure) is Closure:
            callee = self.state.functions.get(closure.function)
            names_of_upvalues = closure.shape[1]
            if (
                type(callee) is Code
                and len(arguments) == len(callee.parameters)
                and len(set(names_of_upvalues)) == len(names_of_upvalues)
            ):
                signature = self.units.signature_of(callee, tuple(map(kind_of, arguments)), names_of_upvalues)
                function = self.units.unit_for(callee, signature)
        if function is None:
            self._hand_over(room)
            raise AssertionError("handing over does not return")
        unit = self.units.by_code[function.__code__]
        given = list(arguments)
        for position in unit.raw_arguments:
            given[position] = int(given[position])
        result: Any = function(room, closure, *given)
        return boxed(result, unit.result.mask) if is_raw(unit.result) else result

    def _find_upvalue(self, name: str) -> Value:
        """Return what a plain call by compiled code captures under *name*; raises VMError if no record has it."""
        for frame, unit, line in self._chain(sys._getframe(1)):
            found, value = variable_at(unit, line.sites[DURING], frame, name)
            if found:
                return value
        found, value = find_in(self.state.records, name)
        if not found:
            raise missing_upvalue(name)
        return value

    def is_hot(self, code: Code) -> bool:
        """Return whether *code* has run for long enough to be translated, and have its loops ask when it has."""
        if code.hot == NEVER and code not in self.units.refusals:
            code.hot = heat_of_translating(self.threshold, len(code.function.instructions))
        return code.heat >= code.hot

    def _is_waiting(self) -> bool:
        """Return whether something else may come first; each time that it is asked counts."""
        self._waits -= self._waits > 0
        return self._waits > 0

    # Leaving

    def _leave(self, way: int, left: FrameType | None = None) -> int:
        """Leave compiled code in the given way, at a line that has such a site; else return the room, at an entry."""
        frame = left or sys._getframe(1)
        unit = self.units.by_code[frame.f_code]
        line = unit.line(frame.f_lineno)
        room: int = frame.f_locals[global_names.ROOM] if way == ENTRY else 0
        if room < 0:
            room += self._stack.more_room()
            if room < 0:
                way = DEPTH
                compiled = sum(len(other.positions(line.index)) for _, other, line in self._chain(frame))
                self._stack.used_up(len(self.state.records) + compiled)
            elif not (self._every or self.state.attention):
                return room
        if way in POLLS and self._every and not self.state.attention:
            # An entry that the engine has just made would be made again: only calls from compiled code count. So may
            # a loop that polls before it does anything: only a second poll counts.
            self._countdown -= not self._fresh if way == LOOP else way != ENTRY or frame.f_back is not self.boundary
            self._fresh = False
            if self._countdown > 0:
                return room
            self._countdown = self._every
        if way == BEFORE:
            self._missed(unit, line, line.sites[way], frame)
        elif way == BOUNDS:
            self.units.feedback(unit.function).wrong_bounds += 1
            self.units.forget(unit.function)
        elif way == HANDOVER:
            self._handed_over(unit, line)
        self._drop(frame, unit, line, way)
        return room

    def _emptied(self, error: BaseException) -> bool:
        """Leave where a loop polls in passing; returns True to go on, and False if the exception is another one."""
        frame = sys._getframe(1)
        if type(error) is not NameError or not is_of(error, frame):
            return False
        error.__traceback__ = None
        if self.units.by_code[frame.f_code].line(frame.f_lineno).sites[LOOP].holds(frame.f_locals):
            self._leave(LOOP, frame)
        return True

    def _hand_over(self, room: int, *arguments: Any) -> None:  # noqa: ARG002 - the shape of a unit
        """Stand in for a unit that does not exist: the innermost compiled frame leaves before its call."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code not in self.units.by_code:
            frame = frame.f_back
        assert frame is not None
        unit = self.units.by_code[frame.f_code]
        line = unit.line(frame.f_lineno)
        self._handed_over(unit, line)
        self._drop(frame, unit, line, BEFORE, HANDOVER)

    def _leave_unmade_call(self, error: RecursionError) -> None:
        """Leave before a call that compiled code itself found no room for on the host's stack, if that is the error."""
        trace = innermost(error)
        if (unit := self.units.by_code.get(trace.tb_frame.f_code)) and BEFORE in (
            line := unit.line(trace.tb_lineno)
        ).sites:
            self._stack.used_up(len(self.state.records))
            self._drop(trace.tb_frame, unit, line, BEFORE, DEPTH)

    def _handed_over(self, unit: Unit, line: Line) -> None:
        code, index = unit.position(line.index)
        counts = not self.units.was_unseen(unit.function, code, index)
        count = self._handovers[code] = self._handovers.get(code, 0) + counts
        if count >= thresholds.HANDOVERS:
            sentence = f"{self.units.instructions_of(code)[index]} is executed by the interpreter only"
            self.units.refuse(code, Refusal(sentence, code.name, index))

    def _recover(self, error: BaseException) -> None:
        """Leave before an opened access that raised; an exception that is not the access's own goes on."""
        if not isinstance(error, (AttributeError, LookupError, TypeError, ArithmeticError, ValueError)):
            return
        trace = error.__traceback__
        frame = sys._getframe(1)
        if trace is None or not is_of(error, frame):
            return
        unit = self.units.by_code[frame.f_code]
        line = unit.line(trace.tb_lineno)
        if isinstance(error, KeyError):
            code, index = unit.position(line.index)
            self.units.feedback(code).note_absent(index)
        self._missed(unit, line, line.sites[BEFORE], frame)
        error.__traceback__ = None
        self._drop(frame, unit, line, BEFORE)

    def _missed(self, unit: Unit, line: Line, site: Site, frame: FrameType) -> None:
        """Learn from a guess that failed, and have the function compiled anew if that pays."""
        instruction = unit.layout.splice.instructions[line.index]
        kinds = kinds_of_sources(unit.layout, instruction, site, frame)
        code, index = unit.position(line.index)
        feedback = self.units.feedback(code)
        feedback.miss(index, kinds)
        if feedback.is_due(len(unit.function.function.instructions)):
            self.units.renew(unit.function)
            self.units.renew(code)

    def _drop(self, frame: FrameType, unit: Unit, line: Line, way: int, reason: int | None = None) -> None:
        """Rebuild the records of all compiled frames, the innermost in a *way* at *line*, and raise Left."""
        cause = cause_of_attention(self.state, self._override is not None, self._finished, self._ticks > 0)
        found = exit_of(unit, line, way, frame, REASONS[way if reason is None else reason], cause)
        self._drop_all(records_of(self.state, unit, line.sites[way], frame), frame.f_back, found)

    def _drop_all(
        self,
        records: list[ActivationRecord],
        outer: FrameType | None,
        found: Exit,
        interruption: BaseException | None = None,
    ) -> NoReturn:
        """Put *records*, innermost first, and those of the compiled frames outside them on the stack; raise Left."""
        override = self._override
        for suspended, other, line in self._chain(outer):
            records.extend(records_of(self.state, other, line.sites[DURING], suspended))
        if override is not None:
            # An inner run has replaced closures in registers of these frames; register 0 of the innermost is newer.
            self._override = None
            for index, (record, changed) in enumerate(zip(records, reversed(override), strict=True)):
                start = 1 if index == 0 else 0
                record.registers[start:] = changed.registers[start:]
                record.closure = changed.closure
        records.reverse()
        self.statistics.left(found, len(records))
        self.boundary = None
        self.state.records.extend(records)
        raise Left if interruption is None else interruption

    def _chain(self, frame: FrameType | None) -> Iterator[tuple[FrameType, Unit, Line]]:
        """Yield the compiled frames from *frame* out to the boundary, innermost first, with their lines."""
        boundary = self.boundary
        while frame is not None and frame is not boundary:
            unit = self.units.by_code.get(frame.f_code)
            if unit is not None:
                yield frame, unit, unit.line(frame.f_lineno)
            frame = frame.f_back
