"""``stoffel dis``: any program in, text assembly out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stoffel.isa.assembler import assemble
from stoffel.isa.disassembler import disassemble
from tests.cli.conftest import HELLO, Outcome

Stoffel = Callable[..., Outcome]


def test_the_text_assembles_to_the_same_program(stoffel: Stoffel, tmp_path: Path) -> None:
    path = tmp_path / "hello.stflb"
    assemble(HELLO).save(path)
    status, out, err = stoffel("dis", path)
    assert (status, err) == (0, "")
    assert assemble(out) == assemble(HELLO)


def test_the_text_can_go_into_a_file(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.stfasm"
    assert stoffel("dis", hello, "-o", out) == (0, "", "")
    assert out.read_text(encoding="utf-8") == disassemble(assemble(HELLO))


def test_a_dash_is_standard_output(stoffel: Stoffel, hello: Path) -> None:
    assert stoffel("dis", hello, "-o", "-") == stoffel("dis", hello)


def test_the_input_is_never_overwritten(stoffel: Stoffel, hello: Path) -> None:
    assert stoffel("dis", hello, "-o", hello).status == 3
    assert hello.read_text() == HELLO


def test_an_existing_file_is_replaced(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.stfasm"
    out.write_text("old", encoding="utf-8")
    assert stoffel("dis", hello, "-o", out).status == 0
    assert out.read_text(encoding="utf-8") == disassemble(assemble(HELLO))
