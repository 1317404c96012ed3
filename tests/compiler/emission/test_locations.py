"""Where the values of places are while code is written: copies cost nothing until their source changes."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import pytest

import stoffel
from stoffel import U8
from stoffel.compiler.analysis.facts import kind_of_class, of_constant
from stoffel.compiler.analysis.liveness import FLAG, bit
from stoffel.compiler.cpython.verifier import check, decode
from stoffel.compiler.cpython.writer import Writer
from stoffel.compiler.emission.deopt_points import Held, Known, Length, Order
from stoffel.compiler.emission.global_names import box_name
from stoffel.compiler.emission.locations import FLAG_LOCAL, Spots
from tests.compiler.units import layout

NEEDED_ALL = sum(bit(place) for place in range(8)) | FLAG


class Code:
    """Spots over a writer with some arguments, one for each of the first places."""

    def __init__(self, arguments: int = 2, registers: int = 4) -> None:
        places = layout(registers)
        names = [places.name(place) for place in range(arguments)]
        self.writer = Writer("f", "<f>", names)
        self.spots = Spots(self.writer, places)
        for place in range(registers):
            self.spots.set(place, self.spots.held(names[place]) if place < arguments else None)

    def copy(self, target: int, source: int) -> None:
        """Note that a place holds the value of another, as the compiler does for a move."""
        self.spots.set(target, self.spots.spot(source))

    def define(self, place: int, value: Any, needed: int = NEEDED_ALL) -> None:
        """Give a place a new value."""
        self.writer.constant(value)
        self.spots.define(place, needed)

    def written(self) -> list[str]:
        """Return the names of the instructions written so far, without the end that is needed to look."""
        self.writer.constant(None)
        self.writer.give_back()
        return [item.name for item in decode(self.writer.finish())][1:-2]

    def values(self, places: list[int], *arguments: Any, **names: Any) -> Any:
        """Return the values of *places* when the code runs with *arguments*."""
        for place in places:
            self.spots.load_place(place)
        self.writer.new_tuple(len(places))
        self.writer.give_back()
        code = self.writer.finish()
        assert check(code) == []
        return FunctionType(code, {"__builtins__": {}, "len": len, **names})(*arguments)


# Copies


def test_a_copy_writes_nothing() -> None:
    code = Code()
    code.copy(2, 0)
    code.copy(3, 2)
    assert code.written() == []


def test_copies_have_the_value_of_their_source() -> None:
    code = Code()
    code.copy(2, 0)
    code.copy(3, 1)
    assert code.values([0, 1, 2, 3], "a", "b") == ("a", "b", "a", "b")


def test_a_copy_keeps_the_old_value_when_its_source_changes() -> None:
    code = Code()
    code.copy(2, 0)
    code.define(0, 9)
    assert code.values([0, 2], "a", "b") == (9, "a")


def test_all_copies_share_one_move_when_their_source_changes() -> None:
    code = Code()
    code.copy(2, 0)
    code.copy(3, 0)
    code.define(0, 9)
    assert code.spots.spot(2) is code.spots.spot(3)
    assert code.values([0, 2, 3], "a", "b") == (9, "a", "a")


def test_a_copy_that_nothing_needs_is_not_moved() -> None:
    code = Code()
    code.copy(2, 0)
    code.define(0, 9, NEEDED_ALL & ~bit(2))
    assert code.spots.places[2] is None
    assert code.written() == ["LOAD_CONST", "STORE_FAST"]


def test_swapped_registers_are_swapped() -> None:
    code = Code()
    code.copy(2, 0)
    code.copy(0, 1)
    code.copy(1, 2)
    code.define(2, "c")
    assert code.values([0, 1, 2], "a", "b") == ("b", "a", "c")


def test_a_chain_of_writes_never_loses_a_value() -> None:
    """Rotates four values through each other's locals."""
    code = Code(arguments=4)
    code.spots.places[:] = [code.spots.places[index] for index in (1, 2, 3, 0)]
    code.define(0, "new", NEEDED_ALL)
    assert code.values([0, 1, 2, 3], "a", "b", "c", "d") == ("new", "c", "d", "a")


def test_a_value_may_be_computed_in_the_local_of_the_place_it_goes_to_next() -> None:
    code = Code()
    code.writer.constant(9)
    code.spots.define(0, NEEDED_ALL, landing=3)
    code.copy(3, 0)
    code.copy(0, 1)
    assert code.spots.spot(3) is code.spots.held("r3")
    assert code.values([0, 3], "a", "b") == ("b", 9)


def test_what_is_in_the_landing_place_is_moved_out_of_it() -> None:
    code = Code()
    code.copy(2, 1)
    code.writer.constant(9)
    code.spots.define(0, NEEDED_ALL, landing=1)
    assert code.values([0, 1, 2], "a", "b") == (9, "b", "b")


def test_a_replaced_value_gets_a_local_that_no_other_place_is_in() -> None:
    code = Code()
    code.copy(1, 0)
    code.writer.constant("own")
    code.spots.own_copy(1, 0)
    assert code.values([0, 1], "a", "b") == ("a", "own")


