"""All mistakes of a text: each once, in the order of the lines, and the first one is what assembling raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.errors import AssemblyError
from stoffel.isa.assembler import assemble, mistakes


def places(text: str) -> list[tuple[int, int]]:
    """Return line and column of each mistake."""
    return [(error.line, error.column) for error in mistakes(text)]


def test_a_good_text_has_none() -> None:
    assert mistakes("function f()\nRET r0\nend") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('function\nJMP x\n"abc\nend', [(1, 9), (2, 5), (3, 1)]),
        ("foo bar\nbaz\n.version x\n.versio 3", [(1, 1), (3, 10), (4, 1)]),
        ("function f()\n@\nNOP\nLDX\nfunction g()\nRET r0 r1", [(2, 1), (4, 1), (5, 1), (6, 8), (6, 10)]),
        ("function f()\n.registers 1\n.registers 2\n.foo\nend", [(3, 12), (4, 1)]),
        ("function f()\na:\na:\nJMP b\nJMP c\nend", [(3, 1), (4, 5), (5, 5)]),
        ("function f()\nend\nfunction f()\nNOP\nend\nx", [(3, 1), (6, 1)]),
    ],
)
def test_reading_goes_on_with_the_next_line(text: str, expected: list[tuple[int, int]]) -> None:
    assert places(text) == expected


def test_of_very_many_only_the_first_are_told() -> None:
    assert len(mistakes("function f()\n" + "LDX\n" * 10_000)) == 100


PIECES = (
    "function",
    " f",
    "(",
    ")",
    "\n",
    "end\n",
    "NOP\n",
    "JMP a\n",
    "a:",
    ".label a 1\n",
    '"',
    "@",
    ";",
    "LDI r0, 5\n",
    ".x",
)


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_reading_ends_and_agrees_with_assembling(text: str) -> None:
    found = mistakes(text, path="x")
    raised: list[str] = []
    try:
        assemble(text, path="x")
    except AssemblyError as error:
        raised.append(str(error))
    assert bool(raised) == bool(found)
    assert set(raised) <= {str(error) for error in found}
