"""Generated programs cannot tell the tiers apart: results, errors, output, tables, records and hook traces are alike.

``python tests/fuzz/fuzz_tiers.py`` runs more of the same programs.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings

from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.program import Program

from .generators import Case, cases, make_case
from .minimising import minimised
from .oracle import ALWAYS, COMPILED, INTERPRETER, compare, run, way_for

PROGRAMS = int(os.environ.get("STOFFEL_PROGRAMS", "20000"))
"""Programs of the ordinary run."""
REDUCE = os.environ.get("STOFFEL_REDUCE", "1") != "0"
"""Whether a program that behaves differently is made smaller, which takes its time."""
PARTS = 80
"""Tests that they are spread over, for running side by side."""


def seeds_of(part: int) -> range:
    return range(PROGRAMS * part // PARTS, PROGRAMS * (part + 1) // PARTS)


@pytest.mark.parametrize("part", range(PARTS))
def test_generated_programs_run_alike_in_every_tier(part: int) -> None:
    for seed in seeds_of(part):
        difference = compare(make_case(random.Random(seed)), [way_for(seed)])
        if difference is not None:
            pytest.fail(f"seed {seed}\n{(minimised(difference) if REDUCE else difference).report()}")


@given(cases())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_programs_by_hypothesis_run_alike_in_every_tier(case: Case) -> None:
    difference = compare(case, COMPILED)
    assert difference is None, difference.report()


# The oracle itself: it must see what it is there to see.


def _case(*instructions: tuple[object, ...], plan: dict[int, str] | None = None) -> Case:
    body = [Instruction(str(name), *operands) for name, *operands in instructions]
    return Case(Program([Function("main", body, parameters=["p0"])]), (5,), plan or {})


BASE = _case(("LDI", 1, 2), ("ADD", 2, 0, 1), ("CALL", "act"), ("RET", 2), plan={0: "look"})
OTHERS = {
    "result": _case(("LDI", 1, 3), ("ADD", 2, 0, 1), ("CALL", "act"), ("RET", 2)),
    "error": _case(("LDI", 1, 2), ("CMP", 3, 0), ("CALL", "act"), ("RET", 2)),
    "printed": _case(("LDI", 1, 2), ("ADD", 2, 0, 1), ("CALL", "print"), ("RET", 2)),
    "a register that is not used again": _case(
        ("LDI", 1, 2), ("ADD", 2, 0, 1), ("LDI", 1, 9), ("CALL", "act"), ("RET", 2), plan={0: "look"}
    ),
    "the trace": _case(("LDI", 1, 2), ("ADD", 2, 0, 1), ("CALL", "act"), ("RET", 2), plan={0: "enable"}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_outcomes_differ_in(what: str) -> None:
    assert run(OTHERS[what], INTERPRETER) != run(BASE, INTERPRETER)


def test_a_run_that_does_not_end_is_reported_as_a_hang() -> None:
    endless = Case(Program([Function("main", [Instruction("JMP", "again")], labels={"again": 0})]), (), {})
    assert run(endless, ALWAYS, seconds=0.2).error == ["hang"]


def test_a_difference_is_reduced_to_what_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from stoffel.jit import unit_globals
    from stoffel.model import operations

    wrong = dict(operations.OPERATIONS, XOR=lambda left, right: left)
    monkeypatch.setattr(unit_globals, "OPERATIONS", wrong)
    body = [("LDI", 1, 1.5), ("MOV", 3, 1), ("NOP",), ("LDI", 2, 4), ("XOR", 4, 0, 1), ("RET", 2)]
    case = _case(*body)
    difference = compare(case, [ALWAYS])
    assert difference is not None
    smallest = minimised(difference)
    assert [item.name for item in smallest.case.program.functions["main"].instructions] == ["XOR"]


def test_programs_depend_on_their_seed_alone() -> None:
    assert make_case(random.Random(7)).program == make_case(random.Random(7)).program
