"""Sentences on standard error that are said once."""

from __future__ import annotations

import io
import sys

import pytest

from stoffel import notices


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_said", set())


def test_a_sentence_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    for sentence in ("one", "other", "one"):
        notices.say_once(sentence)
    assert capsys.readouterr().err == "stoffel: one\nstoffel: other\n"


def test_nobody_is_told_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stderr", stream)
        notices.say_once(f"to {stream}")
    assert len(notices._said) == 2
