"""The magics of notebooks, with a shell that has what is used of IPython's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel.notebook import MACHINE

SOURCE = 'def main(n: int64) -> int64:\n  print("hello", n)\n  return n * 2\n'
ASSEMBLY = "function main(n)\n LDI r1, 2\n MUL r0, r0, r1\n RET r0\nend\n"


class FakeShell:
    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.magics: dict[str, Callable[..., Any]] = {}

    def register_magic_function(self, func: Callable[..., object], magic_kind: str, magic_name: str) -> None:
        self.magics[("%%" if magic_kind == "cell" else "%") + magic_name] = func


@pytest.fixture
def shell() -> FakeShell:
    found = FakeShell()
    stoffel.load_ipython_extension(found)
    return found


def test_the_extension_has_three_magics(shell: FakeShell) -> None:
    assert sorted(shell.magics) == ["%%stfasm", "%%stfl", "%stoffel_profile"]


@pytest.mark.parametrize("line", ["21", "--jit always 21", "--jit=off --entry=main 21"])
def test_a_cell_prints_and_has_a_result(shell: FakeShell, capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert shell.magics["%%stfl"](line, SOURCE) == 42
    assert capsys.readouterr().out == "hello 21\n"
    assert shell.magics["%%stfasm"](line, ASSEMBLY) == 42
    assert shell.user_ns[MACHINE].execute("main", 4) == 8


def test_what_is_wrong_is_shown(shell: FakeShell, capsys: pytest.CaptureFixture[str]) -> None:
    for name, line, cell, text in (
        ("%%stfl", "", "def main() -> int64:\n  return x\n", "cell.stfl:2:10"),
        ("%%stfasm", "", "function main()\n LDX r0\nend", "cell.stfasm:2"),
        ("%%stfasm", "--jt off", ASSEMBLY, "did you mean --jit?"),
        ("%%stfasm", "'", ASSEMBLY, "No closing quotation"),
        ("%%stfasm", "i8:300", ASSEMBLY, "argument 1"),
        ("%%stfasm", "text", ASSEMBLY, "at function main, instruction 1: MUL r0, r0, r1"),
        ("%%stfasm", "", ASSEMBLY, "expects 1 arguments but got 0"),
        ("%%stfasm", "--help", ASSEMBLY, "--entry NAME"),
    ):
        assert shell.magics[name](line, cell) is None
        assert text in capsys.readouterr().out


def test_a_function_of_the_last_cell_is_profiled(shell: FakeShell, capsys: pytest.CaptureFixture[str]) -> None:
    profile = shell.magics["%stoffel_profile"]
    assert profile("main 3") is None
    assert "there is no program yet" in capsys.readouterr().out
    shell.magics["%%stfl"]("1", SOURCE)
    assert profile("") is None
    found = profile("main 3")
    assert "processor time" in capsys.readouterr().out
    assert found._repr_html_().startswith("<pre>")


def test_programs_and_functions_have_a_form_for_notebooks() -> None:
    program = stoffel.assemble('function less(a, b)\n CMP r0, r1\n LDI r0, "<b>"\nend')
    page = program._repr_html_()
    assert "<td>less(a, b)</td>" in page
    listing = program.functions[0]._repr_html_()
    assert "&lt;b&gt;" in listing
    assert "<b>" not in listing
