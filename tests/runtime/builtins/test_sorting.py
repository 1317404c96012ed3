import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.isa.scalars import I32, U8, U64
from tests.runtime.builtins.library import Library

NAN = float("nan")


def test_numbers_of_all_types_sort_together(library):
    array = library.array(3, 1.5, U8(2), -1)
    assert library.call("sort", array) is None
    assert library.items(array) == [-1, 1.5, U8(2), 3]


def test_strings_sort_by_code_point_and_booleans_false_first(library):
    texts, truths = library.array("b", "é", "B", "", "\U0001f600", "\uffff"), library.array(True, False, True)
    library.call("sort", texts)
    library.call("sort", truths)
    assert library.items(texts) == ["", "B", "b", "é", "\uffff", "\U0001f600"]
    assert library.items(truths) == [False, True, True]


@pytest.mark.parametrize("item", [None, NAN, 1, "x"])
def test_one_element_of_any_type_is_sorted(library, item):
    array = library.array(item)
    library.call("sort", array)
    assert library.items(array) == [item]


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([3, "a"], "list sort does not support comparing string and int64"),
        (["a", 3], "list sort does not support comparing int64 and string"),
        ([U8(3), 9, "a"], "list sort does not support comparing string and int64"),
        ([9, U8(3), "a"], "list sort does not support comparing string and int64"),
        ([1, True], "list sort does not support comparing boolean and int64"),
        ([None, None], "list sort does not support comparing nil and nil"),
        ([1.0, NAN], "list sort does not support NaN values"),
        ([NAN, 1], "list sort does not support NaN values"),
        ([NAN, "x"], "list sort does not support comparing string and float"),
        ([2, 1, NAN, "x"], "list sort does not support NaN values"),
    ],
)
def test_what_cannot_be_compared_is_named_and_the_array_unchanged(library, items, text):
    array = library.array(*items)
    assert library.error("sort", array) == text
    assert [id(item) for item in library.items(array)] == [id(item) for item in items]


def test_tables_cannot_be_sorted(library):
    array = library.array(library.array(), library.array())
    assert library.error("sort", array) == "list sort does not support comparing array and array"


def test_integers_compare_exactly_but_as_floats_beside_a_float(library):
    integers = library.array(2**53 + 1, U64(2**53), 2**53 - 1)
    library.call("sort", integers)
    assert library.items(integers) == [2**53 - 1, 2**53, 2**53 + 1]
    # As Float 2**53 + 1 equals 2.0**53, so the order stays.
    mixed = library.array(2**53 + 1, 2.0**53)
    library.call("sort", mixed)
    assert [type(item) for item in library.items(mixed)] == [int, float]


def test_integers_that_a_float_cannot_tell_apart_end_where_an_insertion_sort_leaves_them(library):
    low, high = 2**53, 2**53 + 1
    array = library.array(high, 2.0**53, low)
    library.call("sort", array)
    assert library.items(array) == [high, 2.0**53, low]
    array = library.array(2.0**53, high, 2.0**54, low)
    library.call("sort", array)
    assert library.items(array) == [2.0**53, low, high, 2.0**54]


def test_a_sparse_array_sorts_only_without_gaps(library):
    array = library.sparse(33)
    assert library.error("sort", array) == "list sort does not support comparing nil and nil"
    for index in range(33):
        library.call("set_field", array, index, 50 - index)
    library.call("sort", array)
    assert library.items(array) == [1, *range(18, 51)]


def test_wrong_arguments_are_reported(library):
    assert library.error("sort") == "sort expects 1 argument: array"
    assert library.error("sort", "text") == "First argument must be an array"


NUMBERS = (
    st.integers(-5, 5)
    | st.integers(-5, 5).map(float)
    | st.integers(0, 5).map(U8)
    | st.integers(-5, 5).map(I32)
    | st.floats(allow_nan=False)
    | st.integers(-(2**63), 2**63 - 1)
    # Integers that round to the same Float: with those the order is not transitive.
    | st.integers(2**53, 2**53 + 3)
    | st.integers(2**53, 2**53 + 3).map(float)
)


@given(st.lists(NUMBERS, max_size=12))
def test_sorting_is_an_insertion_sort(items):
    expected = []
    for item in items:
        place = len(expected)
        while place and _less(item, expected[place - 1]):
            place -= 1
        expected.insert(place, item)
    library = Library()
    array = library.array(*items)
    library.call("sort", array)
    assert [(type(item), item) for item in library.items(array)] == [(type(item), item) for item in expected]


def _less(one, other):
    if type(one) is float or type(other) is float:
        return float(one) < float(other)
    return int(one) < int(other)
