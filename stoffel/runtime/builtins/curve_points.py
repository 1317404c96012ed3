"""The ``Crypto`` builtins on field elements and curve points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Value
from stoffel.runtime.builtins.byte_arrays import from_bytes, to_bytes
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.builtins.curves import Curve
    from stoffel.runtime.state import VMState

FAMILY = Family()

_POINT = "2 arguments: point (byte array), curve_name"
_ELEMENT = "2 arguments: field element (byte array), curve_name"


def _curve(name: Value) -> Curve:
    if type(name) is not str:
        raise CallbackError("curve_name must be a string")
    from stoffel.runtime.builtins.curves import CURVES

    normalised = name.strip().lower()
    if normalised not in CURVES:
        raise CallbackError(
            f"Invalid curve name: Unknown MPC curve '{normalised}'. Supported curves: {', '.join(CURVES)}"
        )
    return CURVES[normalised]


@FAMILY.builtin("Crypto.hash_to_field", 2, expects="2 arguments: data (byte array), curve_name", takes=2)
def hash_to_field(state: VMState, data: Value, curve_name: Value) -> Array:
    """Return the bytes as a number, reduced modulo the order of the curve's scalar field."""
    number = to_bytes(data)
    curve = _curve(curve_name)
    return from_bytes(state, curve.element(int.from_bytes(number, curve.byte_order)))


@FAMILY.builtin("Crypto.field_inv", 2, 2, expects=_ELEMENT)
def field_inv(state: VMState, element: Value, curve_name: Value) -> Array:
    """Return the inverse of a scalar-field element."""
    data = to_bytes(element)
    curve = _curve(curve_name)
    number = _element(curve, data)
    if number == 0:
        raise CallbackError("field inverse is undefined for zero")
    return from_bytes(state, curve.element(pow(number, -1, curve.order)))


@FAMILY.builtin("Crypto.field_to_scalar_bytes", 2, 2, expects=_ELEMENT)
def field_to_scalar_bytes(state: VMState, element: Value, curve_name: Value) -> Array:
    """Return a scalar-field element in the byte order that the curve's standard uses for scalars."""
    data = to_bytes(element)
    curve = _curve(curve_name)
    return from_bytes(state, _element(curve, data).to_bytes(32, curve.byte_order))


@FAMILY.builtin("Crypto.point_x_to_field", 2, 2, expects=_POINT)
def point_x_to_field(state: VMState, point: Value, curve_name: Value) -> Array:
    """Return the x coordinate of an encoded point, reduced modulo the order of the scalar field."""
    data = to_bytes(point)
    curve = _curve(curve_name)
    try:
        return from_bytes(state, curve.element(curve.decode_x(data)))
    except ValueError as error:
        raise CallbackError(str(error)) from None


@FAMILY.builtin("Crypto.point_to_sec1", 2, 2, expects=_POINT)
def point_to_sec1(state: VMState, point: Value, curve_name: Value) -> Array:
    """Return an encoded point in the compressed form of SEC 1."""
    data = to_bytes(point)
    curve = _curve(curve_name)
    try:
        return from_bytes(state, curve.encode_sec1(data))
    except ValueError as error:
        raise CallbackError(str(error)) from None


@FAMILY.builtin("Crypto.hash_to_g1", 1, 1, expects="1 argument: message (byte array)")
def hash_to_g1(state: VMState, message: Value) -> Array:
    """Return the point of BLS12-381's group G1 that a message hashes to, compressed (48 bytes)."""
    data = to_bytes(message)
    from stoffel.runtime.builtins.bls12_381 import hash_to_g1 as hashed

    return from_bytes(state, hashed(data))


def _element(curve: Curve, data: bytes) -> int:
    try:
        return curve.decode_element(data)
    except ValueError as error:
        raise CallbackError(str(error)) from None
