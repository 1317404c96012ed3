"""Operations of values against oracles that compute differently: exact fractions, bytes, struct and ctypes."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import I8, I16, I32, INTEGER_KINDS, U8, U16, U32, U64, constant_key
from stoffel.model.operations import OPERATIONS
from stoffel.model.tables import ObjectStore
from stoffel.model.text import diagnostic
from stoffel.model.values import Closure, Foreign
from tests.machines import told

STORE = ObjectStore()
INTEGER_TYPES = list(INTEGER_KINDS)
C_TYPES = {
    int: ctypes.c_int64,
    I32: ctypes.c_int32,
    I16: ctypes.c_int16,
    I8: ctypes.c_int8,
    U8: ctypes.c_uint8,
    U16: ctypes.c_uint16,
    U32: ctypes.c_uint32,
    U64: ctypes.c_uint64,
}


def outcome(name: str, *operands: Any) -> Any:
    """Return the exact result (type, content) of an operation, or its error text."""
    try:
        return constant_key(OPERATIONS[name](*operands))
    except VMError as error:
        return str(error) if error.kind is ErrorKind.VALUE else told(error)


def packed(kind: type, value: int) -> bytes:
    """Return the two's complement bytes; struct.error if *value* does not fit *kind*."""
    return struct.pack(f"<{INTEGER_KINDS[kind].format}", value)


def unpacked(kind: type, data: bytes) -> int:
    return struct.unpack(f"<{INTEGER_KINDS[kind].format}", data)[0]


def fitting(kind: type, value: int, name: str) -> Any:
    try:
        packed(kind, value)
    except struct.error:
        return f"Integer overflow in {name} operation"
    return constant_key(kind(value))


def integers(kind: type) -> st.SearchStrategy[int]:
    row = INTEGER_KINDS[kind]
    edges = st.sampled_from([row.minimum, row.minimum + 1, row.maximum - 1, row.maximum, 0, 1, max(-1, row.minimum)])
    return (edges | st.integers(row.minimum, row.maximum) | st.integers(max(-9, row.minimum), 9)).map(kind)


ONE_TYPE = st.sampled_from(INTEGER_TYPES)
INTEGER_PAIRS = ONE_TYPE.flatmap(lambda kind: st.tuples(st.just(kind), integers(kind), integers(kind)))
FINITE = st.floats(allow_nan=False, allow_infinity=False)


# Integers ------------------------------------------------------------------------------------------------------------


@given(INTEGER_PAIRS)
def test_integer_arithmetic_is_exact_or_an_overflow(pair: tuple[type, int, int]) -> None:
    kind, left, right = pair
    a, b = Fraction(int(left)), Fraction(int(right))
    assert outcome("ADD", left, right) == fitting(kind, int(a + b), "ADD")
    assert outcome("SUB", left, right) == fitting(kind, int(a - b), "SUB")
    assert outcome("MUL", left, right) == fitting(kind, int(a * b), "MUL")


@given(INTEGER_PAIRS)
@example((int, -7, 2))
@example((int, 7, -2))
def test_integer_division_truncates_and_the_remainder_has_the_sign_of_the_dividend(
    pair: tuple[type, int, int],
) -> None:
    kind, left, right = pair
    if right == 0:
        assert outcome("DIV", left, right) == "Division by zero"
        assert outcome("MOD", left, right) == "Modulo by zero"
        return
    quotient = math.trunc(Fraction(int(left), int(right)))
    assert outcome("DIV", left, right) == fitting(kind, quotient, "DIV")
    if isinstance(fitting(kind, quotient, "DIV"), str):
        assert outcome("MOD", left, right) == "Integer overflow in MOD operation"
    else:
        assert outcome("MOD", left, right) == constant_key(kind(int(left) - quotient * int(right)))


@pytest.mark.parametrize("kind", [kind for kind, row in INTEGER_KINDS.items() if row.signed])
def test_the_smallest_integer_divided_by_minus_one_overflows_and_so_does_its_remainder(kind: type) -> None:
    smallest = kind(INTEGER_KINDS[kind].minimum)
    assert outcome("DIV", smallest, kind(-1)) == "Integer overflow in DIV operation"
    assert outcome("MOD", smallest, kind(-1)) == "Integer overflow in MOD operation"
    assert outcome("MOD", kind(smallest + 1), kind(-1)) == constant_key(kind(0))


@given(INTEGER_PAIRS)
def test_bitwise_operations_work_on_the_bytes_of_the_width(pair: tuple[type, int, int]) -> None:
    kind, left, right = pair
    bytewise: dict[str, Callable[[int, int], int]] = {
        "AND": lambda x, y: x & y,
        "OR": lambda x, y: x | y,
        "XOR": lambda x, y: x ^ y,
    }
    for name, combine in bytewise.items():
        data = bytes(map(combine, packed(kind, left), packed(kind, right)))
        assert outcome(name, left, right) == constant_key(kind(unpacked(kind, data)))
    complement = bytes(255 - byte for byte in packed(kind, left))
    assert outcome("NOT", left) == constant_key(kind(unpacked(kind, complement)))


