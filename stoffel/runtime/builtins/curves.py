"""The elliptic curves of the ``Crypto`` builtins: their scalar fields, and the points of two of them.

A point is given as the library arkworks compresses it: x little-endian, with flags in the top bits of the last byte,
which is one of its own where the field fills all bits of x. The functions here raise ValueError with a text for the
user. They are not constant-time: for public values only.
"""

from __future__ import annotations

from typing import Final, Literal

ByteOrder = Literal["big", "little"]

ELEMENT_BYTES: Final = 32
"""Size of an encoded scalar-field element, and of a coordinate of the curves whose points are read."""

LARGER: Final = 0x80
"""Flag of a compressed point: its y is the larger of the two that have its x."""
INFINITY: Final = 0x40
"""Flag of the point at infinity."""


class Curve:
    """What is common to all curves: a scalar field of prime *order*."""

    __slots__ = ("byte_order", "name", "order")

    def __init__(self, name: str, order: int, byte_order: ByteOrder) -> None:
        self.name = name
        self.order = order
        self.byte_order: ByteOrder = byte_order
        """Of scalars in the curve's standard."""

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


class Weierstrass(Curve):
    """y^2 = x^3 + a*x + b over a field of p = 3 modulo 4 elements, where p has 256 bits and the curve no y of 0."""

    __slots__ = ("a", "b", "modulus")

    def __init__(self, name: str, modulus: int, order: int, a: int, b: int) -> None:
        super().__init__(name, order, "big")
        self.modulus = modulus
        self.a = a
        self.b = b

    def decode(self, data: bytes) -> tuple[int, int]:
        """Return the coordinates of a compressed point; raise ValueError if *data* is none."""
        if len(data) != ELEMENT_BYTES + 1:
            raise self._invalid(f"expected {ELEMENT_BYTES + 1} bytes, not {len(data)}")
        x, flags = int.from_bytes(data[:-1], "little"), data[-1]
        if flags == INFINITY:
            raise self._invalid("the point at infinity has no coordinates")
        if flags not in (0, LARGER):
            raise self._invalid(f"the last byte holds other flags than 0x{LARGER:02x} and 0x{INFINITY:02x}")
        square = (x**3 + self.a * x + self.b) % self.modulus
        # The field's exponent for square roots, as the modulus is 3 modulo 4.
        y = pow(square, (self.modulus + 1) // 4, self.modulus)
        if x >= self.modulus or y * y % self.modulus != square:
            raise self._invalid("no point of the curve has this x coordinate")
        if (2 * y > self.modulus) != (flags == LARGER):
            y = self.modulus - y
        return x, y

    def encode_sec1(self, data: bytes) -> bytes:
        """Return a compressed point in the compressed form of SEC 1; raise ValueError if *data* is none."""
        x, y = self.decode(data)
        return bytes((2 + y % 2,)) + x.to_bytes(ELEMENT_BYTES, "big")

    def _invalid(self, reason: str) -> ValueError:
        return ValueError(f"invalid {self.name} point: {reason}")


_ORDER_25519: Final = 2**252 + 27742317777372353535851937790883648493

CURVES: Final[dict[str, Curve]] = {
    curve.name: curve
    for curve in (
        Curve("bls12-381", 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001, "big"),
        Curve("bn254", 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001, "big"),
        Curve("curve25519", _ORDER_25519, "little"),
        Curve("ed25519", _ORDER_25519, "little"),
        Weierstrass(
            "secp256k1",
            2**256 - 2**32 - 977,
            0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
            0,
            7,
        ),
        Weierstrass(
            "p-256",
            2**256 - 2**224 + 2**192 + 2**96 - 1,
            0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
            -3,
            0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        ),
    )
}
"""The supported curves by name, in the order in which messages list them."""

WITH_POINTS: Final = {name: curve for name, curve in CURVES.items() if isinstance(curve, Weierstrass)}
"""Those whose points and scalars are read: the curves of ECDSA."""
