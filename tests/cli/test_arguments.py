"""Command-line arguments become machine values of the right type."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.cli.arguments import parse_argument
from stoffel.cli.options import UsageError
from stoffel.isa.scalars import I8, I16, I32, INTEGER_KINDS, U8, U16, U32, U64


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("007", 7),
        ("9223372036854775807", (1 << 63) - 1),
        ("-9223372036854775808", -(1 << 63)),
        ("i64:5", 5),
        ("i64:-5", -5),
        ("i32:-5", I32(-5)),
        ("i16:-5", I16(-5)),
        ("i8:-128", I8(-128)),
        ("u8:2", U8(2)),
        ("u8:255", U8(255)),
        ("u16:2", U16(2)),
        ("u32:2", U32(2)),
        ("u64:18446744073709551615", U64((1 << 64) - 1)),
        ("true", True),
        ("false", False),
        ("bool:true", True),
        ("bool:false", False),
        ("unit", None),
        ("text", "text"),
        ("", ""),
        ("s:", ""),
        ("s:5", "5"),
        ("s:true", "true"),
        ("s:a:b", "a:b"),
        ("s:unit", "unit"),
        ("inf", "inf"),
        ("nan", "nan"),
        ("-", "-"),
        (".", "."),
        ("1e", "1e"),
        ("e5", "e5"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1.2.3", "1.2.3"),
        ("--5", "--5"),
        ("+-5", "+-5"),
        ("٣", "٣"),
        (" 5", " 5"),
        ("http://x", "http://x"),
        ("héllo", "héllo"),
    ],
)
def test_an_argument_is_the_value_that_it_looks_like(text: str, value: object) -> None:
    actual = parse_argument(text, 1)
    assert (type(actual), actual) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("-1.5", -1.5),
        ("+1.5", 1.5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("-2.5e+2", -250.0),
        ("-0.0", -0.0),
        ("f64:1", 1.0),
        ("f64:-1.5", -1.5),
        ("f64:-0.0", -0.0),
        ("f64:inf", math.inf),
        ("f64:-inf", -math.inf),
    ],
)
def test_a_number_with_a_point_or_exponent_is_a_float(text: str, value: float) -> None:
    actual = parse_argument(text, 1)
    assert type(actual) is float
    assert bits(actual) == bits(value)


def test_a_float_can_be_nan() -> None:
    actual = parse_argument("f64:nan", 1)
    assert type(actual) is float
    assert math.isnan(actual)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u8:300", "argument 2: 'u8:300': U8 holds 0 to 255 (write s:300 for text)"),
        ("u8:-1", "argument 2: 'u8:-1': U8 holds 0 to 255 (write s:-1 for text)"),
        ("i8:128", "argument 2: 'i8:128': I8 holds -128 to 127 (write s:128 for text)"),
        ("i64:x", "argument 2: 'i64:x': expected a decimal integer after i64:"),
        ("i64:", "argument 2: 'i64:': expected a decimal integer after i64:"),
        ("i64:1.5", "argument 2: 'i64:1.5': expected a decimal integer after i64:"),
        ("u8: 5", "argument 2: 'u8: 5': expected a decimal integer after u8:"),
        ("u8:1_0", "argument 2: 'u8:1_0': expected a decimal integer after u8:"),
        ("f64:abc", "argument 2: 'f64:abc': expected a number, nan, inf or -inf after f64:"),
        ("f64:", "argument 2: 'f64:': expected a number, nan, inf or -inf after f64:"),
        ("f64:infinity", "argument 2: 'f64:infinity': expected a number, nan, inf or -inf after f64:"),
        ("bool:yes", "argument 2: 'bool:yes': a Bool is bool:true or bool:false"),
        (
            "9223372036854775808",
            "argument 2: '9223372036854775808': I64 holds -9223372036854775808 to 9223372036854775807 "
            "(write s:9223372036854775808 for text)",
        ),
        ("\udcff", "argument 2: '\udcff' is not valid UTF-8"),
        ("s:a\udcff", "argument 2: 'a\udcff' is not valid UTF-8"),
    ],
)
def test_an_argument_that_its_type_cannot_hold_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_argument(text, 2)
    assert str(caught.value) == message


def test_an_integer_of_a_million_digits_is_refused_in_one_short_line() -> None:
    with pytest.raises(UsageError) as caught:
        parse_argument("9" * 1_000_000, 1)
    assert len(str(caught.value)) < 300


@given(st.sampled_from(list(INTEGER_KINDS)), st.data())
def test_every_integer_of_every_width_can_be_given(cls: type, data: st.DataObject) -> None:
    kind = INTEGER_KINDS[cls]
    number = data.draw(st.integers(kind.minimum, kind.maximum))
    actual = parse_argument(f"{kind.name.lower()}:{number}", 1)
    assert (type(actual), actual) == (cls, number)


@given(st.floats())
def test_every_float_can_be_given(number: float) -> None:
    actual = parse_argument(f"f64:{number!r}", 1)
    assert type(actual) is float
    assert (math.isnan(number) and math.isnan(actual)) or bits(actual) == bits(number)


@given(st.text())
def test_every_text_can_be_given(text: str) -> None:
    assert parse_argument("s:" + text, 1) == text
