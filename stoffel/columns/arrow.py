"""The Arrow C data interface: arrays of any library without copying, and without that library.

A capsule keeps what it points at until it is dropped, so a piece holds the capsule. See
https://arrow.apache.org/docs/format/CDataInterface.html.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np

from stoffel.columns.errors import ColumnError

FORMATS: Final = {
    "c": "int8",
    "C": "uint8",
    "s": "int16",
    "S": "uint16",
    "i": "int32",
    "I": "uint32",
    "l": "int64",
    "L": "uint64",
    "f": "float32",
    "g": "float64",
}
"""NumPy types by Arrow's format strings."""
_OFFSETS: Final = {"u": "int32", "U": "int64"}
_NULLABLE: Final = 2


class Schema(ctypes.Structure):
    """``struct ArrowSchema``."""


class Array(ctypes.Structure):
    """``struct ArrowArray``."""


class Stream(ctypes.Structure):
    """``struct ArrowArrayStream``."""


_RELEASE: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_GET: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
Stream._fields_ = [
    ("get_schema", _GET),
    ("get_next", _GET),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]


def is_arrow(given: Any) -> bool:
    """Return whether an argument offers the interface; NumPy's own arrays are taken as they are."""
    return hasattr(given, "__arrow_c_array__") or hasattr(given, "__arrow_c_stream__")


class _Owned:
    """A structure that is released when nothing refers to its memory any more."""

    def __init__(self, structure: Any) -> None:
        self.structure = structure

    def __del__(self) -> None:
        if self.structure.release:
            _RELEASE(self.structure.release)(ctypes.addressof(self.structure))


