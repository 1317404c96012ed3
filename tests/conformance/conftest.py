"""Fixtures of the conformance cases: programs loaded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import stoffel

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def program() -> Callable[[str], stoffel.Program]:
    """Load a program file by name; the cases that share a file share the Program, never a machine."""

    @cache
    def load(name: str) -> stoffel.Program:
        return stoffel.load(PROGRAMS / name)

    return load
