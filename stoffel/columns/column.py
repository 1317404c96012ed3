"""Columns as they are given: NumPy arrays, Arrow arrays or scalars, seen as pieces of NumPy memory with a mask."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from stoffel.columns import arrow
from stoffel.columns.errors import ColumnError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.types import Type

DTYPES: Final[dict[type, Any]] = {
    **{cls: np.dtype(kind.type_name) for cls, kind in INTEGER_KINDS.items()},
    float: np.dtype("float64"),
    bool: np.dtype("bool"),
    str: np.dtype("O"),
}
"""NumPy's type of a column of values of each class."""
_CLASSES: Final = {**{dtype: cls for cls, dtype in DTYPES.items()}, np.dtype("float32"): float}
_DECLARED: Final = {(kind.signed, kind.bits): cls for cls, kind in INTEGER_KINDS.items()}
EXACT: Final = 1 << 53
"""Integers up to this size, of either sign, are Floats without rounding."""


class Piece:
    """Rows of a column that lie together: *data* and, unless all are there, *valid*, which says which are not null."""

    __slots__ = ("data", "owner", "valid")

    def __init__(self, data: Any, valid: Any = None, owner: Any = None) -> None:
        self.data = data
        self.valid = valid
        self.owner = owner


class Column:
    """One argument: its pieces in order, or one value for every row (*length* is None then)."""

    def __init__(self, name: str, pieces: Sequence[Piece], length: int | None) -> None:
        self.name = name
        self.pieces = pieces
        self.length = length
        self.starts = [0]
        for piece in pieces[:-1]:
            self.starts.append(self.starts[-1] + len(piece.data))
        self.dtype = pieces[0].data.dtype
        self.cls = _CLASSES[self.dtype]

    def piece_at(self, row: int) -> tuple[Piece, int]:
        """Return the piece that has a row, and the number of its first row."""
        if self.length is None:
            return self.pieces[0], 0
        number = bisect_right(self.starts, row) - 1
        return self.pieces[number], self.starts[number]

    def value(self, row: int, cls: type) -> Any:
        """Return a value as one of class *cls*, None for a null. Raises ValueError if it does not fit."""
        piece, start = self.piece_at(row)
        index = 0 if self.length is None else row - start
        if piece.valid is not None and not piece.valid[index]:
            return None
        value = piece.data[index]
        value = value if type(value) is str else value.item()
        return converted(value, cls)

    def valid(self, rows: int) -> Any:
        """Return which of the rows are not null, None if all are there."""
        if all(piece.valid is None for piece in self.pieces):
            return None
        whole = [np.ones(len(p.data), bool) if p.valid is None else p.valid for p in self.pieces]
        return np.broadcast_to(whole[0], rows) if self.length is None else np.concatenate(whole)


def converted(value: Any, cls: type) -> Any:
    """Return a number, Bool or string as one of class *cls*. Raises ValueError if it does not fit."""
    if cls is float and type(value) is int:
        if not -EXACT <= value <= EXACT:
            raise ValueError(f"{value} is no float without rounding")
        return float(value)
    kind = INTEGER_KINDS.get(cls)
    if kind is not None:
        if not kind.minimum <= value <= kind.maximum:
            raise ValueError(f"{value} does not fit {kind.type_name} ({kind.minimum} to {kind.maximum})")
        return int(value) if cls is int else cls(int(value))
    return value


def declared_class(declared: Type) -> type | None:
    """Return the class of the values of a declared type, None where it has none or is not declared."""
    if declared.kind == "integer":
        return _DECLARED.get((bool(declared.signed), declared.width or 0))
    return {"float": float, "bool": bool, "string": str}.get(declared.kind)


def class_of(declared: Type, column: Column) -> type:
    """Return the class of the values that a column gives a parameter. Raises ColumnError if there is none."""
    wanted = declared_class(declared)
    if wanted is None or wanted is column.cls:
        return column.cls
    if column.cls in INTEGER_KINDS and (wanted in INTEGER_KINDS or wanted is float):
        return wanted
    raise ColumnError(f"column '{column.name}' has type {column.dtype}, but the parameter takes {declared}")


