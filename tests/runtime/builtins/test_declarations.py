"""The builtins do what their rows in the table say: examples, errors, in every tier."""

from __future__ import annotations

import re
from itertools import product

import pytest

from stoffel import VirtualMachine, VMError
from stoffel.model.builtins.declaration import Builtin
from stoffel.model.builtins.table import BY_NAME
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


@pytest.mark.parametrize("row", BY_NAME.values(), ids=BY_NAME)
def test_a_builtin_fails_with_no_other_text_than_the_row_lists(row: Builtin) -> None:
    machine = loaded(VirtualMachine(jit="off", output=lambda line: None), "function f()\n RET r0\nend")
    own = re.compile("|".join(map(pattern, row.errors)) or "(?!)", re.DOTALL)
    for count in range(4):
        for makers in product(MAKERS, repeat=count):
            try:
                machine.execute_with_args(row.name, [make(machine) for make in makers])
            except VMError as error:
                text = str(error).removeprefix(f"Foreign function {row.name} failed: ")
                if count < row.minimum:
                    assert text == row.too_few
                elif row.maximum is not None and count > row.maximum:
                    assert text == row.too_many
                else:
                    assert own.fullmatch(text), text
            else:
                assert row.minimum <= count <= (3 if row.maximum is None else row.maximum)
