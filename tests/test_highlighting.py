"""The Pygments lexer: everything in the examples is understood, and kinds of words are told apart."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

pygments = pytest.importorskip("pygments")

from pygments.token import Error, Keyword, Name, Number, Operator, String  # noqa: E402

from stoffel.highlighting import StfasmLexer, StoffelLexer  # noqa: E402
from stoffel.isa.table import BY_NAME  # noqa: E402

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.stfasm"))


def kinds(text: str) -> dict[str, object]:
    return {value: kind for kind, value in StfasmLexer().get_tokens(text)}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_text_of_an_example_is_kept_and_understood(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tokens = list(StfasmLexer(stripnl=False).get_tokens(text))
    assert "".join(value for _, value in tokens) == text
    assert [value for kind, value in tokens if kind in Error] == []


@pytest.mark.parametrize("name", BY_NAME)
def test_every_instruction_is_a_keyword(name: str) -> None:
    assert kinds(f"    {name} r0\n")[name] in Keyword


def test_words_have_their_kinds() -> None:
    found = kinds('function f(n)\nagain: LDI r1, 12u8\n LDI slot3, 1.5f\n LDI r2, "a\\"b"\n CALL g.h\n JMP again\nend')
    assert found["f"] is Name.Function
    assert found["g.h"] is Name.Function
    assert found["r1"] is found["slot3"] is Name.Variable
    assert found["12u8"] is Number.Integer
    assert found["1.5f"] is Number.Float
    assert found['"a\\"b"'] is String.Double


SOURCE = """\
import geometry
enum Color:  # three
  Red
def area(sides: list[int64]) -> float:
  var n = 0x1fu8 + 1_000 + 1.5e3
  match n:
    case 1:
      assert True, f"{n}"
  if n in sides and not len(sides) > 2:
    return Share.open(n)
  return area(sides[1:])
"""


def test_sources_have_their_kinds() -> None:
    tokens = list(StoffelLexer(stripnl=False).get_tokens(SOURCE))
    assert "".join(value for _, value in tokens) == SOURCE
    assert [value for kind, value in tokens if kind in Error] == []
    found = {value: kind for kind, value in tokens}
    assert found["geometry"] is Name.Namespace
    assert found["Color"] is Name.Class
    assert found["area"] is Name.Function
    assert found["list"] is found["int64"] is Keyword.Type
    assert found["0x1fu8"] is found["1_000"] is Number.Integer
    assert found["1.5e3"] is Number.Float
    assert found["match"] is found["case"] is found["assert"] is found["var"] is Keyword
    assert found["in"] is found["and"] is found["not"] is Operator.Word
    assert found["len"] is Name.Builtin
    assert found["True"] is Keyword.Constant


def test_the_grammars_of_editors_are_the_lexers_in_another_form() -> None:
    editors = Path(__file__).parents[1] / "editors"
    made = runpy.run_path(str(editors / "grammars.py"))
    package = json.loads((editors / "vscode" / "package.json").read_text(encoding="utf-8"))
    paths = {entry["scopeName"]: editors / "vscode" / entry["path"] for entry in package["contributes"]["grammars"]}
    assert set(paths) == {f"source.{name}" for name in made["GRAMMARS"]}
    for name in made["GRAMMARS"]:
        text = paths[f"source.{name}"].read_text(encoding="utf-8")
        assert text == made["text"](name), "run: python editors/grammars.py"
        grammar = json.loads(text)
        assert grammar["scopeName"] == f"source.{name}"
        for pattern in grammar["patterns"]:
            groups = re.compile(pattern["match"]).groups
            assert all(int(number) <= groups for number in pattern.get("captures", {}))
    for language in package["contributes"]["languages"]:
        json.loads((editors / "vscode" / language["configuration"]).read_text(encoding="utf-8"))
