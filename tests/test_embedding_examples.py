"""The Python examples print what their docstrings say."""

from __future__ import annotations

import ast
import runpy
import textwrap
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples" / "embedding").glob("*.py"))


def promised(path: Path) -> str:
    """Return the text after ``Prints:`` in the docstring of an example."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return textwrap.dedent(docstring.partition("Prints:\n\n")[2]) + "\n"


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
    assert all(len(promised(path)) > 1 for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_promises(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out == promised(path)
