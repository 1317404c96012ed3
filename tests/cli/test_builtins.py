"""``stoffel builtins``: what the table says, for people."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stoffel.model.builtins.table import BY_NAME
from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]


def test_all_builtins_are_listed_by_family(stoffel: Stoffel) -> None:
    status, out, err = stoffel("builtins")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == ["Tables:", "  create_object()", "  create_array([capacity])"]
    assert [line.strip() for line in lines if line.startswith("  ")] == [row.signature for row in BY_NAME.values()]
    assert lines[-1] == "stoffel builtins NAME tells more about one."


@pytest.mark.parametrize("name", BY_NAME)
def test_everything_is_told_about_one(stoffel: Stoffel, name: str) -> None:
    status, out, err = stoffel("builtins", name)
    assert (status, err) == (0, "")
    row = BY_NAME[name]
    lines = out.splitlines()
    assert lines[:2] == [f"{row.signature} -> {row.result.words}", row.summary]
    assert all(f"  {text}" in lines for text in row.errors)
    assert all(effect in out for effect in row.effects)
    assert out.endswith(f"{row.example.rpartition('; ')[2]}  # {row.gives}\n")


@pytest.mark.parametrize(
    ("name", "tiers"),
    [
        ("get_field", "expanded in code objects, expanded in kernels"),
        ("to_string", "expanded in code objects, left to the interpreter by kernels"),
        ("copy", "called from code objects, expanded in kernels"),
        ("slice", "called from code objects, left to the interpreter by kernels"),
        ("call_closure", "expanded in code objects, expanded in kernels"),
    ],
)
def test_the_tiers_that_have_it_are_told(stoffel: Stoffel, name: str, tiers: str) -> None:
    assert f"Compiled code: {tiers}.\n" in stoffel("builtins", name).out


def test_a_method_is_said_to_be_one(stoffel: Stoffel) -> None:
    assert "CALL open means it too where the first argument is a Share.\n" in stoffel("builtins", "Share.open").out


def test_an_unknown_name_is_refused_with_the_nearest(stoffel: Stoffel) -> None:
    text = "stoffel builtins: there is no builtin 'array_pus'; did you mean array_push? (see stoffel builtins --help)\n"
    assert stoffel("builtins", "array_pus") == (2, "", text)
