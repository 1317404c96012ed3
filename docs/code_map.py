"""Write the list of files in ``docs/code-map.md`` from the modules' docstrings: ``python docs/code_map.py``."""

from __future__ import annotations

import ast
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PAGE = DOCS / "code-map.md"
START = "<!-- The list from here on is written by docs/code_map.py; edit the docstrings of the modules. -->\n"


def code_map() -> str:
    """Return the text of the page: what is written by hand, then one line for each module."""
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(START)
    sections = []
    modules = sorted((ROOT / "stoffel").rglob("*.py"), key=lambda path: (path.parent.parts, path.name))
    for folder in dict.fromkeys(path.parent for path in modules):
        rows = [
            f"| [{path.name}](../{path.relative_to(ROOT)}) | {summary(path)} |"
            for path in modules
            if path.parent == folder
        ]
        sections.append("\n".join([f"\n## {folder.relative_to(ROOT)}/\n", "| file | |", "| --- | --- |", *rows, ""]))
    return written + START + "".join(sections)


def summary(path: Path) -> str:
    """Return the first paragraph of a module's docstring in one line of Markdown."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(code_map(), encoding="utf-8")