def column_of(name: str, given: Any) -> tuple[Column, tuple[int, ...] | None, str]:
    """Return what an argument is as a column, its shape (None for Arrow), and ``arrow``, ``numpy`` or ``scalar``."""
    if arrow.is_arrow(given):
        pieces = [Piece(*part) for part in arrow.pieces_of(name, given)]
        return Column(name, pieces, sum(len(piece.data) for piece in pieces)), None, "arrow"
    if given is None:
        return Column(name, [Piece(np.zeros(1, "int64"), np.zeros(1, bool))], None), (), "scalar"
    array = _array(name, given)
    valid = None
    if isinstance(array, np.ma.MaskedArray):
        if array.mask is not np.ma.nomask:
            valid = ~np.ma.getmaskarray(array).reshape(-1)
        array = array.data
    shape = array.shape
    if array.ndim:
        return Column(name, [Piece(array, valid)], -1), shape, "numpy"
    return Column(name, [Piece(array.reshape(1), valid)], None), (), "scalar"


def _array(name: str, given: Any) -> Any:
    if type(given) in INTEGER_KINDS and not isinstance(given, bool):
        kind = INTEGER_KINDS[type(given)]
        if not kind.minimum <= given <= kind.maximum:
            raise ColumnError(f"column '{name}': {given} does not fit {kind.type_name}")
        return np.array(int(given), kind.type_name)
    if isinstance(given, str):
        return np.array(given, object)
    try:
        array = given if isinstance(given, np.ndarray) else np.asarray(given)
    except (ValueError, TypeError) as error:
        raise ColumnError(f"column '{name}' is no array: {error}") from None
    if array.dtype.kind == "U" or array.dtype.kind == "T":
        array = array.astype(object)
    if array.dtype.kind == "O":
        other = next((value for value in array.reshape(-1) if not isinstance(value, str)), None)
        if other is not None:
            raise ColumnError(
                f"column '{name}' holds Python objects such as {type(other).__name__} {other!r}; "
                "give it a NumPy type, such as int64 or float64"
            )
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype not in _CLASSES:
        known = ", ".join(str(dtype) for dtype in _CLASSES if dtype.kind != "O")
        raise ColumnError(f"column '{name}' has type {array.dtype}, which is none of {known}, strings")
    return array


def fitted(columns: list[Column], shapes: list[tuple[int, ...] | None]) -> tuple[int | None, tuple[int, ...] | None]:
    """Bring all columns to one length, as a ufunc does; return it (None: all are scalars), and the shape (None: flat).

    Raises ColumnError.
    """
    lengths = {c.name: c.length for c, shape in zip(columns, shapes, strict=True) if shape is None}
    flat = bool(lengths)
    try:
        given = [shape for shape in shapes if shape is not None]
        if lengths:
            given += [(length,) for length in lengths.values() if length is not None]
        shape = np.broadcast_shapes(*given)
    except ValueError:
        listed = ", ".join(
            f"'{column.name}' {list(shape) if shape is not None else [column.length]}"
            for column, shape in zip(columns, shapes, strict=True)
            if shape != ()
        )
        raise ColumnError(f"columns are of different lengths: {listed}") from None
    if all(column.length is None for column in columns):
        return None, ()
    rows = int(np.prod(shape, dtype=np.int64))
    for number, (column, own) in enumerate(zip(columns, shapes, strict=True)):
        if own == () or (own is None and column.length == rows):
            continue
        if own is None:
            own = (column.length or 0,)
            data = np.concatenate([piece.data for piece in column.pieces])
            valid = column.valid(column.length or 0)
        else:
            data, valid = column.pieces[0].data, column.pieces[0].valid
        if own != shape:
            data = np.broadcast_to(data.reshape(own), shape)
            valid = None if valid is None else np.broadcast_to(valid.reshape(own), shape).reshape(-1)
        # A view where the memory allows it.
        columns[number] = Column(column.name, [Piece(data.reshape(-1), valid)], rows)
    return rows, None if flat else shape
