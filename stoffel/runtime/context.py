"""What a foreign function is given: its arguments with typed accessors, and controlled access to the machine."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from stoffel.errors import VMError
from stoffel.isa.scalars import I64_MAX, INTEGER_KINDS, U8
from stoffel.runtime import conversion, tables
from stoffel.runtime.foreign import CallbackError
from stoffel.runtime.values import Array, Closure, Foreign, Object, Value

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState
    from stoffel.runtime.vm import VirtualMachine

Kind = TypeVar("Kind")


class ForeignContext:
    """Handed to a foreign function for the time of one call.

    Accessors raise CallbackError with the machine's texts; let it pass, and the program fails with
    ``Foreign function NAME failed: TEXT``. Raising any other exception does the same with the exception's text.
    """

    __slots__ = ("_state", "arguments", "name", "vm")

    def __init__(self, vm: VirtualMachine, name: str, arguments: tuple[Value, ...]) -> None:
        self.vm = vm
        self.name = name
        self.arguments = arguments
        self._state: VMState = vm.state

    # Arguments

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, index: int) -> Value:
        return self.argument(index)

    def require_at_least(self, count: int, expected: str) -> None:
        """Fail with ``NAME expects EXPECTED`` if there are fewer than *count* arguments."""
        if len(self.arguments) < count:
            raise CallbackError(f"{self.name} expects {expected}")

    def require_exactly(self, count: int, expected: str) -> None:
        """Fail with ``NAME expects EXPECTED`` unless there are *count* arguments."""
        if len(self.arguments) != count:
            raise CallbackError(f"{self.name} expects {expected}")

    def argument(self, index: int) -> Value:
        """Return argument *index*; fails if it is missing."""
        if not 0 <= index < len(self.arguments):
            raise CallbackError(f"{self.name} missing argument {index}")
        return self.arguments[index]

    def tail(self, start: int) -> tuple[Value, ...]:
        """Return the arguments from *start* on, which must not lie past the end."""
        if start > len(self.arguments):
            raise CallbackError(f"{self.name} missing arguments starting at {start}")
        return self.arguments[start:]

    def string(self, index: int, name: str) -> str:
        """Return a String argument; *name* names it in the error."""
        value = self.argument(index)
        if type(value) is not str:
            raise CallbackError(f"{name} must be a string")
        return value

    def boolean(self, index: int, name: str) -> bool:
        """Return a Bool argument."""
        value = self.argument(index)
        if type(value) is not bool:
            raise CallbackError(f"{name} must be a boolean")
        return value

    def floating(self, index: int, name: str) -> float:
        """Return a Float argument."""
        value = self.argument(index)
        if type(value) is not float:
            raise CallbackError(f"{name} must be a float")
        return value

    def integer(self, index: int, name: str) -> int:
        """Return an argument of any integer type as a plain int in the I64 range."""
        value = self.argument(index)
        if type(value) not in INTEGER_KINDS:
            raise CallbackError(f"{name} must be an integer")
        if value > I64_MAX:
            raise CallbackError(f"{name} exceeds i64 range")
        return int(value)

    def unsigned(self, index: int, name: str) -> int:
        """Return an argument of any integer type that is not negative, as a plain int."""
        value = self.argument(index)
        if type(value) not in INTEGER_KINDS or value < 0:
            raise CallbackError(f"{name} must be a non-negative integer")
        return int(value)

    def object(self, index: int, name: str) -> Object:
        """Return an Object argument."""
        value = self.argument(index)
        if not isinstance(value, Object):
            raise CallbackError(f"{name} must be an object")
        return value

    def array(self, index: int, name: str) -> Array:
        """Return an Array argument."""
        value = self.argument(index)
        if not isinstance(value, Array):
            raise CallbackError(f"{name} must be an array")
        return value

    def table(self, index: int) -> Object | Array:
        """Return an Object or Array argument."""
        value = self.argument(index)
        if not isinstance(value, Object | Array):
            raise CallbackError("Expected object or array")
        return value

    # Output and foreign objects

    def write_line(self, text: str) -> None:
        """Write one line to the machine's output."""
        self._state.write_line(text)

    def foreign_object(self, handle: Value, kind: type[Kind]) -> Kind | None:
        """Return the host object behind *handle* if it is of *kind*, else None."""
        return self._state.foreign_objects.get(handle, kind)

    def locked_object(self, handle: Value, kind: type[Kind]) -> AbstractContextManager[Kind]:
        """Return a context manager that holds the object's lock and gives the object."""
        return self._state.foreign_objects.locked(handle, kind)

    def register_object(self, item: Any) -> Foreign:
        """Register a host object and return its handle, for a program to hold."""
        return self._state.foreign_objects.register(item)

    # Tables

    def create_array(self, values: list[Value] | tuple[Value, ...] = ()) -> Array:
        """Return a new array of *values* (Python lists and dicts in it become tables)."""
        return conversion.to_array(self._state, values)

    def create_object(self, fields: dict[Any, Value] | None = None) -> Object:
        """Return a new object with *fields*, set in their order."""
        return conversion.to_object(self._state, fields or {})

    def get(self, table: Object | Array, key: Value) -> Value | None:
        """Return what is stored under *key* exactly (no negative indexes), or None."""
        value = tables.lookup(table, key) if isinstance(table, Array) else tables.field(table, key)
        return None if value is tables.ABSENT else value

    def set(self, table: Object | Array, key: Value, value: Value) -> None:
        """Store *value* under *key*."""
        if isinstance(table, Array):
            tables.store(table, key, conversion.to_value(self._state, value, "value"))
        else:
            tables.set_field(table, key, conversion.to_value(self._state, value, "value"))

    def length(self, table: Object | Array) -> int:
        """Return the number of elements of an array or of entries of an object."""
        if isinstance(table, Array):
            return tables.length(table)
        tables.require(table)
        return len(table.fields)

    def elements(self, array: Array) -> list[Value]:
        """Return the elements of an array as a new list, gaps as None."""
        return tables.elements(array)

    def replace_elements(self, array: Array, values: list[Value]) -> None:
        """Make *values* the elements of an array."""
        tables.replace(array, [conversion.to_value(self._state, value, "element") for value in values])

    def push(self, array: Array, *values: Value) -> int:
        """Append *values* and return the new length."""
        return tables.push(array, [conversion.to_value(self._state, value, "element") for value in values])

    def entries(self, table: Object | Array, limit: int | None = None) -> list[tuple[Value, Value]]:
        """Return the stored (key, value) pairs, at most *limit*."""
        return tables.entries(table, limit)

    def read_bytes(self, array: Value) -> bytes:
        """Return a byte array (an array of U8) as bytes."""
        return conversion.to_bytes(array)

    def create_bytes(self, data: bytes) -> Array:
        """Return a new byte array."""
        return self._state.objects.create_array([U8(byte) for byte in data])

    # Calling back

    def call(self, function: str | Closure, *arguments: Value) -> Value:
        """Run a VM function by name, or a closure, to its end and return its result; VMErrors pass through."""
        return self.vm.call(function, *arguments)

    def upvalue(self, name: str) -> Value:
        """Return the calling record's upvalue of that name; raises VMError if there is none."""
        frames = self._state.frames
        found, value = frames[-1].upvalue(name) if frames else (False, None)
        if not found:
            raise VMError(f"Upvalue '{name}' not found")
        return value
