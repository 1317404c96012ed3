"""What inference takes for granted about builtins holds for whatever they are called with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from stoffel import Closure, VirtualMachine, VMError
from stoffel.compiler.facts import KIND_RANGES, kind_of
from stoffel.compiler.opened import RESULTS
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
