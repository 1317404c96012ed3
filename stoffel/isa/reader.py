"""Reads ``.stflb``, versions 0 to 9; the format is described in ``docs/file-format.md``.

The file is one forward stream without a directory, so the first problem in stream order is the one reported. After the
whole file is parsed, functions are converted: duplicates are compared and constant indices checked. Counts are never
trusted: memory grows with what has really been read.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

from stoffel.errors import LoadError
from stoffel.isa.encoded import EncodedInstructions, InstructionScanner, ScanError
from stoffel.isa.function import Function
from stoffel.isa.layout import (
    BACKEND_SINCE,
    BOOL_TAG,
    CURRENT_VERSION,
    CURVE_SINCE,
    DEMAND_SINCE,
    FLOAT_TAG,
    MAGIC,
    MANIFEST_SINCE,
    MAX_COUNT,
    MAX_INSTRUCTIONS,
    MAX_STRING_BYTES,
    STRING_TAG,
    TYPES_SINCE,
    UNIT_TAG,
)
from stoffel.isa.manifest import BACKENDS, CURVES, SHARE_KINDS, Client, Demand, Manifest, ShareKind, ShareType
from stoffel.isa.program import Functions, Program
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.types import MAX_TYPE_DEPTH, TYPE_ROWS, UNKNOWN, Field, Type, too_deep

_U8: Final = struct.Struct("<B")
_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_FLOAT: Final = struct.Struct("<d")
_INTEGERS: Final = {kind.tag: (cls, struct.Struct("<" + kind.format)) for cls, kind in INTEGER_KINDS.items()}

Item = TypeVar("Item")


def load(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Program:
    """Return the program in the ``.stflb`` file at path *source*, or in the bytes *source*.

    Bytes after the program are ignored. Raises LoadError if the file cannot be read or is not a well-formed program.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return read(bytes(source))
    path = os.fsdecode(source)
    shown = path if path.isprintable() else ascii(path)
    return read(_read_file(path, shown), path=shown)


