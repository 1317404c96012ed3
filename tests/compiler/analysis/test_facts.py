"""The lattice of facts: joining is an upper bound, widening comes to rest."""

from __future__ import annotations

from itertools import product
from types import NoneType

import pytest

from stoffel import I8, U8, U64
from stoffel.compiler.analysis.facts import (
    ANY,
    BIT,
    FLOAT,
    I64,
    IMPOSSIBLE,
    KIND_RANGES,
    NOTHING,
    STRING,
    UNKNOWN,
    Fact,
    equal,
    is_raw,
    join,
    kind_of,
    of_constant,
    of_kinds,
    of_range,
    widen,
    with_hint,
)
from stoffel.isa.scalars import constant_key

CONSTANTS = [0, 1, -5, 2**63 - 1, U8(1), U8(255), I8(-128), 1.0, 0.0, -0.0, float("nan"), True, False, "", "a", None]
FACTS = [
    *map(of_constant, CONSTANTS),
    of_range(I64, 0, 10),
    of_range(I64, -3, 4),
    of_range(BIT[U8], 1, 7),
    of_kinds(I64),
    of_kinds(BIT[U64]),
    of_kinds(FLOAT),
    of_kinds(FLOAT | I64),
    of_kinds(STRING | BIT[NoneType]),
    with_hint(UNKNOWN, 5),
    UNKNOWN,
    IMPOSSIBLE,
]


def holds(fact: Fact, value: object) -> bool:
    """Return whether *value* is one of those that *fact* allows."""
    if not fact.mask & kind_of(value):
        return False
    if fact.is_constant:
        return constant_key(fact.constant) == constant_key(value)
    return fact.mask not in KIND_RANGES or fact.low <= value <= fact.high  # type: ignore[operator]


def test_join_allows_what_either_allows() -> None:
    for one, other in product(FACTS, repeat=2):
        joined = join(one, other)
        lost = [value for value in CONSTANTS if (holds(one, value) or holds(other, value)) and not holds(joined, value)]
        assert (one, other, lost) == (one, other, [])
        for side in (one, other):
            if joined.mask in KIND_RANGES and side.mask:
                assert joined.low <= side.low <= side.high <= joined.high


def test_join_does_not_depend_on_the_order_and_is_idempotent() -> None:
    for one, other in product(FACTS, repeat=2):
        assert equal(join(one, other), join(other, one))
        assert equal(join(one, join(one, other)), join(one, other))
        assert equal(join(one, one), one)


def test_join_is_associative() -> None:
    for one, two, three in product(FACTS[::2], repeat=3):
        assert equal(join(join(one, two), three), join(one, join(two, three)))


@pytest.mark.parametrize(("one", "other"), [(0, False), (1, 1.0), (1, True), (1, U8(1)), (0.0, -0.0), ("", None)])
def test_constants_that_python_may_call_equal_are_told_apart(one: object, other: object) -> None:
    assert not equal(of_constant(one), of_constant(other))
    assert not join(of_constant(one), of_constant(other)).is_constant


def test_equal_compares_every_part() -> None:
    base = of_range(I64, 0, 10)
    assert equal(base, of_range(I64, 0, 10))
    others = (of_range(I64, 1, 10), of_range(I64, 0, 11), of_range(BIT[U8], 0, 10), of_constant(0))
    assert [equal(base, other) for other in others] == [False] * 4
    assert equal(base, with_hint(base, 7))


def test_widening_allows_all_that_the_new_fact_allows() -> None:
    for old, fact in product(FACTS, repeat=2):
        new = join(old, fact)
        widened = widen(old, new)
        lost = [value for value in CONSTANTS if holds(new, value) and not holds(widened, value)]
        assert (old, new, lost) == (old, new, [])
        if new.mask in KIND_RANGES:
            assert widened.low <= new.low <= new.high <= widened.high


def test_widening_ends_every_growing_chain_after_a_few_steps() -> None:
    for kind, direction in product((I64, BIT[U8], BIT[I8]), (1, -1)):
        fact = of_range(kind, 5, 5)
        steps = 0
        for number in range(50):
            grown = join(fact, of_range(kind, min(5, 5 + direction * number), max(5, 5 + direction * number)))
            if not equal(grown, fact):
                fact = widen(fact, grown)
                steps += 1
        assert steps <= 4


def test_only_a_single_integer_kind_besides_i64_is_held_raw() -> None:
    raw = {mask for mask in range(1, ANY + 1) if is_raw(of_kinds(mask))}
    assert raw == set(KIND_RANGES) - {I64}


def test_hints_say_nothing_certain() -> None:
    hinted = with_hint(UNKNOWN, 5)
    assert hinted.mask == ANY
    assert hinted.constant is NOTHING
    assert with_hint(hinted, 5) is hinted
