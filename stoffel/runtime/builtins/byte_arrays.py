"""Byte arrays (arrays of U8) and the builtins that make and hash them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stoffel.isa.scalars import U8
from stoffel.model.builtins.mpc import HASHES
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Operand, Value
from stoffel.runtime.builtins import pieces
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(*HASHES)

_BYTES_AT_ONCE: Final = 1 << 20
_U8: Final = tuple(map(U8, range(256)))


def to_bytes(value: Operand, look_up: pieces.LookUp) -> bytes:
    """Return the bytes of a byte array; raise CallbackError if *value* is none."""
    if not isinstance(value, Array):
        raise CallbackError("Expected byte array")
    items = pieces.elements(value, look_up)
    for index, item in enumerate(items):
        if not index % pieces.PIECE:
            look_up()
        if type(item) is not U8:
            raise CallbackError(f"Expected U8 at index {index}")
    return bytes(items)


def from_bytes(state: VMState, data: bytes) -> Array:
    """Return a new byte array."""
    items: list[Value] = []
    for place in range(0, len(data), pieces.PIECE):
        state.look_up()
        items += [_U8[byte] for byte in data[place : place + pieces.PIECE]]
    return state.objects.create_array(items)


@FAMILY.builtin("Bytes.from_string")
def from_string(state: VMState, text: Value) -> Array:
    """Return the UTF-8 bytes of a string as a byte array."""
    if type(text) is not str:
        raise CallbackError("Argument must be a string")
    return from_bytes(state, text.encode())


@FAMILY.builtin("Bytes.concat")
def concat(state: VMState, left: Value, right: Value) -> Array:
    """Return the bytes of both byte arrays as a new one."""
    start = to_bytes(left, state.look_up)
    return from_bytes(state, start + to_bytes(right, state.look_up))


@FAMILY.builtin("Crypto.sha256")
def sha256(state: VMState, data: Value) -> Array:
    """Return the SHA-256 digest of a byte array."""
    from hashlib import sha256 as algorithm

    return _digest(state, algorithm(), data)


@FAMILY.builtin("Crypto.sha512")
def sha512(state: VMState, data: Value) -> Array:
    """Return the SHA-512 digest of a byte array."""
    from hashlib import sha512 as algorithm

    return _digest(state, algorithm(), data)


def _digest(state: VMState, digest: Any, data: Value) -> Array:
    taken = to_bytes(data, state.look_up)
    for place in range(0, len(taken), _BYTES_AT_ONCE):
        state.look_up()
        digest.update(taken[place : place + _BYTES_AT_ONCE])
    return from_bytes(state, digest.digest())


FUNCTIONS: Final = FAMILY.complete(__name__)
