import pytest

from stoffel.isa.scalars import I8, U8, U64
from stoffel.model.values import Closure, Foreign
from stoffel.runtime.builtins.equality import deep_equal

NAN = float("nan")


def nest(library, levels, innermost=()):
    """Return *levels* arrays inside each other."""
    array = library.array(*innermost)
    for _ in range(levels - 1):
        array = library.array(array)
    return array


def test_arrays_are_equal_element_by_element(library):
    one = library.array(NAN, 0.0, "x", library.array(1, None))
    other = library.array(NAN, -0.0, "x", library.array(1, None))
    assert library.call("array_equals", one, other) is True
    assert library.call("array_equals", one, library.array(NAN, 0.0, "x", library.array(1))) is False
    assert library.call("array_equals", library.array(1), library.array(1, 1)) is False


def test_objects_and_handles_are_compared_by_identity_and_closures_by_content(library):
    table = library.object(x=1)
    assert library.call("array_equals", library.array(table), library.array(table)) is True
    assert library.call("array_equals", library.array(table), library.array(library.object(x=1))) is False
    one, other = Closure("f", (("n", 1),)), Closure("f", (("n", 1),))
    assert library.call("array_equals", library.array(one, Foreign(1)), library.array(other, Foreign(1))) is True
    assert library.call("array_equals", library.array(one), library.array(Closure("f", (("n", 1.0),)))) is False


@pytest.mark.parametrize(("levels", "expected"), [(64, True), (65, False), (100, False), (20_000, False)])
def test_equal_arrays_deeper_than_64_levels_are_unequal(library, levels, expected):
    assert library.call("array_equals", nest(library, levels), nest(library, levels)) is expected


def test_the_level_limit_counts_from_the_searched_element(library):
    assert library.call("contains", library.array(nest(library, 64)), nest(library, 64)) is True
    assert library.call("contains", library.array(nest(library, 65)), nest(library, 65)) is False


def test_shared_parts_are_not_compared_again_and_again(library):
    one, other = library.array(1), library.array(1)
    for _ in range(60):
        one, other = library.array(one, one), library.array(other, other)
    assert library.call("array_equals", one, other) is True


def test_cyclic_arrays_are_equal_only_to_themselves(library):
    one, other = library.array(), library.array()
    library.call("append", one, one, one)
    library.call("append", other, other, other)
    assert library.call("array_equals", one, one) is True
    assert library.call("array_equals", one, other) is False


def test_a_part_met_deeper_later_is_compared_to_its_depth(library):
    # The pair is equal when met at level 2, but too deep when met again at level 62.
    one, other = nest(library, 40), nest(library, 40)
    deep_one, deep_other = one, other
    for _ in range(30):
        deep_one, deep_other = library.array(deep_one), library.array(deep_other)
    assert deep_equal(library.array(one), library.array(other)) is True
    assert deep_equal(library.array(one, deep_one), library.array(other, deep_other)) is False
    assert deep_equal(library.array(deep_one, one), library.array(deep_other, other)) is False


def test_gaps_equal_units(library):
    sparse = library.sparse(33)
    assert library.call("array_equals", sparse, library.array(*[None] * 33, 1)) is True
    assert library.call("count", sparse, None) == 33
    assert library.call("index", sparse, None, 5) == 5


@pytest.mark.parametrize("needle", [1, 1.0, U8(1), I8(1), True, "1", None, U64(1)])
def test_numbers_of_different_types_are_different_elements(library, needle):
    array = library.array(1, 1.0, U8(1), I8(1), True, "1", None, U64(1))
    assert library.call("count", array, needle) == 1
    assert library.call("contains", array, needle) is True
    assert type(library.items(array)[library.call("index", array, needle)]) is type(needle)


def test_searching_finds_nan_and_equal_arrays(library):
    array = library.array(0.0, NAN, library.array(1), NAN)
    assert library.call("count", array, NAN) == 2
    assert library.call("index", array, -0.0) == 0
    assert library.call("index", array, library.array(1)) == 2


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((), 1), ((2,), 3), ((-4, -1), 3), ((U8(0), U64(2**64 - 1)), 1), ((-100, 100), 1), ((1, 2), 1)],
)
def test_index_searches_within_clamped_bounds(library, bounds, expected):
    assert library.call("index", library.array(0, 3, 1, 3, 5, 6), 3, *bounds) == expected


@pytest.mark.parametrize("bounds", [(4,), (2, 3), (3, 3), (5, 1), (100,), (0, -100)])
def test_index_fails_where_nothing_is_found(library, bounds):
    assert library.error("index", library.array(0, 3, 1, 3, 5, 6), 3, *bounds) == "value is not in list"


def test_bad_bounds_of_index_are_named(library):
    array = library.array(1)
    assert library.error("index", array, 1, None) == "index bound must be an integer, found nil"
    assert library.error("index", array, 1, 0, 1.0) == "index bound must be an integer, found float"


def test_remove_takes_the_first_equal_element(library):
    array = library.array(1, "x", 2, "x")
    assert library.call("remove", array, "x") is None
    assert library.items(array) == [1, 2, "x"]
    assert library.error("remove", array, 1.0) == "value is not in list"
    sparse = library.sparse(33)
    library.call("remove", sparse, None)
    assert library.items(sparse) == [*[None] * 32, 1]


def test_contains_looks_into_strings_arrays_and_objects(library):
    table = library.object(unit=None)
    assert library.call("contains", "hello", "ell") is True
    assert library.call("contains", "hello", "") is True
    assert library.call("contains", "hello", "x") is False
    assert library.call("contains", library.array(10), U8(10)) is False
    assert library.call("contains", table, "unit") is True
    assert library.call("contains", table, "other") is False


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("contains", ("a", 1), "'in' on a string requires a string operand"),
        ("contains", (1, 1), "'in' requires a list, dict, or string container, found int64"),
        ("contains", (None, 1), "'in' requires a list, dict, or string container, found nil"),
        ("contains", (1,), "contains expects 2 arguments: container and value"),
        ("array_equals", (1, 2), "First argument must be an array"),
        ("array_equals", (1,), "array_equals expects 2 arguments: left array and right array"),
        ("count", (1, 2), "First argument must be an array"),
        ("count", (1,), "count expects 2 arguments: array and value"),
        ("index", (1, 2), "First argument must be an array"),
        ("index", (1,), "index expects at least 2 arguments: array and value"),
        ("index", (1, 2, 3, 4, 5), "index expects at most 4 arguments: array, value, start, and stop"),
        ("remove", (1, 2), "First argument must be an array"),
        ("remove", (1,), "remove expects 2 arguments: array and value"),
    ],
)
def test_wrong_arguments_are_reported(library, name, arguments, text):
    assert library.error(name, *arguments) == text


def test_the_second_array_of_array_equals_is_named(library):
    assert library.error("array_equals", library.array(), 1) == "Second argument must be an array"
