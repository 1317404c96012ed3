"""Between Python's own containers and the machine's tables, for hosts: foreign results, annotated functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8
from stoffel.model import tables
from stoffel.model.values import Array, Object, Operand, Value, check_value, value_of
from stoffel.runtime.builtins.byte_arrays import from_bytes
from stoffel.runtime.builtins.pieces import LookUp, elements

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

PIECE: Final = 1 << 14
"""Elements that are converted between two looks at whether the run has to end."""
_CONTAINERS: Final = frozenset({list, tuple, dict, bytes, bytearray})
"""Python's containers that become tables: lists and tuples arrays, dicts objects, bytes arrays of U8."""


def to_value(state: VMState, item: object, what: str) -> Operand:
    """Return *item* as a machine value, containers all the way down.

    A container that occurs several times, in itself too, becomes one table; only bytes become a new one each time.
    Raises VMError (kind Message) naming *what* for anything that is no machine value.
    """
    return _Conversion(state, what).convert(item)


def to_array(state: VMState, items: Iterable[object], what: str = "element") -> Array:
    """Return a new array of *items*, each converted as by :func:`to_value`."""
    result: Array = _Conversion(state, what).convert(items if type(items) in (list, tuple) else list(items))
    return result


def to_object(state: VMState, fields: Mapping[Any, object], what: str = "field") -> Object:
    """Return a new object with *fields*, keys and values converted as by :func:`to_value`, in their order."""
    result: Object = _Conversion(state, what).convert(fields if type(fields) is dict else dict(fields))
    return result


class _Conversion:
    """One conversion of containers into tables; those that are being filled wait on a stack of our own."""

    def __init__(self, state: VMState, what: str) -> None:
        self._state = state
        self._what = what
        self._tables: dict[int, Array | Object] = {}
        self._pending: list[tuple[Array | Object, Iterator[object], list[Value]]] = []

    def convert(self, item: object) -> Operand:
        result = self._opened(item)
        rounds = 0
        while self._pending:
            rounds += 1
            if not rounds % PIECE:
                self._state.look_up()
            table, rest, done = self._pending[-1]
            depth = len(self._pending)
            for inner in rest:
                done.append(self._opened(inner))
                if not len(done) % PIECE:
                    self._state.look_up()
                if len(self._pending) != depth:
                    # A table is filled before its later neighbours are made: ids count in the order of the text.
                    break
            else:
                self._pending.pop()
                if isinstance(table, Array):
                    table.items = done
                else:
                    for key, value in zip(done[::2], done[1::2], strict=True):
                        tables.set_field(table, key, value)
        return result

    def _opened(self, item: object) -> Operand:
        """Return the value of *item*; a new table is still to be filled."""
        kind = type(item)
        if kind not in _CONTAINERS:
            return check_value(item, self._what)
        budget = self._state.budget
        if budget is not None:
            budget.table(len(item), Object if kind is dict else Array)  # type: ignore[arg-type]
        if isinstance(item, bytes | bytearray):
            return from_bytes(self._state, bytes(item))
        known = self._tables.get(id(item))
        if known is not None:
            return known
        table: Array | Object
        if isinstance(item, dict):
            table = self._state.objects.create_object()
            self._pending.append((table, (part for pair in item.items() for part in pair), []))
        else:
            assert isinstance(item, list | tuple)
            table = self._state.objects.create_array()
            self._pending.append((table, iter(item), []))
        self._tables[id(item)] = table
        return table


def to_bytes(array: Operand, look_up: LookUp) -> bytes:
    """Return a byte array as bytes; raises VMError (kind Mpc, as the reference says) for anything else.

    *look_up* is called now and then, and may end the work by raising.
    """
    if not isinstance(array, Array):
        raise VMError("Expected byte array", ErrorKind.MPC)
    items = elements(array, look_up)
    for index, item in enumerate(items):
        if not index % PIECE:
            look_up()
        if type(item) is not U8:
            raise VMError(f"Expected U8 at index {index}", ErrorKind.MPC)
    return bytes(items)


def to_python(value: Value, look_up: LookUp) -> Any:
    """Return *value* with arrays as lists and objects as dicts, all the way down; scalars and handles as they are.

    *look_up* is called now and then, and may end the work by raising.

    A table that occurs several times, in itself too, becomes one list or dict. Raises VMError: of kind Message for keys
    that Python would merge, of kind TableMemory for tables that are gone or too large to enumerate.
    """
    made: dict[int, list[Any] | dict[Any, Any]] = {}
    pending: list[Array | Object] = []

    def opened(item: Value) -> Any:
        if not isinstance(item, Array | Object):
            return item
        known = made.get(id(item))
        if known is None:
            known = made[id(item)] = [] if isinstance(item, Array) else {}
            pending.append(item)
        return known

    result = opened(value)
    rounds = 0
    while pending:
        rounds += 1
        if not rounds % 1024:
            look_up()
        table = pending.pop()
        container = made[id(table)]
        if isinstance(table, Array):
            assert isinstance(container, list)
            items = elements(table, look_up)
            for start in range(0, len(items), PIECE):
                look_up()
                container.extend(map(opened, items[start : start + PIECE]))
            continue
        assert isinstance(container, dict)
        tables.require(table)
        fields = iter(table.fields.items())
        while part := list(islice(fields, PIECE)):
            look_up()
            container.update([(value_of(key), opened(item)) for key, item in part])
        if len(container) != len(table.fields):
            raise VMError("the object has keys that are equal to Python, such as 1 and 1.0", ErrorKind.MESSAGE)
    return result
