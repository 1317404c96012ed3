"""What a foreign function is given: its arguments with typed accessors, and controlled access to the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from stoffel.embedding import conversion
from stoffel.embedding.table_access import TableAccess
from stoffel.errors import VMError
from stoffel.isa.scalars import I64_MAX, INTEGER_KINDS
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Closure, Foreign, Object, Value
from stoffel.runtime.builtins import local_storage

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

Kind = TypeVar("Kind")


class ForeignContext(TableAccess):
    """Handed to a foreign function for the time of one call.

    Accessors raise CallbackError with the machine's texts; let it pass, and the program fails with
    ``Foreign function NAME failed: TEXT``. Raising any other exception does the same with the exception's text.
    ``vm`` is the VirtualMachine that calls.
    """

    __slots__ = ("_state", "arguments", "name", "vm")

    def __init__(self, vm: Any, name: str, arguments: tuple[Value, ...]) -> None:
        self.vm = vm
        self.name = name
        self.arguments = arguments
        self._state: VMState = vm.state

    # Arguments

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, index: int) -> Any:
        return self.argument(index)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.arguments)

    def require_at_least(self, count: int, expected: str) -> None:
        """Fail with ``NAME expects EXPECTED`` if there are fewer than *count* arguments."""
        if len(self.arguments) < count:
            raise CallbackError(f"{self.name} expects {expected}")

    def require_exactly(self, count: int, expected: str) -> None:
        """Fail with ``NAME expects EXPECTED`` unless there are *count* arguments."""
        if len(self.arguments) != count:
            raise CallbackError(f"{self.name} expects {expected}")

    def argument(self, index: int) -> Any:
        """Return argument *index*; fails if it is missing."""
        if not 0 <= index < len(self.arguments):
            raise CallbackError(f"{self.name} missing argument {index}")
        return self.arguments[index]

    def tail(self, start: int) -> tuple[Any, ...]:
        """Return the arguments from *start* on, which must not lie past the end."""
        if not 0 <= start <= len(self.arguments):
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
        """Write one line to the machine's output; it counts like a line that the program prints."""
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

    # Local storage

    def store_value(self, key: str | bytes, value: Any) -> None:
        """Keep a copy of *value* in the machine's local storage; raises VMError (kind Storage)."""
        local_storage.store_value(self._state, _bytes(key), conversion.to_value(self._state, value, "value"))

    def load_value(self, key: str | bytes) -> Any:
        """Return a new copy of what local storage keeps under *key*, None if nothing; raises VMError (kind Storage)."""
        return local_storage.load_value(self._state, _bytes(key))

    def delete_value(self, key: str | bytes) -> bool:
        """Forget what local storage keeps under *key* and return whether there was something."""
        return local_storage.delete_value(self._state, _bytes(key))

    def value_exists(self, key: str | bytes) -> bool:
        """Return whether local storage keeps something under *key*."""
        return local_storage.value_exists(self._state, _bytes(key))

    # Calling back

    def call(self, function: str | Closure, *arguments: Value) -> Any:
        """Run a VM function by name, or a closure, to its end and return its result; VMErrors pass through."""
        return self.vm.call(function, *arguments)

    def upvalue(self, name: str) -> Any:
        """Return the calling record's upvalue of that name; raises VMError if there is none."""
        state = self._state
        found, value = state.frames[-1].upvalue(name) if len(state.frames) > state.base else (False, None)
        if not found:
            raise VMError(f"Upvalue '{name}' not found")
        return value


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else bytes(key)
