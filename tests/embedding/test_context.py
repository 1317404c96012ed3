"""What a foreign function is given: accessors of its arguments with the machine's texts, and the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stoffel import I8, U64, ForeignContext, VirtualMachine, VMError


def called(function: Callable[[ForeignContext], Any], *arguments: Any, storage: Any = None) -> Any:
    """Return what *function* returns as foreign function ``f`` called with *arguments*."""
    machine = VirtualMachine(storage=storage)
    machine.register_foreign_function("f", function)
    return machine.execute_with_args("f", [*arguments])


@pytest.mark.parametrize(
    ("access", "argument", "value"),
    [
        (lambda context: context.string(0, "it"), "text", "text"),
        (lambda context: context.boolean(0, "it"), True, True),
        (lambda context: context.floating(0, "it"), 1.5, 1.5),
        (lambda context: context.integer(0, "it"), I8(-3), -3),
        (lambda context: context.unsigned(0, "it"), U64(2**63), None),
        (lambda context: context[0], 7, 7),
        (lambda context: len(list(context)) + len(context), None, 2),
        (lambda context: context.tail(1), 1, None),
    ],
)
def test_an_accessor_gives_the_argument(access: Callable[[ForeignContext], Any], argument: Any, value: Any) -> None:
    seen = []
    called(lambda context: seen.append(access(context)), argument)
    if value is not None:
        assert (seen[0], type(seen[0])) == (value, type(value))
    else:
        assert seen[0] in ((), 2**63)


@pytest.mark.parametrize(
    ("access", "argument", "message"),
    [
        (lambda context: context.string(0, "it"), 1, "it must be a string"),
        (lambda context: context.boolean(0, "it"), 1, "it must be a boolean"),
        (lambda context: context.floating(0, "it"), 1, "it must be a float"),
        (lambda context: context.integer(0, "it"), True, "it must be an integer"),
        (lambda context: context.integer(0, "it"), U64(2**63), "it exceeds i64 range"),
        (lambda context: context.unsigned(0, "it"), -1, "it must be a non-negative integer"),
        (lambda context: context.object(0, "it"), 1, "it must be an object"),
        (lambda context: context.array(0, "it"), 1, "it must be an array"),
        (lambda context: context.table(0), 1, "Expected object or array"),
        (lambda context: context.argument(1), 1, "f missing argument 1"),
        (lambda context: context.tail(2), 1, "f missing arguments starting at 2"),
        (lambda context: context.require_at_least(2, "two"), 1, "f expects two"),
        (lambda context: context.require_exactly(0, "none"), 1, "f expects none"),
        (lambda context: context.upvalue("u"), 1, "Upvalue 'u' not found"),
    ],
)
def test_a_wrong_argument_fails_with_the_machines_text(
    access: Callable[[ForeignContext], Any], argument: Any, message: str
) -> None:
    with pytest.raises(VMError) as caught:
        called(access, argument)
    assert str(caught.value) == f"Foreign function f failed: {message}"


def test_tables_and_host_objects_go_through_the_context() -> None:
    def use(context: ForeignContext) -> Any:
        table = context.create_object({"k": [1, 2]})
        handle = context.register_object({"host": 1})
        with context.locked_object(handle, dict) as item:
            item["more"] = context.to_python(table)
        found = context.foreign_object(handle, dict)
        return None if found is None else found["more"]["k"]

    machine = VirtualMachine()
    machine.register_foreign_function("f", use)
    assert machine.to_python(machine.execute_with_args("f", [0])) == [1, 2]


def test_local_storage_keeps_copies() -> None:
    def use(context: ForeignContext) -> Any:
        context.store_value("key", [1, "a"])
        found = context.to_python(context.load_value(b"key")), context.value_exists("key"), context.delete_value("key")
        return [found[0], found[1], found[2], context.value_exists("key")]

    machine = VirtualMachine(storage=":memory:")
    machine.register_foreign_function("f", use)
    assert machine.to_python(machine.execute_with_args("f", [0])) == [[1, "a"], True, True, False]
    machine.state.storage.close()
