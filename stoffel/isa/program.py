"""Instruction, Function and Program: the symbolic form that everything else agrees on.

All three are immutable. Public constructors check their arguments; what a trusted reader has already checked goes
through ``_from_trusted``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, overload

from stoffel.isa.scalars import constant_key
from stoffel.isa.table import BY_NAME, Op, OperandKind

if TYPE_CHECKING:
    from stoffel.isa.lines import LineTable
    from stoffel.isa.manifest import Manifest
    from stoffel.isa.types import Type

CURRENT_VERSION: Final = 9
"""Version of ``.stflb`` that is written unless another is asked for."""


class Instruction:
    """One symbolic instruction: a row of the table and its operands.

    ``Instruction("ADD", 0, 1, 2)``, ``Instruction("LDI", 0, "text")``, ``Instruction("JMP", "end")``. Registers and
    slots are plain ints, constants are values, labels and functions are strings. Raises ValueError or TypeError for an
    unknown name, a wrong number of operands or an operand of the wrong kind.
    """

    __slots__ = ("op", "operands")

    op: Op
    operands: tuple[Any, ...]

    def __init__(self, name: str, *operands: Any) -> None:
        op = BY_NAME.get(name)
        if op is None:
            raise ValueError(f"unknown instruction {name!r}; the instructions are {', '.join(BY_NAME)}")
        if len(operands) != len(op.operands):
            wanted = ", ".join(operand.kind.value for operand in op.operands) or "none"
            raise ValueError(f"{name} takes {len(op.operands)} operands ({wanted}), not {len(operands)}")
        for operand, value in zip(op.operands, operands, strict=True):
            _check_operand(name, operand.kind, value)
        object.__setattr__(self, "op", op)
        object.__setattr__(self, "operands", operands)

    @classmethod
    def _from_trusted(cls, op: Op, operands: tuple[Any, ...]) -> Instruction:
        self = object.__new__(cls)
        _put_op(self, op)
        _put_operands(self, operands)
        return self

    @property
    def name(self) -> str:
        """The instruction's name."""
        return self.op.name

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("instructions are immutable")

    def _key(self) -> tuple[Any, ...]:
        return (self.op.code, *map(constant_key, self.operands))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Instruction):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return Instruction, (self.op.name, *self.operands)

    def __repr__(self) -> str:
        return f"Instruction({', '.join(map(repr, (self.op.name, *self.operands)))})"

    def __str__(self) -> str:
        """The instruction as assembly text."""
        from stoffel.isa.disassembler import format_instruction

        return format_instruction(self)


# Bound once, because a file may hold millions of instructions: half the time of object.__setattr__ with a name.
_put_op = Instruction.__dict__["op"].__set__
_put_operands = Instruction.__dict__["operands"].__set__


def _check_operand(name: str, kind: OperandKind, value: object) -> None:
    if kind is OperandKind.CONSTANT:
        return
    if kind.is_name:
        if not isinstance(value, str):
            raise TypeError(f"{name}: the {kind.value} must be a str, not {type(value).__name__} {value!r}")
        return
    if type(value) is not int:
        raise TypeError(f"{name}: the {kind.value} must be an int, not {type(value).__name__} {value!r}")
    if kind is OperandKind.OFFSET:
        if not -(1 << 31) <= value < 1 << 31:
            raise ValueError(f"{name}: the {kind.value} {value} does not fit 32 signed bits")
    elif value < 0:
        raise ValueError(f"{name}: the {kind.value} must not be negative: {value}")


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

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("functions are immutable")

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


