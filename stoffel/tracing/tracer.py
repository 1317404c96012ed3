"""The tracer: a hook that chooses among the events of a run and writes down what it has chosen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.errors import escaped, nearest
from stoffel.isa.table import OperandKind
from stoffel.model.code import Code
from stoffel.model.text import diagnostic
from stoffel.runtime import events
from stoffel.runtime.backtrace import shown_value as shown
from stoffel.runtime.backtrace import sources, values_read

if TYPE_CHECKING:
    from stoffel.isa.instruction import Instruction
    from stoffel.isa.lines import LineTable
    from stoffel.isa.program import Program
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.hooks import HookContext
    from stoffel.tracing.condition import Condition

NAMES: Final[Mapping[str, type]] = {
    "instruction": events.BeforeInstructionExecute,
    "after": events.AfterInstructionExecute,
    "read": events.RegisterRead,
    "write": events.RegisterWrite,
    "push": events.StackPush,
    "pop": events.StackPop,
    "call": events.BeforeFunctionCall,
    "return": events.AfterFunctionCall,
    "closure": events.ClosureCreated,
    "upvalue-read": events.UpvalueRead,
    "upvalue-write": events.UpvalueWrite,
    "field-read": events.ObjectFieldRead,
    "field-write": events.ObjectFieldWrite,
    "element-read": events.ArrayElementRead,
    "element-write": events.ArrayElementWrite,
}
"""What events are called where they are chosen. The names of their classes are understood, too."""
ALL: Final = "all"
SHORT: Final = {event: name for name, event in NAMES.items()}
ALWAYS_KNOWN: Final = frozenset({"depth", "event", "flag", "function", "instruction", "line"})
"""Names that a condition may use of every event; those of the event's own fields and of registers come to them."""
_KEYS: Final = {"function": "of"}
"""What a field of an event is called in plain data where its own name says where the run was."""
_INDENT: Final = 20
_OF_INSTRUCTIONS: Final = (events.BeforeInstructionExecute, events.AfterInstructionExecute)
_REGISTER: Final = re.compile(r"r\d+")


class Stopped(BaseException):
    """As many events have been traced as were asked for: ends the run from inside a hook."""


class Choice(NamedTuple):
    """Which events are traced: all that pass everything that is given here.

    ``classes`` of events; ``functions`` in which they happen, or which are called; ``registers`` that they are about;
    ``condition``; ``depth``, the most calls inside each other; ``after``, so many are left out at the start, or the
    function and instruction (None for any of it) that must have been reached; ``most``, the run ends after so many.
    """

    classes: tuple[type, ...] = (events.BeforeInstructionExecute,)
    functions: frozenset[str] = frozenset()
    registers: frozenset[int] = frozenset()
    condition: Condition | None = None
    depth: int | None = None
    after: int = 0
    place: tuple[str, int | None] | None = None
    most: int | None = None


class Entry(NamedTuple):
    """One event of a trace: what it is, and where the run was."""

    number: int
    event: events.Event
    function: str | None
    instruction: int | None
    file: str | None
    line: int | None
    depth: int
    values: tuple[tuple[str, Any], ...]
    """What an instruction is about to read, by register or variable."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data; values are texts, as programs print them with quotes around strings."""
        kind = type(self.event)
        fields = {name: value for name, value in self.event._asdict().items() if name != "instruction"}
        return {
            "number": self.number,
            "event": SHORT[kind],
            "function": self.function,
            "instruction": self.instruction,
            "file": self.file,
            "line": self.line,
            "depth": self.depth,
            **{_KEYS.get(name, name): _plain(name, value) for name, value in fields.items()},
            **({"text": str(self.event.instruction)} if isinstance(self.event, _OF_INSTRUCTIONS) else {}),
            **({"reads": {name: diagnostic(value) for name, value in self.values}} if self.values else {}),
        }

    def as_line(self) -> str:
        """Return it as a line for people."""
        place = "" if self.function is None else f"{self.function}:{self.instruction}"
        indent = "  " * min(self.depth - 1, _INDENT)
        text = f"{self.number:>7}  {indent}{escaped(place)}  {escaped(_text(self.event))}"
        if self.values:
            text += "    " + ", ".join(f"{escaped(name)} = {shown(value)}" for name, value in self.values)
        return text if self.line is None else f"{text}    {escaped(str(self.file))}:{self.line}"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, events.CallTarget):
        return {"sort": value.sort, "name": value.name}
    if name in ("arguments", "upvalues"):
        return [[item[0], diagnostic(item[1])] if name == "upvalues" else diagnostic(item) for item in value]
    return value if name in ("register", "name", "function") else diagnostic(value)


