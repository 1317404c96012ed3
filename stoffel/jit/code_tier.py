"""The compiled tier: entering compiled code of one machine, at calls and at loops that run (on-stack replacement).

Compiled code runs on the host's stack. How it is left is in `exits.py`, what stands for it while it waits in
`suspension.py`, what makes it look up in `attention.py`; `code_cache.py` has the units, `kernels/` the kernels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stoffel.compiler.analysis.facts import RAW, is_raw, kind_of
from stoffel.compiler.analysis.layout import layout_of
from stoffel.compiler.emission import global_names
from stoffel.compiler.emission.deopt_points import (
    Unit,
    boxed,
)
from stoffel.errors import VMError
from stoffel.jit import direct_calls
from stoffel.jit.attention import Attention
from stoffel.jit.code_cache import Units
from stoffel.jit.deoptimisation import (
    Left,
    captured_by,
    placed,
    private_closures,
)
from stoffel.jit.exits import Exits
from stoffel.jit.host_stack import HostStack
from stoffel.jit.kernels.outcomes import KernelLeft, Mismatch
from stoffel.jit.policy import sampling_clock
from stoffel.jit.policy.long_functions import LongFunctions, heat_of_translating
from stoffel.jit.statistics import Statistics
from stoffel.jit.suspension import CompiledFrames
from stoffel.model.code import NEVER, UNWATCHED, Code
from stoffel.model.values import Closure, Operand
from stoffel.runtime.calls import leave
from stoffel.runtime.frames import ActivationRecord, Captures
from stoffel.runtime.host_stack import FRAMES_OF_COMPILED_CODE, RECURSION_LIMIT

if TYPE_CHECKING:
    import os

    from stoffel.jit.kernels.tier import KernelTier
    from stoffel.jit.policy.run_history import Outcome
    from stoffel.jit.suspension import Suspension
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
        self.units = units = Units(state, self.statistics)
        self.code_objects = units.by_code
        self.frames = CompiledFrames(state, units, HostStack(state))
        self.attention = Attention(state, units, self.frames)
        self.exits = Exits(units, self.frames, self.attention)
        units.namespace |= {
            global_names.CALL_CLOSURE: self._call_closure,
            global_names.FIND_UPVALUE: self.frames.find_upvalue,
        }
        self.loading = 0.0, 0.0
        self.from_start = False
        self._long = LongFunctions()
        if kernels == "eager":
            self._load_kernels()
        elif kernels:
            sampling_clock.start(self.attention)

    # Kernels

    def _sample(self) -> None:
        ticks = self.attention.heed()
        with self.units.working():
            if self.kernels is None:
                self._load_kernels()
            if self.kernels is not None:
                self.kernels.sample(self.state.records, ticks)

    def _load_kernels(self) -> None:
        from stoffel.jit.kernels.tier import KernelTier
        from stoffel.jit.store.kernel_cache import open_cache

        self.kernels = KernelTier(self, open_cache(self._cache), eager=self._kernels_wanted == "eager")
        self.attention.kernels = self.kernels.kernels

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

    # Attention and suspension

    def ask_attention(self) -> None:
        """Make compiled code stop at its next safepoint."""
        self.attention.ask()

    def clear_attention(self) -> None:
        """Let compiled code pass its safepoints."""
        if self.attention.is_asked:
            self.attention.clear()

    def meanings_changed(self) -> None:
        """Drop all compiled code, since a name may mean something else from now on; what runs is still known."""
        self.units.forget_all()
        if self.kernels is not None:
            self.kernels.forget_all()

    def renew_after_fork(self) -> None:
        """Have new locks and threads in a forked process."""
        self.attention.renew_after_fork()
        if self.kernels is not None:
            self.kernels.renew_after_fork()
        if self._kernels_wanted == "wanted":
            sampling_clock.start(self.attention)

    @property
    def every(self) -> int:
        """If not 0, compiled code is left at every so many-th safepoint: shows that leaving is exact."""
        return self.attention.every

    @every.setter
    def every(self, count: int) -> None:
        self.attention.leave_every(count)
        self.state.direct.clear()
        self.ask_attention()

    @property
    def is_suspended(self) -> bool:
        """True while compiled code is on the host's stack, suspended in a call that looks at the machine."""
        return self.frames.boundary is not None

    def snapshot(self) -> list[ActivationRecord]:
        """Return the records of the suspended compiled frames, oldest first."""
        return self.frames.snapshot()[0]

    def suspend(self) -> Suspension | None:
        """Put the records of suspended compiled frames on the machine's stack, for a run inside a foreign function."""
        return None if self.frames.boundary is None else self.frames.suspend()

    def resume(self, suspension: Suspension, records: list[ActivationRecord]) -> None:
        """Take back what :meth:`suspend` put aside, and the *records* that it had to be given meanwhile."""
        self.frames.resume(suspension, records)

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
                outcome = self.kernels.call(callee, key[1], arguments, self.frames.host_stack.room_for_kernels())
            except Mismatch:
                pass
            else:
                self.kernels.choice.waits = 0
                self.statistics.called(callee)
                if type(outcome) is KernelLeft:
                    self.exits.take_over(outcome)
                    return True
                frame.registers[0] = outcome
                return self.state.attention
        function = self.units.calls.get(key)
        if function is None:
            if key in self.units.calls or not self.units.writable:
                return None
            callee.heat += len(callee.function.instructions)
            if not self.is_hot(callee) or (self.kernels is not None and self.kernels.choice.is_waiting()):
                return None
            function = self.units.compile_call(key)
            if function is None:
                return None
        unit = self.units.by_code[function.__code__]
        room = self.frames.host_stack.room_below()
        if unit.calls and (room < unit.calls or self.frames.host_stack.is_used_up()):
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
        if self.attention.ticks or self.attention.finished:
            self._sample()
        if not self.is_hot(code):
            return False
        if code in self.units.environment.refusals:
            code.hot = NEVER
            return False
        entry = frame.next_instruction
        if not self.units.environment.can_enter(code, entry):
            return False
        layout = layout_of(code, self.units.environment.instructions_of(code))
        privates = private_closures(frame)
        values = (
            frame.registers + [frame.spill.get(slot) if frame.spill else None for slot in layout.slots] + frame.stack
        )
        if self.kernels is not None:
            try:
                outcome = self.kernels.enter(frame, entry, values, self.frames.host_stack.room_for_kernels() + 1)
            except Mismatch:
                pass
            else:
                self.kernels.choice.waits = 0
                if type(outcome) is KernelLeft:
                    self.state.records.pop()
                    self.exits.take_over(outcome)
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
            if (self.kernels is not None and self.kernels.choice.is_waiting()) or not self._long.may_translate(code):
                return False
            if key in self.units.entries or not self.units.compile_entry(key, values, private):
                code.hot = NEVER
                return False
            function = self.units.entries[key]
            assert function is not None
        unit = self.units.by_code[function.__code__]
        state = self.state
        room = self.frames.host_stack.room_below(1)
        if unit.calls and (room < unit.calls or (entry == 0 and self.frames.host_stack.is_used_up())):
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

    def _run(self, unit: Unit, function: Callable[..., Operand], room: int, arguments: list[Any]) -> Operand:
        """Run a unit to its end; raises Left after the records have been rebuilt."""
        frames = self.frames
        outer, frames.boundary = frames.boundary, sys._getframe()
        run = frames.host_stack.begin()
        self.statistics.runs += 1
        if self.statistics.listeners:
            self.statistics.entering("code object", unit.function, unit.entry)
        self.attention.fresh = True
        try:
            if unit.suspends:
                RECURSION_LIMIT.raise_for(run, FRAMES_OF_COMPILED_CODE)
            result = function(room, *arguments)
        except (VMError, MemoryError) as error:
            raise placed(error, self.state, self.units.by_code) from error.__cause__
        except RecursionError as error:
            self.exits.leave_unmade_call(error)
            raise
        finally:
            frames.boundary = outer
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
                signature = self.units.environment.signature_of(
                    callee, tuple(map(kind_of, arguments)), names_of_upvalues
                )
                function = self.units.unit_for(callee, signature)
        if function is None:
            self.exits.hand_over(room)
            raise AssertionError("handing over does not return")
        unit = self.units.by_code[function.__code__]
        given = list(arguments)
        for position in unit.raw_arguments:
            given[position] = int(given[position])
        result: Any = function(room, closure, *given)
        return boxed(result, unit.result.mask) if is_raw(unit.result) else result

    def is_hot(self, code: Code) -> bool:
        """Return whether *code* has run for long enough to be translated, and have its loops ask when it has."""
        if code.hot >= UNWATCHED and code not in self.units.environment.refusals:
            code.hot = heat_of_translating(self.threshold, len(code.function.instructions))
        return code.heat >= code.hot
