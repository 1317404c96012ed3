"""The writer of code objects: every method does what it says on this Python, and nothing is written for others."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

import pytest

from stoffel.compiler.cpython import versions
from stoffel.compiler.cpython.verifier import check, decode
from stoffel.compiler.cpython.writer import Writer


def made(write: Callable[[Writer], None], *arguments: str, filename: str = "<f>") -> CodeType:
    """Return the code object that *write* writes, which the checker must accept."""
    writer = Writer("f", filename, list(arguments))
    write(writer)
    code = writer.finish()
    assert check(code) == []
    return code


def run(write: Callable[[Writer], None], arguments: dict[str, Any] | None = None, **names: Any) -> Any:
    """Return what the written function returns, called often enough for specialised instructions to take over."""
    given = arguments or {}
    function = FunctionType(made(write, *given), {"__builtins__": {}, **names})
    for _ in range(20):
        result = function(**given)
    return result


def expression(*steps: tuple[Any, ...]) -> Callable[[Writer], None]:
    """Return a writer of the given method calls, the last of which leaves the result."""

    def write(writer: Writer) -> None:
        for name, *operands in steps:
            getattr(writer, name)(*operands)
        writer.give_back()

    return write


# Values


def test_locals_are_stored_and_loaded() -> None:
    write = expression(("load", "a"), ("store", "b"), ("constant", 1), ("store", "a"), ("load", "b"))
    assert run(write, {"a": 7}) == 7


def test_a_popped_value_is_gone() -> None:
    assert run(expression(("load", "a"), ("constant", 1), ("pop",)), {"a": 7}) == 7


def test_globals_are_looked_up_when_the_code_runs() -> None:
    write = expression(("load_global", "shared"))
    function = FunctionType(made(write), {"__builtins__": {}, "shared": 1})
    assert function() == 1
    function.__globals__["shared"] = 2
    assert function() == 2


def test_attributes_are_read_and_set() -> None:
    item = SimpleNamespace(length=3)
    assert run(expression(("load", "item"), ("attribute", "length")), {"item": item}) == 3
    write = expression(("constant", 9), ("load", "item"), ("store_attribute", "length"), ("load", "item"))
    assert run(write, {"item": item}).length == 9


def test_items_are_read_and_set() -> None:
    items = [1, 2, 3]
    assert run(expression(("load", "items"), ("constant", -1), ("subscript",)), {"items": items}) == 3
    write = expression(("constant", 5), ("load", "items"), ("constant", 0), ("store_subscript",), ("load", "items"))
    assert run(write, {"items": items}) == [5, 2, 3]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_lists_and_tuples_have_their_values_in_order(count: int) -> None:
    values = [("constant", index) for index in range(count)]
    assert run(expression(*values, ("new_list", count))) == list(range(count))
    assert run(expression(*values, ("new_tuple", count))) == tuple(range(count))


# Operations


def test_a_complement_inverts_the_bits_of_an_int() -> None:
    assert run(expression(("load", "a"), ("complement",)), {"a": 5}) == ~5


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_is_negated(value: bool) -> None:
    assert run(expression(("load", "a"), ("negate_bool",)), {"a": value}) is (not value)


@pytest.mark.parametrize("inverted", [False, True])
def test_identity_is_not_equality(inverted: bool) -> None:
    def write(writer: Writer) -> None:
        writer.load("a")
        writer.load("b")
        writer.identical(inverted=inverted)
        writer.give_back()

    one: list[int] = []
    assert run(write, {"a": one, "b": one}) is (not inverted)
    assert run(write, {"a": one, "b": []}) is inverted


def test_an_item_is_in_a_container() -> None:
    write = expression(("load", "item"), ("load", "items"), ("contains",))
    assert run(write, {"item": 2, "items": {1, 2}}) is True
    assert run(write, {"item": 3, "items": {1, 2}}) is False


# Calls


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_global_function_is_called_with_its_arguments_in_order(count: int) -> None:
    values = [("constant", index) for index in range(count)]
    write = expression(("begin_call", "collect"), *values, ("end_call", count))
    assert run(write, collect=lambda *arguments: arguments) == tuple(range(count))


def test_a_method_is_called_on_its_object() -> None:
    write = expression(
        ("load", "text"), ("begin_method", "replace"), ("constant", "a"), ("constant", "b"), ("end_call", 2)
    )
    assert run(write, {"text": "banana"}) == "bbnbnb"


def test_a_callable_attribute_of_an_instance_is_called_without_it() -> None:
    item = SimpleNamespace(act=lambda *arguments: arguments)
    write = expression(("load", "item"), ("begin_method", "act"), ("constant", 1), ("end_call", 1))
    assert run(write, {"item": item}) == (1,)


# Control


@pytest.mark.parametrize(("method", "taken"), [("if_true", True), ("if_false", False)])
@pytest.mark.parametrize("value", [True, False])
def test_a_conditional_jump_is_taken_for_one_of_the_bools(method: str, taken: bool, value: bool) -> None:
    def write(writer: Writer) -> None:
        target = writer.label()
        writer.load("a")
        getattr(writer, method)(target)
        writer.constant("not taken")
        writer.give_back()
        writer.place(target)
        writer.constant("taken")
        writer.give_back()

    assert run(write, {"a": value}) == ("taken" if value is taken else "not taken")


def test_jumps_go_forwards_and_backwards() -> None:
    def write(writer: Writer) -> None:
        top, body, end = writer.label(), writer.label(), writer.label()
        writer.constant(0)
        writer.store("sum")
        writer.place(top)
        writer.load("n")
        writer.constant(0)
        writer.compare(">")
        writer.if_true(body)
        writer.jump(end)
        writer.place(body)
        writer.load("sum")
        writer.load("n")
        writer.binary("ADD")
        writer.store("sum")
        writer.load("n")
        writer.constant(1)
        writer.binary("SUB")
        writer.store("n")
        writer.jump_back(top)
        writer.place(end)
        writer.load("sum")
        writer.give_back()

    assert run(write, {"n": 100}) == 5050


def test_an_iterator_that_is_kept_in_a_local_gives_its_items_and_goes() -> None:
    def write(writer: Writer) -> None:
        top, end = writer.label(), writer.label()
        writer.begin_call("range")
        writer.load("n")
        writer.end_call(1)
        writer.get_iterator()
        writer.store("numbers")
        writer.constant(0)
        writer.store("sum")
        writer.place(top)
        writer.load("numbers")
        writer.next_or(end)
        writer.store("number")
        writer.drop_iterator()
        writer.load("sum")
        writer.load("number")
        writer.binary("ADD")
        writer.store("sum")
        writer.jump_back(top)
        writer.place_exhausted(end)
        assert writer.depth == 0
        writer.load("sum")
        writer.load("numbers")
        writer.new_tuple(2)
        writer.give_back()

    total, numbers = run(write, {"n": 100}, range=range)
    assert total == 4950
    assert list(numbers) == []


def test_code_that_nothing_reaches_is_not_written() -> None:
    writer = Writer("f", "<f>", ["a"])
    writer.load("a")
    writer.give_back()
    with pytest.raises(AssertionError, match="nothing reaches"):
        writer.load("a")


# Exceptions


def attempt(writer: Writer) -> None:
    """Read an item in one ``try``, and an attribute outside of it."""
    writer.begin_try()
    writer.load("a")
    writer.constant(0)
    writer.subscript()
    writer.store("b")
    writer.end_try()
    writer.load("b")
    writer.attribute("imag")
    writer.give_back()
    writer.finish_handler("note")


def test_only_exceptions_inside_a_try_reach_the_handler() -> None:
    seen: list[BaseException] = []
    function = FunctionType(made(attempt, "a"), {"__builtins__": {}, "note": seen.append})
    assert function([1]) == 0
    with pytest.raises(AttributeError):
        function([""])
    assert seen == []
    with pytest.raises(IndexError):
        function([])
    assert [type(error) for error in seen] == [IndexError]


def test_what_the_handler_raises_takes_the_place_of_the_exception() -> None:
    def note(error: BaseException) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        run(attempt, {"a": []}, note=note)
    assert isinstance(caught.value.__context__, IndexError)


def test_no_exception_is_being_handled_after_the_handler_has_run() -> None:
    function = FunctionType(made(attempt, "a"), {"__builtins__": {}, "note": lambda error: None})
    with pytest.raises(IndexError):
        function([])
    assert sys.exc_info() == (None, None, None)


def test_without_a_try_there_is_no_handler() -> None:
    def write(writer: Writer) -> None:
        writer.load("a")
        writer.give_back()
        writer.finish_handler("note")

    code = made(write, "a")
    assert code.co_exceptiontable == b""
    assert "note" not in code.co_names


def test_a_try_begins_with_an_empty_evaluation_stack() -> None:
    writer = Writer("f", "<f>", ["a"])
    writer.load("a")
    with pytest.raises(AssertionError, match="would lose"):
        writer.begin_try()


def test_tries_side_by_side_share_one_handler() -> None:
    def write(writer: Writer) -> None:
        for name in ("a", "b"):
            writer.begin_try()
            writer.load(name)
            writer.attribute("missing")
            writer.pop()
            writer.end_try()
        writer.load("a")
        writer.give_back()
        writer.finish_handler("note")

    seen: list[BaseException] = []
    full = SimpleNamespace(missing=1)
    function = FunctionType(made(write, "a", "b"), {"__builtins__": {}, "note": seen.append})
    for a, b in ((1, full), (full, 1)):
        with pytest.raises(AttributeError):
            function(a, b)
    assert [str(error) for error in seen] == ["'int' object has no attribute 'missing'"] * 2
    assert function(full, full) is full


# Locals: two in one instruction, and lent


def names_in(code: CodeType) -> list[str]:
    return [item.name for item in decode(code)]


def test_two_locals_are_loaded_and_stored_by_one_instruction_where_there_is_one() -> None:
    def write(writer: Writer) -> None:
        for name in ("a", "b"):
            writer.load(name)
        for name in ("c", "d"):
            writer.store(name)
        for name in ("c", "d"):
            writer.load(name)
        writer.binary("SUB")
        writer.give_back()

    assert run(write, {"a": 3, "b": 10}) == 7
    pairs = sum(name.count("_FAST") == 2 for name in names_in(made(write, "a", "b")))
    singles = sum(name.count("_FAST") == 1 for name in names_in(made(write, "a", "b")))
    assert (pairs, singles) == ((3, 0) if sys.version_info >= (3, 13) else (0, 6))


@pytest.mark.parametrize("between", ["label", "line", "position", "try", "none"])
def test_two_instructions_stay_apart_where_something_begins_at_the_second(between: str) -> None:
    def write(writer: Writer) -> None:
        label = writer.label()
        writer.load("a")
        writer.if_true(label)
        writer.load("b")
        writer.store("a")
        if between == "label":
            writer.place(label)
        elif between == "line":
            writer.line += 1
        elif between == "position":
            assert writer.position
        elif between == "try":
            writer.begin_try()
        writer.load("a")
        writer.attribute("real")
        if between == "try":
            writer.end_try()
        if between != "label":
            writer.give_back()
            writer.place(label)
            writer.load("b")
        writer.give_back()
        writer.finish_handler("note")

    apart = "STORE_FAST" in names_in(made(write, "a", "b"))
    assert apart is (between != "none" or sys.version_info < (3, 13))
    assert run(write, {"a": 0, "b": 5}, note=print) == 5


def test_locals_beyond_the_first_sixteen_are_loaded_one_by_one() -> None:
    names = [f"a{number}" for number in range(300)]

    def write(writer: Writer) -> None:
        for number in (14, 15, 16, 17, 298, 299):
            writer.load(names[number])
        writer.new_tuple(6)
        writer.give_back()

    assert run(write, dict(zip(names, range(300), strict=True))) == (14, 15, 16, 17, 298, 299)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="every value that is loaded owns a reference")
def test_a_local_lends_its_value_only_where_nothing_can_change_it_meanwhile() -> None:
    def lent(*steps: tuple[Any, ...]) -> list[str]:
        return [name for name in names_in(made(expression(*steps), "a", "b")) if "LOAD_FAST" in name]

    both = "LOAD_FAST_BORROW_LOAD_FAST_BORROW"
    assert lent(("load", "a"), ("load", "b"), ("binary", "ADD")) == [both]
    assert lent(("load", "a"), ("constant", 1), ("compare", "<")) == ["LOAD_FAST_BORROW"]
    assert lent(("load", "a"), ("load", "b"), ("attribute", "x"), ("binary", "ADD")) == ["LOAD_FAST_LOAD_FAST"]
    stored = lent(("load", "a"), ("constant", 1), ("store", "a"), ("load", "a"), ("binary", "ADD"))
    assert stored == ["LOAD_FAST", "STORE_FAST_LOAD_FAST"]
    assert lent(("load", "a"), ("duplicate",), ("binary", "ADD")) == ["LOAD_FAST"]
    assert lent(("load", "a"), ("begin_method", "f"), ("load", "b"), ("end_call", 1)) == [
        "LOAD_FAST",
        "LOAD_FAST_BORROW",
    ]


# The code object as a whole


def test_name_file_and_arguments_are_those_that_were_given() -> None:
    code = made(expression(("load", "b")), "a", "b", filename="<listing>")
    assert (code.co_name, code.co_filename, code.co_argcount) == ("f", "<listing>", 2)
    assert code.co_varnames[:2] == ("a", "b")


def test_equal_code_in_different_files_is_told_apart() -> None:
    write = expression(("constant", 1))
    one, other = made(write, filename="<one>"), made(write, filename="<other>")
    assert one.co_code == other.co_code
    assert one != other
    assert one in {one: 1}
    assert other not in {one: 1}


def test_a_traceback_has_the_line_of_the_instruction() -> None:
    def write(writer: Writer) -> None:
        writer.line = 4
        writer.load("a")
        writer.line = 7
        writer.attribute("missing")
        writer.line = 9
        writer.give_back()

    with pytest.raises(AttributeError) as caught:
        FunctionType(made(write, "a"), {"__builtins__": {}})(1)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].lineno == 7


# Versions


def test_this_python_is_known_if_it_is_cpython_of_a_known_version() -> None:
    assert sys.version_info[:2] in versions.KNOWN_VERSIONS
    assert versions.why_not() is None


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 16, 0), (4, 0, 0)])
def test_on_another_version_nothing_is_written(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    monkeypatch.setattr(versions, "sys", SimpleNamespace(implementation=sys.implementation, version_info=version))
    known = "3.11, 3.12, 3.13, 3.14, 3.15"
    reason = f"the translator knows the bytecode of CPython {known}, and this is {version[0]}.{version[1]}"
    assert versions.why_not() == reason
    with pytest.raises(RuntimeError, match=reason):
        Writer("f", "<f>", [])


def test_on_another_implementation_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        versions,
        "sys",
        SimpleNamespace(implementation=SimpleNamespace(name="pypy"), version_info=sys.version_info),
    )
    assert versions.why_not() == "the translator writes CPython bytecode, and this is pypy"
    assert not versions.is_cpython()
    with pytest.raises(RuntimeError, match="this is pypy"):
        Writer("f", "<f>", [])


def test_where_threads_run_at_the_same_time_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version", "3.14.0 free-threading build (main, Oct  7 2025, 00:00:00) [GCC 15]")
    assert str(versions.why_not()).endswith("this CPython is built without the global lock")
    assert versions.is_cpython()
    with pytest.raises(RuntimeError, match="without the global lock"):
        Writer("f", "<f>", [])
