"""Fixtures of the compiler's tests."""

from __future__ import annotations

import pytest

from stoffel.compiler.flow import inlining


@pytest.fixture
def nothing_inlined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call be one, however small the function is."""
    monkeypatch.setattr(inlining, "MOST", 0)