def _read_file(path: str, shown: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib costs start-up time
            head = file.read(_HEADER_SIZE)
            # Whatever is not a program (a device, a film) is refused before it is read into memory.
            _Reader(head, shown).header()
            return head + file.read()
    except LoadError:
        raise
    except OSError as error:
        raise _unreadable(error.strerror or str(error), shown) from error
    except ValueError as error:  # a NUL or a lone surrogate in the path
        raise _unreadable(str(error), shown) from error
    except MemoryError:
        raise _unreadable("it does not fit into memory", shown) from None


_SIGNED, _NAME, _TYPE, _TYPES = Field.SIGNED, Field.NAME, Field.TYPE, Field.TYPES


def _unreadable(reason: str, shown: str) -> LoadError:
    return LoadError(f"cannot read the file: {reason}", category="io", path=shown)


_HEADER_SIZE: Final = len(MAGIC) + _U16.size


def read(data: bytes, *, path: str | None = None) -> Program:
    """Return the program that *data* holds; *path* is only named in errors.

    Raises LoadError, and nothing else, if *data* is malformed or too large for the memory there is.
    """
    try:
        return _Reader(data, path).program()
    except MemoryError:
        raise LoadError("the program does not fit into memory", category="io", path=path) from None


class _Reader:
    __slots__ = ("data", "path", "position", "version", "pool", "scanner", "types", "starts", "first")

    def __init__(self, data: bytes, path: str | None) -> None:
        self.data = data
        self.path = path
        self.position = 0
        self.version = 0
        self.pool: tuple[Any, ...] = ()
        self.scanner = InstructionScanner(b"", ())
        self.types: dict[tuple[Any, ...], Type] = {}
        # Where function records begin, with the end of the last; and the index of the first record of each name.
        self.starts = array("Q")
        self.first: dict[str, int] = {}

    # Errors and primitive fields -----------------------------------------------------------------------------------

    def fail(self, message: str, offset: int | None = None) -> NoReturn:
        """Raise the error that the data are malformed at *offset* (here, unless given)."""
        at = self.position if offset is None else offset
        raise LoadError(message, category="data", offset=at, path=self.path)

    def fail_at_end(self, field: str, start: int) -> NoReturn:
        size = len(self.data)
        where = f"inside the {field} that begins at byte {start}" if start < size else f"where the {field} should be"
        raise LoadError(
            f"failed to fill whole buffer: the file ends after {size} bytes, {where}",
            category="io",
            offset=size,
            path=self.path,
        )

    def number(self, shape: struct.Struct, field: str) -> int:
        start = self.position
        try:
            found: int = shape.unpack_from(self.data, start)[0]
        except struct.error:
            self.fail_at_end(field, start)
        self.position = start + shape.size
        return found

    def text(self, length: int, field: str, invalid: str) -> str:
        start = self.position
        end = start + length
        if end > len(self.data):
            self.fail_at_end(field, start)
        try:
            found = self.data[start:end].decode()
        except UnicodeDecodeError as error:
            self.fail(f"Invalid UTF-8 in {invalid}", start + error.start)
        self.position = end
        return found

    def name(self, field: str) -> str:
        return self.text(self.number(_U16, field), field, field)

    def count(self, what: str, limit: int = MAX_COUNT) -> int:
        start = self.position
        found = self.number(_U32, what)
        if found > limit:
            self.fail(f"{what} {found} exceeds maximum supported {limit}", start)
        return found

    def many(self, what: str, item: Callable[[], Item]) -> tuple[Item, ...]:
        """Read a 32-bit count and so many items."""
        return tuple([item() for _ in range(self.count(what))])

    def names(self, what: str, field: str) -> tuple[str, ...]:
        count = self.number(_U16, what)
        return tuple([self.name(field) for _ in range(count)]) if count else ()

    # The file ------------------------------------------------------------------------------------------------------

    def header(self) -> None:
        if len(self.data) < len(MAGIC):
            self.fail_at_end("magic number", 0)
        if self.data[: len(MAGIC)] != MAGIC:
            found = self.data[: len(MAGIC)]
            raise LoadError(
                f"not a .stflb file: it begins with {found!r}, not {MAGIC!r}",
                category="magic",
                offset=0,
                path=self.path,
            )
        self.position = len(MAGIC)
        self.version = self.number(_U16, "version")
        if self.version > CURRENT_VERSION:
            raise LoadError(
                f"unsupported version {self.version}; versions 0 to {CURRENT_VERSION} can be read",
                category="version",
                offset=len(MAGIC),
                path=self.path,
            )

    def program(self) -> Program:
        self.header()
        self.pool = self.many("constant count", self.constant)
        self.scanner = InstructionScanner(self.data, self.pool)
        records = self.many("function count", self.function)
        manifest = self.manifest()
        unique = self.convert(records)
        return Program._from_trusted(records, Functions(unique), self.pool, manifest, self.version)

    def constant(self) -> Any:
        start = self.position
        tag = self.number(_U8, "tag of a constant")
        if tag in _INTEGERS:
            cls, shape = _INTEGERS[tag]
            value = self.number(shape, f"{INTEGER_KINDS[cls].name} constant")
            return value if cls is int else cls(value)
        if tag == UNIT_TAG:
            return None
        if tag == FLOAT_TAG:
            return self.number(_FLOAT, "Float constant")
        if tag == BOOL_TAG:
            return self.number(_U8, "Bool constant") != 0
        if tag == STRING_TAG:
            return self.text(self.count("string length", MAX_STRING_BYTES), "string constant", "string")
        return self.fail(f"Unknown value type tag: {tag}", start)

    def convert(self, records: tuple[Function, ...]) -> list[Function]:
        """Return the distinct functions, after the checks that need the whole file."""
        for index, function in enumerate(records):
            first = self.first[function.name]
            if first != index:
                if not _identical(records[first], function):
                    message = f"duplicate function '{function.name}' has conflicting definitions"
                    self.fail(message, self.starts[index])
                continue
            if isinstance(function.instructions, EncodedInstructions):
                bad = function.instructions.bad_constant()
                if bad is not None:
                    at, constant, offset = bad
                    self.fail(
                        f"Function {function.name} instruction {at} references constant {constant} "
                        f"but constant pool has {len(self.pool)} values",
                        offset,
                    )
        return [records[index] for index in self.first.values()]

    # Functions -----------------------------------------------------------------------------------------------------

    def function(self) -> Function:
        self.starts.append(self.position)
        name = self.name("function name")
        registers = self.number(_U16, "register count")
        parameters = self.names("parameter count", "parameter name")
        types: tuple[Type, ...] = (UNKNOWN,) * len(parameters)
        result = UNKNOWN
        if self.version >= TYPES_SINCE:
            start = self.position
            count = self.number(_U16, "parameter type count")
            if count != len(parameters):
                self.fail(
                    f"function '{name}' declares {len(parameters)} parameter name(s) but {count} parameter type(s)",
                    start,
                )
            types = tuple([self.type(1) for _ in range(count)])
            result = self.type(1)
        upvalues = self.names("upvalue count", "upvalue name")
        parent = self.parent()
        labels: dict[str, int] = {}
        for _ in range(self.number(_U16, "label count")):
            label = self.name("label name")
            labels[label] = self.number(_U32, "label offset")
        count = self.count("instruction count", MAX_INSTRUCTIONS)
        body = self.instructions(count) if count else ()
        self.first.setdefault(name, len(self.starts) - 1)
        return Function._from_trusted(name, parameters, upvalues, parent, registers, labels, body, types, result)

    def parent(self) -> str | None:
        start = self.position
        flag = self.number(_U8, "parent flag")
        if flag > 1:
            self.fail(f"Invalid parent presence flag: {flag}", start)
        return self.name("parent function name") if flag else None

    def instructions(self, count: int) -> EncodedInstructions:
        try:
            found, self.position = self.scanner.scan(self.position, count)
        except ScanError as error:
            if error.message is None:
                self.fail_at_end("instruction", error.offset)
            self.fail(error.message, error.offset)
        return found

    def type(self, depth: int) -> Type:
        start = self.position
        if depth > MAX_TYPE_DEPTH:
            self.fail(too_deep(), start)
        tag = self.number(_U8, "type tag")
        if tag >= len(TYPE_ROWS):
            self.fail(f"unknown function type tag {tag}", start)
        row = TYPE_ROWS[tag]
        key: list[Any] = [tag]
        for field in row.fields:
            if field is _TYPE:
                key.append(self.type(depth + 1))
            elif field is _NAME:
                key.append(self.name(row.noun))
            elif field is _TYPES:
                count = self.number(_U16, "generic parameter count of a type")
                key.append(tuple([self.type(depth + 1) for _ in range(count)]))
            elif field is _SIGNED:
                key.append(self.number(_U8, "signed flag of a type") != 0)
            else:
                width = self.number(_U8, "bit width of a type")
                if width == 0:
                    self.fail(f"{row.noun} bit width must be non-zero", start)
                key.append(width)
        # A short file can hold very many equal types: they become one.
        fields = tuple(key)
        found = self.types.get(fields)
        if found is None:
            found = self.types[fields] = Type(row, fields[1:])
        return found

    # Manifest ------------------------------------------------------------------------------------------------------

    def manifest(self) -> Manifest:
        if self.version < MANIFEST_SINCE:
            return Manifest()
        backend = self.choice("backend", BACKENDS) if self.version >= BACKEND_SINCE else BACKENDS[0]
        curve = self.choice("curve", CURVES) if self.version >= CURVE_SINCE else CURVES[0]
        shares: dict[tuple[int, ...], ShareType] = {}
        clients = self.many("client IO schema count", lambda: self.client(shares))
        return Manifest(backend, curve, clients, self.demand() if self.version >= DEMAND_SINCE else None)

    def choice(self, what: str, names: tuple[str, ...]) -> str:
        start = self.position
        tag = self.number(_U8, f"MPC {what} tag")
        if tag >= len(names):
            self.fail(f"unknown MPC {what} tag {tag} in IO manifest", start)
        return names[tag]

    def client(self, shares: dict[tuple[int, ...], ShareType]) -> Client:
        slot = self.number(_U64, "client slot")
        inputs = self.many("client IO input count", lambda: self.share(shares))
        outputs = self.many("client IO output count", lambda: self.share(shares))
        return Client(slot, inputs, outputs)

    def share(self, shares: dict[tuple[int, ...], ShareType]) -> ShareType:
        start = self.position
        tag = self.number(_U8, "share type tag")
        kind = _SHARE_OF_TAG.get(tag)
        if kind is None:
            self.fail(f"unknown ShareType tag {tag} in IO manifest", start)
        numbers = [self.number(_U32, field) for field in kind.fields]
        key = (tag, *numbers)
        found = shares.get(key)
        if found is None:
            try:
                found = shares[key] = ShareType(kind.name, *numbers)
            except ValueError as error:
                self.fail(str(error), start)
        return found

    def demand(self) -> Demand:
        triples, randoms, prandbits, prandints = (self.number(_U64, "preprocessing demand") for _ in range(4))
        return Demand(triples, randoms, prandbits, prandints, self.number(_U8, "dynamic flag") != 0)


_SHARE_OF_TAG: Final[dict[int, ShareKind]] = {kind.tag: kind for kind in SHARE_KINDS}


def _identical(one: Function, other: Function) -> bool:
    """Compare two functions of one name, constants by index; the order of labels does not count."""
    return one is other or (_signature(one) == _signature(other) and _raw(one) == _raw(other))


def _signature(function: Function) -> tuple[Any, ...]:
    return (
        function.registers,
        function.parameters,
        function.parameter_types,
        function.return_type,
        function.upvalues,
        function.parent,
        dict(function.labels),
    )


def _raw(function: Function) -> bytes:
    body = function.instructions
    return body.raw() if isinstance(body, EncodedInstructions) else b""
