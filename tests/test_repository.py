"""The repository as a whole: sizes, docstrings, links, and that it stands alone."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "stoffel").rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

MOST_LINES = 600

# Spelt in pieces, so that this file passes its own test. Places of one machine, and names of registry hosts.
FORBIDDEN = [
    "/" + "root/",
    "/" + "work/",
    "/" + "home/",
    "/" + "Users/",
    "sha" + "red/",
    "py" + "pi.org",
    "python" + "hosted.org",
    "/" + "opt/",
]


def tracked_files() -> list[Path]:
    """Return the files that belong to the repository (everything there is, where git does not know)."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = done.stdout.decode().split("\0") if done.returncode == 0 else []
    found = [ROOT / name for name in names if name]
    if not found:
        parts = {".git", ".venv", "__pycache__", ".hypothesis", "build", "dist"}
        found = [path for path in ROOT.rglob("*") if not parts & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


def text_of(path: Path) -> str | None:
    """Return the text of *path*, None for a binary file."""
    data = path.read_bytes()
    return None if b"\0" in data[:8192] else data.decode("utf-8")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_source_file_is_too_long() -> None:
    lengths = {shown(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_every_module_says_what_it_is() -> None:
    assert [shown(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [shown(path) for path in SOURCES if path.stem in ("utils", "util", "helpers", "misc", "common")] == []


def test_the_repository_stands_alone() -> None:
    found = []
    for path in tracked_files():
        text = text_of(path)
        if text is not None:
            found += [f"{shown(path)}: {word}" for word in FORBIDDEN if word in text]
    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=shown)
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in LINK.findall(text):
        target, _, anchor = link.partition("#")
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path = (document.parent / target).resolve() if target else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


def anchors(document: Path) -> set[str]:
    """Return the anchors that the headings of a document make."""
    headings = re.findall(r"^#+ +(.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_document_is_reachable_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        for link in LINK.findall(document.read_text(encoding="utf-8")):
            path = (document.parent / link.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.exists() and path not in reached:
                waiting.append(path)
    assert [shown(path) for path in DOCUMENTS if path not in reached] == []


def test_the_scripts_are_valid_and_executable() -> None:
    script = ROOT / ".ci" / "run"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert script.stat().st_mode & 0o111


TARGETS = [
    "demo",
    "test",
    "lint",
    "types",
    "ci",
    "bench",
    "fuzz",
    "fuzz-tiers",
    "conformance",
    "faults",
    "docs",
    "clean",
]


@pytest.mark.parametrize("target", TARGETS)
def test_the_makefile_knows_its_targets(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("target", TARGETS)
def test_make_alone_lists_its_targets(target: str) -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert re.search(rf"make {target}\b", done.stdout)


def test_the_site_has_every_page_of_the_manual() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = re.findall(r"^ +- .*: (\S+\.md)$", settings, re.MULTILINE)
    assert sorted(pages) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
