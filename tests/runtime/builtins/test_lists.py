import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.isa.scalars import I8, I64_MAX, I64_MIN, U8, U64
from stoffel.model.tables import ENUMERABLE
from stoffel.model.values import SparseArray
from tests.runtime.builtins.library import Library

HUGE = 10**12
"""Index of a sparse array that cannot be enumerated."""


def test_extend_by_itself_doubles(library):
    array = library.array(*range(39))
    assert library.call("extend", array, array) is None
    assert library.items(array) == [*range(39), *range(39)]


def test_extend_appends_gaps_as_unit_behind_a_sparse_array(library):
    array = library.sparse(33)
    library.call("extend", array, library.sparse(33))
    assert library.items(array) == ([None] * 33 + [1]) * 2
    assert type(array) is SparseArray


def test_concat_repeat_and_copy_make_new_arrays(library):
    left, right = library.array(1), library.array(2, 3)
    results = [
        library.call("array_concat", left, right),
        library.call("array_repeat", right, U8(2)),
        library.call("array_repeat", right, 0),
        library.call("array_repeat", right, -5),
        library.call("copy", right),
    ]
    assert [library.items(result) for result in results] == [[1, 2, 3], [2, 3, 2, 3], [], [], [2, 3]]
    assert [result.id for result in results] == [3, 4, 5, 6, 7]


def test_copy_is_shallow_and_leaves_other_keys_behind(library):
    inner = library.array()
    array = library.array(inner)
    library.call("set_field", array, "k", 1)
    copied = library.call("copy", array)
    assert library.items(copied)[0] is inner
    assert library.call("get_field", copied, "k") is None


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("extend", (1, 2), "First argument must be an array"),
        ("array_concat", (1, 2), "First argument must be an array"),
        ("array_repeat", (1, "x"), "repeat count must be an integer"),
        ("array_repeat", (1, U64(2**63)), "repeat count exceeds i64 range"),
        ("array_repeat", (1, 1), "First argument must be an array"),
        ("copy", ("text",), "First argument must be an array"),
        ("pop", (1,), "First argument must be an array"),
        ("insert", (1, "x", 2), "First argument must be an array"),
        ("delete", (1, "x"), "First argument must be an array"),
        ("clear", (1,), "First argument must be an array"),
        ("reverse", (1,), "First argument must be an array"),
        ("extend", (1,), "extend expects 2 arguments: array and values"),
        ("array_concat", (1, 2, 3), "array_concat expects 2 arguments: left array and right array"),
        ("array_repeat", (1,), "array_repeat expects 2 arguments: array and count"),
        ("copy", (), "copy expects 1 argument: array"),
        ("pop", (), "pop expects at least 1 argument: array"),
        ("pop", (1, 2, 3), "pop expects at most 2 arguments: array and optional index"),
        ("insert", (1, 2), "insert expects 3 arguments: array, index, and value"),
        ("delete", (1, 2, 3), "delete expects 2 arguments: array and index"),
        ("clear", (1, 2), "clear expects 1 argument: array"),
        ("reverse", (), "reverse expects 1 argument: array"),
        ("range", (1,), "range expects at least 2 arguments: start and stop"),
        ("range", (1, 2, 3, 4), "range expects at most 3 arguments: start, stop, and step"),
        ("slice", (1, 2), "slice expects at least 3 arguments: value, start, and stop"),
        ("slice", (1, 2, 3, 4, 5), "slice expects at most 4 arguments: value, start, stop, and step"),
    ],
)
def test_wrong_arguments_are_reported(library, name, arguments, text):
    assert library.error(name, *arguments) == text


def test_the_second_array_is_named_too(library):
    assert library.error("extend", library.array(), 1) == "Second argument must be an array"
    assert library.error("array_concat", library.array(), "x") == "Second argument must be an array"


