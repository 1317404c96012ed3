"""Arguments of a program on the command line: text -> machine value."""

from __future__ import annotations

from typing import Final

from stoffel.cli.options import UsageError
from stoffel.isa.scalars import INTEGER_KINDS, Scalar, type_of_suffix

SYNTAX: Final = """\
Arguments: 5 is an I64, 1.5 (or 1e3) a Float, true and false are Bool, anything else is a String.
A prefix gives the type: i64:5 i32:5 i16:5 i8:5 u8:5 u16:5 u32:5 u64:5, f64:1 f64:nan f64:inf f64:-inf,
s:text (any text, also empty), bool:true, and the word unit is Unit.
Put -- before arguments that begin with a dash and are not numbers."""

_BOOLS: Final = {"true": True, "false": False}
_FLOAT_WORDS: Final = ("nan", "inf", "-inf")


def parse_argument(text: str, position: int) -> Scalar:
    """Return the value that *text*, the argument number *position* (from 1), stands for.

    Raises UsageError for a typed argument that its type cannot hold, and for text that is not valid UTF-8.
    """
    try:
        return _typed(text)
    except _BadArgumentError as problem:
        raise UsageError(f"argument {position}: {problem}") from None


class _BadArgumentError(Exception):
    """An argument that its type cannot hold."""


def _typed(text: str) -> Scalar:
    if text in _BOOLS:
        return _BOOLS[text]
    if text == "unit":
        return None
    prefix, colon, rest = text.partition(":")
    if colon:
        if prefix == "s":
            return _text(rest)
        if prefix in type_of_suffix:
            return _integer(rest, type_of_suffix[prefix], text)
        if prefix == "f64":
            return _float(rest, text)
        if prefix == "bool":
            if rest not in _BOOLS:
                raise _BadArgumentError(f"'{text}': a Bool is bool:true or bool:false")
            return _BOOLS[rest]
    if _is_decimal(text):
        return _integer(text, int, text)
    if _is_float(text):
        return _float(text, text)
    return _text(text)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _BadArgumentError(f"'{text}' is not valid UTF-8") from None
    return text


def _is_decimal(text: str) -> bool:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return digits.isascii() and digits.isdigit()


def _is_float(text: str) -> bool:
    """Tell whether *text* is a decimal number such as ``1.5``, ``-.5``, ``2.`` or ``1e-3``."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.removeprefix("-").removeprefix("+" if mantissa[:1] == "+" else "").partition(".")
    digits = whole + fraction
    return digits.isascii() and digits.isdigit() and (_is_decimal(exponent) or "e" not in text.lower())


def _integer(digits: str, cls: type, text: str) -> int:
    kind = INTEGER_KINDS[cls]
    if not _is_decimal(digits):
        raise _BadArgumentError(f"'{_short(text)}': expected a decimal integer after {kind.name.lower()}:")
    # Python refuses to convert very long digit strings; no integer type holds more than 20 digits anyway.
    sign = -1 if digits[0] == "-" else 1
    magnitude = digits.lstrip("+-").lstrip("0") or "0"
    value = sign * int(magnitude) if len(magnitude) <= 20 else None
    if value is None or not kind.minimum <= value <= kind.maximum:
        raise _BadArgumentError(
            f"'{_short(text)}': {kind.name} holds {kind.minimum} to {kind.maximum} (write s:{_short(digits)} for text)"
        )
    return value if cls is int else cls(value)


def _float(digits: str, text: str) -> float:
    if digits not in _FLOAT_WORDS and not (_is_float(digits) or _is_decimal(digits)):
        raise _BadArgumentError(f"'{_short(text)}': expected a number, nan, inf or -inf after f64:")
    value = float(digits)
    if value in (float("inf"), float("-inf")) and digits not in _FLOAT_WORDS:
        raise _BadArgumentError(f"'{_short(text)}': Float holds no number of that size (write f64:inf for infinity)")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:50] + "..."