def _text(event: events.Event) -> str:
    """Return what has happened, in a few words."""
    if isinstance(event, events.BeforeInstructionExecute):
        return str(event.instruction)
    if isinstance(event, events.AfterInstructionExecute):
        return f"done {event.instruction}"
    if isinstance(event, events.RegisterRead):
        return f"r{event.register} is {shown(event.value)}"
    if isinstance(event, events.RegisterWrite):
        return f"r{event.register} = {shown(event.value)}, was {shown(event.previous)}"
    if isinstance(event, events.BeforeFunctionCall):
        return f"call {event.target.name}({', '.join(map(shown, event.arguments))})"
    if isinstance(event, events.AfterFunctionCall):
        return f"{event.target.name} returns {shown(event.result)}"
    if isinstance(event, events.ClosureCreated):
        kept = ", ".join(f"{name} = {shown(value)}" for name, value in event.upvalues)
        return f"closure of {event.function} with {kept or 'nothing'}"
    if isinstance(event, events.StackPush | events.StackPop):
        return f"{SHORT[type(event)]} {shown(event.value)}"
    return _access(event)


def _access(event: Any) -> str:
    """Return what has happened to an upvalue, a field or an element."""
    if isinstance(event, events.UpvalueRead | events.UpvalueWrite):
        what = event.name
    else:
        what = f"{shown(event[0])}[{shown(event.key)}]"
    if "previous" in event._fields:
        return f"{what} = {shown(event.value)}, was {shown(event.previous)}"
    return f"{what} is {shown(event.value)}"


class Tracer:
    """Traces what *choice* says of a run of *program*, and gives each entry to *write*."""

    def __init__(self, choice: Choice, program: Program, write: Callable[[Entry], object]) -> None:
        self.choice = choice
        self.count = 0
        """Events that have been chosen, those before the start of the trace among them."""
        self._write = write
        self._begun = choice.place is None
        self._tables = {function.name: function.line_table for function in program.functions}

    def __call__(self, event: events.Event, context: HookContext) -> None:
        """Look at one event: the callback of a hook. Raises :class:`Stopped` after the last that is wanted."""
        choice = self.choice
        cursor = context.cursor
        if not self._begun:
            assert choice.place is not None
            self._begun = cursor is not None and cursor[0] == choice.place[0] and choice.place[1] in (None, cursor[1])
            if not self._begun:
                return
        function, index = (None, None) if cursor is None else cursor
        depth = context.call_depth
        if choice.depth is not None and depth > choice.depth:
            return
        if choice.functions and function not in choice.functions and _called(event) not in choice.functions:
            return
        if choice.registers and choice.registers.isdisjoint(_registers(event)):
            return
        frame = context.frame
        table = None if function is None else self._tables.get(function)
        line = None if table is None or index is None else table.line_of(index)
        if choice.condition is not None:
            here = None if frame is None or frame.function != function else frame
            names = _Names(
                event, here, table, {"depth": depth, "function": function, "instruction": index, "line": line}
            )
            if not choice.condition.holds(names):
                return
        self.count += 1
        if self.count > choice.after:
            values = self._read(event, frame, function, index)
            file = None if table is None or line is None else table.file
            self._write(Entry(self.count, event, function, index, file, line, depth, values))
            if choice.most is not None and self.count - choice.after >= choice.most:
                raise Stopped

    def _read(
        self, event: events.Event, frame: ActivationRecord | None, function: str | None, index: int | None
    ) -> tuple[tuple[str, Any], ...]:
        """Return what the instruction that *event* announces is about to read, each register once."""
        if not isinstance(event, events.BeforeInstructionExecute) or frame is None or index is None:
            return ()
        code = frame.code
        if not isinstance(code, Code) or code.name != function:
            return ()
        values = values_read(code, index, frame.registers, frame.stack)
        names = sources(code, index) or [f"argument {number}" for number in range(1, len(values) + 1)]
        return tuple(dict(zip(names, values, strict=False)).items())


