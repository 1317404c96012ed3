"""The map of the code names every module and what it is."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_map_is_up_to_date() -> None:
    generated = runpy.run_path(str(DOCS / "code_map.py"))["code_map"]()
    assert (DOCS / "code-map.md").read_text(encoding="utf-8") == generated, "run: python docs/code_map.py"


def test_the_map_lists_every_module_once() -> None:
    page = (DOCS / "code-map.md").read_text(encoding="utf-8")
    modules = [path.relative_to(DOCS.parent) for path in (DOCS.parent / "stoffel").rglob("*.py")]
    assert {str(path): page.count(f"](../{path})") for path in modules} == {str(path): 1 for path in modules}
