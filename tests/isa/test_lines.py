"""Line tables: which line of the source each instruction comes from."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stoffel
from stoffel.isa.lines import LineTable

LINES = [
    ("    LDI r0, 1", 1),
    ("    LDI r0, 1 ; again", 1),
    ("lab{n}: ADD r0, r0, r0", 1),
    ("lab{n}:", 0),
    ("", 0),
    ("    ; a comment", 0),
    ('    LDI r1, "a\\nb"', 1),
    ("\tNOP\r", 1),
]


@given(st.lists(st.lists(st.sampled_from(LINES), max_size=12), max_size=3))
def test_every_instruction_of_text_assembly_has_its_line(bodies: list[list[tuple[str, int]]]) -> None:
    text: list[str] = ["; head"]
    expected: list[list[int]] = []
    for number, body in enumerate(bodies):
        text.append(f"function f{number}()")
        expected.append([])
        for position, (line, instructions) in enumerate(body):
            text.append(line.format(n=position))
            expected[-1] += [len(text)] * instructions
        text += ["end", ""]
    program = stoffel.assemble("\n".join(text), path="some.stfasm")
    tables = [function.line_table for function in program.functions]
    assert [table and list(table.lines) for table in tables] == expected
    assert {table.file for table in tables if table} <= {"some.stfasm"}


def test_an_instruction_without_a_line_has_no_place() -> None:
    table = LineTable("p.stfl", [3, 0], {1: "count"})
    assert [table.line_of(index) for index in (-1, 0, 1, 2)] == [None, 3, None, None]
    assert [table.place_of(index) for index in (0, 1)] == ["p.stfl:3", None]
    again = pickle.loads(pickle.dumps(table))
    assert (again.file, list(again.lines), again.variables) == ("p.stfl", [3, 0], {1: "count"})
    with pytest.raises(AttributeError, match="immutable"):
        table.file = "other"


def test_the_source_of_a_function_is_no_part_of_what_it_is() -> None:
    one, other = (stoffel.assemble(f"{blank}function f()\nNOP\nend").functions[0] for blank in ("", "\n\n"))
    assert one == other
    assert hash(one) == hash(other)
