"""Type descriptors and their text form."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given

from stoffel.isa import types
from stoffel.isa.types import (
    BOOL,
    FLOAT,
    MAX_TYPE_DEPTH,
    NIL,
    STRING,
    TYPE_ROWS,
    UNKNOWN,
    VOID,
    Type,
    TypeSyntaxError,
    dict_of,
    fixed,
    generic,
    integer,
    list_of,
    object_type,
    parse_type,
    scan_type,
    secret,
    variable,
)
from tests.strategies import type_descriptors

SHOWN = [
    (integer(64), "int64"),
    (integer(8, signed=False), "uint8"),
    (integer(255), "int255"),
    (FLOAT, "float"),
    (STRING, "string"),
    (BOOL, "bool"),
    (NIL, "None"),
    (VOID, "void"),
    (secret(integer(64)), "secret int64"),
    (secret(secret(FLOAT)), "secret secret float"),
    (list_of(secret(BOOL)), "list[secret bool]"),
    (dict_of(STRING, list_of(FLOAT)), "dict[string, list[float]]"),
    (object_type("Point"), "Point"),
    (object_type("geo.Point"), "geo.Point"),
    (generic("Box", UNKNOWN, STRING), "Box[<unknown>, string]"),
    (generic("Box"), "Box[]"),
    (variable("T"), "$T"),
    (UNKNOWN, "<unknown>"),
    (fixed(64), "fix64"),
    (fixed(32), "fix32"),
    (object_type("int64"), '"int64"'),
    (object_type("int0"), '"int0"'),
    (object_type("list"), '"list"'),
    (generic("dict", FLOAT), '"dict"[float]'),
    (object_type("secret"), '"secret"'),
    (object_type("<unknown>"), '"<unknown>"'),
    (object_type("$T"), '"$T"'),
    (object_type(""), '""'),
    (object_type("a b]"), '"a b]"'),
    (object_type('say "x"\\'), '"say \\"x\\"\\\\"'),
    (object_type("line\nend\0"), '"line\\nend\\0"'),
    (object_type("\u200b"), '"\\u{200b}"'),
    (variable("fix64"), '$"fix64"'),
]


@pytest.mark.parametrize(("kind", "text"), SHOWN, ids=[text for _, text in SHOWN])
def test_a_type_is_shown_and_read_back(kind: Type, text: str) -> None:
    assert str(kind) == text
    assert parse_type(text) == kind


@given(type_descriptors(max_leaves=20))
def test_the_text_form_of_any_type_reads_back_as_the_same_type(kind: Type) -> None:
    assert parse_type(str(kind)) == kind


def test_the_examples_show_every_row_of_the_table() -> None:
    assert {kind.row.tag for kind, _ in SHOWN} == {row.tag for row in TYPE_ROWS}
    assert [row.tag for row in TYPE_ROWS] == list(range(len(TYPE_ROWS)))


def test_spaces_around_the_parts_of_a_type_do_not_matter() -> None:
    assert parse_type(" dict[ string ,list[ float ] ] ") == dict_of(STRING, list_of(FLOAT))


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("", "expected a type, found the end", 0),
        ("list", "expected '[' after list, found the end", 4),
        ("list[]", "list takes 1 inner type, not 0", 0),
        ("dict[int8]", "dict takes 2 inner types, not 1", 0),
        ("list[int8", "expected ',' or ']' after an inner type, found the end", 9),
        ("int8 x", "expected the end of the type, found 'x'", 5),
        ("int0", "int0: the bit width must be 1 to 255, without leading zeros", 0),
        ("int064", "int064: the bit width must be 1 to 255, without leading zeros", 0),
        ("uint256", "uint256: the bit width must be 1 to 255, without leading zeros", 0),
        ("fix99999999999", "fix99999999999: the bit width must be 1 to 255, without leading zeros", 0),
        ("?", "expected a type, found '?'", 0),
        ("$", "expected a type, found the end", 1),
        ('"abc', "the quoted name does not end", 0),
        ('"\\q"', 'unknown escape; \\" \\\\ \\n \\r \\t \\0 and \\u{hex} exist', 1),
        ('"\\u{}"', 'unknown escape; \\" \\\\ \\n \\r \\t \\0 and \\u{hex} exist', 1),
        ('"\\u{110000}"', "\\u{110000} is not a character", 1),
        ("secret " * 300 + "int8", f"function type nesting exceeds maximum supported depth {MAX_TYPE_DEPTH}", 1400),
        ("list[" * 100_000, f"function type nesting exceeds maximum supported depth {MAX_TYPE_DEPTH}", 1000),
    ],
)
def test_what_is_not_a_type_is_refused_with_its_position(text: str, message: str, position: int) -> None:
    with pytest.raises(TypeSyntaxError) as caught:
        parse_type(text)
    assert (str(caught.value), caught.value.position) == (message, position)


def test_a_type_inside_a_longer_text_ends_where_it_ends() -> None:
    text = "fn f(a: dict[int8, $T], b)"
    found, end = scan_type(text, 8)
    assert (found, text[end:]) == (dict_of(integer(8), variable("T")), ", b)")


def test_an_object_type_and_a_type_variable_of_one_name_differ() -> None:
    assert object_type("T") != variable("T")
    assert len({object_type("T"), variable("T"), generic("T"), object_type("T")}) == 3


def test_a_signed_flag_is_part_of_the_type_but_a_64_bit_fixed_point_has_one_form() -> None:
    assert integer(8) != integer(8, signed=False)
    assert fixed(64).row.tag == 13
    assert (fixed(64).kind, fixed(64).width, fixed(32).kind, fixed(32).width) == ("fixed", 64, "fixed", 32)


def test_properties_give_the_fields_and_none_where_there_is_no_such_field() -> None:
    kind = generic("Box", FLOAT, integer(8, signed=False))
    assert (kind.kind, kind.name, kind.arguments, kind.width, kind.signed) == (
        "generic",
        "Box",
        (FLOAT, integer(8, signed=False)),
        None,
        None,
    )
    assert (kind.arguments[1].width, kind.arguments[1].signed, kind.arguments[1].arguments) == (8, False, ())


def test_nesting_up_to_the_limit_is_fine_and_beyond_it_an_error() -> None:
    kind = FLOAT
    for _ in range(MAX_TYPE_DEPTH - 1):
        kind = secret(kind)
    assert kind.depth == MAX_TYPE_DEPTH
    assert parse_type(str(kind)) == kind
    with pytest.raises(ValueError, match="nesting exceeds maximum supported depth 200"):
        list_of(kind)


@pytest.mark.parametrize("width", [0, 256, -1, 8.0, True])
def test_a_bit_width_out_of_range_is_refused(width: int) -> None:
    with pytest.raises(ValueError, match="bit width must be an int from 1 to 255"):
        integer(width)


def test_fields_of_the_wrong_python_type_are_refused() -> None:
    with pytest.raises(TypeError, match="is not a Type"):
        list_of("int8")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a str"):
        object_type(3)  # type: ignore[arg-type]


def test_types_are_immutable_and_can_be_pickled() -> None:
    kind = dict_of(STRING, generic("Box", variable("T")))
    with pytest.raises(AttributeError, match="immutable"):
        kind.values = ()
    assert pickle.loads(pickle.dumps(kind)) == kind
    assert pickle.loads(pickle.dumps(UNKNOWN)) == types.UNKNOWN
