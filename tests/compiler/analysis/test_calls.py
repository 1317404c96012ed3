"""What inference takes for granted about builtins holds for whatever they are called with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

import stoffel
from stoffel import Closure, VirtualMachine, VMError
from stoffel.compiler.analysis import calls, load_elimination
from stoffel.compiler.analysis.calls import RESULTS
from stoffel.compiler.analysis.facts import KIND_RANGES, kind_of
from stoffel.compiler.kernels.analysis import builtin_types, closure_calls
from stoffel.runtime.builtins.catalogue import MPC_BUILTINS, STANDARD_LIBRARY
from tests.compiler.generators import Case
from tests.compiler.oracle import COMPILED, compare
from tests.machines import loaded

MAKERS: tuple[Callable[[VirtualMachine], Any], ...] = (
    lambda machine: machine.create_array(),
    lambda machine: machine.create_array([3, 1, 2]),
    lambda machine: machine.create_array(["b", "a"]),
    lambda machine: machine.create_object({"a": 1}),
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
)
"""Make the values that builtins are called with, anew for every call: many builtins change their arguments."""


def results(name: str) -> list[Any]:
    """Return what the builtin returns, for all combinations of up to three arguments with which it does not fail."""
    machine = loaded(VirtualMachine(jit="off", output=lambda line: None), "function f()\n RET r0\nend")
    found = []
    for count in range(4):
        for makers in product(MAKERS, repeat=count):
            try:
                found.append(machine.execute(name, *(make(machine) for make in makers)))
            except VMError:
                continue
    return found


@pytest.mark.parametrize("name", RESULTS)
def test_results_of_a_builtin_are_what_inference_says(name: str) -> None:
    fact = RESULTS[name]
    found = results(name)
    mask = 0
    for value in found:
        mask |= kind_of(value)
    assert mask == fact.mask
    if mask in KIND_RANGES:
        assert fact.low <= min(found) <= max(found) <= fact.high
    if fact.is_constant:
        assert {repr(value) for value in found} == {repr(fact.constant)}


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


@pytest.mark.parametrize(
    "names",
    [RESULTS, calls._OPENERS, load_elimination._BUILTINS, builtin_types.BUILTINS, closure_calls.RULES],
    ids=["results", "openers", "remembered", "kernels", "closures"],
)
def test_what_the_compiler_knows_of_builtins_has_no_other_names(names: Any) -> None:
    assert set(names) - {function.name for function in STANDARD_LIBRARY + MPC_BUILTINS} == set()
