"""Arrays from and to memory of the host's: anything with the buffer protocol, elements of one numeric kind."""

from __future__ import annotations

from array import array as Buffer  # noqa: N812 - an array is a value of the machine here
from typing import TYPE_CHECKING, Any, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import elements
from stoffel.model.values import Array, TypedArray

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

Exporter = Any
"""Anything with the buffer protocol; Python has a type for it from 3.12 on."""
_INTEGERS: Final = "bBhHiIlLqQnN"
_LETTERS: Final = {1: "b", 2: "h", 4: "i", 8: "q"}
_NAMES: Final = {**{cls: kind.name for cls, kind in INTEGER_KINDS.items()}, float: "float", bool: "bool"}


def typed_array(state: VMState, given: Exporter, kind: type) -> Array:
    """Return a new array of *kind*, one of the number classes, with the elements of a buffer.

    Raises TypeError for another kind or a buffer of other elements, ValueError for an element that does not fit.
    """
    letter = elements.FORMATS.get(kind)
    if letter is None:
        raise TypeError(f"kind must be one of {', '.join(_NAMES.values())}, not {kind!r}")
    try:
        view = memoryview(given)
    except TypeError:
        raise TypeError(f"{type(given).__name__} has no buffer; create_array takes any iterable") from None
    form = view.format.lstrip("@=<") if view.format[:1] != ">" else view.format
    fits = form in ("f", "d") if kind is float else form == "?" if kind is bool else form in tuple(_INTEGERS)
    if view.ndim != 1 or not fits:
        shape = "" if view.ndim == 1 else f" in {view.ndim} dimensions"
        raise TypeError(f"a buffer of format {view.format!r}{shape} has no elements of {_NAMES[kind]}")
    storage: Buffer[Any] = Buffer(letter)
    size = storage.itemsize
    signed = form.islower()
    if view.itemsize == size and view.c_contiguous and (kind in (float, bool) or signed == letter.islower()):
        storage.frombytes(view.cast("B") if view.nbytes else b"")
        _check_range(storage, kind)
    else:
        values = _native(view, form).tolist()
        _check_range(values, kind)
        storage.extend(values)
    return elements.typed(state.objects.next_id(), kind, storage)


def _native(view: Any, form: str) -> Any:
    """Return a view with the letter of Python's own memory for such elements: "<l" has 32 bits, "l" may have 64."""
    if form == view.format or not view.nbytes:
        return view
    letter = _LETTERS[view.itemsize] if form in _INTEGERS else form
    flat: Any = view if view.c_contiguous else memoryview(view.tobytes())
    return flat.cast("B").cast(letter if form.islower() or form == "?" else letter.upper())


def _check_range(values: Any, kind: type) -> None:
    row = INTEGER_KINDS.get(kind)
    if row is None or not len(values):
        return
    least, most = min(values), max(values)
    if least < row.minimum or most > row.maximum:
        index, value = next((i, v) for i, v in enumerate(values) if not row.minimum <= v <= row.maximum)
        raise ValueError(f"element {index}, {value}, does not fit {row.name} ({row.minimum} to {row.maximum})")


def buffer_of(array: Array) -> memoryview[Any]:
    """Return a copy of the elements of an array of one number class, 64 bits each (a byte for Bools).

    Raises VMError (kind TableMemory) for an array with other elements, or with gaps.
    """
    storage: Any = None
    if type(array) is TypedArray:
        storage = array.buffer[:]
        return _view(storage, array.kind)
    items = array.items if type(array) is Array else None
    kind = type(items[0]) if items else int
    if items is None or kind not in elements.FORMATS or any(type(item) is not kind for item in items):
        raise VMError("the elements of the array are not of one number type", ErrorKind.TABLE_MEMORY)
    return _view(Buffer(elements.FORMATS[kind], items), kind)


def _view(storage: Any, kind: type) -> memoryview[Any]:
    view = memoryview(storage)
    return view.cast("B").cast("?") if kind is bool and len(view) else view
