"""The ``LocalStorage`` builtins: keep copies of values under a key, beyond a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.model.builtins.basics import STORAGE
from stoffel.model.values import Operand, Value
from stoffel.runtime.builtins.byte_arrays import to_bytes
from stoffel.runtime.builtins.registry import Family
from stoffel.runtime.storage import WAITING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoffel.runtime.state import VMState
    from stoffel.runtime.storage import Storage

FAMILY = Family(*STORAGE)


def _key(state: VMState, value: Value) -> bytes:
    return value.encode() if type(value) is str else to_bytes(value, state.look_up)


def _backend(state: VMState) -> Storage:
    storage: Storage | None = state.storage
    if storage is None:
        raise VMError("Local storage is not configured", ErrorKind.STORAGE)
    return storage


def _failure(operation: str, error: Exception) -> VMError:
    if isinstance(error, VMError) and error.kind is ErrorKind.LIMIT:
        return error
    return VMError(f"Local storage {operation} failed: {str(error) or type(error).__name__}", ErrorKind.STORAGE)


def _watch(state: VMState) -> Callable[[int], None]:
    """Return what looks, while a value becomes bytes or the other way round, whether the run has to end."""
    budget = state.budget

    def watch(size: int) -> None:
        if budget is not None:
            budget.keep(size)
        state.look_up()

    return watch


def store_value(state: VMState, key: bytes, value: Value) -> None:
    """Keep a copy of *value*; raise VMError (kind Storage) if it cannot be persisted or the backend fails."""
    from stoffel.runtime.codec import encode

    backend = _backend(state)
    waiting, WAITING.look_up = WAITING.look_up, state.look_up
    try:
        backend.store(key, encode(value, _watch(state)))
    except Exception as error:
        # A backend is the host's code and may raise anything.
        raise _failure("store value", error) from error
    finally:
        WAITING.look_up = waiting


def load_value(state: VMState, key: bytes) -> Operand:
    """Return a new copy of what is kept under *key*, Unit if nothing; raise VMError (kind Storage) on failure."""
    from stoffel.runtime.codec import decode

    backend = _backend(state)
    waiting, WAITING.look_up = WAITING.look_up, state.look_up
    try:
        data = backend.retrieve(key)
        if data is None:
            return None
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"the backend returned a {type(data).__name__} where bytes or None is expected")
        watch = _watch(state)
        watch(len(data))
        return decode(bytes(data), state.objects, watch)
    except Exception as error:
        raise _failure("load value", error) from error
    finally:
        WAITING.look_up = waiting


def delete_value(state: VMState, key: bytes) -> bool:
    """Forget *key*; tell whether it was there; raise VMError (kind Storage) on failure."""
    backend = _backend(state)
    waiting, WAITING.look_up = WAITING.look_up, state.look_up
    try:
        return bool(backend.delete(key))
    except Exception as error:
        raise _failure("delete", error) from error
    finally:
        WAITING.look_up = waiting


def value_exists(state: VMState, key: bytes) -> bool:
    """Tell whether something is kept under *key*; raise VMError (kind Storage) on failure."""
    backend = _backend(state)
    waiting, WAITING.look_up = WAITING.look_up, state.look_up
    try:
        return bool(backend.exists(key))
    except Exception as error:
        raise _failure("exists", error) from error
    finally:
        WAITING.look_up = waiting


@FAMILY.builtin("LocalStorage.store")
def store(state: VMState, key: Value, value: Value) -> bool:
    """Keep a copy of *value* under *key*."""
    store_value(state, _key(state, key), value)
    return True


@FAMILY.builtin("LocalStorage.load")
@FAMILY.builtin("LocalStorage.retrieve")
def load(state: VMState, key: Value) -> Operand:
    """Return a new copy of what is kept under *key*, Unit if nothing."""
    return load_value(state, _key(state, key))


@FAMILY.builtin("LocalStorage.delete")
def delete(state: VMState, key: Value) -> bool:
    """Forget *key*; tell whether it was there."""
    return delete_value(state, _key(state, key))


@FAMILY.builtin("LocalStorage.exists")
def exists(state: VMState, key: Value) -> bool:
    """Tell whether something is kept under *key*."""
    return value_exists(state, _key(state, key))


FUNCTIONS: Final = FAMILY.complete(__name__)
