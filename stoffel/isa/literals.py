"""Numbers of text assembly: ``5``, ``0xff``, ``-3i32``, ``1.5f``, ``1e21``, ``-inf``, ``nan:0x7ff8000000000001``."""

from __future__ import annotations

import math
import re
import struct
from typing import Final

from stoffel.isa.scalars import INTEGER_KINDS, type_of_suffix

LONGEST: Final = 1200
"""Most characters of a number: the exact decimal form of any float fits, and conversion stays quick."""

# Patterns as text: most programs need none of them, and compiling them would delay the start.
_DIGITS: Final = "[0-9]+(?:_[0-9]+)*"
_INTEGER: Final = (
    rf"([+-]?)(0[xX][0-9A-Fa-f]+(?:_[0-9A-Fa-f]+)*|0[bB][01]+(?:_[01]+)*|{_DIGITS})({'|'.join(type_of_suffix)})?"
)
_FLOAT: Final = rf"([+-]?{_DIGITS}(?:\.{_DIGITS})?(?:[eE][+-]?[0-9]+)?)f?"
_NAN: Final = "nan:0[xX]([0-9A-Fa-f]{1,16})"

NAN_BITS: Final = 0x7FF8_0000_0000_0000
"""Bits of the not-a-number that is written plain ``nan``."""


_WORDS: Final = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf}


def float_of_bits(bits: int) -> float:
    """Return the float with the 64 *bits*."""
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def bits_of_float(value: float) -> int:
    """Return the 64 bits of *value*."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def parse_number(text: str) -> int | float:
    """Return the value of a number: int for I64, a width class for the other integers, or float.

    Raises ValueError, with a sentence that says what is wrong, if it is malformed or does not fit its type.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a number of {len(text)} characters is too long (the limit is {LONGEST})")
    if len(text) <= 18 and text.isdecimal() and text.isascii():
        return int(text)
    if match := re.fullmatch(_INTEGER, text):
        return _integer(*match.groups())
    if match := re.fullmatch(_FLOAT, text):
        value = float(match.group(1))
        if math.isinf(value):
            raise ValueError(f"{_brief(text)} is beyond the largest float; infinity is written inf")
        return value
    if match := re.fullmatch(_NAN, text):
        value = float_of_bits(int(match.group(1), 16))
        if value == value:
            raise ValueError(f"{text} does not give the bits of a NaN")
        return value
    if text in _WORDS:
        return _WORDS[text]
    raise ValueError(
        f"malformed number {_brief(text)}; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or "
        f"nan:0x{NAN_BITS:x} (suffixes: {', '.join(type_of_suffix)}, f)"
    )


def _brief(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."


def _integer(sign: str, digits: str, suffix: str | None) -> int:
    value = int(digits, {"x": 16, "b": 2}.get(digits[1:2].lower(), 10))
    if sign == "-":
        value = -value
    cls = type_of_suffix[suffix or "i64"]
    kind = INTEGER_KINDS[cls]
    if not kind.minimum <= value <= kind.maximum:
        shown = str(value) if len(digits) <= 40 else f"an integer of {len(digits)} digits"
        raise ValueError(f"{shown} does not fit {kind.name} ({kind.minimum} to {kind.maximum})")
    narrowed: int = cls(value)
    return narrowed
