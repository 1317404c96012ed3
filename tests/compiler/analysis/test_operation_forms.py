"""Forms of operations and kinds of their results, against the operations themselves on values of all kinds."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from stoffel.compiler.analysis.facts import ANY, BOOL, CLASS, FLOAT, I64, STRING, kind_of
from stoffel.compiler.analysis.operation_forms import OPERATION_FORMS, Forms, native_form, result_kinds
from stoffel.errors import VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import ROWS, complete
from stoffel.model.operations import OPERATIONS
from stoffel.model.values import new_array, new_object

OPERANDS = {row.operation: len(row.operands) - 1 for row in ROWS if row.operation and row.operation != "CMP"}
VALUES: list[Any] = [
    *(cls(number) for cls in INTEGER_KINDS for number in (1, 3)),
    *(0.5, 2.0, True, False, "a", "", None, new_object(1), new_array(2, [])),
]


def results(operation: str, *operands: Any) -> set[int]:
    try:
        return {kind_of(OPERATIONS[operation](*operands))}
    except VMError:
        return set()


@pytest.mark.parametrize("operation", OPERANDS)
def test_the_result_has_one_of_the_kinds_that_are_told(operation: str) -> None:
    for operands in product(VALUES, repeat=OPERANDS[operation]):
        kinds = [kind_of(value) for value in operands]
        for found in results(operation, *operands):
            assert result_kinds(operation, kinds[0], kinds[-1]) == found, operands
            assert result_kinds(operation, ANY, ANY) & found, operands
            assert native_form(operation, kinds[0], kinds[-1]), operands


@pytest.mark.parametrize("operation", OPERANDS)
def test_there_is_a_form_only_where_the_operation_can_give_something(operation: str) -> None:
    for a, b in product(CLASS, repeat=2):
        if native_form(operation, a, b) and (OPERANDS[operation] == 2 or a == b):
            samples = [[value for value in VALUES if kind_of(value) == kind] for kind in (a, b)]
            assert any(results(operation, *some) for some in product(*samples[: OPERANDS[operation]])), (a, b)


@pytest.mark.parametrize("operation", [name for name, forms in OPERATION_FORMS.items() if forms.commutes])
def test_operands_that_may_be_exchanged_give_the_same(operation: str) -> None:
    for left, right in product(VALUES, repeat=2):
        if type(left) is not str:
            assert results(operation, left, right) == results(operation, right, left)
            if results(operation, left, right):
                assert OPERATIONS[operation](left, right) == OPERATIONS[operation](right, left)


def test_operands_of_open_kinds_give_any_kind_of_theirs() -> None:
    assert result_kinds("ADD", I64 | STRING, I64 | STRING) == I64 | STRING
    assert result_kinds("ADD", I64 | FLOAT, I64) == I64 | FLOAT
    assert result_kinds("AND", I64 | BOOL, I64 | BOOL) == I64 | BOOL
    assert result_kinds("SHL", BOOL, BOOL) == ANY


def test_an_operation_that_nobody_has_told_of_is_called_and_gives_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    told = complete({}, ["NEW"], "a back end", default=Forms())
    monkeypatch.setitem(OPERATION_FORMS, "NEW", told["NEW"])
    for a, b in product(CLASS, repeat=2):
        assert (native_form("NEW", a, b), result_kinds("NEW", a, b)) == ("", ANY)
