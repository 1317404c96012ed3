"""The instruction table is consistent in itself, and `complete` notices what a back end forgets."""

from __future__ import annotations

import pytest

from stoffel.isa.table import BY_CODE, BY_NAME, ROWS, Flow, OperandKind, Place, complete

ALL_FLAGS = frozenset({-1, 0, 1})


def test_codes_are_0_to_25_without_gaps() -> None:
    assert sorted(row.code for row in ROWS) == list(range(0x1A))


def test_rows_are_found_by_name_and_by_code() -> None:
    assert ([BY_NAME[row.name] for row in ROWS], [BY_CODE[row.code] for row in ROWS]) == ([*ROWS], [*ROWS])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
class TestRow:
    def test_name_is_upper_case(self, row) -> None:
        assert row.name == row.name.upper()

    def test_summary_is_a_sentence(self, row) -> None:
        assert (row.summary[:1].isupper(), row.summary[-1:]) == (True, ".")

    def test_formula_names_exactly_the_operands(self, row) -> None:
        words = "".join(char if char.isalnum() else " " for char in row.formula).split()
        assert {word for word in words if word in ("A", "B", "C")} == set("ABC"[: len(row.operands)])

    def test_targets_stand_before_sources(self, row) -> None:
        kinds = [operand.kind for operand in row.operands if operand.kind.is_register]
        assert kinds == sorted(kinds, key=lambda kind: kind is OperandKind.SOURCE)

    def test_at_most_one_target(self, row) -> None:
        assert sum(operand.kind is OperandKind.TARGET for operand in row.operands) <= 1

    def test_only_jumps_are_taken_on_a_flag_and_have_a_label(self, row) -> None:
        has_label = row.position(OperandKind.LABEL) is not None
        assert (row.flow is Flow.JUMP, row.flow is Flow.JUMP) == (bool(row.taken_on), has_label)

    def test_flag_values_are_those_of_a_comparison(self, row) -> None:
        assert row.taken_on <= ALL_FLAGS

    def test_branches_are_the_jumps_that_read_the_flag(self, row) -> None:
        assert row.is_branch == (Place.FLAG in row.reads)

    def test_only_calls_name_functions_and_write_the_result(self, row) -> None:
        calls = row.flow is Flow.CALL
        assert (row.position(OperandKind.FUNCTION) is not None, Place.RESULT in row.writes) == (calls, calls)

    def test_pure_operation_is_named_like_its_row(self, row) -> None:
        assert row.operation in ("", row.name)

    def test_position_is_that_of_the_first_operand_of_the_kind(self, row) -> None:
        kinds = [operand.kind for operand in row.operands]
        expected = {kind: kinds.index(kind) if kind in kinds else None for kind in OperandKind}
        assert {kind: row.position(kind) for kind in OperandKind} == expected


def test_conditional_jumps_cover_each_outcome() -> None:
    taken = {row.name: row.taken_on for row in ROWS if row.is_branch}
    assert taken == {
        "JMPEQ": frozenset({0}),
        "JMPNEQ": frozenset({-1, 1}),
        "JMPLT": frozenset({-1}),
        "JMPGT": frozenset({1}),
    }


def test_register_and_name_kinds() -> None:
    assert [kind for kind in OperandKind if kind.is_register] == [OperandKind.TARGET, OperandKind.SOURCE]
    assert [kind for kind in OperandKind if kind.is_name] == [OperandKind.LABEL, OperandKind.FUNCTION]


def test_complete_returns_the_entries_in_the_wanted_order() -> None:
    assert list(complete({"B": 2, "A": 1}, ["A", "B"], "test").items()) == [("A", 1), ("B", 2)]


def test_complete_takes_the_default_for_what_is_missing_but_nothing_unknown() -> None:
    assert list(complete({"B": 2}, ["A", "B"], "test", default=0).items()) == [("A", 0), ("B", 2)]
    with pytest.raises(LookupError, match=r"^interpreter: missing \[\], unknown \['NOPE'\]$"):
        complete({"NOPE": 1}, ["NOP"], "interpreter", default=0)


def test_complete_names_the_back_end_and_what_is_missing_or_unknown() -> None:
    with pytest.raises(LookupError, match=r"^interpreter: missing \['NOP'\], unknown \['NOPE'\]$"):
        complete({"NOPE": 1}, ["NOP"], "interpreter")
