"""The ``Crypto`` builtins on field elements and curve points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.model.builtins.mpc import CURVES
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Value
from stoffel.runtime.builtins.byte_arrays import from_bytes, to_bytes
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.builtins.curves import Curve, Weierstrass
    from stoffel.runtime.state import VMState

FAMILY = Family(*CURVES)


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


def _curve_with_points(name: str, curve_name: Value) -> Weierstrass:
    curve = _curve(curve_name)
    from stoffel.runtime.builtins.curves import WITH_POINTS

    if curve.name not in WITH_POINTS:
        raise CallbackError(f"Crypto.{name} supports {' and '.join(WITH_POINTS)}, got {curve.name}")
    return WITH_POINTS[curve.name]


@FAMILY.builtin("Crypto.hash_to_field")
def hash_to_field(state: VMState, data: Value, curve_name: Value) -> Array:
    """Return the bytes as a number, reduced modulo the order of the curve's scalar field."""
    number = to_bytes(data, state.look_up)
    curve = _curve(curve_name)
    return from_bytes(state, curve.element(int.from_bytes(number, curve.byte_order)))


@FAMILY.builtin("Crypto.field_inv")
def field_inv(state: VMState, element: Value, curve_name: Value) -> Array:
    """Return the inverse of a scalar-field element."""
    data = to_bytes(element, state.look_up)
    curve = _curve(curve_name)
    number = _element(curve, data)
    if number == 0:
        raise CallbackError("field inverse is undefined for zero")
    return from_bytes(state, curve.element(pow(number, -1, curve.order)))


@FAMILY.builtin("Crypto.field_to_scalar_bytes")
def field_to_scalar_bytes(state: VMState, element: Value, curve_name: Value) -> Array:
    """Return a scalar-field element in the byte order that the curve's standard uses for scalars."""
    data = to_bytes(element, state.look_up)
    curve = _curve_with_points("field_to_scalar_bytes", curve_name)
    return from_bytes(state, _element(curve, data).to_bytes(32, curve.byte_order))


@FAMILY.builtin("Crypto.point_x_to_field")
def point_x_to_field(state: VMState, point: Value, curve_name: Value) -> Array:
    """Return the x coordinate of a compressed point, reduced modulo the order of the scalar field."""
    data = to_bytes(point, state.look_up)
    curve = _curve_with_points("point_x_to_field", curve_name)
    try:
        return from_bytes(state, curve.element(curve.decode(data)[0]))
    except ValueError as error:
        raise CallbackError(str(error)) from None


@FAMILY.builtin("Crypto.point_to_sec1")
def point_to_sec1(state: VMState, point: Value, curve_name: Value) -> Array:
    """Return a compressed point in the compressed form of SEC 1."""
    data = to_bytes(point, state.look_up)
    curve = _curve_with_points("point_to_sec1", curve_name)
    try:
        return from_bytes(state, curve.encode_sec1(data))
    except ValueError as error:
        raise CallbackError(str(error)) from None


@FAMILY.builtin("Crypto.hash_to_g1")
def hash_to_g1(state: VMState, message: Value) -> Array:
    """Return the point of BLS12-381's group G1 that a message hashes to, compressed (48 bytes)."""
    data = to_bytes(message, state.look_up)
    from stoffel.runtime.builtins.bls12_381 import hash_to_g1 as hashed

    return from_bytes(state, hashed(data))


def _element(curve: Curve, data: bytes) -> int:
    try:
        return curve.decode_element(data)
    except ValueError as error:
        raise CallbackError(str(error)) from None


FUNCTIONS: Final = FAMILY.complete(__name__)
