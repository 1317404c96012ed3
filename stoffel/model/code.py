"""Code: a verified VM function bound for execution, shared by all machines that run the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, final

from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.scalars import interning_key
from stoffel.isa.table import ROWS, OperandKind
from stoffel.isa.verify import verify
from stoffel.model import tables
from stoffel.model.values import Array, Closure, Key, Object, Value, check_value, key_of

Step = Callable[[list[Value], Any], "int | None"]
"""One bound instruction: called with the registers and the activation record; see ``stoffel.runtime.steps``."""


LARGE_FRAME: Final = 256
"""Registers from which on the memory of the whole stack is estimated before a frame is pushed."""

UNWATCHED: Final = 1 << 62
"""The heat at which a function asks for the compiled tier while nobody has said one: none reaches it."""
NEVER: Final = UNWATCHED + 1
"""The same for a function that a machine leaves to the interpreter; another machine with the same code may not."""
HEAT_OF_CALL: Final = 10
"""What a CALL in a loop, and until the translator is loaded the call of a VM function too, add to the heat besides the
instructions: each takes about as long as so many simple ones (``python -m benchmarks --sections instructions``)."""


CONSTANTS: Final = {row.code: position for row in ROWS if (position := row.position(OperandKind.CONSTANT)) is not None}
"""Position of the constant among the operands, by opcode, for the instructions that have one."""


@final
class Code:
    """What a machine needs to run one VM function.

    ``steps`` is made when the function is first called (binding eight million instructions takes seconds, and most
    functions of a library are never called). ``source`` is None for a function registered without its instructions.
    ``plain`` is True if a call needs no more than the right number of arguments and a free place on the stack of
    records: no upvalues to find, no memory to estimate. ``heat`` estimates the instructions executed so far by calls
    and loops, a CALL counting for several; at ``hot`` the compiled tier is asked. ``layout`` is the compiler's
    numbering of places, None until the compiler has made it.
    """

    __slots__ = (
        "arity",
        "blank",
        "counted",
        "function",
        "heat",
        "hot",
        "layout",
        "metered",
        "name",
        "parameters",
        "plain",
        "register_count",
        "single",
        "source",
        "steps",
        "upvalue_names",
    )

    steps: list[Step]
    """The bound instructions, with superinstructions."""
    counted: list[Step]
    """The same with back-edges that count, for machines that compile."""
    single: list[Step]
    """The same one by one, for who looks at each instruction."""
    metered: list[Step]
    """The same, paying for what they make: those of limited runs, which ``runtime.metering`` binds."""
    bind: ClassVar[Callable[[Code, bool, bool], list[Step]]]
    """Binds the instructions of a function, with back-edges that count or without, and with superinstructions or
    without; ``runtime.steps`` gives it."""

    def __init__(self, function: Function, *, keep_source: bool = True) -> None:
        """Bind *function*; raises VMError (kind Function or Runtime) if it does not verify.

        Kind Message is for a constant that is not a machine value, which no file can hold.
        """
        self.register_count = verify(function)
        if not _is_from_file(function):
            _check_constants(function)
        self.function = function
        self.name = function.name
        self.parameters = function.parameters
        self.arity = len(function.parameters)
        self.upvalue_names = function.upvalues
        self.plain = not function.upvalues and self.register_count <= LARGE_FRAME
        self.blank: list[Value] = [None] * (self.register_count - len(function.parameters))
        self.source: Sequence[Instruction] | None = function.instructions if keep_source else None
        self.heat = 0
        self.hot = UNWATCHED
        self.layout: Any = None

    def __getattr__(self, name: str) -> Any:
        # Reached only while the slot is empty: the first call binds, later ones read the slot directly.
        if name not in ("steps", "counted", "single"):
            raise AttributeError(name)
        steps = Code.bind(self, name == "counted", name != "single")
        setattr(self, name, steps)
        return steps

    def position_of(self, name: str) -> int:
        """Return the position of the last parameter of that name, -1 if there is none."""
        for position in range(self.arity - 1, -1, -1):
            if self.parameters[position] == name:
                return position
        return -1

    def instructions(self) -> list[Instruction]:
        """Return the instructions with their constants interned as the machine does, per function."""
        pool: dict[object, Value] = {}
        result: list[Instruction] = []
        for instruction in self.function.instructions:
            position = CONSTANTS.get(instruction.op.code)
            if position is not None:
                value = instruction.operands[position]
                kept = pool.setdefault(_interning_key(value), value)
                if kept is not value:
                    operands = (*instruction.operands[:position], kept, *instruction.operands[position + 1 :])
                    instruction = Instruction._from_trusted(instruction.op, operands)
            result.append(instruction)
        return result

    def for_another_machine(self, handles: dict[int, Object | Array]) -> Code:
        """Return this code for an independent machine: itself, or a copy in which tables are dangling handles.

        *handles* collects the dangling handles by id, so that one table is one handle in all functions.
        """
        function = self.function
        if _is_from_file(function):
            return self
        replaced = [_without_tables(instruction, handles) for instruction in function.instructions]
        if all(mine is other for mine, other in zip(function.instructions, replaced, strict=True)):
            return self
        copy = Function(
            function.name,
            replaced,
            parameters=function.parameters,
            upvalues=function.upvalues,
            registers=function.registers,
            labels=function.labels,
            parent=function.parent,
            parameter_types=function.parameter_types,
            return_type=function.return_type,
        )
        return Code(copy, keep_source=self.source is not None)

    def without_source(self) -> Code:
        """Return code of the same function that keeps no instructions for hooks to observe."""
        return Code(self.function, keep_source=False)

    def __repr__(self) -> str:
        return f"<Code {self.name}>"


def _is_from_file(function: Function) -> bool:
    """Return whether the instructions are those of a file, whose constants are scalars in range."""
    return getattr(function.instructions, "pool", None) is not None


def _check_constants(function: Function) -> None:
    for index, instruction in enumerate(function.instructions):
        position = CONSTANTS.get(instruction.op.code)
        if position is not None:
            check_value(instruction.operands[position], f"constant of {function.name} at instruction {index}")


def _interning_key(value: Value) -> object:
    key = key_of(value)
    return (type(value), key) if type(key) is Key else interning_key(value)


def _without_tables(instruction: Instruction, handles: dict[int, Object | Array]) -> Instruction:
    position = instruction.op.position(OperandKind.CONSTANT)
    if position is None:
        return instruction
    constant = instruction.operands[position]
    replaced = _detached(constant, handles)
    if replaced is constant:
        return instruction
    operands = (*instruction.operands[:position], replaced, *instruction.operands[position + 1 :])
    return Instruction._from_trusted(instruction.op, operands)


def _detached(value: Value, handles: dict[int, Object | Array]) -> Value:
    """Return *value* with a dangling handle in the place of each table, those that a closure has captured included."""
    if isinstance(value, Object | Array):
        return handles.setdefault(value.id, tables.dangling(value))
    if type(value) is Closure:
        upvalues = tuple((name, _detached(item, handles)) for name, item in value.upvalues)
        if any(mine[1] is not other[1] for mine, other in zip(upvalues, value.upvalues, strict=True)):
            return Closure(value.function, upvalues)
    return value