def test_a_snapshot_does_not_change_with_the_spots() -> None:
    code = Code()
    before = code.spots.snapshot()
    code.define(0, 9)
    code.copy(1, 0)
    assert before[1] is code.spots.held("r1")


def test_reading_a_place_that_was_not_kept_is_a_mistake_of_the_compiler() -> None:
    code = Code()
    with pytest.raises(AssertionError, match="place r2 is read but was not kept"):
        code.spots.load_place(2)


# Kinds of spots


def test_a_known_value_is_written_where_it_is_used() -> None:
    code = Code()
    code.spots.set(2, Known(of_constant("text")))
    assert code.values([2, 2], 0, 0) == ("text", "text")


def test_a_known_value_stays_where_it_is_when_locals_change() -> None:
    code = Code()
    code.spots.set(2, Known(of_constant("text")))
    code.define(0, 9)
    assert code.written() == ["LOAD_CONST", "STORE_FAST"]


@pytest.mark.parametrize("raw", [False, True])
def test_a_known_narrow_integer_is_plain_only_on_request(raw: bool) -> None:
    code = Code()
    code.spots.load(Known(of_constant(U8(7))), raw=raw)
    code.writer.give_back()
    assert type(FunctionType(code.writer.finish(), {})(0, 0)) is (int if raw else U8)


def test_a_plain_int_is_put_back_into_its_type_when_it_is_read_as_a_value() -> None:
    code = Code()
    kind = kind_of_class(U8)
    code.spots.set(0, code.spots.held("r0", kind))
    (value,) = code.values([0], 200, 0, **{box_name(kind): U8})
    assert (type(value), value) == (U8, 200)


def test_plain_ints_stay_plain_when_they_are_moved() -> None:
    code = Code()
    kind = kind_of_class(U8)
    code.spots.set(0, code.spots.held("r0", kind))
    code.copy(2, 0)
    code.define(0, 9)
    spot = code.spots.spot(2)
    assert isinstance(spot, Held)
    assert spot.raw == kind
    (value,) = code.values([2], 200, 0, **{box_name(kind): U8})
    assert (type(value), value) == (U8, 200)


def test_a_machine_integer_becomes_a_plain_int() -> None:
    code = Code()
    code.writer.load("r0")
    code.spots.unbox()
    code.writer.give_back()
    assert type(FunctionType(code.writer.finish(), {})(U8(7), 0)) is int


def test_the_length_of_an_array_is_read_when_it_is_used() -> None:
    code = Code()
    code.spots.set(2, Length("r0"))
    assert code.values([2], stoffel.VirtualMachine().create_array([1, 2, 3]), 0) == (3,)


def test_the_length_of_an_array_is_kept_when_the_array_leaves_its_local() -> None:
    code = Code()
    code.spots.set(2, Length("r0"))
    code.define(0, 9)
    assert code.values([0, 2], stoffel.VirtualMachine().create_array([1, 2, 3]), 0) == (9, 3)


# The compare flag


def order(code: Code) -> Order:
    """Return the flag of a comparison of the first two places."""
    left, right = code.spots.spot(0), code.spots.spot(1)
    assert isinstance(left, Held)
    assert isinstance(right, Held)
    return Order(left, right, "integer")


@pytest.mark.parametrize(("left", "right", "flag"), [(1, 2, -1), (2, 2, 0), (3, 2, 1)])
def test_the_flag_of_a_comparison_is_kept_when_an_operand_changes(left: int, right: int, flag: int) -> None:
    code = Code()
    code.spots.flag = order(code)
    code.define(1, 9)
    code.writer.load(FLAG_LOCAL)
    code.writer.store("s0")
    code.spots.set(2, code.spots.held("s0"))
    assert code.values([2, 1], left, right) == (flag, 9)


def test_a_flag_that_nothing_needs_is_not_kept() -> None:
    code = Code()
    code.spots.flag = order(code)
    code.define(0, 9, NEEDED_ALL & ~FLAG)
    assert code.spots.flag is None
    assert code.written() == ["LOAD_CONST", "STORE_FAST"]


def test_a_flag_is_not_touched_by_other_places() -> None:
    code = Code()
    flag = code.spots.flag = order(code)
    code.define(2, 9)
    assert code.spots.flag is flag


def test_a_known_flag_is_written_once() -> None:
    code = Code()
    code.spots.flag = 1
    code.spots.materialise_flag()
    code.spots.materialise_flag()
    assert code.written() == ["LOAD_CONST", "STORE_FAST"]


def test_nothing_is_moved_into_a_local_that_the_flag_is_read_from() -> None:
    code = Code()
    code.spots.flag = order(code)
    code.copy(2, 0)
    code.spots.set(0, code.spots.held("r3"))  # r0 is in no place, and still an operand of the comparison
    code.writer.constant("moved")
    code.spots.own_copy(0, 0)
    spot = code.spots.spot(0)
    assert isinstance(spot, Held)
    assert spot.name not in ("r0", "r1")
