"""Generated programs come to the same in the evaluator, the interpreter and every tier: results, lines, errors.

``STOFFEL_LANG_PROGRAMS`` sets how many; each runs in the interpreter and, by turns, in one more way.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoffel.isa.assembler import assemble
from stoffel.isa.disassembler import disassemble
from stoffel.isa.writer import write
from tests.compiler.generators.choosing import Drawn
from tests.lang.agreement import compiled, run
from tests.lang.evaluator import evaluate
from tests.lang.sources import make
from tests.ways import ALL_WAYS, Way

PROGRAMS = int(os.environ.get("STOFFEL_LANG_PROGRAMS", "600"))
PIECES = 20
REACHED = {
    *("+", "-", "*", "/", "%", "mod", "and", "or", "xor", "shl", "shr", "not", "in", "negation", "complement", "op="),
    *(f"compare {operator}" for operator in ("<", "<=", ">", ">=", "==", "!=")),
    *("list +", "list *", "list ==", "range", "slice", "len", "pop", "element", "entry", "field", "enum", "to_string"),
    *(f"list change {kind}" for kind in range(7)),
    *("field change", "entry change", "inner list made", "integer in float", "inference", "comprehension", "f-string"),
    *("if", "while", "for range", "for each", "match", "assert", "break", "continue", "early return", "closure"),
    *(f"call of {form}" for form in ("plain", "default", "variadic", "named", "generic")),
    *("method call", "top level"),
}


def agree(text: str, ways: tuple[Way, ...]) -> bool:
    """Compare the ways of running *text*; False if its types cannot be inferred."""
    program = compiled(text)
    if program is None:
        return False
    wanted = evaluate(text)
    for way in ways:
        assert run(program, way.machine) == wanted, f"{way.name}:\n{text}"
    return True


@pytest.mark.parametrize("piece", range(PIECES))
def test_programs_agree_with_the_evaluator_in_every_tier(piece: int) -> None:
    accepted = 0
    seeds = range(piece, PROGRAMS, PIECES)
    for turn, seed in enumerate(seeds):
        text, _ = make(random.Random(seed))
        accepted += agree(text, (ALL_WAYS[0], ALL_WAYS[1 + (turn + piece) % (len(ALL_WAYS) - 1)]))
    assert accepted >= len(seeds) * 0.5


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_programs_that_shrink_agree_too(data: st.DataObject) -> None:
    text, _ = make(Drawn(lambda strategy: data.draw(strategy)))
    agree(text, ALL_WAYS[:2])


def test_the_programs_use_the_whole_language() -> None:
    used: set[str] = set()
    for seed in range(1000):
        used |= make(random.Random(seed))[1]
        if used >= REACHED:
            return
    assert REACHED - used == set()


def test_programs_end_in_every_way() -> None:
    ends = {
        next(iter(evaluate(make(random.Random(seed))[0])))
        for seed in range(40)
        if compiled(make(random.Random(seed))[0])
    }
    assert ends == {"result", "error"}


def test_a_program_as_text_assembly_is_the_same_bytes() -> None:
    for seed in range(25):
        program = compiled(make(random.Random(seed))[0])
        if program is not None:
            assert write(assemble(disassemble(program))) == write(program)
