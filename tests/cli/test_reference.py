"""The reference: generated pages are up to date, and nothing that users can name is missing."""

from __future__ import annotations

import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest

import stoffel
from stoffel import ErrorKind, events
from stoffel.cli.options import COMMANDS, HELP, command_named
from stoffel.model.builtins.table import BY_NAME

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_what_the_tables_say(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == GENERATED[name](), "run: python docs/generate.py"


def missing(names: Iterable[str], form: str = "`{}") -> list[str]:
    return [name for name in names if form.format(name) not in TEXT]


def test_every_option_is_in_the_reference_and_in_the_manual_page() -> None:
    options = [option.usage for name in COMMANDS for option in (*command_named(name).options, HELP)]
    assert missing(options) == []
    page = (DOCS / "stoffel.1").read_text(encoding="utf-8").replace("\\-", "-")
    assert [usage for usage in options if f".B {usage}\n" not in page] == []


def test_every_builtin_is_in_the_reference() -> None:
    assert missing(BY_NAME, "### {}\n") == []


def test_every_public_name_is_in_the_reference() -> None:
    assert missing(stoffel.__all__, "## {}\n") == []


def test_every_event_is_in_the_reference() -> None:
    assert missing([event.__name__ for event in get_args(events.Event)], "### events.{}\n") == []


def test_every_kind_of_error_is_in_the_reference() -> None:
    assert missing([f"{kind.name}` ({kind.value!r}): " for kind in ErrorKind]) == []
