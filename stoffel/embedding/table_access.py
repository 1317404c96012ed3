"""Creating, reading and changing tables from Python: shared by the machine and by what foreign functions are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from stoffel.embedding import conversion
from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8
from stoffel.model import tables
from stoffel.model.values import Array, Object, Value, check_value

if TYPE_CHECKING:
    from stoffel.embedding.buffers import Exporter
    from stoffel.runtime.state import VMState


_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def _apart_from_kernels(
    method: Callable[Concatenate[TableAccess, Any, _Given], _Result],
) -> Callable[Concatenate[TableAccess, Any, _Given], _Result]:
    """Have *method* wait until no kernel of another thread works on tables, and fail where one of this thread does."""

    @wraps(method)
    def call(self: TableAccess, table: Any, /, *given: _Given.args, **named: _Given.kwargs) -> _Result:
        lending = self._state.lending
        if lending is None:
            return method(self, table, *given, **named)
        with lending:
            lending.require(table)
            return method(self, table, *given, **named)

    return call


class TableAccess:
    """Methods on tables for hosts.

    Keys are taken as they are: a negative index is a key like any other, and what is missing is no error. Values may
    be Python lists, tuples, dicts and bytes, which become tables. All methods raise VMError: kind TableMemory for a
    value that is not the table asked for or a handle that leads nowhere, kind Message for what is not a machine value.
    """

    __slots__ = ()

    _state: VMState

    def create_array(self, values: Iterable[Any] = ()) -> Array:
        """Return a new array of *values*."""
        return conversion.to_array(self._state, values)

    def create_object(self, fields: Mapping[Any, Any] | None = None) -> Object:
        """Return a new object with *fields*, set in their order."""
        return conversion.to_object(self._state, fields or {})

    def create_bytes(self, data: bytes) -> Array:
        """Return a new byte array (an array of U8)."""
        return self._state.objects.create_array([U8(byte) for byte in data])

    def create_typed(self, buffer: Exporter, kind: type) -> Array:
        """Return a new array with the elements of anything with the buffer protocol, NumPy's arrays and bytes too.

        *kind* is their class: ``int`` for I64, ``stoffel.U8`` and the like, ``float``, ``bool``. Elements of 64 bits
        (of a byte for Bools) are copied as memory, others one by one. Raises TypeError for a buffer of other elements,
        ValueError for an element that does not fit *kind*.
        """
        from stoffel.embedding.buffers import typed_array

        return typed_array(self._state, buffer, kind)

    @_apart_from_kernels
    def read_buffer(self, array: Array) -> memoryview[Any]:
        """Return a copy of the elements of an array of one number class: 64 bits each, a byte for Bools.

        Raises VMError (kind TableMemory) for an array with other elements, or with gaps.
        """
        from stoffel.embedding.buffers import buffer_of

        return buffer_of(_array(array))

    @_apart_from_kernels
    def get(self, table: Object | Array, key: Value, default: Any = None) -> Any:
        """Return what is stored under *key*, or *default*."""
        check_value(key, "key")
        value = tables.lookup(table, key) if isinstance(table, Array) else tables.field(_object(table), key)
        return default if value is tables.ABSENT else value

    @_apart_from_kernels
    def set(self, table: Object | Array, key: Value, value: Any) -> None:
        """Store *value* under *key*; an I64 index at or past the end of an array makes it longer."""
        check_value(key, "key")
        if isinstance(table, Array):
            tables.store(table, key, conversion.to_value(self._state, value, "value"))
        else:
            tables.set_field(_object(table), key, conversion.to_value(self._state, value, "value"))

    @_apart_from_kernels
    def length(self, table: Object | Array) -> int:
        """Return the number of elements of an array or of entries of an object."""
        if isinstance(table, Array):
            return tables.length(table)
        tables.require(_object(table))
        return len(table.fields)

    @_apart_from_kernels
    def elements(self, array: Array) -> list[Any]:
        """Return the elements of an array as a new list, gaps as None."""
        return tables.elements(_array(array))

    @_apart_from_kernels
    def replace_elements(self, array: Array, values: Iterable[Any]) -> None:
        """Make *values* the elements of an array; entries under keys that are no indexes stay."""
        tables.replace(_array(array), [conversion.to_value(self._state, value, "element") for value in values])

    @_apart_from_kernels
    def push(self, array: Array, *values: Any) -> int:
        """Append *values* and return the new length."""
        return tables.push(_array(array), [conversion.to_value(self._state, value, "element") for value in values])

    @_apart_from_kernels
    def entries(self, table: Object | Array, limit: int | None = None) -> list[tuple[Any, Any]]:
        """Return the stored (key, value) pairs, at most *limit*: indexes in order, then other keys."""
        return tables.entries(table if isinstance(table, Array) else _object(table), limit)

    @_apart_from_kernels
    def read_bytes(self, array: Value) -> bytes:
        """Return a byte array as bytes; raises VMError (kind Mpc) for anything else."""
        return conversion.to_bytes(array, self._state.look_up)

    @_apart_from_kernels
    def to_python(self, value: Value) -> Any:
        """Return *value* with arrays as lists and objects as dicts, all the way down."""
        return conversion.to_python(value, self._state.look_up)


def _object(table: Object | Array) -> Object:
    if not isinstance(table, Object):
        raise VMError("Expected object or array", ErrorKind.TABLE_MEMORY)
    return table


def _array(table: Array) -> Array:
    if not isinstance(table, Array):
        raise VMError("Expected array", ErrorKind.TABLE_MEMORY)
    return table
