"""Program: what a ``.stflb`` file holds, as values in memory. Immutable.

The public constructors here, of functions and of instructions check their arguments; ``_from_trusted`` takes what a
reader has checked already.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, overload

from stoffel.isa.function import Function
from stoffel.isa.layout import CURRENT_VERSION
from stoffel.isa.scalars import constant_key
from stoffel.isa.table import OperandKind

if TYPE_CHECKING:
    from stoffel.isa.manifest import Manifest


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

    def to_bytes(self, *, version: int | None = None) -> bytes:
        """Return what :meth:`save` writes, for :func:`stoffel.load` to read. Raises SaveError as it does."""
        from stoffel.isa.writer import write

        return write(self, version=version)

    def __reduce__(self) -> tuple[Any, ...]:
        # By name: it makes programs, and files import each other in no circle.
        reduced: tuple[Any, ...] = import_module("stoffel.isa.pickling").reduce_program(self)
        return reduced

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

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the functions with their sizes."""
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(item.name)}({escape(', '.join(item.parameters))})</td>"
            f"<td>{len(item.instructions)}</td><td>{item.registers}</td></tr>"
            for item in self.functions
        )
        heads = "".join(f"<th>{text}</th>" for text in ("function", "instructions", "registers"))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


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
