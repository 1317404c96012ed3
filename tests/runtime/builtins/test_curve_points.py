import pytest

from stoffel.isa.scalars import U8
from stoffel.runtime.builtins.curves import CURVES


def octets(library, data):
    return library.array(*map(U8, data))


def call(library, name, data, *curve):
    return bytes(library.items(library.call(f"Crypto.{name}", octets(library, data), *curve)))


def error(library, name, data, *curve):
    return library.error(f"Crypto.{name}", octets(library, data), *curve)


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_hash_to_field_reduces_modulo_the_order(library, curve):
    data = bytes(range(200, 250))
    number = int.from_bytes(data, "little" if curve.name.endswith("25519") else "big")
    expected = (number % curve.order).to_bytes(32, "little")
    assert call(library, "hash_to_field", data, f" {curve.name.upper()}\n", "ignored") == expected
    assert call(library, "hash_to_field", b"", curve.name) == bytes(32)


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_field_inv_times_the_element_is_one(library, curve):
    element = (curve.order - 12345).to_bytes(32, "little")
    inverse = int.from_bytes(call(library, "field_inv", element, curve.name), "little")
    assert inverse * (curve.order - 12345) % curve.order == 1
    assert error(library, "field_inv", bytes(32), curve.name) == "field inverse is undefined for zero"
    text = f"field element is not below the order of {curve.name}'s scalar field"
    assert error(library, "field_inv", curve.order.to_bytes(32, "little"), curve.name) == text
    assert error(library, "field_inv", bytes(31), curve.name) == "field element must have 32 bytes, not 31"


def test_scalar_bytes_have_the_byte_order_of_the_curves_standard(library):
    element = (258).to_bytes(32, "little")
    assert call(library, "field_to_scalar_bytes", element, "ed25519") == element
    assert call(library, "field_to_scalar_bytes", element, "p-256") == element[::-1]


def test_point_x_to_field_reduces_the_x_coordinate(library):
    x = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
    point = b"\2" + x.to_bytes(32, "big")
    assert call(library, "point_x_to_field", point, "secp256k1") == x.to_bytes(32, "little")
    text = "invalid secp256k1 point: expected 33 bytes starting with 2 or 3, or 65 bytes starting with 4"
    assert error(library, "point_x_to_field", b"x", "secp256k1") == text


def test_point_to_sec1_compresses(library):
    x = (1).to_bytes(32, "big")
    assert call(library, "point_to_sec1", b"\0" * 31 + b"\1" + b"\0" * 31 + b"\2", "bn254") == b"\2" + x
    assert error(library, "point_to_sec1", bytes(32), "ed25519") == "ed25519 points have no SEC1 form"


def test_hash_to_g1_gives_a_compressed_point(library):
    point = call(library, "hash_to_g1", b"message")
    assert len(point) == 48
    assert CURVES["bls12-381"].decode_x(point) < CURVES["bls12-381"].modulus


@pytest.mark.parametrize(
    "name", ["hash_to_field", "field_inv", "field_to_scalar_bytes", "point_x_to_field", "point_to_sec1"]
)
def test_the_curve_name_is_checked(library, name):
    assert error(library, name, b"", 5) == "curve_name must be a string"
    text = (
        "Invalid curve name: Unknown MPC curve 'p-512'. Supported curves: "
        "bls12-381, bn254, curve25519, ed25519, secp256k1, p-256"
    )
    assert error(library, name, b"", " P-512 ") == text
    assert library.error(f"Crypto.{name}", "x", "p-256") == "Expected byte array"
    assert library.error(f"Crypto.{name}", "x").startswith(f"Crypto.{name} expects 2 arguments: ")
