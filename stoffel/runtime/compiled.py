"""The compiled tier: units of one machine, entering them, and leaving them with exact state.

Compiled code runs on the host's stack. When it has to be left, every compiled frame between the innermost one and the
boundary where it was entered is rebuilt as an activation record from its Python locals (deoptimisation), and one
exception drops the Python frames; the interpreter goes on from the records.
"""

from __future__ import annotations

import linecache
import math
import sys
from collections.abc import Callable
from time import perf_counter
from types import CodeType, FrameType, FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.compiler import blocks, names, translator
from stoffel.compiler.environment import Feedback
from stoffel.compiler.facts import ANY, CLASS, KIND_RANGES, RAW, UNIT, UNIT_FACT, Fact, is_raw, kind_of, kind_of_class, of_kinds
from stoffel.compiler.refusal import Refusal
from stoffel.compiler.safepoints import (
    AFTER,
    BEFORE,
    DURING,
    ENTRY,
    HANDOVER,
    NEXT,
    TAKEN,
    Line,
    Site,
    Unit,
    boxed,
    flag_at,
    value_at,
)
from stoffel.errors import VMError
from stoffel.isa.program import Instruction
from stoffel.isa.table import OperandKind
from stoffel.runtime.code import NEVER, Code
from stoffel.runtime.foreign import ForeignFunction
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord
from stoffel.runtime.operations import OPERATIONS, overflow
from stoffel.runtime.solver import Key, Solver
from stoffel.runtime.statistics import Statistics
from stoffel.runtime.values import Array, Object, Value

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

HEAT_PER_INSTRUCTION: Final = 300
"""Interpreted instructions that cost about as much as translating one."""
HEAT_OF_LOADING: Final = 400_000
"""Interpreted instructions that cost about as much as loading the translator."""
HANDOVERS: Final = 3
"""Times that a unit may be left at an instruction that only the interpreter executes before it is given up."""
VARIANTS: Final = 12
"""Units of one function for calls with different kinds of arguments; further kinds share a unit without types."""
RESERVE: Final = 60
"""Host stack frames kept free for what compiled code calls."""

REASONS: Final = {
    BEFORE: "a guess failed",
    AFTER: "hooks or records changed in a foreign call",
    TAKEN: "attention at a loop",
    NEXT: "attention at a loop",
    ENTRY: "call depth or attention at function entry",
    HANDOVER: "an instruction that the interpreter executes",
}


class Left(BaseException):
    """Compiled code was left: its records are on the machine's stack. Never seen outside this module."""


class Suspension(NamedTuple):
    """What is put aside while foreign code runs another program on a machine whose compiled code is suspended."""

    boundary: FrameType | None
    room: int
    records: list[ActivationRecord]
    copies: list[list[Value]]


