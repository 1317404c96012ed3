"""The events that hooks observe. Every event is a named tuple; ``event.kind`` is its name."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias, get_args

from stoffel.isa.instruction import Instruction
from stoffel.model.values import Array, Object, Value


class CallTarget(NamedTuple):
    """Who is called: *sort* is ``"function"`` (a VM function), ``"closure"`` or ``"foreign"``."""

    sort: str
    name: str

    @property
    def label(self) -> str:
        """Text for messages: ``<function f>`` or ``<foreign function f>``."""
        return f"<foreign function {self.name}>" if self.sort == "foreign" else f"<function {self.name}>"


class BeforeInstructionExecute(NamedTuple):
    """An instruction is about to run."""

    instruction: Instruction


class AfterInstructionExecute(NamedTuple):
    """An instruction has run; after a CALL of a VM function the callee's record is already current."""

    instruction: Instruction


class RegisterRead(NamedTuple):
    """MOV has read *register*."""

    register: int
    value: Value


class RegisterWrite(NamedTuple):
    """*register* has changed from *previous* to *value*."""

    register: int
    previous: Value
    value: Value


class UpvalueRead(NamedTuple):
    """``get_upvalue`` has read an upvalue of the current record."""

    name: str
    value: Value


class UpvalueWrite(NamedTuple):
    """``set_upvalue`` has changed an upvalue of the current record."""

    name: str
    previous: Value
    value: Value


class ObjectFieldRead(NamedTuple):
    """``get_field`` has read an object; an absent key reads as Unit."""

    object: Object
    key: Value
    value: Value


class ObjectFieldWrite(NamedTuple):
    """``set_field`` has changed an object."""

    object: Object
    key: Value
    previous: Value
    value: Value


class ArrayElementRead(NamedTuple):
    """``get_field`` has read an array; *key* is normalised (a negative index counts from the end)."""

    array: Array
    key: Value
    value: Value


class ArrayElementWrite(NamedTuple):
    """``set_field`` has changed an array; *key* is normalised."""

    array: Array
    key: Value
    previous: Value
    value: Value


class BeforeFunctionCall(NamedTuple):
    """A call is about to happen; the arguments have left the caller's argument stack."""

    target: CallTarget
    arguments: tuple[Value, ...]


class AfterFunctionCall(NamedTuple):
    """A call has returned *result*, which is in the caller's register 0."""

    target: CallTarget
    result: Value


class ClosureCreated(NamedTuple):
    """``create_closure`` has captured upvalues, as ``(name, value)`` pairs."""

    function: str
    upvalues: tuple[tuple[str, Value], ...]


class StackPush(NamedTuple):
    """PUSHARG has pushed a value."""

    value: Value


class StackPop(NamedTuple):
    """A call has taken a value off the argument stack, the last pushed first."""

    value: Value


class VariableRead(NamedTuple):
    """Declared for completeness; no instruction reads locals, so it is never fired."""

    name: str
    value: Value


class VariableWrite(NamedTuple):
    """Declared for completeness; locals are written once, at binding, so it is never fired."""

    name: str
    previous: Value
    value: Value


Event: TypeAlias = (
    BeforeInstructionExecute
    | AfterInstructionExecute
    | RegisterRead
    | RegisterWrite
    | VariableRead
    | VariableWrite
    | UpvalueRead
    | UpvalueWrite
    | ObjectFieldRead
    | ObjectFieldWrite
    | ArrayElementRead
    | ArrayElementWrite
    | BeforeFunctionCall
    | AfterFunctionCall
    | ClosureCreated
    | StackPush
    | StackPop
)
"""One of the classes in :data:`EVENTS`."""

EVENTS: tuple[type[Event], ...] = get_args(Event)

CLASSES: Final = frozenset[type](EVENTS)
OF_INSTRUCTIONS: Final = frozenset[type](
    {BeforeInstructionExecute, AfterInstructionExecute, RegisterRead, RegisterWrite, StackPush}
)
"""Those that come with instructions which call nothing: for them each instruction has to be looked at."""
OF_CALLS: Final = frozenset[type]({StackPop, BeforeFunctionCall})
"""Those that come before a call."""
OF_TABLES: Final = frozenset[type]({ObjectFieldRead, ObjectFieldWrite, ArrayElementRead, ArrayElementWrite})

for _event in EVENTS:
    setattr(_event, "kind", _event.__name__)  # noqa: B010 - a class attribute that no event declares
