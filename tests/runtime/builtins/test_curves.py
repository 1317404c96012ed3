import contextlib

import pytest

from stoffel.runtime.builtins.bls12_381 import P, compress, hash_to_curve, hash_to_g1
from stoffel.runtime.builtins.curves import CURVES, WITH_POINTS

# Generators, from SEC 2 and FIPS 186.
BASE = {
    "secp256k1": (
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    ),
    "p-256": (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
}
NO_POINT = "no point of the curve has this x coordinate"
OTHER_FLAGS = "the last byte holds other flags than 0x80 and 0x40"


@pytest.mark.parametrize("name", BASE)
def test_a_point_is_x_little_endian_and_a_flag_for_the_larger_y(name):
    curve, (x, y) = WITH_POINTS[name], BASE[name]
    assert 2 * y < curve.modulus
    encoded = x.to_bytes(32, "little")
    assert curve.decode(encoded + b"\0") == (x, y)
    assert curve.decode(encoded + b"\x80") == (x, curve.modulus - y)


@pytest.mark.parametrize("name", BASE)
def test_sec1_tells_whether_y_is_odd(name):
    curve, (x, y) = WITH_POINTS[name], BASE[name]
    encoded = x.to_bytes(32, "little")
    assert curve.encode_sec1(encoded + b"\0") == bytes((2 + y % 2,)) + x.to_bytes(32, "big")
    assert curve.encode_sec1(encoded + b"\x80") == bytes((3 - y % 2,)) + x.to_bytes(32, "big")


@pytest.mark.parametrize("name", BASE)
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "expected 33 bytes, not 0"),
        (bytes(32), "expected 33 bytes, not 32"),
        (bytes(32) + b"\x40", "the point at infinity has no coordinates"),
        (b"\1" + bytes(31) + b"\xc0", OTHER_FLAGS),
        (b"\1" + bytes(31) + b"\1", OTHER_FLAGS),
        (b"\xff" * 32 + b"\0", NO_POINT),
    ],
)
def test_what_is_no_point_is_refused_with_the_reason(name, data, reason):
    with pytest.raises(ValueError) as raised:
        WITH_POINTS[name].decode(data)
    assert str(raised.value) == f"invalid {name} point: {reason}"


@pytest.mark.parametrize("name", BASE)
def test_half_of_all_x_coordinates_belong_to_points_and_these_are_on_the_curve(name):
    curve = WITH_POINTS[name]
    points = []
    for x in range(200):
        with contextlib.suppress(ValueError):
            points.append(curve.decode(x.to_bytes(33, "little")))
    assert 70 < len(points) < 130
    assert all((y * y - x**3 - curve.a * x - curve.b) % curve.modulus == 0 for x, y in points)


def test_the_curves_whose_points_are_read_are_among_the_others():
    assert {name: CURVES[name] for name in BASE} == WITH_POINTS


def test_hashing_agrees_with_the_vectors_of_rfc_9380():
    # Appendix J.9.1.
    domain = b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
    x, y = hash_to_curve(b"", domain)
    assert x == 0x052926ADD2207B76CA4FA57A8734416C8DC95E24501772C814278700EED6D1E4E8CF62D9C09DB0FAC349612B759E79A1
    assert y == 0x08BA738453BFED09CB546DBB0783DBB3A5F1F566ED67BB6BE0E8C67E2E81A4CC68EE29813BB7994998F3EAE0C9C6A265
    x, _ = hash_to_curve(b"abc", domain)
    assert x == 0x03567BC5EF9C690C2AB2ECDF6A96EF1C139CC0B2F284DCA0A9A7943388A49A3AEE664BA5379A7655D3C68900BE2F6903


@pytest.mark.parametrize("message", [b"", b"a", b"message" * 100])
def test_a_hashed_point_is_on_the_curve_and_its_compressed_form_has_x_and_the_flags(message):
    x, y = hash_to_curve(message, b"domain")
    assert (y * y - x**3 - 4) % P == 0
    compressed = hash_to_g1(message, b"domain")
    assert compressed == compress((x, y))
    assert int.from_bytes(compressed, "big") == x | (0b101 if 2 * y > P else 0b100) << 381
    assert compress(None) == b"\xc0" + bytes(47)
