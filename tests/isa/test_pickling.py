"""Pickled programs and functions are what they were, with their line tables, in few bytes."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given

import stoffel
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.program import Program
from tests.strategies import programs

SOURCE = """
def score(x: int64) -> int64:
  if x > 5:
    return x * 3
  return -x

def main() -> int64:
  return score(7)
"""


def again(value):
    return pickle.loads(pickle.dumps(value))


@given(programs())
def test_programs_and_functions_come_back_equal(program: Program) -> None:
    assert again(program) == program
    assert again(program).functions[:] == program.functions[:]
    for function in program.functions:
        assert again(function) == function
    assert copy.deepcopy(program) == program


def test_line_tables_come_along() -> None:
    program = stoffel.compile(SOURCE)
    before = program.functions["score"].line_table
    for table in (again(program).functions["score"].line_table, again(program.functions["score"]).line_table):
        assert table.file == before.file
        assert list(table.lines) == list(before.lines)
        assert dict(table.variables) == dict(before.variables)


def test_what_no_file_holds_is_pickled_all_the_same() -> None:
    long = Function("x" * 70_000, [Instruction("RET", 0)], labels={"end": 1}, registers=1)
    program = Program([long])
    assert again(long) == long
    assert again(program) == program
    with pytest.raises(stoffel.SaveError):
        program.to_bytes()


def test_what_an_old_version_would_drop_is_kept() -> None:
    newer = stoffel.compile(SOURCE)
    program = Program(newer.records, constants=newer.constants, manifest=newer.manifest, version=0)
    assert again(program) == program
    assert again(program).functions["score"].return_type == program.functions["score"].return_type


def test_a_constant_that_does_not_pickle_is_its_own_error() -> None:
    function = Function("main", [Instruction("LDI", 0, lambda: 1), Instruction("RET", 0)])
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(function)
    assert again(Function("f", [Instruction("LDI", 0, (1, 2))])).instructions[0].operands == (0, (1, 2))


def test_the_pickle_of_a_small_program_is_small() -> None:
    program = stoffel.load(stoffel.compile(SOURCE).to_bytes())
    assert len(pickle.dumps(program)) < len(program.to_bytes()) + 150


def test_to_bytes_is_what_save_writes(tmp_path) -> None:
    program = stoffel.compile(SOURCE)
    program.save(tmp_path / "p.stflb")
    assert (tmp_path / "p.stflb").read_bytes() == program.to_bytes()
    program.save(tmp_path / "old.stflb", version=0)
    assert (tmp_path / "old.stflb").read_bytes() == program.to_bytes(version=0)


def test_a_machine_says_what_to_pickle_instead() -> None:
    with pytest.raises(TypeError, match="a machine does not pickle; pickle its Program, and load"):
        pickle.dumps(stoffel.VirtualMachine())
