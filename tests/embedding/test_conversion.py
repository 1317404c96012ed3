"""Between Python containers and tables."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stoffel
from stoffel import I8, I64, U8, U64, ErrorKind, VirtualMachine, VMError
from stoffel.embedding import conversion
from stoffel.model.tables import dangling
from tests.machines import failure, told

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers(0, 255).map(U8)
    | st.integers(-128, 127).map(I8)
)
# Keys of one type: Python itself would merge 1, 1.0 and True.
PYTHON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(st.sampled_from("abc")), inner, max_size=5),
    max_leaves=20,
)


def exactly(value: Any) -> Any:
    """Return a form of *value* that compares equal only if the types are the same everywhere."""
    if isinstance(value, list):
        return [*map(exactly, value)]
    if isinstance(value, dict):
        return [(exactly(key), exactly(item)) for key, item in value.items()]
    return type(value), math.copysign(1, value) if value == 0 and type(value) is float else value


@given(PYTHON)
def test_what_goes_in_comes_out(value: Any) -> None:
    vm = VirtualMachine(builtins=False)
    array = vm.create_array([value])
    assert exactly(vm.to_python(array)) == [exactly(value)]


def test_containers_are_numbered_parent_before_child() -> None:
    vm = VirtualMachine()
    outer = vm.create_array([[1], {"a": (2,)}, b"x"])
    first, second, third = vm.elements(outer)
    assert [outer.id, first.id, second.id, vm.get(second, "a").id, third.id] == [1, 2, 3, 4, 5]


def test_a_python_list_is_copied_a_table_is_shared() -> None:
    vm = VirtualMachine()
    values = [1]
    table = vm.create_object()
    array = vm.create_array([values, table])
    values.append(2)
    assert vm.to_python(array) == [[1], {}]
    assert vm.elements(array)[1] is table


def test_keys_that_python_confuses_stay_apart_in_the_machine() -> None:
    vm = VirtualMachine()
    table = vm.create_object()
    keys = [1, 1.0, True, U8(1), U64(1), "1"]
    for number, key in enumerate(keys):
        vm.set(table, key, number)
    assert [vm.get(table, key) for key in keys] == [0, 1, 2, 3, 4, 5]
    error = failure(vm.to_python, table)
    assert told(error) == ("Message", "the object has keys that are equal to Python, such as 1 and 1.0")


def test_gaps_are_none_and_other_keys_of_arrays_are_left_out() -> None:
    vm = VirtualMachine()
    array = vm.create_array([1])
    vm.set(array, 40, 2)
    vm.set(array, "k", 3)
    assert vm.to_python(array) == [1, *[None] * 39, 2]
    assert vm.entries(array) == [(0, 1), (40, 2), ("k", 3)]
    assert vm.entries(array, 2) == [(0, 1), (40, 2)]


def test_nesting_is_not_limited() -> None:
    vm = VirtualMachine()
    nested: list[Any] = []
    for _ in range(50_000):
        nested = [nested]
    back = vm.to_python(vm.create_array(nested))
    depth = 0
    while back:
        (back,) = back
        depth += 1
    assert depth == 50_000


def test_cycles_stay_cycles() -> None:
    vm = VirtualMachine()
    table, array = vm.create_object(), vm.create_array()
    vm.set(table, "all", array)
    vm.push(array, table, array)
    back = vm.to_python(table)
    assert back["all"][0] is back
    assert back["all"][1] is back["all"]
    again = vm.create_object(back)
    inner = vm.get(again, "all")
    assert vm.elements(inner) == [again, inner]
    own: list[Any] = [1]
    own.append(own)
    cyclic = vm.create_array(own)
    assert vm.elements(cyclic) == [1, cyclic]


def test_what_is_shared_stays_shared() -> None:
    vm = VirtualMachine()
    nested: Any = [7]
    table: Any = vm.create_array([7])
    for _ in range(60):
        nested, table = [nested, nested], vm.create_array([table, table])
    for back in (vm.to_python(table), vm.to_python(vm.create_array(nested))):
        assert back[0] is back[1]
    first, second, third = vm.elements(vm.create_array([nested, b"a", b"a"]))
    assert vm.elements(first)[0] is vm.elements(first)[1]
    assert second is not third


@pytest.mark.parametrize(("data", "expected"), [(b"", b""), (b"\x00\xff", b"\x00\xff"), (bytearray(b"ab"), b"ab")])
def test_bytes_become_byte_arrays_and_come_back(data: bytes, expected: bytes) -> None:
    vm = VirtualMachine()
    array = vm.elements(vm.create_array([data]))[0]
    assert vm.read_bytes(array) == expected
    assert vm.read_bytes(vm.create_bytes(expected)) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "Expected byte array"), ("text", "Expected byte array"), ([U8(1), 2], "Expected U8 at index 1")],
)
def test_what_is_no_byte_array_is_not_read_as_one(value: Any, text: str) -> None:
    vm = VirtualMachine()
    table = vm.create_array(value) if isinstance(value, list) else value
    assert told(failure(vm.read_bytes, table)) == ("Mpc", text)


def test_a_dangling_handle_is_found_out() -> None:
    vm = VirtualMachine()
    array, table = dangling(vm.create_array()), dangling(vm.create_object())
    for use in (vm.to_python, vm.length, vm.entries):
        assert told(failure(use, array)) == ("TableMemory", "Array with ID 1 not found")
        assert told(failure(use, table)) == ("TableMemory", "Object with ID 2 not found")
    assert told(failure(vm.elements, array)) == ("TableMemory", "Array with ID 1 not found")
    assert told(failure(vm.push, array, 1)) == ("TableMemory", "Array with ID 1 not found")
    assert told(failure(vm.set, table, 1, 1)) == ("TableMemory", "Object with ID 2 not found")


def test_a_value_that_is_no_machine_value_is_named_by_what_it_was_for() -> None:
    vm = VirtualMachine()
    for call, text in (
        (lambda: vm.create_array([{1}]), "element: a Python set is not a machine value"),
        (lambda: vm.create_object({"a": 1j}), "field: a Python complex is not a machine value"),
        (lambda: conversion.to_value(vm.state, 1 << 64, "it"), "it: 18446744073709551616 does not fit int64"),
    ):
        error = failure(call)
        assert (error.kind, str(error).startswith(text)) == (ErrorKind.MESSAGE, True)


def test_i64_is_pythons_int() -> None:
    assert I64 is int
    assert stoffel.diagnostic(I64(5)) == "5"


def test_huge_arrays_cannot_be_enumerated() -> None:
    vm = VirtualMachine()
    array = vm.create_array()
    vm.set(array, 10**12, 1)
    assert vm.length(array) == 10**12 + 1
    assert told(failure(vm.to_python, array)) == (
        "TableMemory",
        "Array length 1000000000001 is too large to enumerate",
    )
    with pytest.raises(VMError, match="Array length 9223372036854775808 exceeds VM integer range"):
        vm.set(array, 2**63 - 1, 1)