class CompiledTier:
    """All units of one machine. *threshold* scales the heat at which functions are compiled; 0 means at once."""

    def __init__(self, state: VMState, threshold: float) -> None:
        self.state = state
        self.threshold = threshold
        self.statistics = Statistics()
        self.units: dict[CodeType, Unit] = {}
        self.every: int = 0
        """If not 0, every so many safepoints compiled code is left, for testing that leaving is exact."""
        self._countdown = 0
        self._calls: dict[tuple[Code, tuple[type, ...]], Callable[..., Value] | None] = {}
        self._entries: dict[tuple[Any, ...], Callable[..., Value] | None] = {}
        self._names: dict[Key, str] = {}
        self._solver: Solver | None = None
        self._assumed: dict[Key, Fact] = {}
        self._callers: dict[Key, set[Code]] = {}
        self._feedback: dict[Code, Feedback] = {}
        self._instructions: dict[Code, list[Instruction]] = {}
        self._graphs: dict[tuple[Code, int], blocks.Graph] = {}
        self._heads: dict[Code, frozenset[int]] = {}
        self._refused: dict[Code, str] = {}
        self._handovers: dict[Code, int] = {}
        self._boundary: FrameType | None = None
        self._room = -1
        self._override: list[ActivationRecord] | None = None
        self._compiling: list[Code] = []
        self._versions = 0
        self.namespace: dict[str, Any] = {
            "__builtins__": {},
            names.ATTENTION: False,
            names.LEAVE: self._leave,
            names.RECOVER: self._recover,
            names.OVERFLOW: _raise_overflow,
            "type": type,
            "len": len,
            "fmod": math.fmod,
            "Array": Array,
            "Object": Object,
            "next_id": state.objects.next_id,
        }
        for operation, function in OPERATIONS.items():
            self.namespace[names.operation_name(operation)] = function
        for raw in KIND_RANGES:
            if raw & RAW:
                self.namespace[names.box_name(raw)] = _boxer(CLASS[raw])

    # Attention and suspension

    def ask_attention(self) -> None:
        """Make compiled code stop at its next safepoint."""
        self.namespace[names.ATTENTION] = True

    def clear_attention(self) -> None:
        """Let compiled code pass its safepoints."""
        self.namespace[names.ATTENTION] = False

    @property
    def is_suspended(self) -> bool:
        """True while compiled code is on the host's stack, suspended in a call that looks at the machine."""
        return self._boundary is not None

    def snapshot(self) -> list[ActivationRecord]:
        """Return the records of the suspended compiled frames, oldest first."""
        if self._override is not None:
            return self._override
        records = [self._record(unit, line.sites[DURING], frame) for frame, unit, line in self._chain(sys._getframe(1))]
        records.reverse()
        return records

    def suspend(self) -> Suspension | None:
        """Put the records of suspended compiled frames on the machine's stack, for a run inside a foreign function."""
        boundary, room = self._boundary, self._room
        if boundary is None:
            self._room = -1
            return None if room < 0 else Suspension(None, room, [], [])
        records = self.snapshot()
        self.state.records.extend(records)
        self._boundary = None
        self._room = -1
        self._override = None
        return Suspension(boundary, room, records, [record.registers.copy() for record in records])

    def resume(self, suspension: Suspension, records: list[ActivationRecord]) -> None:
        """Take back what :meth:`suspend` put aside; registers that the inner run changed replace those of the frames."""
        self._boundary = suspension.boundary
        self._room = suspension.room
        for record, before in zip(suspension.records, suspension.copies, strict=True):
            if any(mine is not other for mine, other in zip(record.registers, before, strict=True)):
                self._override = records
                self.state.ask_attention()
                return

    # Entering

    def call(self, frame: ActivationRecord, callee: Code, arguments: list[Value]) -> bool | None:
        """Run a call from the interpreter in compiled code if there is or should be a unit.

        Returns None if the interpreter is to run it; else the result is in the caller's register 0 and the return value
        says whether the loop must look at the stack of records.
        """
        key = callee, tuple(map(type, arguments))
        function = self._calls.get(key)
        if function is None:
            if key in self._calls:
                return None
            callee.heat += len(callee.function.instructions)
            if not self._is_hot(callee):
                return None
            function = self._compile_call(key)
            if function is None:
                return None
        unit = self.units[function.__code__]
        room = self._room_below()
        if room < 0 and unit.calls:
            return None
        if unit.raw_arguments:
            arguments = arguments.copy()
            for position in unit.raw_arguments:
                arguments[position] = int(arguments[position])
        state = self.state
        try:
            result = self._run(unit, function, room, arguments)
        except Left:
            return True
        frame.registers[0] = result
        return state.attention

    def enter(self, frame: ActivationRecord) -> bool:
        """Go on with the current record, which has just jumped back, in compiled code (on-stack replacement).

        Returns False if it cannot; else the record has run to its end or was left again.
        """
        code = frame.code
        if not self._is_hot(code):
            return False
        if code in self._refused:
            code.hot = NEVER
            return False
        entry = frame.next_instruction
        if entry not in self._heads_of(code):
            return False
        layout = translator.layout_of(code, self._instructions_of(code))
        values = frame.registers + [frame.spill.get(slot) if frame.spill else None for slot in layout.slots] + frame.stack
        key = code, entry, frame.flag, tuple(map(type, values))
        function = self._entries.get(key)
        if function is None:
            if key in self._entries or not self._compile_entry(key, values):
                code.hot = NEVER
                return False
            function = self._entries[key]
            assert function is not None
        unit = self.units[function.__code__]
        state = self.state
        room = self._room_below() + 1
        if room < 0 and unit.calls:
            return False
        self.statistics.entered(code)
        state.records.pop()
        given = [value for value in values if value is not None]
        given = [int(value) if kind_of(value) & RAW else value for value in given]
        try:
            result = self._run(unit, function, room, [frame.arguments, frame.upvalues, frame.closure, *given])
        except Left:
            return True
        if len(state.records) == state.base:
            state.result = result
        else:
            state.records[-1].registers[0] = result
        return True

    def _run(self, unit: Unit, function: Callable[..., Value], room: int, arguments: list[Any]) -> Value:
        """Run a unit to its end; raises Left after the records have been rebuilt."""
        outer = self._boundary
        self._boundary = sys._getframe()
        self.statistics.runs += 1
        try:
            result = function(room, *arguments)
        except VMError as error:
            self._locate(error)
            raise
        finally:
            self._boundary = outer
        return boxed(result, unit.result.mask) if is_raw(unit.result) else result

    def _room_below(self) -> int:
        """Return how many records compiled code may stack up below the one that it starts with."""
        if self._room < 0:
            depth = 0
            frame: FrameType | None = sys._getframe()
            while frame is not None:
                depth += 1
                frame = frame.f_back
            self._room = max((sys.getrecursionlimit() - depth) // 2 - RESERVE, 0)
        state = self.state
        return min(self._room, state.max_call_depth - len(state.records) - 1)

    def _is_hot(self, code: Code) -> bool:
        if code.hot == NEVER and code not in self._refused:
            size = len(code.function.instructions)
            code.hot = int(self.threshold * (HEAT_PER_INSTRUCTION * size + (0 if self.units else HEAT_OF_LOADING)))
        return code.heat >= code.hot

    # Compiling

    def _instructions_of(self, code: Code) -> list[Instruction]:
        instructions = self._instructions.get(code)
        if instructions is None:
            instructions = self._instructions[code] = code.instructions()
        return instructions

    def _heads_of(self, code: Code) -> frozenset[int]:
        """Return where a record may be taken over: at the start and at the targets of back-edges."""
        heads = self._heads.get(code)
        if heads is None:
            targets = {0} if self._instructions_of(code) else set()
            for index, instruction in enumerate(self._instructions_of(code)):
                position = instruction.op.position(OperandKind.LABEL)
                if position is not None and code.function.labels[instruction.operands[position]] <= index:
                    targets.add(code.function.labels[instruction.operands[position]])
            heads = self._heads[code] = frozenset(targets)
        return heads

    def _compile_call(self, key: tuple[Code, tuple[type, ...]]) -> Callable[..., Value] | None:
        code, types = key
        masks = tuple(kind_of_class(cls) for cls in types)
        self._calls[key] = None
        if code in self._refused:
            return None
        function = self._unit_for(code, masks)
        self._calls[key] = function
        return function

    def _unit_for(self, code: Code, masks: tuple[int, ...]) -> Callable[..., Value] | None:
        """Return the Python function that runs calls of *code* with such arguments, compiling it if needed."""
        name = self.unit_name(code, masks)
        function = self.namespace[name]
        if isinstance(function, FunctionType) and function.__code__ in self.units:
            return function
        assumed = self._assumed[code, masks]
        unit = self._translate(
            code,
            lambda filename: translator.translate_call(
                code, self._instructions_of(code), [_argument(mask) for mask in masks], self, filename
            ),
        )
        if unit is None:
            return None
        if unit.result.mask & ~assumed.mask or is_raw(unit.result) != is_raw(assumed):
            # What callers were promised does not hold any more: they keep a name that hands over, and are redone.
            self._forget(code)
            return self._unit_for(code, masks) if code not in self._refused else None
        return self._install(unit, name)

    def _install(self, unit: Unit, name: str) -> Callable[..., Value]:
        function = FunctionType(unit.code, self.namespace, unit.function.name)
        self.namespace[name] = function
        self.units[unit.code] = unit
        return function

    def _compile_entry(self, key: tuple[Any, ...], values: list[Value]) -> bool:
        code, entry, flag, _ = key
        self._entries[key] = None
        facts = [translator.fact_of_value(value) for value in values]
        unit = self._translate(
            code,
            lambda filename: translator.translate_entry(
                code, self._instructions_of(code), entry, facts, flag, self, filename
            ),
        )
        if unit is None:
            return False
        self._versions += 1
        self._entries[key] = self._install(unit, f"entry {self._versions}")
        return True

    def _translate(self, code: Code, translate: Callable[[str], Unit]) -> Unit | None:
        if code in self._refused:
            return None
        self._versions += 1
        filename = f"<stoffel:{code.name}:{self._versions}>"
        began = perf_counter()
        self._compiling.append(code)
        try:
            unit = translate(filename)
        except Refusal as refusal:
            self.refuse(code, str(refusal))
            return None
        except RecursionError:
            self.refuse(code, "calls are nested too deeply to be analysed")
            return None
        finally:
            self._compiling.pop()
        listing = [f"{line.text}\n" for line in unit.lines]
        linecache.cache[filename] = (sum(map(len, listing)), None, listing, filename)
        self.statistics.compiled(code, unit, perf_counter() - began)
        return unit

    def refuse(self, code: Code, sentence: str) -> None:
        """Leave *code* to the interpreter from now on."""
        self._refused[code] = sentence
        self.statistics.refused(code, sentence)
        code.hot = NEVER
        self._forget(code)

    def _forget(self, code: Code) -> None:
        """Have *code*, and everything compiled that calls it, compiled anew when it is next entered."""
        pending = [code]
        seen: set[Code] = set()
        while pending:
            item = pending.pop()
            if item in seen:
                continue
            seen.add(item)
            for key in [key for key in self._names if key[0] is item]:
                name = self._names.pop(key)
                self._assumed.pop(key, None)
                self.namespace[name] = self._hand_over
                pending.extend(self._callers.pop(key, ()))
            for table in (self._calls, self._entries):
                for call_key in [key for key in table if key[0] is item]:
                    del table[call_key]  # type: ignore[attr-defined]

    def graph(self, code: Code, entry: int) -> blocks.Graph:
        """Return the blocks of *code* from one entry."""
        graph = self._graphs.get((code, entry))
        if graph is None:
            graph = blocks.build(self._instructions_of(code), code.function.labels, entry)
            self._graphs[code, entry] = graph
        return graph

    # What compiled code assumes (the compiler's Environment)

    def resolve(self, name: str) -> Code | ForeignFunction | None:
        """Return what CALL *name* calls whatever its arguments are, or None if that is not settled."""
        state = self.state
        callee = state.functions.get(name)
        if callee is None:
            return None
        receiver, dot, method = name.partition(".")
        if dot and state.methods.get(receiver, method) is not None:
            return None
        if isinstance(callee, ForeignFunction):
            self.namespace.setdefault(names.foreign_name(name), self._foreign(callee))
        elif callee in self._refused:
            return None
        return callee

    def _foreign(self, function: ForeignFunction) -> Callable[..., Value]:
        state = self.state
        invoke = function.invoke

        def run(*arguments: Value) -> Value:
            return invoke(state, list(arguments))

        return run

    def result_of(self, callee: Code, masks: tuple[int, ...]) -> Fact:
        """Return what is known about the result of calling *callee* with arguments of these kinds."""
        key = callee, masks
        if self._compiling:
            self._callers.setdefault(key, set()).add(self._compiling[-1])
        known = self._assumed.get(key)
        if known is not None:
            return known
        if self._solver is None:
            self._solver = Solver(self._infer_result)
            try:
                self._assumed.update(self._solver.solve(key))
            finally:
                self._solver = None
            return self._assumed[key]
        return self._solver.ask(key)

    def _infer_result(self, key: Key) -> Fact:
        """Return what one analysis of a function, with what is assumed so far about others, says about its result."""
        code, masks = key
        self._compiling.append(code)
        try:
            instructions = self._instructions_of(code)
            layout = translator.layout_of(code, instructions)
            state = translator.call_state(code, layout, [_argument(mask) for mask in masks])
            return of_kinds(translator.infer(code, instructions, 0, state, self).result.mask)
        except Refusal as refusal:
            self.refuse(code, str(refusal))
            return of_kinds(ANY)
        finally:
            self._compiling.pop()

    def unit_name(self, callee: Code, masks: tuple[int, ...]) -> str:
        """Return the name of the global that holds the unit of *callee* for arguments of these kinds."""
        key = callee, masks
        name = self._names.get(key)
        if name is None:
            self._versions += 1
            name = self._names[key] = f"unit {self._versions} {callee.name}"
            if key not in self._assumed:
                self._assumed[key] = self.result_of(callee, masks)
            self.namespace[name] = self._compile_on_call(callee, masks)
        return name

    def _compile_on_call(self, callee: Code, masks: tuple[int, ...]) -> Callable[..., Value]:
        """Return what stands for a unit until its first call compiles it."""

        def compile_and_run(room: int, *arguments: Any) -> Value:
            function = self._unit_for(callee, masks) if self._names.get((callee, masks)) is not None else None
            if function is None:
                self._hand_over(room)
            return function(room, *arguments)  # type: ignore[misc]

        return compile_and_run

    def feedback(self, code: Code) -> Feedback:
        """Return what was seen in *code*."""
        feedback = self._feedback.get(code)
        if feedback is None:
            feedback = self._feedback[code] = Feedback()
        return feedback

    # Leaving

    def _leave(self, way: int) -> None:
        """Leave compiled code in the given way: called by the code itself, at a line that has such a site."""
        frame = sys._getframe(1)
        unit = self.units[frame.f_code]
        line = unit.line(frame.f_lineno)
        if way == BEFORE:
            self._missed(unit, line, line.sites[way], frame)
        elif way == HANDOVER:
            self._handed_over(unit, line)
        self._drop(frame, unit, line.sites[way], REASONS[way])

    def _hand_over(self, room: int, *arguments: Any) -> None:  # noqa: ARG002 - the shape of a unit
        """Stand in for a unit that does not exist: the innermost compiled frame leaves before its call."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code not in self.units:
            frame = frame.f_back
        assert frame is not None
        unit = self.units[frame.f_code]
        line = unit.line(frame.f_lineno)
        self._handed_over(unit, line)
        self._drop(frame, unit, line.sites[BEFORE], REASONS[HANDOVER])

    def _handed_over(self, unit: Unit, line: Line) -> None:
        count = self._handovers[unit.function] = self._handovers.get(unit.function, 0) + 1
        if count >= HANDOVERS:
            self.refuse(
                unit.function, f"instruction {line.index} is executed by the interpreter only: {line.text.strip()}"
            )

    def _recover(self, error: BaseException) -> None:
        """Leave before an opened access that raised; an exception that is not the access's own goes on."""
        if not isinstance(error, (AttributeError, LookupError, TypeError, ArithmeticError, ValueError)):
            return
        trace = error.__traceback__
        frame = sys._getframe(1)
        if trace is None or trace.tb_frame is not frame or trace.tb_next is not None:
            return
        unit = self.units[frame.f_code]
        line = unit.line(trace.tb_lineno)
        if isinstance(error, KeyError):
            self.feedback(unit.function).note_absent(line.index)
        self._missed(unit, line, line.sites[BEFORE], frame)
        error.__traceback__ = None
        self._drop(frame, unit, line.sites[BEFORE], REASONS[BEFORE])

    def _missed(self, unit: Unit, line: Line, site: Site, frame: FrameType) -> None:
        """Learn from a guess that failed, and have the function compiled anew."""
        instruction = self._instructions_of(unit.function)[line.index]
        variables = frame.f_locals
        kinds = []
        for operand, value in zip(instruction.op.operands, instruction.operands, strict=True):
            if operand.kind is OperandKind.SOURCE:
                spot = site.spots[value]
                kinds.append(kind_of(value_at(spot, variables)) if spot is not None else 0)
        self.feedback(unit.function).miss(line.index, kinds)
        self._forget(unit.function)

    def _drop(self, frame: FrameType, unit: Unit, site: Site, reason: str) -> None:
        """Rebuild the records of all compiled frames, the innermost at *site*, and raise Left."""
        records = [self._record(unit, site, frame)]
        override = self._override
        outer = frame.f_back
        assert outer is not None
        records.extend(
            self._record(other, line.sites[DURING], suspended) for suspended, other, line in self._chain(outer)
        )
        if override is not None:
            # An inner run has replaced closures in registers of these frames; register 0 of the innermost is newer.
            self._override = None
            for index, (record, changed) in enumerate(zip(records, reversed(override), strict=True)):
                start = 1 if index == 0 else 0
                record.registers[start:] = changed.registers[start:]
                record.closure = changed.closure
        records.reverse()
        self.statistics.left(reason, len(records))
        self.state.records.extend(records)
        raise Left

    def _chain(self, frame: FrameType | None) -> list[tuple[FrameType, Unit, Line]]:
        """Return the compiled frames from *frame* out to the boundary, innermost first, with their lines."""
        result = []
        boundary = self._boundary
        while frame is not None and frame is not boundary:
            unit = self.units.get(frame.f_code)
            if unit is not None:
                result.append((frame, unit, unit.line(frame.f_lineno)))
            frame = frame.f_back
        return result

    def _record(self, unit: Unit, site: Site, frame: FrameType) -> ActivationRecord:
        """Return the activation record that a compiled frame stands for."""
        variables = frame.f_locals
        code = unit.function
        layout = unit.layout
        values = [None if spot is None else value_at(spot, variables) for spot in site.spots]
        if unit.arguments[: len(translator.FRAME_PARAMETERS)] == tuple(translator.FRAME_PARAMETERS):
            arguments, upvalues, closure = (variables[name] for name in translator.FRAME_PARAMETERS)
        else:
            arguments = [variables[names.argument_name(index)] for index in range(len(code.parameters))]
            for position, raw in unit.raw_arguments.items():
                arguments[position] = boxed(arguments[position], raw)
            upvalues, closure = NO_UPVALUES, None
        record = ActivationRecord(self.state, code, arguments, upvalues, closure)
        record.registers = values[: layout.registers]
        if layout.slots:
            record.spill = {slot: values[place] for slot, place in layout.slots.items()}
        record.stack = values[layout.stack :]
        record.flag = flag_at(site.flag, variables)
        record.jump(site.resume)
        return record

    def _locate(self, error: VMError) -> None:
        """Note on *error* where compiled code raised it: the records below, then the frames of its traceback."""
        if error.function is not None:
            return
        stack = [(frame.code.name, max(frame.next_instruction - 1, 0)) for frame in self.state.records]
        trace = error.__traceback__
        while trace is not None:
            unit = self.units.get(trace.tb_frame.f_code)
            if unit is not None:
                stack.append((unit.function.name, unit.line(trace.tb_lineno).index))
            trace = trace.tb_next
        if stack:
            error.stack = tuple(stack)
            error.function, error.instruction = stack[-1]


def _argument(mask: int) -> Fact:
    return UNIT_FACT if mask == UNIT else of_kinds(mask)


def _boxer(cls: type) -> Callable[[int], Value]:
    new = int.__new__

    def box(value: int) -> Value:
        return new(cls, value)

    return box


def _raise_overflow(operation: str) -> None:
    raise overflow(operation)

