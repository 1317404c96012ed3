"""Writes ``.stflb``, versions 0 to 9; the format is described in ``docs/file-format.md``.

What was read is written back byte for byte where the format allows it. An older version drops what it cannot hold.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from stoffel.errors import SaveError
from stoffel.isa.encoded import ENCODINGS, EncodedInstructions, Encoding
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
    STRING_TAG,
    TYPES_SINCE,
    UNIT_TAG,
)
from stoffel.isa.manifest import BACKENDS, CURVES, Manifest, ShareType
from stoffel.isa.scalars import INTEGER_KINDS, constant_key
from stoffel.isa.types import Field, Type

U16_MAX: Final = (1 << 16) - 1
U32_MAX: Final = (1 << 32) - 1

_U16: Final = struct.Struct("<H")
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_INTEGERS: Final = {cls: (kind, struct.Struct("<B" + kind.format)) for cls, kind in INTEGER_KINDS.items()}
_ENCODING_OF: Final[dict[int, Encoding]] = {encoding.op.code: encoding for encoding in ENCODINGS}

Item = TypeVar("Item")


class Contents(Protocol):
    """The parts of a :class:`.Program` that a file holds."""

    @property
    def records(self) -> tuple[Function, ...]: ...
    @property
    def constants(self) -> tuple[Any, ...]: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def version(self) -> int: ...


def write(program: Contents, *, version: int | None = None) -> bytes:
    """Return *program* as ``.stflb`` of *version* (the program's own unless given).

    Raises SaveError if a field does not fit the format or the version does not exist.
    """
    number = program.version if version is None else version
    if type(number) is not int or not 0 <= number <= CURRENT_VERSION:
        raise SaveError(f"cannot write version {number!r}; versions 0 to {CURRENT_VERSION} can be written")
    return bytes(_Writer(program, number).program())


class _Writer:
    """Puts a file together in stream order, so that the first field that does not fit is the one reported."""

    __slots__ = ("source", "version", "out", "index")

    def __init__(self, program: Contents, version: int) -> None:
        self.source = program
        self.version = version
        self.out = bytearray()
        self.index: dict[tuple[type, object], int] = {}

    # Primitive fields ----------------------------------------------------------------------------------------------

    def u8(self, value: int) -> None:
        self.out.append(value)

    def u16(self, value: int, field: str) -> None:
        if value > U16_MAX:
            raise SaveError(f"{field} {value} exceeds u16::MAX")
        self.out += _U16.pack(value)

    def u32(self, value: int, field: str) -> None:
        if value > U32_MAX:
            raise SaveError(f"{field} {value} exceeds u32::MAX")
        self.out += _U32.pack(value)

    def u64(self, value: int) -> None:
        self.out += _U64.pack(value)

    def name(self, text: str, field: str) -> None:
        raw = _utf8(text, field)
        self.u16(len(raw), f"{field} length")
        self.out += raw

    def many(self, items: tuple[Item, ...], field: str, put: Callable[[Item], None]) -> None:
        self.u32(len(items), field)
        for item in items:
            put(item)

    # The file ------------------------------------------------------------------------------------------------------

    def program(self) -> bytearray:
        source = self.source
        self.out += MAGIC
        self.out += _U16.pack(self.version)
        self.many(source.constants, "constant count", self.constant)
        for position, value in enumerate(source.constants):
            self.index.setdefault(constant_key(value), position)
        self.many(source.records, "function count", self.function)
        if self.version >= MANIFEST_SINCE:
            self.manifest(source.manifest)
        return self.out

    def constant(self, value: object) -> None:
        kind = type(value)
        if kind in _INTEGERS:
            row, shape = _INTEGERS[kind]
            try:
                self.out += shape.pack(row.tag, value)
            except struct.error:
                raise SaveError(f"the constant {value} does not fit {row.name}") from None
        elif value is None:
            self.u8(UNIT_TAG)
        elif kind is float:
            self.out += struct.pack("<Bd", FLOAT_TAG, value)
        elif kind is bool:
            self.out += bytes((BOOL_TAG, value is True))
        elif kind is str:
            raw = _utf8(str(value), "string")
            self.u8(STRING_TAG)
            self.u32(len(raw), "string length")
            self.out += raw
        else:
            raise SaveError(f"Unsupported value type for serialization: {value!r}")

    # Functions -----------------------------------------------------------------------------------------------------

    def function(self, function: Function) -> None:
        self.name(function.name, "function name")
        self.u16(function.registers, "register count")
        self.u16(len(function.parameters), "parameter count")
        for name in function.parameters:
            self.name(name, "parameter name")
        if self.version >= TYPES_SINCE:
            self.u16(len(function.parameter_types), "parameter type count")
            for item in function.parameter_types:
                self.type(item)
            self.type(function.return_type)
        self.u16(len(function.upvalues), "upvalue count")
        for name in function.upvalues:
            self.name(name, "upvalue name")
        self.u8(function.parent is not None)
        if function.parent is not None:
            self.name(function.parent, "parent function name")
        self.u16(len(function.labels), "label count")
        for name, offset in function.labels.items():
            self.name(name, "label name")
            self.u32(offset, "label offset")
        self.instructions(function)

    def type(self, item: Type) -> None:
        row = item.row
        self.u8(row.tag)
        for field, value in zip(row.fields, item.values, strict=True):
            if field is Field.TYPE:
                self.type(value)
            elif field is Field.NAME:
                self.name(value, row.noun)
            elif field is Field.TYPES:
                self.u16(len(value), "function generic parameter count")
                for inner in value:
                    self.type(inner)
            else:
                self.u8(value)

    def instructions(self, function: Function) -> None:
        body = function.instructions
        self.u32(len(body), "instruction count")
        if isinstance(body, EncodedInstructions) and body.pool is self.source.constants:
            self.out += body.raw()
            return
        out, index = self.out, self.index
        for instruction in body:
            encoding = _ENCODING_OF[instruction.op.code]
            operands = instruction.operands
            if encoding.name is not None:
                out += encoding.fields.pack(encoding.op.code)
                self.name(operands[0], f"{encoding.op.name} {_noun(encoding)}")
                continue
            at = encoding.constant
            if at is not None:
                operands = (*operands[:at], index[constant_key(operands[at])], *operands[at + 1 :])
            try:
                out += encoding.fields.pack(encoding.op.code, *operands)
            except struct.error:
                for operand, value in zip(encoding.op.operands, operands, strict=True):
                    if value > U32_MAX:
                        raise SaveError(f"{encoding.op.name} {operand.label} {value} exceeds u32::MAX") from None
                raise

    # Manifest ------------------------------------------------------------------------------------------------------

    def manifest(self, manifest: Manifest) -> None:
        if self.version >= BACKEND_SINCE:
            self.u8(BACKENDS.index(manifest.backend))
        if self.version >= CURVE_SINCE:
            self.u8(CURVES.index(manifest.curve))
        self.u32(len(manifest.clients), "client IO schema count")
        for client in manifest.clients:
            self.u64(client.slot)
            self.many(client.inputs, "client IO input count", self.share)
            self.many(client.outputs, "client IO output count", self.share)
        if self.version >= DEMAND_SINCE:
            demand = manifest.demand
            for amount in (demand.triples, demand.randoms, demand.prandbits, demand.prandints):
                self.u64(amount)
            self.u8(demand.dynamic)

    def share(self, share: ShareType) -> None:
        row = share.row
        self.u8(row.tag)
        for field, number in zip(row.fields, (share.bits, share.fraction), strict=False):
            self.u32(number, field)


def _noun(encoding: Encoding) -> str:
    # The table calls the operand by its length, which is what errors are about; names are called the same without it.
    return encoding.op.operands[0].label.removesuffix(" length")


def _utf8(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise SaveError(f"{field} {text!r} has a lone surrogate at index {error.start} and cannot be UTF-8") from None


# Saving --------------------------------------------------------------------------------------------------------------


def save(program: Contents, path: str | os.PathLike[str], *, version: int | None = None) -> None:
    """Write *program* to the file at *path*, all or nothing.

    The new contents are complete in a file beside the old one before they take its place. Permission bits of an
    existing file stay, symbolic links are followed, and what is no regular file (a pipe, a device) is written to
    directly. Raises SaveError if the program does not fit the format or the file system refuses.
    """
    write_file(path, write(program, version=version))


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write *data* to the file at *path* in the manner of :func:`save`; raises SaveError if the file system refuses."""
    target = os.fsdecode(path)
    shown = target if target.isprintable() else ascii(target)
    try:
        _put(target, data)
    except OSError as error:
        raise SaveError(f"{shown}: cannot write the file: {error.strerror or error}") from error
    except ValueError as error:  # a NUL or a lone surrogate in the path
        raise SaveError(f"{shown}: cannot write the file: {error}") from error


_DIRECT: Final = ("/dev/", "/proc/")
"""Below these a path names an open stream or a device, even where it looks like a regular file."""


def _put(path: str, data: bytes) -> None:
    try:
        status: os.stat_result | None = os.stat(path)  # noqa: PTH116  # pathlib costs start-up time, as below
    except FileNotFoundError:
        status = None
    if os.path.abspath(path).startswith(_DIRECT) or (status is not None and not stat.S_ISREG(status.st_mode)):  # noqa: PTH100
        with open(path, "wb", buffering=0) as stream:  # noqa: PTH123
            _write_all(stream.fileno(), data)
        return
    if not os.path.basename(path):  # noqa: PTH119
        raise IsADirectoryError(None, "the path names a directory")
    target = os.path.realpath(path)
    if status is not None and not os.access(target, os.W_OK):
        raise PermissionError(None, "it is write-protected")
    temporary, handle = _open_beside(target)
    try:
        try:
            if status is not None:
                os.fchmod(handle, stat.S_IMODE(status.st_mode))
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise


def _open_beside(target: str) -> tuple[str, int]:
    """Create a new file in the directory of *target*; return its path and descriptor."""
    folder = os.path.dirname(target)  # noqa: PTH120
    number = 0
    while True:
        path = os.path.join(folder, f".stoffel-{os.getpid()}-{number}.tmp")  # noqa: PTH118
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        except FileExistsError:
            number += 1


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
