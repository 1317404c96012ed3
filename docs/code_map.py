"""Write the pictures and the list of files in ``docs/code-map.md``: ``python docs/code_map.py``.

The list comes from the docstrings of the modules, grouped by layer and stage as :data:`LAYERS` says.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PAGE = DOCS / "code-map.md"
START = "<!-- The list from here on is written by docs/code_map.py; edit the docstrings of the modules. -->\n"

LAYERS: Final = (
    ("Foundation", "Imports nothing of the rest.", ("",)),
    ("Programs", "What a program is: data, files, text.", ("isa",)),
    ("Values", "What programs compute with, and what every builtin is.", ("model", "model/builtins")),
    ("Reference machine", "Runs programs; what it does is right.", ("runtime", "runtime/builtins")),
    (
        "Compiler",
        "From a function to a code object or a kernel. It knows no machine.",
        (
            "compiler",
            "compiler/flow",
            "compiler/analysis",
            "compiler/emission",
            "compiler/cpython",
            "compiler/kernels",
            "compiler/kernels/analysis",
            "compiler/kernels/codegen",
        ),
    ),
    (
        "Compiled tiers",
        "When to compile, entering and leaving what was compiled.",
        ("jit", "jit/policy", "jit/kernels", "jit/store"),
    ),
    ("Profiles", "Where time goes, and what ran.", ("profiling",)),
    ("Traces", "What a run does, event by event.", ("tracing",)),
    ("StoffelLang", "From sources to programs; needs nothing but those.", ("lang",)),
    ("Embedding", "The machine as hosts see it.", ("embedding",)),
    ("Debugger", "Breakpoints, steps, and back.", ("debug",)),
    ("Columns", "A function over millions of rows.", ("columns",)),
    ("Command line", "", ("cli",)),
)
"""Headings in the order of the layers, each with its folders in the order of the stages."""

PIPELINE: Final = (
    ("flow", "decoded instructions, inlined calls, basic blocks"),
    ("analysis", "kinds, ranges, guesses, liveness"),
    ("emission", "instruction selection, value locations, deopt points"),
    ("cpython", "assembled and verified: a code object"),
)
"""The stages of a translation by folder, and what each gives to the next."""

KERNEL_PIPELINE: Final = (
    ("kernels/analysis", "machine types of every value"),
    ("kernels/codegen", "LLVM IR, machine code: a kernel"),
)
"""The stages after ``flow`` for a kernel."""


def code_map() -> str:
    """Return the text of the page: what is written by hand, the pictures, then one line for each module."""
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(START)
    return "".join([written, START, *_pictures(), *_lists()])


def _pictures() -> Iterator[str]:
    yield "\n## The stages of a translation\n\n```mermaid\nflowchart LR\n    function([VM function])\n"
    before = "function"
    for folder, product in PIPELINE:
        yield f'    {before} --> {folder}["compiler/{folder}<br>{product}"]\n'
        before = folder
    before = PIPELINE[0][0]
    for folder, product in KERNEL_PIPELINE:
        name = folder.replace("/", "_")
        yield f'    {before} --> {name}["compiler/{folder}<br>{product}"]\n'
        before = name
    yield "```\n\n## What imports what\n\nAn arrow is an import; those that follow from others are left out.\n\n"
    yield "```mermaid\nflowchart BT\n"
    uses = {package: _reached(package) for package in _packages()}
    for package, below in uses.items():
        indirect = {other for between in below for other in uses[between]}
        for other in sorted(below - indirect):
            yield f"    {package} --> {other}\n"
    yield "```\n"


def _packages() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "stoffel").glob("*/__init__.py"))


def _reached(package: str) -> set[str]:
    """Return the packages that the modules of *package* import."""
    found = set()
    for path in (ROOT / "stoffel" / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                found |= {module.split(".")[1] for module in modules if module.startswith("stoffel.")}
    return (found & set(_packages())) - {package}


def _lists() -> Iterator[str]:
    for heading, sentence, folders in LAYERS:
        yield f"\n## {heading}\n"
        if sentence:
            yield f"\n{sentence}\n"
        for name in folders:
            folder = ROOT / "stoffel" / name
            yield f"\n### {folder.relative_to(ROOT)}/\n\n| file | |\n| --- | --- |\n"
            for path in sorted(folder.glob("*.py")):
                yield f"| [{path.name}](../{path.relative_to(ROOT)}) | {summary(path)} |\n"


def summary(path: Path) -> str:
    """Return the first paragraph of a module's docstring in one line of Markdown."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(code_map(), encoding="utf-8")
