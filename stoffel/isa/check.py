"""Findings about a whole program for the person who wrote it: what a machine would refuse, and what looks wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from stoffel.errors import VMError, nearest
from stoffel.isa.function import Function
from stoffel.isa.program import Program
from stoffel.isa.quoting import format_name
from stoffel.isa.table import Flow, OperandKind, Place
from stoffel.isa.verify import POSITIONS, verify

ERROR: Final = "error"
WARNING: Final = "warning"

CODES: Final[Mapping[str, str]] = {
    "taken-name": "a function has the name of a builtin",
    "refused": "a machine refuses the function",
    "unknown-call": "a call of what nothing defines",
    "lacking": "a call of what needs something that the machine has not",
    "unreachable": "instructions that control never reaches",
    "unwritten": "a register that is read and never written",
    "unused-label": "a label that nothing jumps to",
    "type-name": "a declared type that looks like another one's name",
}
"""The sorts of findings."""
OF_COMPILERS: Final = frozenset({"unwritten", "unused-label"})
"""Those that are true of most of what the StoffelLang compiler emits."""

_MEANT: Final = {
    **{
        f"{letter}{bits}": f"{word}{bits}" for letter, word in (("u", "uint"), ("i", "int")) for bits in (8, 16, 32, 64)
    },
    **dict.fromkeys(("int", "integer", "long"), "int64"),
    **dict.fromkeys(("f64", "double", "number"), "float"),
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("boolean",), "bool"),
    **dict.fromkeys(("array", "vec"), "list"),
}
"""Names that other languages have for the machine's types."""

NOTHING_LACKING: Final[Mapping[str, str]] = {}


class Problem(NamedTuple):
    """One finding."""

    severity: str
    """``"error"`` if a machine refuses the function, else ``"warning"``."""
    function: str
    instruction: int | None
    """Index of the instruction, None if the finding is about the whole function."""
    message: str
    code: str = ""
    """The sort of finding, one of the keys of :data:`CODES`."""

    @property
    def is_error(self) -> bool:
        """True if a machine refuses the function."""
        return self.severity == ERROR

    def __str__(self) -> str:
        place = "" if self.instruction is None else f" instruction {self.instruction}"
        return f"{self.severity}: function {format_name(self.function)}{place}: {self.message}"


def check(
    program: Program,
    *,
    reserved: Collection[str] = frozenset(),
    known: Collection[str] | None = None,
    lacking: Mapping[str, str] = NOTHING_LACKING,
) -> list[Problem]:
    """Return the problems of *program*: per function, in file order, errors first and then warnings.

    *reserved* are names that the machine has taken already (its builtins): a function of that name is an error. *known*
    are the names, besides those of the program's functions, that a call may mean; None leaves calls unjudged. *lacking*
    tells for names of them what a call needs that the machine has not.

    Errors are those of registration (``stoffel.isa.verify``); a function with one gets no warnings. Warnings: a call to
    a function that nothing defines or that lacks what it needs, instructions that control never reaches, labels that
    nothing jumps to, and registers that are read although nothing writes them.
    """
    problems: list[Problem] = []
    own = {function.name for function in program.functions}
    targets = None if known is None else {*known, *own}
    lacking = {name: what for name, what in lacking.items() if name not in own}
    for function in program.functions:
        if function.name in reserved:
            problems.append(
                Problem(ERROR, function.name, None, f"Function '{function.name}' is already registered", "taken-name")
            )
            continue
        try:
            verify(function)
        except VMError as error:
            problems.append(Problem(ERROR, function.name, None, str(error), "refused"))
            continue
        found = [*_unknown_calls(function, targets, lacking), *_unreachable(function), *_unwritten(function)]
        found.sort(key=lambda problem: problem.instruction or 0)
        problems.extend(found)
        problems.extend(_unused_labels(function))
        problems.extend(_odd_types(function))
    return problems


def meant(name: str, known: Collection[str]) -> str:
    """Return ``"; did you mean X?"`` for the name in *known* that is most like *name*, or an empty string."""
    close = nearest(name, known)
    return f"; did you mean {format_name(close)}?" if close else ""


def _unknown_calls(
    function: Function, targets: Collection[str] | None, lacking: Mapping[str, str]
) -> Iterator[Problem]:
    for index, instruction in enumerate(function.instructions):
        position = instruction.op.position(OperandKind.FUNCTION)
        if position is None:
            continue
        name = instruction.operands[position]
        if name in lacking:
            code, message = "lacking", f"calls {format_name(name)}, which needs {lacking[name]}"
        elif targets is not None and name not in targets:
            code, message = "unknown-call", "which is neither a function of this program nor a builtin"
            message = f"calls {format_name(name)}, {message}{meant(name, targets)}"
        else:
            continue
        yield Problem(WARNING, function.name, index, message, code)


def _unreachable(function: Function) -> Iterator[Problem]:
    """Yield one problem for each stretch of instructions that control never reaches from the first one."""
    instructions = function.instructions
    size = len(instructions)
    reached = bytearray(size + 1)
    pending = [0]
    while pending:
        index = pending.pop()
        while not reached[index]:
            reached[index] = 1
            if index == size:
                break
            instruction = instructions[index]
            row = instruction.op
            label = POSITIONS[row.code].label
            if label is not None and row.flow is Flow.JUMP:
                pending.append(function.labels[instruction.operands[label]])
            if row.flow is Flow.RETURN or (row.flow is Flow.JUMP and not row.is_branch):
                break
            index += 1
    index = reached.find(0, 0, size)
    while index >= 0:
        end = reached.find(1, index, size)
        last = (size if end < 0 else end) - 1
        what = "this instruction is" if last == index else f"instructions {index} to {last} are"
        yield Problem(WARNING, function.name, index, f"{what} never reached", "unreachable")
        index = -1 if end < 0 else reached.find(0, end, size)


def _unwritten(function: Function) -> Iterator[Problem]:
    """Yield one problem for each register that is read somewhere and written nowhere, at its first reading."""
    written = set(range(len(function.parameters)))
    first_read: dict[int, int] = {}
    for index, instruction in enumerate(function.instructions):
        if Place.RESULT in instruction.op.writes:
            written.add(0)
        for operand, value in zip(instruction.op.operands, instruction.operands, strict=True):
            if operand.kind is OperandKind.TARGET:
                written.add(value)
            elif operand.kind is OperandKind.SOURCE:
                first_read.setdefault(value, index)
    for register, index in first_read.items():
        if register not in written:
            message = f"reads r{register}, which nothing writes; it holds Unit"
            yield Problem(WARNING, function.name, index, message, "unwritten")


def _unused_labels(function: Function) -> Iterator[Problem]:
    used = set()
    for instruction in function.instructions:
        position = POSITIONS[instruction.op.code].label
        if position is not None:
            used.add(instruction.operands[position])
    for label in function.labels:
        if label not in used:
            message = f"nothing jumps to label {format_name(label)}"
            yield Problem(WARNING, function.name, None, message, "unused-label")


def _odd_types(function: Function) -> Iterator[Problem]:
    names = [f"parameter {format_name(name)}" for name in function.parameters]
    types = (*function.parameter_types, function.return_type)
    for what, kind in zip((*names, "the result"), types, strict=True):
        if kind.kind == "object" and kind.name in _MEANT:
            message = f"{what} has an object type called {kind.name}; did you mean {_MEANT[kind.name]}?"
            yield Problem(WARNING, function.name, None, message, "type-name")
