import pytest

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import I8, I64_MAX, U8, U64
from stoffel.model.values import Closure, DanglingArray, DanglingObject, Foreign, new_object
from stoffel.runtime.events import ArrayElementRead, ArrayElementWrite, ObjectFieldRead, ObjectFieldWrite


def test_tables_are_numbered_by_one_counter_from_one(library):
    tables = [library.call("create_object"), library.call("create_array"), library.call("create_object", 1, 2)]
    assert [repr(table) for table in tables] == ["Object(1)", "Array(2)", "Object(3)"]


@pytest.mark.parametrize("capacity", [0, 5, U8(3), U64(2**64 - 1)])
def test_a_capacity_hint_has_no_effect(library, capacity):
    assert library.items(library.call("create_array", capacity)) == []


@pytest.mark.parametrize("capacity", [-1, I8(-1), 1.0, "1", True, None])
def test_a_bad_capacity_is_an_error_of_kind_value(library, capacity):
    with pytest.raises(VMError) as raised:
        library.call("create_array", capacity)
    assert str(raised.value) == "array capacity must be a non-negative integer"
    assert raised.value.kind == ErrorKind.VALUE


@pytest.mark.parametrize(
    ("key", "expected"),
    [(0, 10), (2, 30), (-1, 30), (-3, 10), (I8(-1), 30), (1.0, None), ("k", None), (None, None), (True, None)],
)
def test_get_field_of_an_array_counts_negative_integers_from_the_end(library, key, expected):
    assert library.call("get_field", library.array(10, 20, 30), key) == expected


@pytest.mark.parametrize(
    ("key", "shown"), [(3, 3), (-4, -4), (U8(1), 1), (I8(-4), -4), (I64_MAX, I64_MAX), (-(2**63), -(2**63))]
)
def test_get_field_of_an_array_reports_integers_without_element(library, key, shown):
    text = library.error("get_field", library.array(10, 20, 30), key)
    assert text == f"array index {shown} out of range (length 3)"


def test_an_absent_gap_is_an_error_that_names_the_normalised_index(library):
    array = library.sparse(33)
    assert library.error("get_field", array, -3) == "array index 31 out of range (length 34)"


def test_a_later_dense_write_fills_the_gap_with_unit(library):
    array = library.sparse(40)
    library.call("set_field", array, 10, "x")
    assert library.call("len", array) == 41
    assert library.call("get_field", array, 5) is None
    assert library.error("get_field", array, 20) == "array index 20 out of range (length 41)"


def test_other_integer_widths_are_other_keys(library):
    array = library.array()
    library.call("set_field", array, 3, "end")
    library.call("set_field", array, U8(0), 77)
    assert library.call("get_field", array, 0) is None
    assert library.call("get_field", array, U8(0)) == 77
    assert library.call("len", array) == 4


@pytest.mark.parametrize(("key", "expected"), [(1, "c"), (-1, "e"), (U8(0), "s")])
def test_get_field_of_a_string_is_one_character(library, key, expected):
    assert library.call("get_field", "score", key) == expected


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (99, "string index 99 out of range (length 5)"),
        (-6, "string index -6 out of range (length 5)"),
        (U64(2**64 - 1), "string index 18446744073709551615 out of range (length 5)"),
        (1.0, "string index must be an integer, found float"),
        (True, "string index must be an integer, found boolean"),
    ],
)
def test_get_field_of_a_string_refuses_bad_keys(library, key, text):
    assert library.error("get_field", "score", key) == text


@pytest.mark.parametrize("target", [5, None, True, 1.5, U8(1), Closure("f"), Foreign(1)])
def test_get_field_of_anything_else_is_unit_without_event(library, target):
    library.watches_tables = True
    assert library.call("get_field", target, 0) is None
    assert library.events == []


def test_object_keys_of_different_types_are_different_keys(library):
    table = library.call("create_object")
    nan = float("nan")
    keys = [1, U8(1), 1.0, True, "1", 0.0, -0.0, nan, -nan, None]
    for number, key in enumerate(keys):
        library.call("set_field", table, key, number)
    assert len(table.fields) == 8
    assert [library.call("get_field", table, key) for key in keys] == [0, 1, 2, 3, 4, 6, 6, 8, 8, 9]


def test_an_absent_field_is_unit_and_a_negative_key_of_an_object_is_just_a_key(library):
    table = library.object(x=1)
    library.call("set_field", table, -1, "minus")
    assert library.call("get_field", table, -1) == "minus"
    assert library.call("get_field", table, "y") is None


@pytest.mark.parametrize("name", ["get_field", "set_field", "get_or_create_array_field", "len", "append", "sort"])
def test_a_dangling_array_is_not_found(library, name):
    arguments = {"set_field": (0, 1), "get_or_create_array_field": (0,), "get_field": (0,), "append": (1,)}
    text = library.error(name, DanglingArray(999), *arguments.get(name, ()))
    assert text == "Array with ID 999 not found"


@pytest.mark.parametrize("name", ["get_field", "set_field", "get_or_create_array_field", "contains"])
def test_a_dangling_object_is_not_found(library, name):
    arguments = ("k", 1) if name == "set_field" else ("k",)
    assert library.error(name, DanglingObject(7), *arguments) == "Object with ID 7 not found"


