"""The builtins do what their rows in the table say: examples, errors, in every tier."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import pytest

from stoffel import Closure, VirtualMachine, VMError
from stoffel.isa.scalars import U8, U64
from stoffel.model import tables
from stoffel.model.builtins.declaration import Builtin
from stoffel.model.builtins.table import BY_NAME
from stoffel.model.values import Array
from tests.compiler.analysis.test_calls import MAKERS
from tests.machines import loaded
from tests.runtime.builtins import example


@pytest.mark.parametrize("jit", ["off", "always", "kernels"])
@pytest.mark.parametrize("row", BY_NAME.values(), ids=BY_NAME)
def test_the_example_gives_what_the_row_says(row: Builtin, jit: str) -> None:
    assert example.outcome(row, jit) == row.gives


def test_an_example_that_gave_something_else_would_be_noticed() -> None:
    assert example.shown(example.machine("off", 'a = [1u8]; append(a, {"x": ()}); a').execute("main", 1)) == (
        '[1u8, {"x": ()}]'
    )


def pattern(text: str) -> str:
    """Return the regular expression of an error text: what stands in braces varies."""
    return ".*".join(map(re.escape, re.split(r"\{[^}]*\}", text)))


def sparse(machine: VirtualMachine) -> Array:
    """Return an array that is too long to be enumerated."""
    array = machine.create_array()
    tables.store(array, 10**18, 1)
    return array


ODD_MAKERS: tuple[Callable[[VirtualMachine], Any], ...] = (
    *MAKERS,
    sparse,
    lambda machine: machine.create_array([1, "a"]),
    lambda machine: machine.create_array([float("nan"), 1.0]),
    lambda machine: machine.create_array([U8(0)] * 32),
    lambda machine: machine.create_array([U8(255)] * 32),
    lambda machine: "ed25519",
    lambda machine: Closure("len", ()),
    lambda machine: Closure("nothing", ()),
    lambda machine: U64(2**64 - 1),
    lambda machine: 2**63 - 1,
    lambda machine: False,
)

RARE = {
    *("VM output write failed: {reason}", "Call depth exceeds {n}"),
    *("Upvalue '{name}' not found", "Upvalue '{name}' not found for writing"),
    *(f"Local storage {what} failed: {{reason}}" for what in ("store value", "load value", "delete", "exists")),
    "range value overflowed i64",
}
"""Texts of what does not follow from the arguments alone, or from very few of those that are tried."""


@pytest.mark.parametrize("row", BY_NAME.values(), ids=BY_NAME)
def test_a_builtin_fails_with_the_texts_that_the_row_lists(row: Builtin) -> None:
    machine = loaded(VirtualMachine(jit="off", output=lambda line: None), "function f()\n RET r0\nend")
    texts = {text: re.compile(pattern(text), re.DOTALL) for text in row.errors}
    unseen = set(texts)
    chooser = random.Random(0)
    for count in range(len(row.parameters) + 2):
        if count < 3:
            choices: Iterable[Sequence[Callable[[VirtualMachine], Any]]] = product(ODD_MAKERS, repeat=count)
        else:
            choices = [chooser.choices(ODD_MAKERS, k=count) for _ in range(2000)]
        for makers in choices:
            try:
                machine.execute_with_args(row.name, [make(machine) for make in makers])
            except VMError as error:
                text = str(error).removeprefix(f"Foreign function {row.name} failed: ")
                if count < row.minimum:
                    assert text == row.too_few
                elif row.maximum is not None and count > row.maximum:
                    assert text == row.too_many
                else:
                    matching = {own for own, expression in texts.items() if expression.fullmatch(text)}
                    assert matching, text
                    unseen -= matching
            else:
                assert row.minimum <= count <= (count if row.maximum is None else row.maximum)
    assert unseen <= RARE