def _called(event: events.Event) -> str | None:
    return event.target.name if isinstance(event, events.BeforeFunctionCall | events.AfterFunctionCall) else None


def _registers(event: events.Event) -> Iterator[int]:
    """Yield the registers that an event is about."""
    if isinstance(event, events.RegisterRead | events.RegisterWrite):
        yield event.register
    elif isinstance(event, _OF_INSTRUCTIONS):
        yield from _named(event.instruction)


def _named(instruction: Instruction) -> Iterator[int]:
    """Yield the registers that an instruction names."""
    for operand, value in zip(instruction.op.operands, instruction.operands, strict=True):
        if operand.kind in (OperandKind.SOURCE, OperandKind.TARGET):
            yield value


class _Names(dict[str, Any]):
    """The names that a condition sees: looked up when they are asked for, since most events need few."""

    def __init__(
        self, event: events.Event, frame: ActivationRecord | None, table: LineTable | None, known: dict[str, Any]
    ) -> None:
        super().__init__(known)
        self._event, self._frame, self._table = event, frame, table

    def __contains__(self, name: object) -> bool:
        assert isinstance(name, str)
        if dict.__contains__(self, name):
            return True
        found, value = self._find(name)
        if found:
            self[name] = value
        return found

    def _find(self, name: str) -> tuple[bool, Any]:
        event, frame = self._event, self._frame
        if name == "event":
            return True, SHORT[type(event)]
        if name in event._fields and name not in ("instruction", "function"):
            value = getattr(event, name)
            return True, value.name if isinstance(value, events.CallTarget) else value
        if frame is None:
            return False, None
        if name == "flag":
            return True, frame.flag
        if _REGISTER.fullmatch(name):
            index = int(name[1:])
            return (True, frame.registers[index]) if index < len(frame.registers) else (False, None)
        if self._table is not None:
            for register, variable in self._table.variables.items():
                if variable == name and register < len(frame.registers):
                    return True, frame.registers[register]
        return frame.local(name)


def classes_named(text: str) -> tuple[type, ...]:
    """Return the classes of events in *text*, commas between; raise ValueError, with a sentence, for what is none."""
    known = {**NAMES, **{event.__name__: event for event in SHORT}}
    found: dict[type, None] = {}
    for name in text.split(","):
        if name.strip() == ALL:
            found |= dict.fromkeys(SHORT)
        elif name.strip() in known:
            found[known[name.strip()]] = None
        else:
            raise ValueError(_unknown("event", name.strip(), [*NAMES, ALL]))
    return tuple(found)


def check_names(condition: Condition, program: Program, classes: tuple[type, ...]) -> None:
    """Raise ValueError, with a sentence, for a name in *condition* that nothing in *program* or the events can have."""
    known = set(ALWAYS_KNOWN)
    for event in classes:
        known |= set(event._fields)  # type: ignore[attr-defined]
    registers = 0
    for function in program.functions:
        known |= set(function.parameters)
        used = (max(_named(instruction), default=-1) + 1 for instruction in function.instructions)
        registers = max(registers, function.registers, len(function.parameters), *used)
        if function.line_table is not None:
            known |= set(function.line_table.variables.values())
    for name in condition.names:
        if name not in known and not (_REGISTER.fullmatch(name) and int(name[1:]) < registers):
            raise ValueError(_unknown("name in the condition", name, sorted(known)))


def check_functions(names: frozenset[str], program: Program, others: frozenset[str]) -> None:
    """Raise ValueError, with a sentence, for a function that is neither in *program* nor among *others*."""
    known = [*(function.name for function in program.functions), *others]
    for name in sorted(names):
        if name not in known:
            raise ValueError(_unknown("function", name, known))


def _unknown(what: str, name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"unknown {what} '{name}'" + (f"; did you mean {near}?" if near else "")