def test_pop_takes_the_last_or_the_indexed_element(library):
    array = library.array(1, 2, 3, 4)
    assert [library.call("pop", array), library.call("pop", array, -2), library.call("pop", array, U8(0))] == [4, 2, 1]
    assert library.items(array) == [3]


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (3, "list index out of range"),
        (-4, "list index out of range"),
        (1.0, "index must be an integer"),
        (None, "index must be an integer"),
        (U64(2**63), "index exceeds i64 range"),
    ],
)
def test_pop_and_delete_refuse_bad_indexes(library, index, text):
    array = library.array(1, 2, 3)
    assert library.error("pop", array, index) == text
    assert library.error("delete", array, index) == text
    assert library.items(array) == [1, 2, 3]


def test_pop_from_an_empty_list_is_reported_before_the_index(library):
    assert library.error("pop", library.array(), "x") == "pop from empty list"


def test_rebuilding_a_sparse_array_removes_its_gaps_and_keeps_other_keys(library):
    array = library.sparse(34)
    library.call("set_field", array, U8(1), "other")
    assert library.call("pop", array) == 1
    assert library.items(array) == [None] * 34
    assert library.call("get_field", array, 33) is None
    assert library.call("get_field", array, U8(1)) == "other"


@pytest.mark.parametrize(
    ("index", "expected"),
    [(1, [1, 9, 2]), (-1, [1, 9, 2]), (-100, [9, 1, 2]), (100, [1, 2, 9]), (I64_MAX, [1, 2, 9]), (I8(-2), [9, 1, 2])],
)
def test_insert_clamps_its_index(library, index, expected):
    array = library.array(1, 2)
    assert library.call("insert", array, index, 9) is None
    assert library.items(array) == expected


def test_insert_into_a_sparse_array_rebuilds_it(library):
    array = library.sparse(33)
    library.call("insert", array, 0, "first")
    assert library.items(array) == ["first", *[None] * 33, 1]


def test_delete_removes_and_returns_unit(library):
    array = library.array(1, 2, 3)
    assert library.call("delete", array, -1) is None
    assert library.items(array) == [1, 2]


def test_clear_keeps_other_keys(library):
    array = library.array(10, 20)
    library.call("set_field", array, "k", 5)
    library.call("pop", array, 0)
    library.call("clear", array)
    assert library.call("len", array) == 0
    assert library.call("get_field", array, "k") == 5
    sparse = library.sparse(HUGE)
    library.call("clear", sparse)
    assert library.items(sparse) == []


def test_reverse_works_in_place_on_any_array(library):
    array, sparse = library.array(1, 2, 3), library.sparse(33)
    library.call("reverse", array)
    library.call("reverse", sparse)
    assert library.items(array) == [3, 2, 1]
    assert library.items(sparse) == [1, *[None] * 33]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((2, 5), [2, 3, 4]),
        ((5, 0, -2), [5, 3, 1]),
        ((5, -1, -2), [5, 3, 1]),
        ((3, 3), []),
        ((5, 0), []),
        ((U8(1), I8(4), U64(2)), [1, 3]),
        ((I64_MAX - 1, I64_MAX), [I64_MAX - 1]),
        ((I64_MIN + 1, I64_MIN, -1), [I64_MIN + 1]),
    ],
)
def test_range_is_pythons(library, arguments, expected):
    items = library.items(library.call("range", *arguments))
    assert items == expected
    assert [type(item) for item in items] == [int] * len(expected)


@given(st.integers(-60, 60), st.integers(-60, 60), st.integers(-9, 9).filter(bool))
def test_range_agrees_with_python(start, stop, step):
    library = Library()
    assert library.items(library.call("range", start, stop, step)) == list(range(start, stop, step))


