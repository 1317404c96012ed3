"""The byte form of persisted values: ``STFLVAL1``, then one tagged value, all numbers little-endian.

Tables are written whole, where they occur: an object as its entry count and entries, an array as its length, its entry
count, and entries with explicit keys, gaps filled with Unit. Nesting is handled with explicit stacks, so its depth is
bounded by memory only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

from stoffel.errors import VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.tables import ObjectStore
from stoffel.model.values import Array, Object, Operand, Value, type_name

MAGIC: Final = b"STFLVAL1"

_UNIT: Final = 0
_FLOAT: Final = 9
_BOOL: Final = 10
_STRING: Final = 11
_OBJECT: Final = 13
_ARRAY: Final = 14

_INTEGERS: Final = {cls: Struct("<B" + kind.format) for cls, kind in INTEGER_KINDS.items()}
_INTEGER_OF_TAG: Final = {kind.tag: (cls, Struct("<" + kind.format)) for cls, kind in INTEGER_KINDS.items()}
_TAGGED_FLOAT: Final = Struct("<Bd")
_BARE_FLOAT: Final = Struct("<d")
_TAGGED_COUNT: Final = Struct("<BQ")
_TAGGED_COUNTS: Final = Struct("<BQQ")
_COUNT: Final = Struct("<Q")

MAXIMUM_ENTRIES: Final = 65_536
"""Elements or entries of one table that can be loaded."""
MAXIMUM_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one string, and of a whole value, that can be loaded. No value that takes more is written: tables that share
parts can be exponentially larger in this form than in memory."""


class CodecError(Exception):
    """A value cannot be persisted, or persisted data cannot be read back; the text is the reason."""


def _unwatched(size: int) -> None:
    """Look at nothing."""


def encode(value: Value, watch: Callable[[int], None] = _unwatched) -> bytes:
    """Return the byte form of *value*.

    *watch* is told, after each part of it, how many bytes there are; what it raises ends the work.
    Raises CodecError for closures, foreign handles, cyclic or dangling tables, and values too large to write.
    """
    out = bytearray(MAGIC)
    active: set[int] = set()
    pending: list[tuple[int, Iterator[Value]]] = [(0, iter((value,)))]
    while pending:
        identity, values = pending[-1]
        for item in values:
            if isinstance(item, Object | Array):
                if id(item) in active:
                    raise CodecError(f"cannot persist cyclic {type_name(item)} value with id {item.id}")
                active.add(id(item))
                pending.append((id(item), _open_table(out, item)))
                break
            if type(item) is str:
                watch(len(out) + len(item))
            _encode_scalar(out, item)
            watch(len(out))
            if len(out) > MAXIMUM_BYTES:
                raise CodecError(f"the value takes more than the {MAXIMUM_BYTES} bytes that can be loaded")
        else:
            pending.pop()
            active.discard(identity)
    return bytes(out)


def _open_table(out: bytearray, table: Object | Array) -> Iterator[Operand]:
    """Write the head of a table and return its keys and values, alternating."""
    if isinstance(table, Array):
        length = _table_memory("read array length", tables.length, table)
        pairs: list[tuple[Value, Value]] = list(enumerate(_table_memory("read array elements", tables.elements, table)))
        if table.extra:
            pairs.extend((key, value) for key, value in tables.entries(table) if type(key) is not int or key < 0)
        out += _TAGGED_COUNTS.pack(_ARRAY, length, len(pairs))
    else:
        pairs = _table_memory("read object entries", tables.entries, table)
        out += _TAGGED_COUNT.pack(_OBJECT, len(pairs))
    return (item for pair in pairs for item in pair)


def _table_memory(operation: str, function: Operand, *arguments: Operand) -> Operand:
    try:
        return function(*arguments)
    except VMError as error:
        raise CodecError(f"table memory {operation} failed: {error}") from error


def _encode_scalar(out: bytearray, value: Operand) -> None:
    kind = type(value)
    if kind in _INTEGERS:
        out += _INTEGERS[kind].pack(INTEGER_KINDS[kind].tag, value)
    elif kind is str:
        data = value.encode()
        out += _TAGGED_COUNT.pack(_STRING, len(data))
        out += data
    elif kind is float:
        out += _TAGGED_FLOAT.pack(_FLOAT, value)
    elif kind is bool:
        out += bytes((_BOOL, value))
    elif value is None:
        out.append(_UNIT)
    else:
        raise CodecError(f"cannot persist {type_name(value)} values")


