"""Input files that are missing, unreadable, not programs, or too long: one clear line each, status 3."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stoffel.cli import files
from stoffel.isa.assembler import assemble
from tests.cli.conftest import HELLO, Outcome

Stoffel = Callable[..., Outcome]

NEITHER = "neither a .stflb program (it does not begin with the bytes STFL) nor text assembly"


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


@pytest.fixture(params=["run", "dis", "check", "info"])
def reader(request: pytest.FixtureRequest) -> str:
    """Each command that takes any program."""
    return str(request.param)


def test_an_empty_name_is_told(stoffel: Stoffel, reader: str) -> None:
    told = f"stoffel {reader}: the name of a file is empty (see stoffel {reader} --help)\n"
    assert stoffel(reader, "") == (2, "", told)


@pytest.mark.parametrize("writer", ["asm", "dis"])
def test_an_empty_name_of_an_output_is_told(stoffel: Stoffel, writer: str, tmp_path: Path) -> None:
    path = tmp_path / "hello.stfasm"
    path.write_text(HELLO)
    told = f"stoffel {writer}: the name of the file to write is empty (see stoffel {writer} --help)\n"
    assert stoffel(writer, path, "-o", "") == (2, "", told)


def test_a_missing_file_is_told(stoffel: Stoffel, reader: str, tmp_path: Path) -> None:
    path = tmp_path / "missing.stflb"
    assert stoffel(reader, path) == (3, "", f"stoffel: {path}: cannot read: No such file or directory\n")


def test_a_directory_is_told(stoffel: Stoffel, reader: str, tmp_path: Path) -> None:
    assert stoffel(reader, tmp_path) == (3, "", f"stoffel: {tmp_path}: cannot read: Is a directory\n")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(stoffel: Stoffel, reader: str, hello: Path) -> None:
    hello.chmod(0)
    assert stoffel(reader, hello) == (3, "", f"stoffel: {hello}: cannot read: Permission denied\n")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_file_that_fails_while_it_is_read_is_told(stoffel: Stoffel, reader: str) -> None:
    assert stoffel(reader, "/proc/self/mem") == (
        3,
        "",
        "stoffel: /proc/self/mem: cannot read: Input/output error\n",
    )


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs the device")
def test_an_endless_device_is_not_swallowed(stoffel: Stoffel, reader: str) -> None:
    assert stoffel(reader, "/dev/zero") == (3, "", f"stoffel: /dev/zero: {NEITHER}\n")


def test_an_endless_text_is_not_swallowed(
    stoffel: Stoffel, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_TEXT", 1 << 20)
    path = tmp_path / "long.stfasm"
    path.write_bytes(b";" * ((1 << 20) + 1))
    assert stoffel(reader, path) == (3, "", f"stoffel: {path}: longer than 1 MiB, too long for text assembly\n")


def test_an_endless_program_is_not_swallowed(
    stoffel: Stoffel, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BINARY", 1 << 20)
    path = tmp_path / "long.stflb"
    path.write_bytes(b"STFL" + bytes(1 << 20))
    assert stoffel(reader, path) == (3, "", f"stoffel: {path}: longer than 1 MiB, too long for a .stflb program\n")


def test_the_longest_file_allowed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_TEXT", 1 << 20)
    path = tmp_path / "long.stfasm"
    path.write_bytes(b";" * (1 << 20))
    assert len(files.read_source(str(path)).data) == 1 << 20


def test_a_picture_is_no_program(stoffel: Stoffel, reader: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert stoffel(reader, path) == (3, "", f"stoffel: {path}: {NEITHER}\n")


def test_prose_is_an_assembly_error_with_its_place(stoffel: Stoffel, reader: str, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear machine,\n", encoding="utf-8")
    status, out, err = stoffel(reader, path)
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"stoffel: {path}:1:1: ")


def test_text_that_is_not_utf8_is_an_assembly_error_with_its_place(
    stoffel: Stoffel, reader: str, tmp_path: Path
) -> None:
    path = tmp_path / "latin1.stfasm"
    path.write_bytes("; fine\n; naïve\n".encode("latin-1"))
    status, out, err = stoffel(reader, path)
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"stoffel: {path}:2:5: ")


@pytest.mark.parametrize("data", [b"", b"S", b"STF", b"junk junk"])
def test_a_stflb_file_that_is_cut_off_or_junk_is_told_so(
    stoffel: Stoffel, reader: str, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "short.stflb"
    path.write_bytes(data)
    assert stoffel(reader, path) == (3, "", f"stoffel: {path}: {NEITHER}\n")


def test_every_truncation_of_a_program_is_one_clear_line(stoffel: Stoffel, tmp_path: Path) -> None:
    whole = tmp_path / "hello.stflb"
    assemble(HELLO).save(whole)
    data = whole.read_bytes()
    path = tmp_path / "cut.stflb"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        status, out, err = stoffel("run", path)
        assert (status, out, err.count("\n"), err.startswith(f"stoffel: {path}: ")) == (3, "", 1, True)


def test_a_path_with_odd_characters_stays_one_line(stoffel: Stoffel, reader: str, tmp_path: Path) -> None:
    status, out, err = stoffel(reader, tmp_path / "new\nline")
    assert (status, out, err.count("\n")) == (3, "", 1)
    assert "new\\nline: cannot read: No such file or directory" in err


def test_standard_input_may_be_text(stoffel: Stoffel, standard_input: Callable[[bytes], None]) -> None:
    standard_input(HELLO.encode())
    assert stoffel("run", "-") == (0, "Hello, world\n5\n", "")


def test_standard_input_may_be_binary(
    stoffel: Stoffel, standard_input: Callable[[bytes], None], tmp_path: Path
) -> None:
    path = tmp_path / "hello.stflb"
    assemble(HELLO).save(path)
    standard_input(path.read_bytes())
    assert stoffel("run", "-") == (0, "Hello, world\n5\n", "")


def test_errors_in_standard_input_name_it(
    stoffel: Stoffel, reader: str, standard_input: Callable[[bytes], None]
) -> None:
    standard_input(b"what?\n")
    status, out, err = stoffel(reader, "-")
    assert (status, out) == (3, "")
    assert err.startswith("stoffel: <stdin>:1:1: ")


def test_closed_standard_input_is_told(stoffel: Stoffel, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert stoffel(reader, "-") == (3, "", "stoffel: <stdin>: standard input is closed\n")
