"""Byte arrays (arrays of U8) and the builtins that make and hash them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.isa.scalars import U8
from stoffel.model import tables
from stoffel.model.builtins.mpc import HASHES
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Operand, Value
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

FAMILY = Family(*HASHES)

_U8: Final = tuple(map(U8, range(256)))


def to_bytes(value: Operand) -> bytes:
    """Return the bytes of a byte array; raise CallbackError if *value* is none."""
    if not isinstance(value, Array):
        raise CallbackError("Expected byte array")
    items = tables.elements(value)
    for index, item in enumerate(items):
        if type(item) is not U8:
            raise CallbackError(f"Expected U8 at index {index}")
    return bytes(items)


def from_bytes(state: VMState, data: bytes) -> Array:
    """Return a new byte array."""
    return state.objects.create_array([_U8[byte] for byte in data])


@FAMILY.builtin("Bytes.from_string")
def from_string(state: VMState, text: Value) -> Array:
    """Return the UTF-8 bytes of a string as a byte array."""
    if type(text) is not str:
        raise CallbackError("Argument must be a string")
    return from_bytes(state, text.encode())


@FAMILY.builtin("Bytes.concat")
def concat(state: VMState, left: Value, right: Value) -> Array:
    """Return the bytes of both byte arrays as a new one."""
    start = to_bytes(left)
    return from_bytes(state, start + to_bytes(right))


@FAMILY.builtin("Crypto.sha256")
def sha256(state: VMState, data: Value) -> Array:
    """Return the SHA-256 digest of a byte array."""
    from hashlib import sha256 as digest

    return from_bytes(state, digest(to_bytes(data)).digest())


@FAMILY.builtin("Crypto.sha512")
def sha512(state: VMState, data: Value) -> Array:
    """Return the SHA-512 digest of a byte array."""
    from hashlib import sha512 as digest

    return from_bytes(state, digest(to_bytes(data)).digest())


FUNCTIONS: Final = FAMILY.complete(__name__)