def pieces_of(name: str, given: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield data, validity and owner of each chunk of an Arrow array, at least of one. Raises ColumnError."""
    if hasattr(given, "__arrow_c_array__"):
        schema, array = given.__arrow_c_array__()
        kind = _format_of(name, _structure(Schema, schema, b"arrow_schema"))
        yield _piece(name, kind, _structure(Array, array, b"arrow_array"), array)
        return
    capsule = given.__arrow_c_stream__()
    stream = _structure(Stream, capsule, b"arrow_array_stream")
    address = ctypes.addressof(stream)
    owned = _Owned(Schema())
    _checked(name, stream, stream.get_schema(address, ctypes.addressof(owned.structure)))
    kind = _format_of(name, owned.structure)
    some = False
    while True:
        chunk = _Owned(Array())
        _checked(name, stream, stream.get_next(address, ctypes.addressof(chunk.structure)))
        if not chunk.structure.release:
            break
        if chunk.structure.length or not some:
            some = True
            yield _piece(name, kind, chunk.structure, chunk)
    if not some:
        yield np.empty(0, FORMATS.get(kind, "bool" if kind == "b" else "O")), None, None


def _structure(kind: Any, capsule: Any, name: bytes) -> Any:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return kind.from_address(get(capsule, name))


def _checked(name: str, stream: Any, status: int) -> None:
    if status:
        text = stream.get_last_error(ctypes.addressof(stream))
        raise ColumnError(f"column '{name}' cannot be read: {text.decode() if text else f'error {status}'}")


def _format_of(name: str, schema: Any) -> str:
    kind: str = schema.format.decode()
    if schema.dictionary or (kind not in FORMATS and kind not in _OFFSETS and kind not in "bn"):
        what = "a dictionary" if schema.dictionary else f"the Arrow type '{kind}'"
        raise ColumnError(
            f"column '{name}' is of {what}, and columns hold integers, floats of 32 or 64 bits, Bools and strings; "
            "cast it before"
        )
    return kind


def _memory(array: Any, number: int, dtype: Any, count: int) -> Any:
    """Return a buffer as NumPy memory."""
    address = array.buffers[number]
    size = count * np.dtype(dtype).itemsize
    if not size or not address:
        return np.empty(0, dtype)
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype)


def _bits(array: Any, number: int) -> Any:
    """Return a bitmap of the array's rows as bytes."""
    first, last = array.offset, array.offset + array.length
    packed = _memory(array, number, "uint8", (last + 7) // 8)[first // 8 :]
    return np.unpackbits(packed, count=first % 8 + array.length, bitorder="little")[first % 8 :].view(bool)


def _piece(name: str, kind: str, array: Any, owner: Any) -> tuple[Any, Any, Any]:
    first, last = array.offset, array.offset + array.length
    if kind == "n":
        return np.zeros(array.length, "int64"), np.zeros(array.length, bool), owner
    valid = _bits(array, 0) if array.null_count and array.buffers[0] else None
    if kind == "b":
        return _bits(array, 1), valid, None
    if kind in FORMATS:
        return _memory(array, 1, FORMATS[kind], last)[first:], valid, owner
    offsets = _memory(array, 1, _OFFSETS[kind], last + 1)[first:]
    text = bytes(_memory(array, 2, "uint8", int(offsets[-1])) if array.length else b"")
    rows = np.empty(array.length, object)
    try:
        rows[:] = [text[start:end].decode() for start, end in pairwise(offsets)]
    except UnicodeDecodeError as error:
        raise ColumnError(f"column '{name}' holds text that is no UTF-8: {error}") from None
    return rows, valid, None


# Giving


class Result:
    """A column of results for any library that takes ``__arrow_c_array__``; *data* and *valid* are NumPy's."""

    def __init__(self, data: Any, valid: Any) -> None:
        self.data = data
        self.valid = valid

    def __len__(self) -> int:
        return len(self.data)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        """Return the capsules of schema and array; another schema than its own is not made."""
        kind, buffers = buffers_of(self.data, self.valid)
        pointers = (ctypes.c_void_p * len(buffers))(*(None if item is None else item.ctypes.data for item in buffers))
        schema = Schema(format=kind.encode(), name=b"", flags=_NULLABLE)
        nulls = 0 if self.valid is None else int(len(self.valid) - np.count_nonzero(self.valid))
        array = Array(
            length=len(self.data),
            null_count=nulls,
            n_buffers=len(buffers),
            buffers=ctypes.cast(pointers, ctypes.POINTER(ctypes.c_void_p)),
        )
        return _capsule(schema, b"arrow_schema", ()), _capsule(array, b"arrow_array", (buffers, pointers))


def buffers_of(data: Any, valid: Any) -> tuple[str, list[Any]]:
    """Return format and buffers of a column."""
    bitmap = None if valid is None else np.packbits(valid, bitorder="little")
    if data.dtype == bool:
        return "b", [bitmap, np.packbits(data, bitorder="little")]
    for kind, name in FORMATS.items():
        if data.dtype == name:
            return kind, [bitmap, data]
    texts = [(item if isinstance(item, str) else "").encode("utf-8", "replace") for item in data]
    ends = np.zeros(len(texts) + 1, "int64")
    np.cumsum([len(text) for text in texts], out=ends[1:])
    return "U", [bitmap, ends, np.frombuffer(b"".join(texts) or b"\0", "uint8")]


_alive: Final[dict[int, Any]] = {}
"""What structures that were handed out refer to, by number."""


def _release_schema(address: int) -> None:
    structure = Schema.from_address(address)
    _alive.pop(structure.private_data, None)
    structure.release = None


def _release_array(address: int) -> None:
    structure = Array.from_address(address)
    _alive.pop(structure.private_data, None)
    structure.release = None


def _drop(capsule: int) -> None:
    """Release what nobody has taken out of a capsule."""
    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    for wanted, kind in ((b"arrow_schema", Schema), (b"arrow_array", Array)):
        if name(capsule) == wanted:
            address = _POINTER(capsule, wanted)
            structure: Any = kind.from_address(address)
            if structure.release:
                _RELEASE(structure.release)(address)
            _held.pop(address, None)


_CALLBACKS: Final = {
    b"arrow_schema": _RELEASE(_release_schema),
    b"arrow_array": _RELEASE(_release_array),
    b"": _RELEASE(_drop),
}
"""The functions above as C has them: what releases a structure by its capsule's name, and what drops a capsule."""
_POINTER: Final = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_NEW: Final = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
_held: Final[dict[int, tuple[Any, bytes]]] = {}
"""Structures that capsules point at, by address."""
_numbers: Final = iter(range(1, sys.maxsize))


def _capsule(structure: Any, name: bytes, keeps: tuple[Any, ...]) -> Any:
    number = next(_numbers)
    _alive[number] = (structure, *keeps)
    structure.private_data = number
    structure.release = ctypes.cast(_CALLBACKS[name], ctypes.c_void_p)
    address = ctypes.addressof(structure)
    _held[address] = structure, name
    return _NEW(address, name, ctypes.cast(_CALLBACKS[b""], ctypes.c_void_p))


def like(given: Any, data: Any, valid: Any) -> Any:
    """Return a column of results as the library of *given* has such; as a :class:`Result` if it is not known."""
    library = type(given).__module__.partition(".")[0]
    if library == "pyarrow":
        return _for_pyarrow(given, data, valid)
    if library == "polars":
        return sys.modules["polars"].Series(given.name, Result(data, valid))
    if library == "pandas":
        pandas = sys.modules["pandas"]
        if valid is not None:
            name = str(data.dtype)
            name = {"bool": "boolean", "object": "object"}.get(name, name[:2].upper() + name[2:] if name[0] == "u"
                                                             else name.capitalize())  # fmt: skip
            data = pandas.array([item if there else None for item, there in zip(data, valid, strict=True)], dtype=name)
        return pandas.Series(data, index=given.index, name=given.name)
    return Result(data, valid)


def _for_pyarrow(given: Any, data: Any, valid: Any) -> Any:
    # By its own function: its arrays may live until the interpreter is taken down, when ours cannot be called.
    pa = sys.modules["pyarrow"]
    kind, buffers = buffers_of(data, valid)
    types = {"b": pa.bool_(), "U": pa.large_string()}
    made = pa.Array.from_buffers(
        types.get(kind) or pa.from_numpy_dtype(data.dtype),
        len(data),
        [None if item is None else pa.py_buffer(item) for item in buffers],
    )
    return pa.chunked_array([made]) if type(given).__name__ == "ChunkedArray" else made
