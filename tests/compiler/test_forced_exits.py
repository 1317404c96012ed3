"""Programs of the conformance suite with compiled code left, and entered again, at every few safepoints."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import stoffel
from tests.conformance.test_conformance import HERE, expected, outcome
from tests.ways import Way

CASES: list[dict[str, Any]] = json.loads((Path(HERE) / "cases.json").read_text())
CHOSEN = [case for case in CASES if not case["name"].endswith(("_O1", "_O2", "_O3"))]
"""All but the variants of a program that the StoffelLang compiler's optimiser makes."""


@cache
def program(file: str) -> stoffel.Program:
    return stoffel.load(HERE / "programs" / file)


def forced(every: int) -> Way:
    def machine(**options: Any) -> stoffel.VirtualMachine:
        made = stoffel.VirtualMachine(jit="always", **options)
        made.state.tier.every = every
        return made

    return Way(f"every {every}", machine)


@pytest.mark.parametrize("every", [1])
@pytest.mark.parametrize("case", CHOSEN, ids=[case["name"] for case in CHOSEN])
def test_program_left_at_safepoints_gives_the_reference_outcome(case: dict[str, Any], every: int) -> None:
    assert outcome(case, program(case["file"]), forced(every)) == expected(case)
