"""What the README and the manual show is what happens: their Python runs, their commands print what is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def having(language: str) -> list[object]:
    return [pytest.param(path, id=path.name) for path in DOCUMENTS if blocks(path, language)]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A directory with the examples in it, and a `stoffel` command beside it."""
    command = tmp_path / "bin" / "stoffel"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stoffel "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    place = tmp_path / "work"
    place.mkdir()
    (place / "examples").symlink_to(ROOT / "examples")
    return place


def test_the_readme_has_examples_of_both_kinds() -> None:
    readme = ROOT / "README.md"
    assert (len(blocks(readme, "console")) >= 2, len(blocks(readme, "python")) >= 2) == (True, True)


@pytest.mark.parametrize("document", having("python"))
def test_the_python_of_a_document_runs(document: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    text = document.read_text(encoding="utf-8")
    # One program per document, each block on its own lines, so that a failure names the line of the document.
    lines = [""] * (text.count("\n") + 1)
    for match in FENCE.finditer(text):
        if match[1] == "python":
            start = text.count("\n", 0, match.start(2))
            body = match[2].splitlines()
            lines[start : start + len(body)] = body
    exec(compile("\n".join(lines), str(document), "exec"), {"__name__": "document"})


@pytest.mark.parametrize("document", having("console"))
def test_the_commands_of_a_document_print_what_is_shown(document: Path, workplace: Path) -> None:
    environment = {
        "PATH": f"{workplace.parent / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C",
        "STOFFEL_CACHE_DIR": str(workplace.parent / "kernels"),
    }
    for block in blocks(document, "console"):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = piece.partition("\n")
            done = subprocess.run(
                ["bash", "-c", f"{{ {command}\n}} 2>&1"],
                cwd=workplace,
                env=environment,
                capture_output=True,
                timeout=120,
            )
            actual = done.stdout.decode()
            assert matches(actual, shown), f"$ {command}\n{actual}"


def matches(actual: str, shown: str) -> bool:
    """Tell whether *actual* is what is *shown*, where a line ``...`` stands for any lines."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in shown.splitlines())
    return re.fullmatch(pattern, actual) is not None


def test_the_comparison_of_shown_and_actual_text_can_fail() -> None:
    assert matches("a\nb\nc\n", "a\n...\n")
    assert matches("a\n", "a\n...\n")
    assert matches("", "")
    assert not matches("a\nb\n", "a\n")
    assert not matches("a\n", "a\nb\n")
    assert not matches("x\nb\n", "a\n...\n")