@pytest.mark.parametrize("target", [1, "text", None, Closure("f")])
def test_set_field_needs_a_table(library, target):
    assert library.error("set_field", target, 0, 1) == "Expected object or array"
    assert library.error("get_or_create_array_field", target, 0) == "Expected object or array"


def test_set_field_below_minus_the_length_is_out_of_range(library):
    assert library.error("set_field", library.array(1), -2, 0) == "array index -2 out of range (length 1)"


def test_a_length_beyond_the_integer_range_is_refused_and_changes_nothing(library):
    array = library.array()
    text = library.error("set_field", array, I64_MAX, 1)
    assert text == "Array length 9223372036854775808 exceeds VM integer range"
    assert library.call("len", array) == 0
    library.call("set_field", array, I64_MAX - 1, 1)
    assert library.call("len", array) == I64_MAX


def test_set_field_writes_in_place_appends_and_ignores_extra_arguments(library):
    array = library.array(1, 2)
    library.call("set_field", array, 0, "a", "ignored")
    library.call("set_field", array, -1, "b")
    library.call("set_field", array, 2, "c")
    library.call("set_field", array, 5, "f")
    assert library.items(array) == ["a", "b", "c", None, None, "f"]


def test_table_events_carry_the_normalised_key_and_the_old_value(library):
    library.watches_tables = True
    array, table = library.array(9), library.object()
    library.call("get_field", array, -1)
    library.call("set_field", array, -1, 8)
    library.call("set_field", array, 1, 7)
    library.call("get_field", table, "k")
    library.call("set_field", table, "k", 1)
    library.call("set_field", table, "k", 2)
    assert library.events == [
        ArrayElementRead(array, 0, 9),
        ArrayElementWrite(array, 0, 9, 8),
        ArrayElementWrite(array, 1, None, 7),
        ObjectFieldRead(table, "k", None),
        ObjectFieldWrite(table, "k", None, 1),
        ObjectFieldWrite(table, "k", 1, 2),
    ]


def test_a_failed_read_fires_no_event(library):
    library.watches_tables = True
    library.error("get_field", library.array(), 0)
    library.call("get_field", "text", 0)
    assert library.events == []


def test_a_failing_write_hook_leaves_the_write(library):
    def fail(event):
        raise VMError("nope", ErrorKind.HOOK)

    array = library.array()
    library.watches_tables, library.fire = True, fail
    assert library.error("set_field", array, 0, 1) == "nope"
    assert library.items(array) == [1]


def test_get_or_create_array_field_creates_where_nothing_or_unit_is_stored(library):
    table = library.object(unit=None)
    created = library.call("get_or_create_array_field", table, "new")
    assert library.call("get_or_create_array_field", table, "new") is created
    assert library.items(library.call("get_or_create_array_field", table, "unit")) == []
    array = library.array(None)
    inner = library.call("get_or_create_array_field", array, -1)
    assert library.items(array) == [inner]
    assert library.call("get_or_create_array_field", array, 3) is library.items(array)[3]


def test_get_or_create_array_field_returns_objects_and_refuses_other_values(library):
    inner = library.object()
    assert library.call("get_or_create_array_field", library.array(inner), 0) is inner
    text = library.error("get_or_create_array_field", library.array(0), 0)
    assert text == "Cannot autovivify nested list through a non-list value"
    assert library.error("get_or_create_array_field", library.array(0), -2) == "array index -2 out of range (length 1)"


@pytest.mark.parametrize("name", ["len", "array_length"])
def test_length_counts_elements_and_unicode_scalar_values(library, name):
    assert library.call(name, library.array(1, 2)) == 2
    assert library.call(name, library.sparse(10**12)) == 10**12 + 1
    assert library.call(name, "hé→\U0001f600") == 4
    assert library.error(name, library.object()) == "First argument must be an array or string"
    assert library.error(name) == f"{name} expects 1 argument: array"
    assert library.error(name, "a", "b") == f"{name} expects 1 argument: array"


def test_array_push_returns_the_length_and_append_unit(library):
    array = library.array()
    assert library.call("array_push", array, 1) == 1
    assert library.call("array_push", array, 2, 3) == 3
    assert library.call("append", array, array) is None
    assert library.call("append", array, 4, 5) is None
    assert library.items(array) == [1, 2, 3, array, 4, 5]
    assert library.call("array_push", library.sparse(40), "x") == 42


@pytest.mark.parametrize("name", ["append", "array_push"])
def test_append_needs_an_array_and_a_value(library, name):
    assert library.error(name, library.array()) == f"{name} expects at least 2 arguments: array and value"
    assert library.error(name, "a", 1) == "First argument must be an array"
    assert library.error(name, new_object(1), 1, 2) == "First argument must be an array"


def test_too_few_arguments_are_reported(library):
    assert library.error("get_field", 1) == "get_field expects at least 2 arguments: object and key"
    assert library.error("set_field", 1, 2) == "set_field expects 3 arguments: object, key, and value"
    text = "get_or_create_array_field expects at least 2 arguments: object and key"
    assert library.error("get_or_create_array_field", 1) == text
