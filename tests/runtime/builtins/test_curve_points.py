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


GENERATOR = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
"""x of secp256k1's, big-endian."""


def test_scalar_bytes_are_big_endian(library):
    element = (258).to_bytes(32, "little")
    assert call(library, "field_to_scalar_bytes", element, "secp256k1") == element[::-1]
    assert call(library, "field_to_scalar_bytes", element, "p-256") == element[::-1]


def test_point_x_to_field_reduces_the_x_coordinate(library):
    assert call(library, "point_x_to_field", GENERATOR[::-1] + b"\0", "secp256k1") == GENERATOR[::-1]
    # x = 2^256 - 2^32 - 980 is not below the order.
    curve = CURVES["secp256k1"]
    x = next(x for x in range(curve.order, curve.modulus) if pow(x**3 + 7, curve.modulus // 2, curve.modulus) == 1)
    reduced = (x - curve.order).to_bytes(32, "little")
    assert call(library, "point_x_to_field", x.to_bytes(33, "little"), "secp256k1") == reduced
    text = "invalid secp256k1 point: expected 33 bytes, not 1"
    assert error(library, "point_x_to_field", b"x", "secp256k1") == text


def test_point_to_sec1_compresses(library):
    assert call(library, "point_to_sec1", GENERATOR[::-1] + b"\0", " SECP256K1 ") == b"\2" + GENERATOR
    assert call(library, "point_to_sec1", GENERATOR[::-1] + b"\x80", "secp256k1") == b"\3" + GENERATOR
    text = "invalid secp256k1 point: the point at infinity has no coordinates"
    assert error(library, "point_to_sec1", bytes(32) + b"\x40", "secp256k1") == text


@pytest.mark.parametrize("name", ["field_to_scalar_bytes", "point_x_to_field", "point_to_sec1"])
@pytest.mark.parametrize("curve", ["bls12-381", "bn254", "curve25519", "ed25519"])
def test_points_and_scalars_of_other_curves_are_refused(library, name, curve):
    text = f"Crypto.{name} supports secp256k1 and p-256, got {curve}"
    assert error(library, name, bytes(32), curve.upper()) == text


def test_hash_to_g1_gives_a_compressed_point(library):
    point = call(library, "hash_to_g1", b"message")
    assert len(point) == 48
    assert point[0] & 0x80


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
