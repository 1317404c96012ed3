from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.errors import VMError
from stoffel.isa.scalars import INTEGER_KINDS, U8
from stoffel.model import tables
from stoffel.model.tables import ObjectStore
from stoffel.model.text import diagnostic, display, float_text
from stoffel.model.values import Closure, DanglingArray, DanglingObject, Foreign


@pytest.fixture
def store():
    return ObjectStore()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1e21, "1" + "0" * 21),
        (-1e-7, "-0.0000001"),
        (5e-324, "0." + "0" * 323 + "5"),
        (123456789.125, "123456789.125"),
        (float("nan"), "NaN"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (735842155640838.25, "735842155640838.3"),
        (-735842155640838.25, "-735842155640838.3"),
        (22229079929177.0625, "22229079929177.063"),
        (9007199254740993.0, "9007199254740992"),
        (1.7976931348623157e308, "17976931348623157" + "0" * 292),
    ],
)
def test_floats_are_positional_and_shortest(value, text):
    assert float_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_shorter_or_nearer_digits_read_back_as_the_float(value):
    text = float_text(value)
    assert float(text) == value
    assert "e" not in text
    digits = text.lstrip("-").replace(".", "").strip("0")
    assert len(digits) <= len(repr(value).split("e")[0].replace(".", "").strip("-0"))
    other = Fraction(repr(value))
    error, error_of_repr = abs(Fraction(text) - Fraction(value)), abs(other - Fraction(value))
    assert error <= error_of_repr
    # Where both are equally near, the larger is taken.
    assert error < error_of_repr or abs(Fraction(text)) >= abs(other)


def test_the_diagnostic_form_of_every_type(store):
    values = [cls(5) for cls in INTEGER_KINDS]
    assert [diagnostic(value) for value in values] == ["5", "5i32", "5i16", "5i8", "5u8", "5u16", "5u32", "5u64"]
    others = [1.0, True, False, 'a"\n', None, store.create_object(), store.create_array(), Foreign(3), Closure("f")]
    assert [diagnostic(value) for value in others] == [
        "1f64",
        "true",
        "false",
        '"a"\n"',
        "()",
        "Object(1)",
        "Array(2)",
        "Foreign(3)",
        "Function(f)",
    ]


def test_display_shows_strings_raw_at_every_level_and_other_scalars_as_diagnostic(store):
    array = store.create_array(["x", 1, U8(2), 1.5, None, True, Closure("f"), store.create_array(["y"])])
    assert display(array) == "[x, 1, 2u8, 1.5f64, (), true, Function(f), [y]]"
    assert (display("raw"), display(U8(1)), display(None)) == ("raw", "1u8", "()")


def test_three_levels_are_expanded(store):
    value = store.create_array([1, 2])
    for _ in range(3):
        value = store.create_array([value])
    assert display(value) == "[[[[...2 elements]]]]"
    table = store.create_object()
    for _ in range(3):
        outer = store.create_object()
        tables.set_field(outer, "k", table)
        table = outer
    assert display(table) == "{k: {k: {k: {...0 fields}}}}"


def test_sixteen_entries_are_shown(store):
    assert display(store.create_array(list(range(16)))) == f"[{', '.join(map(str, range(16)))}]"
    assert display(store.create_array(list(range(20)))) == f"[{', '.join(map(str, range(16)))}, ...(4 more)]"
    table = store.create_object()
    for number in range(18):
        tables.set_field(table, number, number)
    assert display(table) == "{" + ", ".join(f"{number}: {number}" for number in range(16)) + ", ...(2 more)}"


def test_a_cycle_is_shown_by_id_before_the_depth_counts(store):
    array = store.create_array([1])
    tables.push(array, [array])
    assert display(array) == "[1, Array(1) <cycle>]"
    table = store.create_object()
    nested = store.create_array([store.create_array([table])])
    tables.set_field(table, "self", nested)
    assert display(table) == "{self: [[Object(2) <cycle>]]}"


def test_a_table_met_twice_without_cycle_is_shown_twice(store):
    shared = store.create_array([1])
    assert display(store.create_array([shared, shared])) == "[[1], [1]]"


def test_table_keys_are_shown_collapsed(store):
    table = store.create_object()
    tables.set_field(table, store.create_array([1, 2]), "v")
    tables.set_field(table, 1.0, store.create_array())
    assert display(table) == "{[...2 elements]: v, 1f64: []}"


def test_gaps_show_as_unit_and_other_keys_of_arrays_are_not_shown(store):
    array = store.create_array()
    tables.store(array, "k", 1)
    assert display(array) == "[]"
    tables.store(array, 10**12, 1)
    assert display(array) == f"[{', '.join(['()'] * 16)}, ...({10**12 - 15} more)]"


@pytest.mark.parametrize(
    ("table", "text"),
    [(DanglingArray(9), "Array with ID 9 not found"), (DanglingObject(9), "Object with ID 9 not found")],
)
def test_a_dangling_table_cannot_be_displayed_at_any_level(store, table, text):
    for value in (table, store.create_array([store.create_array([table])])):
        with pytest.raises(VMError) as raised:
            display(value)
        assert str(raised.value) == text
    assert diagnostic(table).endswith("(9)") is True