@given(ONE_TYPE.flatmap(lambda kind: st.tuples(st.just(kind), integers(kind), st.integers(0, 70))))
def test_shifts_lose_bits_silently_and_keep_the_sign_of_signed_types(case: tuple[type, int, int]) -> None:
    kind, value, amount = case
    bits = 8 * len(packed(kind, 0))
    right = kind(min(amount, INTEGER_KINDS[kind].maximum))
    if amount >= bits:
        for name in ("SHL", "SHR"):
            assert outcome(name, value, right) == f"Shift amount {int(right)} out of range in {name} operation"
        return
    assert outcome("SHL", value, right) == constant_key(kind(C_TYPES[kind](int(value) * 2**amount).value))
    assert outcome("SHR", value, right) == constant_key(kind(math.floor(Fraction(int(value), 2**amount))))


@pytest.mark.parametrize(
    ("value", "amount", "text"),
    [
        (1, -1, "Invalid shift amount -1 in {} operation"),
        (1, 1 << 32, "Invalid shift amount 4294967296 in {} operation"),
        (1, (1 << 32) - 1, "Shift amount 4294967295 out of range in {} operation"),
        (1, 64, "Shift amount 64 out of range in {} operation"),
        (U64(1), U64((1 << 64) - 1), "Shift amount 4294967295 out of range in {} operation"),
        (U64(1), U64(1 << 63), "Shift amount 4294967295 out of range in {} operation"),
        (U64(1), U64((1 << 63) - 1), "Invalid shift amount 9223372036854775807 in {} operation"),
        (I8(1), I8(-128), "Invalid shift amount -128 in {} operation"),
        (U8(1), U8(8), "Shift amount 8 out of range in {} operation"),
    ],
)
@pytest.mark.parametrize("name", ["SHL", "SHR"])
def test_shift_amounts_are_refused_in_the_order_of_the_rules(name: str, value: int, amount: int, text: str) -> None:
    assert outcome(name, value, amount) == text.format(name)


# Floats --------------------------------------------------------------------------------------------------------------


def rounded(exact: Fraction) -> float:
    """Return the nearest float, an infinity beyond the range. (A fraction knows no negative zero.)"""
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


@given(FINITE | integers(int), FINITE)
def test_float_arithmetic_is_the_exact_result_rounded_once(left: float, right: float) -> None:
    a, b = Fraction(float(left)), Fraction(right)
    for x, y, f, g in ((left, right, a, b), (right, left, b, a)):
        for name, exact in (("ADD", f + g), ("SUB", f - g), ("MUL", f * g)):
            result = OPERATIONS[name](x, y)
            assert type(result) is float
            assert result == rounded(exact)
        if g:
            assert OPERATIONS["DIV"](x, y) == rounded(f / g)
            remainder = f - g * math.trunc(f / g)
            result = OPERATIONS["MOD"](x, y)
            assert Fraction(result) == remainder
            assert math.copysign(1, result) == math.copysign(1, float(x))
        else:
            assert outcome("DIV", x, y) == "Division by zero"
            assert outcome("MOD", x, y) == "Modulo by zero"


@given(integers(int))
def test_i64_becomes_the_nearest_float_before_it_meets_one(value: int) -> None:
    assert OPERATIONS["ADD"](value, -0.0) == rounded(Fraction(value))
    assert OPERATIONS["MUL"](1.0, value) == rounded(Fraction(value))


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("ADD", 1e308, 1e308, math.inf),
        ("SUB", -1e308, 1e308, -math.inf),
        ("MUL", 1e308, -10.0, -math.inf),
        ("DIV", 1e308, 1e-10, math.inf),
        ("ADD", math.inf, -math.inf, math.nan),
        ("MUL", 0.0, math.inf, math.nan),
        ("DIV", math.inf, math.inf, math.nan),
        ("DIV", 1.0, math.nan, math.nan),
        ("DIV", 1.0, math.inf, 0.0),
        ("DIV", -1.0, math.inf, -0.0),
        ("MOD", math.inf, 2.0, math.nan),
        ("MOD", -math.inf, 2, math.nan),
        ("MOD", 5.0, math.inf, 5.0),
        ("MOD", -5, math.inf, -5.0),
        ("MOD", math.nan, 2.0, math.nan),
        ("MOD", 2.0, math.nan, math.nan),
        ("MOD", math.inf, math.nan, math.nan),
        ("MOD", -5.5, 2, -1.5),
        ("MOD", -4.0, 2.0, -0.0),
        ("MOD", 7, 2.5, 2.0),
        ("ADD", -0.0, -0.0, -0.0),
        ("MUL", -1, 0.0, -0.0),
    ],
)
def test_special_floats_follow_ieee_without_errors(name: str, left: Any, right: Any, expected: float) -> None:
    assert diagnostic(OPERATIONS[name](left, right)) == diagnostic(expected)


