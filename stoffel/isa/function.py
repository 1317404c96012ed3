"""Function: instructions over registers, with parameters, upvalues and labels. Immutable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from stoffel.isa.instruction import Instruction

if TYPE_CHECKING:
    from stoffel.isa.lines import LineTable
    from stoffel.isa.types import Type

_NO_LABELS: Final[Mapping[str, int]] = MappingProxyType({})


class Function:
    """A VM function: instructions over registers, with parameters, upvalues and labels.

    *labels* maps a label name to the index of the instruction it stands before; an index equal to the number of
    instructions is legal and means the end. *registers* is the declared register count, a lower bound only.
    *parameter_types* and *return_type* are descriptive and never checked. *instructions* may be any sequence that does
    not change (the binary reader passes one that decodes on demand). *line_table* says where the instructions come
    from, where that is known; functions that differ in nothing else are equal, and no ``.stflb`` file holds it.
    """

    __slots__ = (
        "name",
        "parameters",
        "upvalues",
        "parent",
        "registers",
        "labels",
        "instructions",
        "parameter_types",
        "return_type",
        "line_table",
    )

    name: str
    parameters: tuple[str, ...]
    upvalues: tuple[str, ...]
    parent: str | None
    registers: int
    labels: Mapping[str, int]
    instructions: Sequence[Instruction]
    parameter_types: tuple[Type, ...]
    return_type: Type
    line_table: LineTable | None

    def __init__(
        self,
        name: str,
        instructions: Iterable[Instruction] = (),
        *,
        parameters: Iterable[str] = (),
        upvalues: Iterable[str] = (),
        registers: int = 0,
        labels: Mapping[str, int] | None = None,
        parent: str | None = None,
        parameter_types: Iterable[Type] | None = None,
        return_type: Type | None = None,
        line_table: LineTable | None = None,
    ) -> None:
        from stoffel.isa.types import UNKNOWN, Type

        body = tuple(instructions)
        names = tuple(parameters)
        captured = tuple(upvalues)
        types = (UNKNOWN,) * len(names) if parameter_types is None else tuple(parameter_types)
        for what, text in (("name", name), *(("parameter", n) for n in names), *(("upvalue", n) for n in captured)):
            if not isinstance(text, str):
                raise TypeError(f"function {what} must be a str, not {type(text).__name__} {text!r}")
        for item in body:
            if not isinstance(item, Instruction):
                raise TypeError(f"function {name}: {item!r} is not an Instruction")
        if type(registers) is not int or registers < 0:
            raise ValueError(f"function {name}: the register count must be an int of at least 0, not {registers!r}")
        if len(types) != len(names):
            raise ValueError(f"function {name}: {len(names)} parameters but {len(types)} parameter types")
        for kind in types:
            if not isinstance(kind, Type):
                raise TypeError(f"function {name}: {kind!r} is not a Type")
        for label, target in (labels or {}).items():
            if not isinstance(label, str) or type(target) is not int or target < 0:
                raise ValueError(f"function {name}: label {label!r} -> {target!r} must map a str to an index")
        self._set(
            name,
            names,
            captured,
            parent,
            registers,
            dict(labels or {}),
            body,
            types,
            return_type or UNKNOWN,
            line_table,
        )

    def _set(
        self,
        name: str,
        parameters: tuple[str, ...],
        upvalues: tuple[str, ...],
        parent: str | None,
        registers: int,
        labels: dict[str, int],
        instructions: Sequence[Instruction],
        parameter_types: tuple[Type, ...],
        return_type: Type,
        line_table: LineTable | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "name", name)
        put(self, "parameters", parameters)
        put(self, "upvalues", upvalues)
        put(self, "parent", parent)
        put(self, "registers", registers)
        put(self, "labels", MappingProxyType(labels) if labels else _NO_LABELS)
        put(self, "instructions", instructions)
        put(self, "parameter_types", parameter_types)
        put(self, "return_type", return_type)
        put(self, "line_table", line_table)

    @classmethod
    def _from_trusted(
        cls,
        name: str,
        parameters: tuple[str, ...],
        upvalues: tuple[str, ...],
        parent: str | None,
        registers: int,
        labels: dict[str, int],
        instructions: Sequence[Instruction],
        parameter_types: tuple[Type, ...],
        return_type: Type,
    ) -> Function:
        self = object.__new__(cls)
        self._set(name, parameters, upvalues, parent, registers, labels, instructions, parameter_types, return_type)
        return self

    def with_lines(self, line_table: LineTable) -> Function:
        """Return the same function with another line table."""
        made = object.__new__(Function)
        made._set(
            self.name,
            self.parameters,
            self.upvalues,
            self.parent,
            self.registers,
            dict(self.labels),
            self.instructions,
            self.parameter_types,
            self.return_type,
            line_table,
        )
        return made

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("functions are immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        # By name: it makes functions, and files import each other in no circle.
        reduced: tuple[Any, ...] = import_module("stoffel.isa.pickling").reduce_function(self)
        return reduced

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Function):
            return NotImplemented
        return (
            self.name == other.name
            and self.parameters == other.parameters
            and self.upvalues == other.upvalues
            and self.parent == other.parent
            and self.registers == other.registers
            and dict(self.labels) == dict(other.labels)
            and self.parameter_types == other.parameter_types
            and self.return_type == other.return_type
            and self.instructions == other.instructions
        )

    def __hash__(self) -> int:
        return hash((self.name, self.parameters, len(self.instructions)))

    def __repr__(self) -> str:
        return f"<Function {self.name}({', '.join(self.parameters)}): {len(self.instructions)} instructions>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the instructions."""
        from html import escape

        lines = [repr(self), *(f"{index:>6}  {instruction}" for index, instruction in enumerate(self.instructions))]
        return f"<pre>{escape(chr(10).join(lines))}</pre>"
