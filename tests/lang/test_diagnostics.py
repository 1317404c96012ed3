"""Diagnostics: where they point, what they suggest, and how they look."""

from __future__ import annotations

import pytest

import stoffel
from stoffel.lang.diagnostics import closest


def wrong(source: str) -> list[tuple[str, int, int, str]]:
    """Return code, line, column and message of what is wrong with a source."""
    with pytest.raises(stoffel.CompileError) as caught:
        stoffel.compile(source)
    return [(one.code, one.line, one.column, one.message) for one in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("expression", "column"), [("1 == True", 9), ("True == 1", 4), ('"a" < 2', 4), ('2.5 < "a"', 10), ("[1] < [2]", 4)]
)
def test_a_comparison_is_wrong_where_it_is_not_numeric(expression: str, column: int) -> None:
    (found,) = wrong(f"var a = {expression}\n")
    assert found[:3] == ("E101", 1, 5 + column)


def test_columns_count_the_bytes_of_identifiers_and_the_characters_of_strings() -> None:
    assert wrong("var größe = missing_name_of_mine\n")[0][2] == 15
    assert wrong('var a = "größe" + missing_name_of_mine\n')[0][2] == 19
    assert wrong("print(1)  # größe\nvar b = missing_name_of_mine\n")[0][1:3] == (2, 9)


def test_several_errors_are_told_in_order_and_redeclarations_last() -> None:
    source = 'def main():\n  var a = nothing_like_it\n  var b = 1\n  var b = 2\n  print("x" - 1)\n'
    assert [(code, line) for code, line, _, _ in wrong(source)] == [("E201", 2), ("E101", 5), ("E201", 4)]


def test_a_syntax_error_hides_what_follows_from_it() -> None:
    found = wrong("def 5() -> int64:\n  return 1\n\ndef main():\n  f()\n  var = 3\n  print(f(\n")
    assert [one[:2] for one in found] == [("E001", 1), ("E001", 6), ("E001", 8)]


@pytest.mark.parametrize(
    ("word", "names", "found"),
    [
        ("totl", ["total", "other"], "total"),
        ("prnit", ["print", "printer"], "print"),
        ("completely_else", ["x"], None),
        ("a_very_long_nmae_indeed", ["a_very_long_name_indeed"], "a_very_long_name_indeed"),
        ("ab", ["b", "a"], "a"),
    ],
)
def test_what_is_meant_is_what_is_nearest(word: str, names: list[str], found: str | None) -> None:
    assert closest(word, names) == found


def test_a_constant_that_its_type_has_not_is_told_where_it_stands() -> None:
    assert wrong("def main():\n  var a: int8 = 1\n  print(a + 300)\n") == [
        ("E101", 3, 13, "Integer literal 300 does not fit in 'int8' (allowed range -128..=127)")
    ]
    assert wrong("var a: uint8 = -1\n")[0][3] == "Integer literal -1 does not fit in 'uint8' (allowed range 0..=255)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("var n = 1\n\ndef f() -> int64:\n  return n\n", "'n' is a global variable; functions cannot use globals"),
        ("def f():\n  pass\n\nvar g = f\n", "'f' is a function, not a value"),
        ("var t = int64\n", "'int64' is a type, not a value"),
        ("def f():\n  def g():\n    pass\n", "nested functions are not supported"),
        ("def append():\n  pass\n", "'append' is a function of the machine and cannot be defined again"),
    ],
)
def test_what_the_reference_finds_too_late_is_told_in_words(source: str, message: str) -> None:
    (found,) = wrong(source)
    assert (found[0], found[3]) == ("E201", message)
    assert found[1] > 0


def test_secrets_in_lists_are_no_clear_values() -> None:
    source = "def f(xs: list[int64]):\n  pass\n\ndef g(xs: list[secret int64]):\n  var ys: list[int64] = xs\n"
    assert wrong(source)[0][3] == "Type mismatch. Expected 'list[int64]', found 'list[secret int64]'"


def test_the_caret_stands_below_the_place() -> None:
    with pytest.raises(stoffel.CompileError) as caught:
        stoffel.compile("var abc = oh_no_not_this\n")
    shown = caught.value.rendered()
    line = next(number for number, text in enumerate(shown) if text.startswith("1 | var"))
    assert shown[line].index("oh_no") == shown[line + 1].index("^")
