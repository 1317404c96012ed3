"""The elliptic curves of the ``Crypto`` builtins: parameters, and the standard encodings of points.

A point is given in the curve's usual form: SEC 1 for secp256k1 and P-256, the flagged big-endian form of Zcash for
BLS12-381 and of gnark for BN254 (both compressed or not), RFC 8032 for Ed25519, RFC 7748 for Curve25519. The functions
here raise ValueError with a text for the user. They are not constant-time: for public values only.
"""

from __future__ import annotations

from typing import Final, Literal

ByteOrder = Literal["big", "little"]

ELEMENT_BYTES: Final = 32
"""Size of an encoded scalar-field element."""


class Curve:
    """What is common to all curves: a base field, and a scalar field of prime *order*."""

    __slots__ = ("byte_order", "modulus", "name", "order")

    name: str
    modulus: int
    order: int
    byte_order: ByteOrder
    """Of scalars in the curve's standard."""

    def __init__(self, name: str, modulus: int, order: int, byte_order: ByteOrder) -> None:
        self.name = name
        self.modulus = modulus
        self.order = order
        self.byte_order = byte_order

    def element(self, number: int) -> bytes:
        """Return *number* reduced to the scalar field, 32 bytes, little-endian."""
        return (number % self.order).to_bytes(ELEMENT_BYTES, "little")

    def decode_element(self, data: bytes) -> int:
        """Return the number of an encoded scalar-field element; raise ValueError if *data* is not canonical."""
        if len(data) != ELEMENT_BYTES:
            raise ValueError(f"field element must have {ELEMENT_BYTES} bytes, not {len(data)}")
        number = int.from_bytes(data, "little")
        if number >= self.order:
            raise ValueError(f"field element is not below the order of {self.name}'s scalar field")
        return number

    def decode_x(self, data: bytes) -> int:
        """Return the x coordinate of an encoded point; raise ValueError if *data* is none."""
        raise NotImplementedError

    def encode_sec1(self, data: bytes) -> bytes:  # noqa: ARG002 - most curves need it
        """Return an encoded point in compressed SEC 1 form; raise ValueError if there is none."""
        raise ValueError(f"{self.name} points have no SEC1 form")

    def invalid(self, reason: str) -> ValueError:
        return ValueError(f"invalid {self.name} point: {reason}")


