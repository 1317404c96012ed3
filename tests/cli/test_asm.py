"""``stoffel asm``: text in, ``.stflb`` out, whole or not at all."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel.isa.assembler import assemble
from stoffel.isa.reader import load
from stoffel.isa.writer import write
from tests.cli.conftest import HELLO, Outcome, default_signals

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]


def test_the_file_written_is_the_program(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.stflb"
    assert stoffel("asm", hello, "-o", out) == (0, "", "")
    assert load(out) == assemble(HELLO)


def test_an_older_format_version_can_be_asked_for(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.stflb"
    assert stoffel("asm", hello, "-o", out, "--format-version", "3") == (0, "", "")
    assert load(out).version == 3


@pytest.mark.parametrize("version", ["10", "-1", "x", "", "9" * 5000])
def test_a_format_version_that_does_not_exist_is_a_usage_error(
    stoffel: Stoffel, hello: Path, tmp_path: Path, version: str
) -> None:
    out = tmp_path / "out.stflb"
    assert stoffel("asm", hello, "-o", out, f"--format-version={version}").status == 2
    assert not out.exists()


def test_a_name_to_write_is_needed(stoffel: Stoffel, hello: Path) -> None:
    assert stoffel("asm", hello) == (2, "", "stoffel asm: missing -o OUT (see stoffel asm --help)\n")


def test_a_dash_is_standard_output(process: Callable[..., Outcome], start: Any, hello: Path) -> None:
    out, err = start("asm", hello, "-o", "-").communicate(timeout=60)
    assert (out, err) == (write(assemble(HELLO)), b"")


def test_a_binary_program_is_no_text_assembly(stoffel: Stoffel, tmp_path: Path) -> None:
    path = tmp_path / "hello.stflb"
    assemble(HELLO).save(path)
    assert stoffel("asm", path, "-o", tmp_path / "out.stflb") == (
        3,
        "",
        f"stoffel: {path}: is a .stflb program already, not text assembly\n",
    )


def test_wrong_assembly_is_told_with_its_place_and_writes_nothing(
    stoffel: Stoffel, program: Write, tmp_path: Path
) -> None:
    path = program("function main()\n    ADD r0, r1\nend\n")
    status, out, err = stoffel("asm", path, "-o", tmp_path / "out.stflb")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"stoffel: {path}:2:")
    assert list(tmp_path.iterdir()) == [path]


def test_the_input_is_never_overwritten(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(hello)
    for out in (hello, link):
        assert stoffel("asm", hello, "-o", out) == (
            3,
            "",
            f"stoffel: {out}: is the input file; give another name with -o\n",
        )
    assert hello.read_text() == HELLO


def test_a_directory_cannot_be_written(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    status, out, err = stoffel("asm", hello, "-o", tmp_path)
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert str(tmp_path) in err


def test_a_missing_directory_is_told(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    status, out, err = stoffel("asm", hello, "-o", tmp_path / "no" / "out.stflb")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "No such file or directory" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device")
def test_a_full_device_is_told(stoffel: Stoffel, hello: Path) -> None:
    status, out, err = stoffel("asm", hello, "-o", "/dev/full")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "No space left on device" in err


@pytest.mark.parametrize("command", ["asm", "dis"])
def test_when_space_runs_out_the_old_file_stays_and_nothing_else_does(
    start: Any, hello: Path, tmp_path: Path, command: str
) -> None:
    def little_space() -> None:
        default_signals()
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

    out = tmp_path / "out"
    out.write_bytes(b"what was there before")
    # A file size limit makes a write stop in the middle, as a full disk does.
    child = start(command, hello, "-o", out, preexec_fn=little_space)
    printed, err = child.communicate(timeout=60)
    assert (child.returncode, printed, err.count(b"\n")) == (3, b"", 1)
    assert b"File too large" in err
    assert out.read_bytes() == b"what was there before"
    assert sorted(tmp_path.iterdir()) == [hello, out]
