"""What editors ask: names, their declarations, types and completions."""

from __future__ import annotations

from pathlib import Path

from stoffel.lang.analysis import Analysis, Occurrence, Place, described
from stoffel.lang.source import Source

TEXT = """\
def area(width: int64, height: int64) -> int64:
  return width * height

def main() -> int64:
  var übrig = 3
  var total = area(übrig, übrig)
  for total2 in 0..total:
    print(total2, übrig.area(total))
  return total
"""


def analysis(text: str = TEXT) -> Analysis:
    return Analysis(Source(text, "", "main.stfl"))


def named(found: Analysis, line: int, word: str, nth: int = 0) -> Occurrence:
    """Return the occurrence of the nth *word* on a line, as an editor would ask for it."""
    text = found.source.lines()[line]
    at = -1
    for _ in range(nth + 1):
        at = text.index(word, at + 1)
    one = found.at(line, at + 1)
    assert one is not None
    assert one.name == word
    return one


def test_a_name_leads_to_its_declaration() -> None:
    found = analysis()
    for line, word, wanted in ((8, "total", 5), (5, "area", 0), (7, "area", 0), (1, "width", 0), (7, "total2", 6)):
        declaration = found.declaration(named(found, line, word).subject)
        assert isinstance(declaration, Occurrence)
        assert (declaration.line, declaration.name, declaration.declares) == (wanted, word, True)


def test_all_uses_are_found_and_only_they() -> None:
    found = analysis()
    assert [(one.line, one.start) for one in found.of(named(found, 8, "total").subject)] == [
        (5, 6), (6, 19), (7, 29), (8, 9)
    ]  # fmt: skip
    assert [(one.line, one.start) for one in found.of(named(found, 4, "übrig").subject)] == [
        (4, 6), (5, 19), (5, 26), (7, 18)
    ]  # fmt: skip


def test_hovering_shows_types() -> None:
    found = analysis()
    assert described(named(found, 8, "total")) == "total: int64"
    assert described(named(found, 5, "area")) == "def area(width: int64, height: int64) -> int64"
    assert described(named(found, 7, "print")) == "def print(*values: <unknown>)"
    assert found.declaration(named(found, 7, "print").subject) is None


def test_a_source_with_errors_is_known_as_far_as_it_can_be_read() -> None:
    found = analysis(TEXT + "\ndef broken(\n")
    assert [one.code for one in found.diagnostics] == ["E001"]
    assert described(named(found, 8, "total")) == "total: int64"
    assert analysis('var x = "\n').occurrences == []


def test_completions_know_what_stands_before() -> None:
    found = analysis("enum Color:\n  Red\n  Green\n\nobject P:\n  size: int64\n\ndef main():\n  var long_name = 1\n")
    names = found.completions("  var x = ")
    assert {"long_name", "while", "True", "print", "Color", "int64"} <= set(names)
    assert found.completions("  Color.") == ["Green", "Red"]
    assert "open" in found.completions("  Share.")
    assert {"size", "append"} <= set(found.completions("  p."))


def test_a_declaration_in_another_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "inner.stfl").write_text("var x = 1\n\ndef give() -> int64:\n  return 1\n", encoding="utf-8")
    path = tmp_path / "main.stfl"
    found = Analysis(Source("import inner\n\ndef main() -> int64:\n  return give()\n", str(path)))
    assert found.diagnostics == ()
    assert found.declaration(named(found, 3, "give").subject) == Place(str(tmp_path / "inner.stfl"), 2)
