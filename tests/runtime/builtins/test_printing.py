import pytest

from stoffel.errors import VMError
from stoffel.isa.scalars import U8
from stoffel.model.values import Closure, DanglingArray, Foreign


def test_print_joins_display_forms_with_one_space(library):
    assert library.call("print", "answer", 42, U8(1), None, 1.0, library.array("x", 1)) is None
    library.call("print")
    assert library.lines == ["answer 42 1u8 () 1f64 [x, 1]", ""]


def test_print_passes_on_what_the_sink_says(library):
    def full(line):
        raise VMError("VM output write failed: disk full")

    library.write_line = full
    assert library.error("print", 1) == "VM output write failed: disk full"


def test_print_writes_nothing_if_a_value_cannot_be_shown(library):
    assert library.error("print", 1, DanglingArray(4)) == "Array with ID 4 not found"
    assert library.lines == []


def test_to_string_gives_the_display_form(library):
    values = [1.0, U8(5), None, float("nan"), library.array("x", 1), "raw"]
    assert [library.call("to_string", value) for value in values] == ["1f64", "5u8", "()", "NaNf64", "[x, 1]", "raw"]
    assert library.error("to_string") == "to_string expects 1 argument"
    assert library.error("to_string", 1, 2) == "to_string expects 1 argument"


def test_type_names_every_type(library):
    values = [1, U8(1), 1.0, True, "x", library.object(), library.array(), library.sparse(40), Foreign(1)]
    names = [library.call("type", value) for value in [*values, Closure("f"), None]]
    assert names == [
        "int64", "uint8", "float", "boolean", "string", "object", "array", "array", "cffi_function", "function", "nil",
    ]  # fmt: skip
    assert library.error("type") == "type expects 1 argument"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((False,), "assertion failed"),
        ((False, "boom"), "boom"),
        ((False, ""), ""),
        ((False, 1), "assertion failed"),
        ((1,), "assert condition must be a bool, found int64"),
        ((None, "boom"), "assert condition must be a bool, found nil"),
        ((), "assert expects 1 or 2 arguments: condition and optional message"),
    ],
)
def test_a_failed_assertion_gives_its_message(library, arguments, text):
    assert library.error("assert", *arguments) == text


def test_a_true_assertion_is_unit_and_extra_arguments_are_ignored(library):
    assert library.call("assert", True, "message", 3, 4) is None