class Weierstrass(Curve):
    """y^2 = x^3 + a*x + b over a prime field of p = 3 modulo 4 elements, points encoded as in SEC 1, section 2.3."""

    __slots__ = ("a", "b", "size")

    def __init__(self, name: str, modulus: int, order: int, a: int, b: int) -> None:
        super().__init__(name, modulus, order, "big")
        self.a = a
        self.b = b
        self.size = (modulus.bit_length() + 7) // 8

    def decode_x(self, data: bytes) -> int:
        """Return the x coordinate of an encoded point; raise ValueError if *data* is none."""
        return self.decode(data)[0]

    def encode_sec1(self, data: bytes) -> bytes:
        """Return an encoded point in compressed SEC 1 form; raise ValueError if *data* is none."""
        x, y = self.decode(data)
        return bytes((2 + y % 2,)) + x.to_bytes(self.size, "big")

    def decode(self, data: bytes) -> tuple[int, int]:
        """Return the coordinates of an encoded point; raise ValueError if *data* is none."""
        if data == b"\0":
            raise self.invalid("the point at infinity has no coordinates")
        if len(data) == self.size + 1 and data[0] in (2, 3):
            return self.with_y(int.from_bytes(data[1:], "big"), odd=data[0] == 3)
        if len(data) == 2 * self.size + 1 and data[0] == 4:
            return self.checked(data[1:])
        raise self.invalid(
            f"expected {self.size + 1} bytes starting with 2 or 3, or {2 * self.size + 1} bytes starting with 4"
        )

    def checked(self, data: bytes) -> tuple[int, int]:
        """Return two big-endian coordinates if they are those of a point."""
        x = int.from_bytes(data[: self.size], "big")
        y = int.from_bytes(data[self.size :], "big")
        if max(x, y) >= self.modulus or (y * y - self.right_side(x)) % self.modulus:
            raise self.invalid("it is not on the curve")
        return x, y

    def right_side(self, x: int) -> int:
        return (x**3 + self.a * x + self.b) % self.modulus

    def with_y(self, x: int, *, odd: bool | None = None, larger: bool | None = None) -> tuple[int, int]:
        """Return *x* and the y of it that is odd or not, or the larger of the two or not."""
        square = self.right_side(x)
        y = pow(square, (self.modulus + 1) // 4, self.modulus)
        if x >= self.modulus or y * y % self.modulus != square:
            raise self.invalid("no point of the curve has this x coordinate")
        if (odd is not None and y % 2 != odd) or (larger is not None and (2 * y > self.modulus) != larger):
            y = (self.modulus - y) % self.modulus
        return x, y


class Flagged(Weierstrass):
    """A pairing-friendly curve: points are big-endian, the topmost bits of the first byte being flags."""

    __slots__ = ("compressed", "flags", "infinity", "larger")

    def __init__(
        self, name: str, modulus: int, order: int, b: int, *, flags: int, compressed: int, larger: int, infinity: int
    ) -> None:
        super().__init__(name, modulus, order, 0, b)
        self.flags = flags
        self.compressed = compressed
        self.larger = larger
        self.infinity = infinity

    def decode(self, data: bytes) -> tuple[int, int]:
        """Return the coordinates of an encoded point; raise ValueError if *data* is none."""
        if len(data) not in (self.size, 2 * self.size):
            raise self.invalid(f"expected {self.size} or {2 * self.size} bytes, not {len(data)}")
        flags = data[0] & self.flags
        bare = bytes((data[0] & ~self.flags,)) + data[1:]
        if flags in (self.infinity, self.infinity | self.compressed) and flags != self.larger and not any(bare):
            raise self.invalid("the point at infinity has no coordinates")
        if len(data) == 2 * self.size:
            if flags:
                raise self.invalid("flags on an uncompressed point")
            return self.checked(data)
        if flags not in (self.compressed, self.larger):
            raise self.invalid("the flags are not those of a compressed point")
        return self.with_y(int.from_bytes(bare, "big"), larger=flags == self.larger)


class Edwards25519(Curve):
    """-x^2 + y^2 = 1 + d*x^2*y^2, points encoded as in RFC 8032, section 5.1."""

    __slots__ = ()

    def decode_x(self, data: bytes) -> int:
        """Return the x coordinate of an encoded point (RFC 8032, section 5.1.3); raise ValueError if *data* is none."""
        if len(data) != 32:
            raise self.invalid(f"expected 32 bytes, not {len(data)}")
        p = self.modulus
        number = int.from_bytes(data, "little")
        odd, y = number >> 255, number & ((1 << 255) - 1)
        if y >= p:
            raise self.invalid("the y coordinate is not below the modulus")
        d = -121665 * pow(121666, -1, p)
        square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        x = pow(square, (p + 3) // 8, p)
        if x * x % p != square:
            x = x * pow(2, (p - 1) // 4, p) % p
        if x * x % p != square or (x == 0 and odd):
            raise self.invalid("no point of the curve has this y coordinate")
        return p - x if x % 2 != odd else x


class Montgomery25519(Curve):
    """Curve25519: a point is its u coordinate, encoded as in RFC 7748, section 5."""

    __slots__ = ()

    def decode_x(self, data: bytes) -> int:
        """Return the u coordinate; raise ValueError if *data* has not 32 bytes."""
        if len(data) != 32:
            raise self.invalid(f"expected 32 bytes, not {len(data)}")
        return (int.from_bytes(data, "little") & ((1 << 255) - 1)) % self.modulus


_P25519: Final = 2**255 - 19
_ORDER_25519: Final = 2**252 + 27742317777372353535851937790883648493
_P256_MODULUS: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1

BLS12_381: Final = Flagged(
    "bls12-381",
    0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB,
    0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001,
    4,
    flags=0xE0,
    compressed=0x80,
    larger=0xA0,
    infinity=0x40,
)

CURVES: Final[dict[str, Curve]] = {
    curve.name: curve
    for curve in (
        BLS12_381,
        Flagged(
            "bn254",
            0x30644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD47,
            0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001,
            3,
            flags=0xC0,
            compressed=0x80,
            larger=0xC0,
            infinity=0x40,
        ),
        Montgomery25519("curve25519", _P25519, _ORDER_25519, "little"),
        Edwards25519("ed25519", _P25519, _ORDER_25519, "little"),
        Weierstrass(
            "secp256k1",
            2**256 - 2**32 - 977,
            0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
            0,
            7,
        ),
        Weierstrass(
            "p-256",
            _P256_MODULUS,
            0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
            -3,
            0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        ),
    )
}
"""The supported curves by name, in the order in which messages list them."""
