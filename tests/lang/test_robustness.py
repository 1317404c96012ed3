"""Bad and hostile sources end in diagnostics, in time that grows with their length."""

from __future__ import annotations

import random
import sys

import pytest

import stoffel
from tests.fuzz.fuzz_lang import corpus, finding, mutated

SOURCES = corpus()


@pytest.mark.parametrize("piece", range(10))
def test_a_mutated_source_compiles_or_has_diagnostics(piece: int) -> None:
    for seed in range(piece, 600, 10):
        text = mutated(random.Random(seed), SOURCES)
        assert finding(text) is None, text


@pytest.mark.parametrize("opening", ["(", "[", "{", "- ", "not ", "f(", "a[", "{1: ", "(" * 3 + "-"])
def test_a_hundred_thousand_brackets_are_too_many(opening: str) -> None:
    limit = sys.getrecursionlimit()
    with pytest.raises(stoffel.CompileError) as caught:
        stoffel.compile(f"def main() -> int64:\n  return {opening * 100_000}1\n")
    assert "nested too deeply" in caught.value.diagnostics[0].message
    assert caught.value.diagnostics[0].line == 2
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize(
    "body",
    [
        "  return " + " + ".join(["a"] * 5000),
        "  return " + "(" * 250 + "a" + ")" * 250,
        "  return a" + " * 1" * 3000,
        "  if a == 0:\n    return 0\n"
        + "".join(f"  elif a == {i}:\n    return {i}\n" for i in range(2000))
        + "  return 1",
        "  return len([" + ", ".join(["a"] * 5000) + "])",
        '  return len("' + "x" * 100_000 + '")',
    ],
    ids=["sum", "brackets", "product", "elif", "list", "string"],
)
def test_what_is_long_and_not_deep_compiles(body: str) -> None:
    program = stoffel.compile(f"def main() -> int64:\n  var a = 1\n{body}\n")
    machine = stoffel.VirtualMachine()
    machine.load(program)
    assert isinstance(machine.execute("main"), int)


def test_ten_thousand_errors_are_not_all_shown() -> None:
    with pytest.raises(stoffel.CompileError) as caught:
        stoffel.compile("def main():\n" + "  missing(1)\n" * 10_000)
    assert len(caught.value.diagnostics) == 10_000
    assert len(caught.value.rendered()) < 2000


def test_control_characters_of_a_source_are_not_shown() -> None:
    with pytest.raises(stoffel.CompileError) as caught:
        stoffel.compile('var x = "\x1b[31m" + 1\n')
    assert "\x1b" not in "\n".join(caught.value.rendered())


@pytest.mark.parametrize("name", ["a", "a\0b", "../../x", "a" * 5000, "."])
def test_a_strange_import_is_a_diagnostic(name: str) -> None:
    with pytest.raises(stoffel.CompileError) as caught:
        stoffel.compile(f'import "{name}"\n')
    assert caught.value.diagnostics[0].code == "E001"