@pytest.mark.parametrize("name", ["DIV", "MOD"])
@pytest.mark.parametrize("left", [1.0, 0.0, math.inf, math.nan, 3])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_float_zero_divisor_is_an_error_whatever_the_dividend(name: str, left: Any, zero: float) -> None:
    assert outcome(name, left, zero) == {"DIV": "Division by zero", "MOD": "Modulo by zero"}[name]
    assert outcome(name, 2.0, 0) == {"DIV": "Division by zero", "MOD": "Modulo by zero"}[name]


# Operand types -------------------------------------------------------------------------------------------------------

SAMPLES: dict[str, Any] = {
    **{kind.name: cls(1) for cls, kind in INTEGER_KINDS.items()},
    "Float": 1.0,
    "Bool": True,
    "String": "a",
    "Unit": None,
    "Object": STORE.create_object(),
    "Array": STORE.create_array(),
    "Closure": Closure("f"),
    "Foreign": Foreign(1),
}
INTEGERS = {kind.name for kind in INTEGER_KINDS.values()}


def accepted(name: str) -> set[tuple[str, str]]:
    """Return the pairs of operand types that an instruction takes, as the manual lists them."""
    pairs = {(kind, kind) for kind in INTEGERS}
    if name in ("ADD", "SUB", "MUL", "DIV", "MOD"):
        pairs |= {("Float", "Float"), ("Float", "I64"), ("I64", "Float")}
    if name == "ADD":
        pairs.add(("String", "String"))
    if name in ("AND", "OR", "XOR"):
        pairs.add(("Bool", "Bool"))
    if name == "CMP":
        numbers = INTEGERS | {"Float"}
        pairs = set(product(numbers, numbers)) | {("String", "String"), ("Bool", "Bool")}
    return pairs


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "NOT"])
def test_only_the_listed_pairs_of_operand_types_are_taken(name: str) -> None:
    taken = set()
    for left, right in product(SAMPLES, SAMPLES):
        result = outcome(name, SAMPLES[left], SAMPLES[right])
        if not isinstance(result, str):
            taken.add((left, right))
        elif name == "CMP":
            assert result == f"Cannot compare {diagnostic(SAMPLES[left])} and {diagnostic(SAMPLES[right])}"
        else:
            assert result == f"Type error in {name} operation"
    assert taken == accepted(name)


def test_not_takes_integers_and_bools_only() -> None:
    taken = {name for name, value in SAMPLES.items() if outcome("NOT", value) != "Type error in NOT operation"}
    assert taken == INTEGERS | {"Bool"}


@given(st.booleans(), st.booleans())
def test_bools_combine_logically_and_stay_bools(left: bool, right: bool) -> None:
    assert OPERATIONS["AND"](left, right) is all((left, right))
    assert OPERATIONS["OR"](left, right) is any((left, right))
    assert OPERATIONS["XOR"](left, right) is (left is not right)
    assert OPERATIONS["NOT"](left) is (left is False)


@given(st.text(), st.text())
def test_strings_add_to_their_concatenation(left: str, right: str) -> None:
    assert OPERATIONS["ADD"](left, right) == f"{left}{right}"


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "DIV"])
def test_an_object_that_says_it_is_a_share_needs_an_engine(name: str) -> None:
    share = STORE.create_object()
    share.fields["__type"] = "Share"
    for operands in ((share, 1), (1, share)):
        with pytest.raises(VMError) as caught:
            OPERATIONS[name](*operands)
        assert told(caught.value) == ("Mpc", "MPC engine not configured")
    assert outcome("MOD", share, 1) == "Type error in MOD operation"


# Order ---------------------------------------------------------------------------------------------------------------

NUMBERS = ONE_TYPE.flatmap(integers) | st.floats(allow_nan=False)


def position(value: Any) -> tuple[int, Fraction]:
    """Return where a number stands on the line, exactly."""
    if type(value) is float and math.isinf(value):
        return (1 if value > 0 else -1), Fraction(0)
    return 0, Fraction(float(value)) if type(value) is float else Fraction(int(value))


@given(NUMBERS, NUMBERS)
@example(-1, U64((1 << 64) - 1))
@example(U64(9007199254740993), 9007199254740992.0)
@example((1 << 63) - 1, 9223372036854775808.0)
@example(5, float(1 << 128))
@example(0, float(1 << 150))
@example(-0.0, 0)
@example(U8(1), 1.0)
def test_numbers_of_all_types_compare_mathematically(left: Any, right: Any) -> None:
    a, b = position(left), position(right)
    assert OPERATIONS["CMP"](left, right) == (a > b) - (a < b)


@given(st.text(), st.text())
def test_strings_compare_by_their_utf_8_bytes(left: str, right: str) -> None:
    a, b = left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass")
    assert OPERATIONS["CMP"](left, right) == (a > b) - (a < b)


@given(NUMBERS)
def test_nan_compares_with_nothing(value: Any) -> None:
    text = diagnostic(value)
    assert outcome("CMP", value, math.nan) == f"Cannot compare {text} and NaNf64"
    assert outcome("CMP", math.nan, value) == f"Cannot compare NaNf64 and {text}"
    assert outcome("CMP", math.nan, math.nan) == "Cannot compare NaNf64 and NaNf64"
