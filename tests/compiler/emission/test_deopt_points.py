"""Deopt points: values and flags from what a suspended frame holds."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import I8, U64, VirtualMachine
from stoffel.compiler.analysis.facts import kind_of, of_constant
from stoffel.compiler.emission.deopt_points import Held, Known, Length, Order, Site, Sum, boxed, flag_at, value_at


@pytest.mark.parametrize(
    ("spot", "value"),
    [
        (Known(of_constant("text")), "text"),
        (Held("r1"), 7),
        (Held("r2", kind_of(I8(0))), I8(-3)),
        (Sum("r1", 5), 12),
        (Length("r3"), 3),
    ],
)
def test_a_spot_gives_the_value_that_the_place_has(spot: Any, value: Any) -> None:
    found = value_at(spot, {"r1": 7, "r2": -3, "r3": VirtualMachine().create_array([1, 2, 3])})
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("value", "kind"), [(200, U64(0)), (-3, I8(0)), (5, 0)])
def test_a_plain_int_is_boxed_as_its_kind(value: int, kind: int) -> None:
    found = boxed(value, kind_of(kind))
    assert (found, type(found)) == (value, type(kind))


@pytest.mark.parametrize(("left", "right", "flag"), [(1, 2, -1), (2, 2, 0), (3, 2, 1)])
def test_an_order_gives_the_flag_of_its_comparison(left: int, right: int, flag: int) -> None:
    order = Order(Held("a"), Held("b"), "compare")
    assert flag_at(order, {"a": left, "b": right}) == flag
    assert flag_at(flag, {}) == flag


def test_a_point_whose_result_may_have_overflowed_holds_only_if_it_has_not() -> None:
    site = Site(3, (), 0, Held("r1", kind_of(I8(0))))
    assert [site.holds({"r1": value}) for value in (127, 128)] == [True, False]
    assert Site(3, (), 0).holds({})
