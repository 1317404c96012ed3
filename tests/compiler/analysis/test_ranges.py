"""Interval arithmetic and refinement against all values of small intervals."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import pytest

from stoffel import I8, U8
from stoffel.compiler.analysis.facts import BIT, KIND_RANGES, Fact, of_constant, of_range
from stoffel.compiler.analysis.ranges import checks, interval, possible_orders, refine
from stoffel.errors import VMError
from stoffel.model.operations import OPERATIONS

KIND = BIT[I8]
BOUNDS = list(combinations_with_replacement((-9, -4, -1, 0, 1, 3, 8), 2))
AMOUNTS = list(combinations_with_replacement((0, 1, 3), 2))
ORDERS = [frozenset(subset) for subset in ((-1,), (0,), (1,), (-1, 0), (0, 1), (-1, 1), (-1, 0, 1))]


def values(fact: Fact) -> range:
    return range(fact.low, fact.high + 1)


def facts(bounds: list[tuple[int, int]]) -> list[Fact]:
    return [of_range(KIND, low, high) for low, high in bounds]


def results(operation: str, a: Fact, b: Fact) -> list[int]:
    found = []
    for one, other in product(values(a), values(b)):
        try:
            found.append(OPERATIONS[operation](one, other))
        except VMError:
            assert operation in ("DIV", "MOD")
            assert other == 0
    return found


@pytest.mark.parametrize("operation", ["ADD", "SUB", "MUL", "DIV", "MOD", "AND", "OR", "XOR", "SHL", "SHR"])
def test_interval_contains_every_result(operation: str) -> None:
    for a, b in product(facts(BOUNDS), facts(AMOUNTS if operation in ("SHL", "SHR") else BOUNDS)):
        low, high = interval(operation, a, b)
        wrong = [value for value in results(operation, a, b) if not low <= value <= high]
        assert (a, b, wrong) == (a, b, [])


@pytest.mark.parametrize(("cls", "least", "greatest"), [(I8, -9, 8), (U8, 247, 255), (U8, 0, 3)])
def test_interval_of_a_complement_contains_every_result(cls: type, least: int, greatest: int) -> None:
    for bounds in combinations_with_replacement(range(least, greatest + 1), 2):
        fact = of_range(BIT[cls], *bounds)
        low, high = interval("NOT", fact, fact)
        assert all(low <= OPERATIONS["NOT"](cls(value)) <= high for value in values(fact))
        assert KIND_RANGES[BIT[cls]][0] <= low <= high <= KIND_RANGES[BIT[cls]][1]


def test_of_an_operation_without_an_interval_the_kind_is_known() -> None:
    assert interval("CMP", of_range(KIND, 1, 2), of_range(KIND, 3, 4)) == (-128, 127)


@pytest.mark.parametrize("operation", ["ADD", "SUB", "MUL", "SHL", "SHR"])
def test_interval_of_a_monotone_operation_is_as_small_as_can_be(operation: str) -> None:
    for a, b in product(facts(BOUNDS), facts(AMOUNTS if operation in ("SHL", "SHR") else BOUNDS)):
        found = results(operation, a, b)
        assert interval(operation, a, b) == (min(found), max(found))


@pytest.mark.parametrize("operation", ["DIV", "MOD", "AND", "OR", "XOR"])
def test_interval_of_numbers_from_zero_stays_from_zero(operation: str) -> None:
    for a, b in product(facts([(0, 0), (0, 5), (3, 9)]), facts([(1, 1), (1, 4), (2, 7)])):
        low, high = interval(operation, a, b)
        assert 0 <= low <= high <= 15


def test_possible_orders_are_those_of_some_pair() -> None:
    for a, b in product(facts(BOUNDS), repeat=2):
        expected = {(one > other) - (one < other) for one, other in product(values(a), values(b))}
        assert (a, b, possible_orders(a, b)) == (a, b, expected)


@pytest.mark.parametrize("outcomes", ORDERS, ids=lambda outcomes: str(sorted(outcomes)))
def test_refine_keeps_exactly_what_a_comparison_allows(outcomes: frozenset[int]) -> None:
    for a, b in product(facts(BOUNDS), repeat=2):
        pairs = [
            (one, other) for one, other in product(values(a), values(b)) if (one > other) - (one < other) in outcomes
        ]
        refined = refine(a, b, outcomes)
        if not pairs:
            # Only "unequal" of two equal constants is beyond what bounds can say.
            assert refined is None or outcomes == {-1, 1}
            continue
        assert refined is not None
        kept = [(fact.low, fact.high) for fact in refined]
        least = [(min(side), max(side)) for side in zip(*pairs, strict=True)]
        assert all(low <= first and last <= high for (low, high), (first, last) in zip(kept, least, strict=True))
        if outcomes != {-1, 1}:
            assert (a, b, kept) == (a, b, least)


def test_refine_leaves_constants_alone() -> None:
    constant = of_constant(I8(3))
    refined = refine(of_range(KIND, -9, 9), constant, frozenset({-1}))
    assert refined is not None
    assert refined[1] is constant
    assert (refined[0].low, refined[0].high) == (-9, 2)


@pytest.mark.parametrize("kind", sorted(KIND_RANGES))
def test_checks_name_the_side_on_which_a_result_can_leave_its_kind(kind: int) -> None:
    least, greatest = KIND_RANGES[kind]
    assert checks(kind, (least, greatest)) == (False, False)
    assert checks(kind, (least - 1, greatest)) == (True, False)
    assert checks(kind, (least, greatest + 1)) == (False, True)


def test_of_range_is_cut_to_the_kind() -> None:
    fact = of_range(BIT[U8], -5, 999)
    assert (fact.low, fact.high) == (0, 255)