def test_range_fails_if_the_element_after_the_last_overflows_and_uses_an_id_up(library):
    assert library.error("range", I64_MAX - 1, I64_MAX, 5) == "range value overflowed i64"
    assert library.error("range", I64_MIN + 1, I64_MIN, -5) == "range value overflowed i64"
    assert library.array().id == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, 5, 0), "range step argument must not be zero"),
        ((1.0, 5), "range start must be an integer"),
        ((1, None), "range stop must be an integer"),
        ((1, 5, "x"), "range step must be an integer"),
        ((U64(2**63), 5), "range start exceeds i64 range"),
        ((0, U64(2**63)), "range stop exceeds i64 range"),
        ((0, 1, U64(2**64 - 1)), "range step exceeds i64 range"),
        ((0, ENUMERABLE + 1), f"range is too long: {ENUMERABLE + 1} elements"),
        ((I64_MIN, I64_MAX), f"range is too long: {2**64 - 1} elements"),
    ],
)
def test_range_refuses_bad_arguments(library, arguments, text):
    assert library.error("range", *arguments) == text


def test_slices_of_the_specification(library):
    array = library.array(10, 20, 30)
    assert library.items(library.call("slice", array, I64_MAX, I64_MAX, -1)) == [30, 20, 10]
    assert library.items(library.call("slice", array, None, None)) == [10, 20, 30]
    assert library.items(library.call("slice", array, U64(2**64 - 1), None, -1)) == [30, 20, 10]
    assert library.items(library.call("slice", array, U64(2**64 - 1), None)) == []
    assert library.call("slice", "hé→x", -3, None, U8(2)) == "éx"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((5, "a", "b", "c"), "slice requires a list or string, found int64"),
        (("text", "a", "b", None), "slice step must be an integer, found nil"),
        (("text", "a", "b", 0), "slice step cannot be zero"),
        (("text", "a", "b"), "slice start must be an integer, found string"),
        (("text", 0, 1.0), "slice stop must be an integer, found float"),
        (("text", True, 1), "slice start must be an integer, found boolean"),
    ],
)
def test_slice_checks_container_step_start_and_stop_in_this_order(library, arguments, text):
    assert library.error("slice", *arguments) == text


BOUNDS = st.none() | st.integers(-50, 50) | st.sampled_from([I64_MIN, I64_MAX - 1, U64(2**64 - 1), I8(-3)])
STEPS = st.integers(-5, 5).filter(bool) | st.sampled_from([I64_MIN, I64_MAX, U64(2**64 - 1)])


@given(st.integers(0, 45), BOUNDS, BOUNDS, STEPS)
def test_slice_agrees_with_python(length, start, stop, step):
    library = Library()
    items = list(range(length))
    dense = library.array(*items)
    assert library.items(library.call("slice", dense, start, stop, step)) == items[start:stop:step]
    text = "".join(map(chr, range(97, 97 + length)))
    assert library.call("slice", text, start, stop, step) == text[start:stop:step]
    sparse = library.sparse(40 + length)
    expected = library.items(sparse)[start:stop:step]
    assert library.items(library.call("slice", sparse, start, stop, step)) == expected


def test_a_small_slice_of_a_huge_sparse_array_works(library):
    array = library.sparse(HUGE, "end")
    assert library.items(library.call("slice", array, -2, None)) == [None, "end"]
    assert library.items(library.call("slice", array, None, None, I64_MIN)) == ["end"]
    assert library.items(library.call("slice", array, 0, 0)) == []
    assert library.error("slice", array, None, None) == f"array is too long: {HUGE + 1} elements"


def test_what_enumerates_a_huge_sparse_array_fails_clearly(library):
    array, small = library.sparse(HUGE), library.array(1)
    text = f"Array length {HUGE + 1} is too large to enumerate"
    for name in ("copy", "reverse", "sort", "pop"):
        assert library.error(name, array) == text
    assert library.error("extend", small, array) == f"array is too long: {HUGE + 1} elements"
    assert library.error("array_concat", small, array) == f"array is too long: {HUGE + 2} elements"
    assert library.error("insert", array, 0, 1) == text
    assert library.error("count", array, 1) == text
    assert library.call("len", array) == HUGE + 1


def test_an_array_beyond_memory_is_refused(library):
    array = library.array(*range(1000))
    text = library.error("array_repeat", array, I64_MAX)
    assert text == f"array is too long: {1000 * I64_MAX} elements"
    assert library.items(library.call("array_repeat", library.array(), I64_MAX)) == []