class Functions(Sequence[Function]):
    """The functions of a program, by position or by name."""

    __slots__ = ("_items", "_by_name")

    def __init__(self, items: Iterable[Function]) -> None:
        self._items = tuple(items)
        self._by_name = {item.name: item for item in self._items}

    @overload
    def __getitem__(self, index: int | str) -> Function: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Function, ...]: ...

    def __getitem__(self, index: int | str | slice) -> Function | tuple[Function, ...]:
        if isinstance(index, str):
            return self._by_name[index]
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Function]:
        return iter(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._by_name if isinstance(item, str) else item in self._items

    def __repr__(self) -> str:
        return f"Functions([{', '.join(item.name for item in self._items)}])"


class Program:
    """A set of functions with the constant pool, manifest and version of the file that holds them.

    *records* are the functions in file order; a file may hold an identical function twice, which :attr:`functions`
    shows once. *constants* is the pool in file order (unused and duplicate entries included); None means LDI constants
    by first appearance, and what LDI instructions need beyond a given pool is added at its end.
    """

    __slots__ = ("records", "functions", "constants", "manifest", "version")

    records: tuple[Function, ...]
    functions: Functions
    constants: tuple[Any, ...]
    manifest: Manifest
    version: int

    def __init__(
        self,
        functions: Iterable[Function],
        *,
        constants: Iterable[Any] | None = None,
        manifest: Manifest | None = None,
        version: int = CURRENT_VERSION,
    ) -> None:
        from stoffel.isa.manifest import Manifest

        records = tuple(functions)
        for item in records:
            if not isinstance(item, Function):
                raise TypeError(f"{item!r} is not a Function")
        if type(version) is not int or not 0 <= version <= CURRENT_VERSION:
            raise ValueError(f"version must be an int from 0 to {CURRENT_VERSION}, not {version!r}")
        unique: dict[str, Function] = {}
        for item in records:
            first = unique.setdefault(item.name, item)
            if first is not item and first != item:
                raise ValueError(f"duplicate function '{item.name}' has conflicting definitions")
        pool = intern_constants(records, () if constants is None else tuple(constants))
        self._set(records, Functions(unique.values()), pool, Manifest() if manifest is None else manifest, version)

    def _set(
        self,
        records: tuple[Function, ...],
        functions: Functions,
        constants: tuple[Any, ...],
        manifest: Manifest,
        version: int,
    ) -> None:
        put = object.__setattr__
        put(self, "records", records)
        put(self, "functions", functions)
        put(self, "constants", constants)
        put(self, "manifest", manifest)
        put(self, "version", version)

    @classmethod
    def _from_trusted(
        cls,
        records: tuple[Function, ...],
        functions: Functions,
        constants: tuple[Any, ...],
        manifest: Manifest,
        version: int,
    ) -> Program:
        self = object.__new__(cls)
        self._set(records, functions, constants, manifest, version)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("programs are immutable")

    def save(self, path: str | os.PathLike[str], *, version: int | None = None) -> None:
        """Write the program to *path* as ``.stflb``, all or nothing.

        *version* is the format version; the program's own unless given. An older version drops what it cannot hold.
        Raises SaveError when a field does not fit the format or the file cannot be written.
        """
        from stoffel.isa.writer import save

        save(self, path, version=version)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Program):
            return NotImplemented
        return (
            self.version == other.version
            and self.manifest == other.manifest
            and list(map(constant_key, self.constants)) == list(map(constant_key, other.constants))
            and self.records == other.records
        )

    def __hash__(self) -> int:
        return hash((self.version, self.records))

    def __repr__(self) -> str:
        return f"<Program version {self.version}: {', '.join(item.name for item in self.functions) or 'no functions'}>"


def intern_constants(functions: Iterable[Function], pool: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """Return *pool* followed by the values of LDI that it lacks, by first appearance.

    Two floats are one entry only if their bits are the same, so that a program that is saved and loaded means the same
    (the machine merges NaNs and zeros within a function, see :func:`interning_key`, but not across functions).
    """
    found = {constant_key(value): value for value in pool}
    known = len(found)
    for function in functions:
        if getattr(function.instructions, "pool", None) is pool:
            continue  # read from a file with this very pool: all its constants are in it
        for instruction in function.instructions:
            position = instruction.op.position(OperandKind.CONSTANT)
            if position is not None:
                value = instruction.operands[position]
                found.setdefault(constant_key(value), value)
    added = tuple(found.values())[known:]
    return pool + added if added else pool


def interning_key(value: object) -> tuple[type, object]:
    """Return the key under which the machine merges constants of one function: all NaNs are one, and both zeros."""
    if type(value) is float:
        return (float, "nan") if value != value else (float, value + 0.0)
    return type(value), value
