"""Types of kernels: names and back, unification of element types, joins."""

from __future__ import annotations

import pytest

from stoffel.compiler.kernels.analysis.types import (
    BOOL,
    FLOAT,
    I64,
    MIXED,
    OPAQUE,
    SCALARS,
    UNIT,
    ArrayOf,
    Cell,
    Known,
    join,
    notation,
    same_after_unifying,
    type_of_code,
)

CODES = [
    *(scalar.code for scalar in SCALARS.values()),
    "opaque",
    "mixed",
    "=text",
    "=",
    "[?",
    "[int64",
    "[[float",
    "[[[?",
]


@pytest.mark.parametrize("code", CODES)
def test_a_code_names_its_type(code: str) -> None:
    assert type_of_code(code).code == code


def test_an_empty_array_takes_the_kind_of_its_first_element_for_good() -> None:
    cell = Cell()
    assert (cell.admit(I64), cell.admit(I64), cell.admit(FLOAT), cell.content) == (True, True, False, I64)


@pytest.mark.parametrize("kind", [UNIT, OPAQUE, MIXED, Known("text")])
def test_what_has_no_typed_storage_is_no_element(kind) -> None:  # type: ignore[no-untyped-def]
    cell = Cell()
    assert (cell.admit(kind), cell.content) == (False, None)


def test_unified_cells_are_one() -> None:
    one, other, third = Cell(), Cell(), Cell()
    assert (one.unify(other), third.unify(other), third.admit(BOOL)) == (True, True, True)
    assert (one.content, other.content) == (BOOL, BOOL)
    assert not one.unify(Cell(FLOAT))


def test_rows_of_unified_arrays_are_unified() -> None:
    inner = Cell()
    outer, other = ArrayOf(Cell(ArrayOf(inner))), ArrayOf(Cell(ArrayOf(Cell(FLOAT))))
    assert same_after_unifying(outer, other)
    assert inner.content is FLOAT


def test_no_array_contains_itself() -> None:
    cell, other = Cell(), Cell()
    assert not cell.admit(ArrayOf(cell))
    assert other.admit(ArrayOf(cell))
    assert not cell.unify(other)
    assert not cell.admit(ArrayOf(other))


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (I64, I64, I64),
        (I64, FLOAT, MIXED),
        (I64, UNIT, MIXED),
        (Known("a"), Known("b"), OPAQUE),
        (Known("a"), OPAQUE, OPAQUE),
        (OPAQUE, I64, MIXED),
        (MIXED, I64, MIXED),
    ],
)
def test_types_meet(one, other, both) -> None:  # type: ignore[no-untyped-def]
    assert (join(one, other), join(other, one)) == (both, both)


def test_equal_constants_stay_constants() -> None:
    assert join(Known("a"), Known("a")).code == "=a"


def test_arrays_of_different_kinds_meet_as_a_mixed_place() -> None:
    assert join(ArrayOf(Cell(I64)), ArrayOf(Cell(FLOAT))) is MIXED


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("int64", "int64"),
        ("=abc", '"abc"'),
        ("opaque", "any"),
        ("[[float", "list[list[float]]"),
        ("[?", "list[unknown]"),
        ("{1:xint64,5:namesboolean}", "object {x: int64, names: boolean}"),
        ("(4:next{4:seedint64})", "closure next {seed: int64}"),
        ("(1:f{},1:g{1:a?})", "closure f {} or closure g {a: unknown}"),
    ],
)
def test_types_are_shown_without_what_only_the_runtime_reads(code: str, shown: str) -> None:
    assert notation(type_of_code(code)) == shown
