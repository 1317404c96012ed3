"""The scalar value types that an instruction can carry, and the one table of integer types.

I64 is Python's ``int``, Float ``float``, Bool ``bool``, String ``str`` and Unit ``None``. The other integer widths are
small ``int`` subclasses. To Python ``1 == 1.0 == True == U8(1)``; to the machine these are four different values, so
code that compares values must go through :func:`constant_key` here or ``runtime.values.key_of``.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple


class FixedInteger(int):
    """Base of the integer widths other than I64; its constructor refuses what does not fit."""

    __slots__ = ()

    def __new__(cls, value: int = 0) -> FixedInteger:
        kind = INTEGER_KINDS[cls]
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{kind.name} takes an int, not {type(value).__name__} {value!r}")
        if not kind.minimum <= value <= kind.maximum:
            raise ValueError(f"{int(value)} does not fit {kind.name} ({kind.minimum} to {kind.maximum})")
        return int.__new__(cls, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return type(self), (int(self),)


class I32(FixedInteger):
    """Signed 32-bit integer value."""

    __slots__ = ()


class I16(FixedInteger):
    """Signed 16-bit integer value."""

    __slots__ = ()


class I8(FixedInteger):
    """Signed 8-bit integer value."""

    __slots__ = ()


class U8(FixedInteger):
    """Unsigned 8-bit integer value."""

    __slots__ = ()


class U16(FixedInteger):
    """Unsigned 16-bit integer value."""

    __slots__ = ()


class U32(FixedInteger):
    """Unsigned 32-bit integer value."""

    __slots__ = ()


class U64(FixedInteger):
    """Unsigned 64-bit integer value."""

    __slots__ = ()


class IntegerKind(NamedTuple):
    """What there is to know about one integer type."""

    name: str
    """Name in the specification and of the Python class: ``"U8"``."""
    type_name: str
    """Result of the ``type`` builtin: ``"uint8"``."""
    suffix: str
    """Suffix of the diagnostic text form; empty for I64."""
    bits: int
    signed: bool
    minimum: int
    maximum: int
    tag: int
    """Tag byte of constants in ``.stflb`` and of persisted values."""
    format: str
    """``struct`` letter, little-endian order being the caller's matter."""


def _kind(name: str, bits: int, signed: bool, tag: int, letter: str, suffix: str | None = None) -> IntegerKind:
    low = -(1 << (bits - 1)) if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    type_name = f"{'int' if signed else 'uint'}{bits}"
    return IntegerKind(
        name, type_name, name.lower() if suffix is None else suffix, bits, signed, low, high, tag, letter
    )


INTEGER_KINDS: Final[dict[type, IntegerKind]] = {
    int: _kind("I64", 64, True, 1, "q", suffix=""),
    I32: _kind("I32", 32, True, 2, "i"),
    I16: _kind("I16", 16, True, 3, "h"),
    I8: _kind("I8", 8, True, 4, "b"),
    U8: _kind("U8", 8, False, 5, "B"),
    U16: _kind("U16", 16, False, 6, "H"),
    U32: _kind("U32", 32, False, 7, "I"),
    U64: _kind("U64", 64, False, 8, "Q"),
}
"""Integer types by Python class, in the order of their tags."""

I64_MIN: Final = INTEGER_KINDS[int].minimum
I64_MAX: Final = INTEGER_KINDS[int].maximum

type_of_suffix: Final[dict[str, type]] = {kind.name.lower(): cls for cls, kind in INTEGER_KINDS.items()}
"""Integer class by the lower-case name that text assembly and the command line use (``"u8"``, ``"i64"``)."""

Scalar = int | float | bool | str | None
"""A value that a file can hold as a constant (the integer widths are ``int`` subclasses)."""


def constant_key(value: object) -> tuple[type, object]:
    """Return a key under which two scalars are equal only if type and content (float bits included) are the same."""
    if type(value) is float:
        return float, struct.pack("<d", value)
    return type(value), value


def interning_key(value: object) -> tuple[type, object]:
    """Return the key under which the machine merges constants of one function: all NaNs are one, and both zeros."""
    if type(value) is float:
        return (float, "nan") if value != value else (float, value + 0.0)
    return type(value), value
