"""Conditions: what may occur, what it means, and that nothing of it reaches Python."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.tracing.condition import LONGEST, Condition

NAMES: dict[str, Any] = {"r0": 5, "r1": 2.5, "name": "main", "yes": True, "nothing": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r0 == 5", True),
        ("r0 != 5", False),
        ("r0 > 4 and r1 < 3", True),
        ("r0 < 4 or name == 'main'", True),
        ("not r0 < 4", True),
        ("1 < r1 < r0", True),
        ("1 < r1 > r0", False),
        ("r0 + 1 == 6 and r0 - 1 == 4 and r0 * 2 == 10", True),
        ("r0 / 2 == 2.5 and r0 // 2 == 2 and r0 % 2 == 1 and -r0 == -5", True),
        ("'ai' in name and 'x' not in name", True),
        ("name > 'a'", True),
        ("yes == true and yes == True", True),
        ("yes == 1", False),
        ("r0 == 5.0", True),
        ("nothing == unit and nothing == nil and nothing == None", True),
        ("yes", True),
        ("name > 5", False),
        ("r0 > 'a'", False),
        ("nothing < 1", False),
        ("r9 == 1", False),
        ("not r9 == 1", True),
        ("r9 == 1 or r0 == 5", True),
        ("r0 / 0 == 1", False),
        ("yes + 1 == 2", False),
        ("name * 1000000000 == name", False),
        ("5 in name", False),
    ],
)
def test_a_condition_means_what_it_says(text: str, expected: bool) -> None:
    assert Condition(text).holds(NAMES) is expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no condition"),
        ("r0 >", "is no condition"),
        ("r0 = 5", "is no condition"),
        ("r0 is 5", "write =="),
        ("open('x')", "may not occur"),
        ("name.upper() == 'MAIN'", "may not occur"),
        ("name[0] == 'm'", "may not occur"),
        ("[1, 2] == r0", "may not occur"),
        ("lambda: 1", "may not occur"),
        ("r0 ** 2 == 25", "may not occur"),
        ("b'x' == name", "no value of a machine"),
        ("1j == r0", "no value of a machine"),
        ("(" * 500 + "1" + ")" * 400, "is no condition"),
        ("-" * 900 + "1 == 1", ""),
        ("r0 == 5\0", "is no condition"),
        ("1" * (LONGEST + 1), "at most"),
    ],
)
def test_what_is_no_condition_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError) if words else nullcontext() as caught:
        Condition(text).holds(NAMES)
    assert words in str(getattr(caught, "value", ""))


def test_numbers_do_not_grow_without_end() -> None:
    text = "r0" + " * 4611686018427387904" * 40 + " == 0"
    assert not Condition(text).holds(NAMES)


@given(st.text("r0159.<>=!+-*/%()'\" andortuefls", max_size=40))
def test_any_text_is_a_condition_or_a_sentence(text: str) -> None:
    with suppress(ValueError):
        assert Condition(text).holds(NAMES) in (True, False)