def decode(data: bytes, objects: ObjectStore, watch: Callable[[int], None] = _unwatched) -> Operand:
    """Return the value of the byte form *data*, its tables created anew in *objects*, each before what it holds.

    *watch* is told, at each part of it, how many bytes have been read.
    Raises CodecError for corrupt data and for values beyond the limits.
    """
    _limit("persistent value byte", len(data), MAXIMUM_BYTES)
    if not data.startswith(MAGIC):
        raise CodecError("invalid persistent value data: unknown persistent value format")
    reader = _Reader(data, len(MAGIC))
    root: list[Value] = []
    # One entry per table being read: the table, how many keys and values are still to come, the key that waits for its
    # value, and the declared length of an array.
    pending: list[_Open] = []
    while True:
        watch(reader.offset)
        value, entry_count, length = _decode_one(reader, objects)
        if entry_count is None:
            _deliver(value, pending, root)
        else:
            pending.append(_Open(value, 2 * entry_count, length))
        while pending and pending[-1].remaining == 0:
            _deliver(_close_table(pending.pop()), pending, root)
        if not pending:
            break
    if reader.offset != len(data):
        raise CodecError("persistent value contains trailing bytes")
    return root[0]


class _Open:
    """A table whose entries are being read."""

    __slots__ = ("key", "length", "remaining", "table")

    def __init__(self, table: Object | Array, remaining: int, length: int) -> None:
        self.table = table
        self.remaining = remaining
        self.length = length
        self.key: Value = None


def _deliver(value: Value, pending: list[_Open], root: list[Value]) -> None:
    """Hand a complete value to the table that is being read, as a key or as the value of the key before it."""
    if not pending:
        root.append(value)
        return
    entry = pending[-1]
    entry.remaining -= 1
    if entry.remaining % 2:
        entry.key = value
    elif isinstance(entry.table, Array):
        if type(entry.key) is int and entry.key >= entry.length:
            raise CodecError(f"invalid persistent value data: array index {entry.key} beyond length {entry.length}")
        tables.store(entry.table, entry.key, value)
    else:
        tables.set_field(entry.table, entry.key, value)


def _close_table(entry: _Open) -> Object | Array:
    table = entry.table
    if isinstance(table, Array) and tables.length(table) != entry.length:
        # Another writer may leave out trailing Units; the length is what was declared.
        tables.store(table, entry.length - 1, None)
    return table


class _Reader:
    """Reads *data* from *offset* on."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes, offset: int) -> None:
        self.data = data
        self.offset = offset

    def number(self, layout: Struct) -> Operand:
        start = self._advance(layout.size)
        return layout.unpack_from(self.data, start)[0]

    def byte(self) -> int:
        return self.data[self._advance(1)]

    def take(self, count: int) -> bytes:
        start = self._advance(count)
        return self.data[start : self.offset]

    def _advance(self, count: int) -> int:
        start = self.offset
        if start + count > len(self.data):
            raise CodecError(
                f"invalid persistent value data: expected {count} bytes at offset {start}, but input ended"
            )
        self.offset = start + count
        return start


def _decode_one(reader: _Reader, objects: ObjectStore) -> tuple[Operand, int | None, int]:
    """Read a scalar, or the head of a table: return the value, its entry count (None: scalar), its array length."""
    tag = reader.byte()
    if tag in _INTEGER_OF_TAG:
        cls, layout = _INTEGER_OF_TAG[tag]
        return cls(reader.number(layout)), None, 0
    if tag == _UNIT:
        return None, None, 0
    if tag == _STRING:
        size = reader.number(_COUNT)
        _limit("byte", size, MAXIMUM_BYTES)
        try:
            return reader.take(size).decode(), None, 0
        except UnicodeDecodeError as error:
            raise CodecError("invalid persistent value data: a string is not valid UTF-8") from error
    if tag == _FLOAT:
        return reader.number(_BARE_FLOAT), None, 0
    if tag == _BOOL:
        byte = reader.byte()
        if byte > 1:
            raise CodecError(f"invalid persistent value data: invalid boolean byte {byte}")
        return byte == 1, None, 0
    if tag == _ARRAY:
        length = reader.number(_COUNT)
        _limit("array", length, MAXIMUM_ENTRIES)
        count = reader.number(_COUNT)
        _limit("array entry", count, MAXIMUM_ENTRIES)
        return objects.create_array(), count, length
    if tag == _OBJECT:
        count = reader.number(_COUNT)
        _limit("object entry", count, MAXIMUM_ENTRIES)
        return objects.create_object(), count, 0
    raise CodecError(f"invalid persistent value data: unknown value tag {tag}")


def _limit(label: str, count: int, maximum: int) -> None:
    if count > maximum:
        raise CodecError(f"{label} count {count} exceeds supported limit {maximum}")
