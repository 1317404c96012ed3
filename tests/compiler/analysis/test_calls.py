"""What inference takes for granted about builtins holds for whatever they are called with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

import stoffel
from stoffel import Closure, VirtualMachine, VMError
from stoffel.compiler.analysis.calls import EXPANSIONS
from stoffel.compiler.analysis.facts import ANY, KIND_RANGES, kind_of, of_result
from stoffel.isa.scalars import U8
from stoffel.model.builtins.declaration import Builtin
from stoffel.model.builtins.table import BY_NAME
from stoffel.model.foreign import ForeignFunction
from stoffel.runtime.state import VMState
from tests.compiler.generators import Case
from tests.compiler.oracle import COMPILED, compare
from tests.runtime.builtins import example

MAKERS: tuple[Callable[[VirtualMachine], Any], ...] = (
    lambda machine: machine.create_array(),
    lambda machine: machine.create_array([3, 1, 2]),
    lambda machine: machine.create_array(["b", "a"]),
    lambda machine: machine.create_object({"a": 1}),
    lambda machine: machine.create_object({"f": machine.create_object()}),
    lambda machine: Closure("f", ()),
    lambda machine: "",
    lambda machine: "abc",
    lambda machine: "f",
    lambda machine: 0,
    lambda machine: 1,
    lambda machine: 2,
    lambda machine: -1,
    lambda machine: 1.5,
    lambda machine: True,
    lambda machine: None,
    lambda machine: machine.create_array([U8(1)] * 32),
    lambda machine: "p-256",
    lambda machine: 8,
    lambda machine: U8(16),
    lambda machine: 32,
    lambda machine: 64,
)
"""Make the values that builtins are called with, anew for every call: many builtins change their arguments."""


def results(row: Builtin) -> list[Any]:
    """Return what the builtin returns in its example, and for all combinations of up to three arguments."""
    machine = example.machine("off", row.example)
    function = machine.state.functions[row.name]
    assert isinstance(function, ForeignFunction)
    found = []

    def record(state: VMState, arguments: list[Any]) -> Any:
        found.append(function.call(state, arguments))
        return found[-1]

    machine.state.functions[row.name] = ForeignFunction(row.name, record, row)
    with contextlib.suppress(VMError):
        machine.execute("main", 1)
    for count in range(row.minimum, 4 if row.maximum is None else min(row.maximum, 3) + 1):
        for makers in product(MAKERS, repeat=count):
            with contextlib.suppress(VMError):
                machine.execute_with_args(row.name, [make(machine) for make in makers])
    return found


RESULTS = {name: row for name, row in BY_NAME.items() if "needs an MPC engine" not in row.effects}
"""The builtins that have results."""


@pytest.mark.parametrize("name", RESULTS)
def test_results_of_a_builtin_are_what_inference_says(name: str) -> None:
    fact = of_result(BY_NAME[name].result)
    found = results(BY_NAME[name])
    mask = 0
    for value in found:
        mask |= kind_of(value)
    assert found
    assert fact.mask in (mask, ANY)
    if fact.mask in KIND_RANGES:
        assert fact.low <= min(found) <= max(found) <= fact.high
    if fact.is_constant:
        assert {repr(value) for value in found} == {repr(fact.constant)}


def test_what_changes_records_is_never_called_as_a_foreign_function() -> None:
    changing = {name for name, row in BY_NAME.items() if row.changes_records}
    assert changing == {"call_closure", "set_upvalue"}
    assert all(EXPANSIONS[name] is not None for name in changing)


@pytest.mark.parametrize("key", ["true", "1u8", "1i8", "1.0", '"1"'])
def test_an_array_is_accessed_by_position_for_integers_of_64_bits_only(key: str) -> None:
    text = f"""
function main()
CALL create_array
MOV r1, r0
LDI r2, 5
PUSHARG r1
PUSHARG r2
PUSHARG r2
CALL array_push
LDI r3, {key}
LDI r4, 1
again:
PUSHARG r1
PUSHARG r3
CALL get_field
MOV r5, r0
PUSHARG r1
PUSHARG r3
PUSHARG r2
CALL set_field
SUB r2, r2, r4
CMP r2, r4
JMPGT again
PUSHARG r1
PUSHARG r5
CALL array_push
RET r1
end
"""
    difference = compare(Case(stoffel.assemble(text), (), {}, None), COMPILED)
    assert difference is None, difference.report()
