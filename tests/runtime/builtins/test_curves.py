import pytest

from stoffel.runtime.builtins.bls12_381 import compress, hash_to_curve, hash_to_g1
from stoffel.runtime.builtins.curves import CURVES

# Generators, from the curves' standards.
BASE = {
    "bls12-381": (
        0x17F1D3A73197D7942695638C4FA9AC0FC3688C4F9774B905A14E3A3F171BAC586C55E83FF97A1AEFFB3AF00ADB22C6BB,
        0x08B3F481E3AAA0F1A09E30ED741D8AE4FCF5E095D5D00AF600DB18CB2C04B3EDD03CC744A2888AE40CAA232946C5E7E1,
    ),
    "bn254": (1, 2),
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


def raw(name):
    curve, (x, y) = CURVES[name], BASE[name]
    return x.to_bytes(curve.size, "big"), y.to_bytes(curve.size, "big")


@pytest.mark.parametrize("name", ["secp256k1", "p-256"])
def test_sec1_points_are_read_in_both_forms(name):
    curve, (x, y) = CURVES[name], raw(name)
    parity = BASE[name][1] % 2
    compressed = bytes((2 + parity,)) + x
    assert curve.decode(compressed) == BASE[name]
    assert curve.decode(b"\4" + x + y) == BASE[name]
    assert curve.decode(bytes((3 - parity,)) + x) == (BASE[name][0], curve.modulus - BASE[name][1])
    assert curve.encode_sec1(b"\4" + x + y) == compressed


@pytest.mark.parametrize(("name", "small", "large"), [("bls12-381", 0x80, 0xA0), ("bn254", 0x80, 0xC0)])
def test_flagged_points_are_read_in_both_forms(name, small, large):
    curve, (x, y) = CURVES[name], raw(name)
    assert 2 * BASE[name][1] < curve.modulus
    assert curve.decode(bytes((x[0] | small,)) + x[1:]) == BASE[name]
    assert curve.decode(bytes((x[0] | large,)) + x[1:]) == (BASE[name][0], curve.modulus - BASE[name][1])
    assert curve.decode(x + y) == BASE[name]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("secp256k1", b"\0", "the point at infinity has no coordinates"),
        ("secp256k1", b"\4" + bytes(64), "it is not on the curve"),
        ("secp256k1", b"\2" + bytes(31) + b"\5", NO_POINT),
        ("secp256k1", b"\2" + b"\xff" * 32, NO_POINT),
        ("bn254", bytes(31), "expected 32 or 64 bytes, not 31"),
        ("bn254", b"\x40" + bytes(31), "the point at infinity has no coordinates"),
        ("bn254", bytes(32), "the flags are not those of a compressed point"),
        ("bls12-381", b"\xc0" + bytes(47), "the point at infinity has no coordinates"),
        ("bls12-381", b"\x40" + bytes(95), "the point at infinity has no coordinates"),
        ("bls12-381", b"\x80" + bytes(95), "flags on an uncompressed point"),
        ("bls12-381", b"\x9f" + b"\xff" * 47, NO_POINT),
        ("ed25519", bytes(31), "expected 32 bytes, not 31"),
        ("ed25519", b"\xff" * 32, "the y coordinate is not below the modulus"),
        ("ed25519", b"\2" + bytes(31), "no point of the curve has this y coordinate"),
        ("curve25519", b"", "expected 32 bytes, not 0"),
    ],
)
def test_what_is_no_point_is_refused_with_the_reason(name, data, reason):
    with pytest.raises(ValueError) as raised:
        CURVES[name].decode_x(data)
    assert str(raised.value) == f"invalid {name} point: {reason}"


def test_the_base_point_of_ed25519_is_decoded():
    # RFC 8032, section 5.1: y = 4/5, x even.
    encoded = b"\x58" + b"\x66" * 31
    x = 15112221349535400772501151409588531511454012693041857206046113283949847762202
    curve = CURVES["ed25519"]
    assert curve.decode_x(encoded) == x
    assert curve.decode_x(encoded[:-1] + b"\xe6") == curve.modulus - x


def test_the_top_bit_of_a_curve25519_point_is_ignored():
    # RFC 7748, section 5.
    assert CURVES["curve25519"].decode_x(b"\x09" + bytes(30) + b"\x80") == 9


def test_hashing_agrees_with_the_vectors_of_rfc_9380():
    # Appendix J.9.1.
    domain = b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
    x, y = hash_to_curve(b"", domain)
    assert x == 0x052926ADD2207B76CA4FA57A8734416C8DC95E24501772C814278700EED6D1E4E8CF62D9C09DB0FAC349612B759E79A1
    assert y == 0x08BA738453BFED09CB546DBB0783DBB3A5F1F566ED67BB6BE0E8C67E2E81A4CC68EE29813BB7994998F3EAE0C9C6A265
    x, _ = hash_to_curve(b"abc", domain)
    assert x == 0x03567BC5EF9C690C2AB2ECDF6A96EF1C139CC0B2F284DCA0A9A7943388A49A3AEE664BA5379A7655D3C68900BE2F6903


@pytest.mark.parametrize("message", [b"", b"a", b"message" * 100])
def test_a_hashed_point_is_on_the_curve_and_its_compressed_form_is_read_back(message):
    curve = CURVES["bls12-381"]
    point = hash_to_curve(message, b"domain")
    assert curve.decode(compress(point)) == point
    assert hash_to_g1(message, b"domain") == compress(point)
