"""Plain Python functions as foreign functions: what each annotation takes, converts and refuses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, Union

import pytest

import stoffel
from stoffel import I8, I16, I32, U8, U16, U32, U64, Array, Closure, Foreign, ForeignContext, Object
from tests.machines import Make, failure, told


def taking(annotation: Any) -> tuple[Callable[..., None], list[Any]]:
    """Return a function of one annotated parameter and the list in which it puts what it gets."""
    seen: list[Any] = []

    def function(value, _more=None):  # type: ignore[no-untyped-def]
        seen.append(value)

    function.__annotations__ = {"value": annotation}
    return function, seen


INTEGERS = [(kind, kind(3)) for kind in (I8, I16, I32, U8, U16, U32, U64)]


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        (int, 5, 5),
        (int, U8(5), 5),
        (int, U64(1 << 63), 1 << 63),
        (float, 1.5, 1.5),
        (float, 2, 2.0),
        (bool, True, True),
        (str, "x", "x"),
        (None, None, None),
        (Any, "anything", "anything"),
        (object, 5, 5),
        (Optional[int], None, None),  # noqa: UP045 - the older spelling must work too
        (int | None, U8(7), 7),
        (Union[str, int], "s", "s"),  # noqa: UP007
        (bytes | None, None, None),
        (Foreign, Foreign(3), Foreign(3)),
        *[(kind, value, value) for kind, value in INTEGERS],
    ],
)
def test_an_argument_is_converted_to_what_the_annotation_says(
    machine: Make, annotation: Any, given: Any, expected: Any
) -> None:
    function, seen = taking(annotation)
    vm = machine()
    vm.register_foreign_function("f", function)
    vm.execute("f", given)
    assert (seen, [*map(type, seen)]) == ([expected], [type(expected)])


@pytest.mark.parametrize(
    ("annotation", "make", "expected"),
    [
        (list, lambda vm: vm.create_array([1, [2]]), [1, [2]]),
        (list[int], lambda vm: vm.create_array([1]), [1]),
        (dict, lambda vm: vm.create_object({"a": [1]}), {"a": [1]}),
        (dict[str, Any], lambda vm: vm.create_object({"a": {}}), {"a": {}}),
        (bytes, lambda vm: vm.create_bytes(b"ab"), b"ab"),
        (bytes | None, lambda vm: vm.create_bytes(b"ab"), b"ab"),
    ],
)
def test_tables_become_python_containers_where_the_annotation_names_one(
    machine: Make, annotation: Any, make: Callable[[Any], Any], expected: Any
) -> None:
    function, seen = taking(annotation)
    vm = machine()
    vm.register_foreign_function("f", function)
    vm.execute("f", make(vm))
    assert seen == [expected]


@pytest.mark.parametrize(
    ("annotation", "make"),
    [
        (Array, lambda vm: vm.create_array()),
        (Object, lambda vm: vm.create_object()),
        (Closure, lambda vm: Closure("f")),
    ],
)
def test_tables_and_closures_pass_as_they_are_where_the_annotation_is_their_class(
    machine: Make, annotation: Any, make: Callable[[Any], Any]
) -> None:
    function, seen = taking(annotation)
    vm = machine()
    vm.register_foreign_function("f", function)
    given = make(vm)
    vm.execute("f", given)
    assert seen[0] is given


@pytest.mark.parametrize(
    ("annotation", "given", "text"),
    [
        (int, 1.5, "must be an integer, found float"),
        (int, True, "must be an integer, found boolean"),
        (float, U8(1), "must be a float, found uint8"),
        (float, "1", "must be a float, found string"),
        (bool, 1, "must be a boolean, found int64"),
        (str, None, "must be a string, found nil"),
        (None, 0, "must be nil, found int64"),
        (list, "abc", "must be an array, found string"),
        (dict, 5, "must be an object, found int64"),
        (bytes, "abc", "must be a byte array, found string"),
        (Array, 5, "must be an array, found int64"),
        (Object, 5, "must be an object, found int64"),
        (Closure, 5, "must be a closure, found int64"),
        (Foreign, 5, "must be a foreign handle, found int64"),
        (U8, 5, "must be uint8, found int64"),
        (I32, U8(5), "must be int32, found uint8"),
        (int | None, "x", "must be int | None, found string"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_position_and_name(
    machine: Make, annotation: Any, given: Any, text: str
) -> None:
    function, seen = taking(annotation)
    vm = machine()
    vm.register_foreign_function("f", function)
    error = failure(vm.execute, "f", given)
    assert told(error) == ("ForeignFunction", f"Foreign function f failed: argument 1 (value) {text}")
    assert seen == []


def test_an_array_that_holds_no_bytes_is_refused_as_bytes(machine: Make) -> None:
    function, _ = taking(bytes)
    vm = machine()
    vm.register_foreign_function("f", function)
    text = "Foreign function f failed: argument 1 (value) must be a byte array: Expected U8 at index 1"
    assert str(failure(vm.execute, "f", vm.create_array([U8(1), 1]))) == text


def two(a: int, b: int = 10, *, unused: int = 0) -> int:
    return a * b


def many(first: str, *rest: int) -> str:
    return first * sum(rest)


def none() -> str:
    return "no arguments"


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (two, [3, 4], 12),
        (two, [3], 30),
        (many, ["a", 1, U8(2)], "aaa"),
        (many, ["a"], ""),
        (none, [], "no arguments"),
        (functools.partial(two, 7), [2], 14),
        (lambda *values: [*values], [1, "x"], [1, "x"]),
    ],
)
def test_defaults_rest_parameters_and_partials_work(
    machine: Make, function: Callable[..., Any], arguments: list[Any], expected: Any
) -> None:
    vm = machine()
    vm.register_foreign_function("f", function)
    assert vm.to_python(vm.execute_with_args("f", arguments)) == expected


@pytest.mark.parametrize(
    ("function", "arguments", "text"),
    [
        (two, [], "f expects 1 to 2 arguments but got 0"),
        (two, [1, 2, 3], "f expects 1 to 2 arguments but got 3"),
        (many, [], "f expects at least 1 arguments but got 0"),
        (none, [1], "f expects 0 arguments but got 1"),
        (lambda a, b: a, [1], "f expects 2 arguments but got 1"),
        (many, ["a", "b"], "argument 2 (rest) must be an integer, found string"),
    ],
)
def test_the_number_of_arguments_is_checked(
    machine: Make, function: Callable[..., Any], arguments: list[Any], text: str
) -> None:
    vm = machine()
    vm.register_foreign_function("f", function)
    error = failure(vm.execute_with_args, "f", arguments)
    assert told(error) == ("ForeignFunction", f"Foreign function f failed: {text}")


def contextual(context: ForeignContext) -> int:
    return len(context)


if TYPE_CHECKING:
    from nowhere import Unknown


def with_unknown(value: int, other: str = "") -> Unknown:
    return value


class Increment:
    def __call__(self, value: int) -> int:
        return value + 1


@pytest.mark.parametrize("function", [with_unknown, functools.partial(Increment()), Increment()])
def test_annotations_kept_as_text_are_understood_one_by_one(machine: Make, function: Callable[..., Any]) -> None:
    vm = machine()
    vm.register_foreign_function("f", function)
    text = "Foreign function f failed: argument 1 (value) must be an integer, found string"
    assert str(failure(vm.execute, "f", "x")) == text


class Method:
    def bare(self, context):  # type: ignore[no-untyped-def]
        return len(context)

    def typed(self, value: int) -> int:
        return value + 1

    def __call__(self, context):  # type: ignore[no-untyped-def]
        return len(context)


@pytest.mark.parametrize("function", [contextual, lambda context: len(context), Method().bare, Method()])
def test_one_bare_or_context_parameter_asks_for_the_context(machine: Make, function: Callable[..., Any]) -> None:
    vm = machine()
    vm.register_foreign_function("f", function)
    assert vm.execute("f", 1, 2, 3) == 3


def test_a_bound_method_is_checked_like_a_function(machine: Make) -> None:
    vm = machine()
    vm.register_foreign_function("f", Method().typed)
    assert vm.execute("f", 4) == 5


def test_exceptions_of_plain_functions_become_failures(machine: Make) -> None:
    def invert(value: float) -> float:
        return 1 / value

    vm = machine()
    vm.register_foreign_function("invert", invert)
    error = failure(vm.execute, "invert", 0.0)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert told(error) == ("ForeignFunction", f"Foreign function invert failed: {error.__cause__}")


def test_signatures_that_vm_code_cannot_satisfy_are_refused_at_registration(machine: Make) -> None:
    def keyword(*, needed: int) -> None: ...
    def odd(value: complex, other: int) -> None: ...
    def optional_odd(value: complex | None) -> None: ...

    vm = machine()
    for function, text in (
        (keyword, "foreign function f: VM code cannot pass the keyword-only parameter needed"),
        (odd, "foreign function f: parameter value is annotated <class 'complex'>, which no machine value converts to"),
        (optional_odd, "foreign function f: parameter value is annotated <class 'complex'>"),
    ):
        with pytest.raises(TypeError) as caught:
            vm.register_foreign_function("f", function)
        assert str(caught.value).startswith(text)
    assert not vm.has_function("f")


def test_values_of_annotated_functions_become_machine_values(machine: Make) -> None:
    def split(text: str) -> list[str]:
        return text.split()

    vm = machine("function main(text)\n PUSHARG r0\n CALL split\n RET r0\nend")
    vm.register_foreign_function("split", split)
    assert stoffel.display(vm.execute("main", "a b c")) == "[a, b, c]"
