"""The command as a process: dispatch, pipes, signals, encodings, broken streams, internal errors."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel.cli import main as main_module
from stoffel.cli.main import main
from stoffel.cli.options import COMMANDS
from tests.cli.conftest import Outcome, default_signals, environment

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]


# Which command


def test_without_a_command_the_overview_goes_to_standard_error(stoffel: Stoffel) -> None:
    status, out, err = stoffel()
    assert (status, out) == (2, "")
    assert err == stoffel("--help").out


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command(stoffel: Stoffel, words: list[str]) -> None:
    status, out, err = stoffel(*words)
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if line.startswith("  ")] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(stoffel: Stoffel, command: str) -> None:
    status, out, err = stoffel(command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: stoffel {command} ")
    assert stoffel("help", command) == (status, out, err)


def test_help_wins_over_what_else_is_wrong(stoffel: Stoffel) -> None:
    assert stoffel("asm", "a", "b", "-h").status == 0


def test_the_version_is_shown(stoffel: Stoffel) -> None:
    status, out, err = stoffel("--version")
    assert (status, err) == (0, "")
    assert out.startswith("stoffel ")
    assert out.endswith(f" on Python {sys.version.split()[0]}\n")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rum", "unknown command 'rum'; did you mean run?"),
        ("qqq", "unknown command 'qqq'"),
        ("a\nb", "unknown command 'a\\nb'"),
        ("--jason", "unknown option '--jason'"),
        ("", "unknown command ''"),
    ],
)
def test_an_unknown_command_is_a_usage_error(stoffel: Stoffel, word: str, message: str) -> None:
    assert stoffel(word) == (2, "", f"stoffel: {message} (see stoffel --help)\n")


def test_the_module_runs_as_a_process(process: Callable[..., Outcome], hello: Path) -> None:
    assert process("run", hello) == (0, "Hello, world\n5\n", "")


def test_the_installed_script_names_this_entry() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, function = project["project"]["scripts"]["stoffel"].partition(":")
    assert (module, getattr(sys.modules[module], function)) == (main_module.__name__, main_module.entry)


# Standard input and output


def test_the_process_looks_for_garbage_seldom_and_an_embedding_program_as_it_likes(hello: Path) -> None:
    script = (
        "import gc, sys, stoffel\n"
        "from stoffel.cli import main\n"
        "before = gc.get_threshold()\n"
        f"main.main(['run', {str(hello)!r}])\n"
        "assert gc.get_threshold() == before\n"
        f"sys.argv = ['stoffel', 'run', {str(hello)!r}]\n"
        "try: main.entry()\n"
        "except SystemExit: assert gc.get_threshold() == (main.OBJECTS_BETWEEN_COLLECTIONS, *before[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_standard_input_is_read(process: Callable[..., Outcome], hello: Path) -> None:
    assert process("run", "-", input=hello.read_bytes()) == (0, "Hello, world\n5\n", "")


def test_lines_appear_as_they_are_printed(start: Any, spinner: Path) -> None:
    child = start("run", spinner)
    # The program never ends: the line can only be here if it left at once.
    assert child.stdout.readline() == b"started\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_is_utf8_whatever_the_terminal_says(
    process: Callable[..., Outcome], program: Write, encoding: str
) -> None:
    path = program(
        'function main()\n    LDI r0, "zażółć ✓"\n    PUSHARG r0\n    CALL print\n    LDI r0, "ü"\n    RET r0\nend\n'
    )
    outcome = process("run", path, env=environment(PYTHONIOENCODING=encoding, LC_ALL="C"))
    assert outcome == (0, 'zażółć ✓\n"ü"\n', "")


def test_an_argument_that_is_not_utf8_is_a_usage_error(process: Callable[..., Outcome], echo: Path) -> None:
    status, out, err = process("run", echo, os.fsdecode(b"\xff"))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "argument 1" in err
    assert "is not valid UTF-8" in err


def test_a_file_name_that_is_not_utf8_is_told(process: Callable[..., Outcome], tmp_path: Path) -> None:
    for command in ("run", "check", "info", "dis"):
        status, out, err = process(command, tmp_path / os.fsdecode(b"\xff.stflb"))
        assert (status, out, err.count("\n")) == (3, "", 1)
        assert "No such file or directory" in err


# A reader that goes away


def test_a_closed_pipe_ends_a_running_program_quietly(start: Any, ticker: Path) -> None:
    child = start("run", ticker)
    assert child.stdout.readline() == b"tick\n"
    child.stdout.close()
    assert child.wait(timeout=60) == 141
    assert child.stderr.read() == b""


@pytest.mark.parametrize(
    "words",
    [
        ["run", "FILE"],
        ["run", "--json", "FILE"],
        ["dis", "FILE"],
        ["info", "FILE"],
        ["asm", "FILE", "-o", "-"],
        ["--help"],
    ],
)
def test_a_pipe_closed_from_the_start_ends_every_command_quietly(start: Any, hello: Path, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    child = start(*(str(hello) if word == "FILE" else word for word in words), stdout=writing)
    os.close(writing)
    assert child.wait(timeout=60) == 141
    assert child.stderr.read() == b""


def test_a_shell_sees_the_usual_status(ticker: Path) -> None:
    script = f"'{sys.executable}' -m stoffel run '{ticker}' | head -n 2; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, env=environment(), timeout=120, check=True)
    assert (done.stdout, done.stderr) == (b"tick\ntick\n141\n", b"")


# Ctrl-C


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("jit", ["off", "auto", "always", "no-kernels"])
def test_an_interrupted_program_tells_where_it_was(
    start: Any, spinner: Path, number: int, status: int, jit: str
) -> None:
    child = start("run", spinner, f"--jit={jit}", "--stats")
    child.stdout.readline()
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (status, b"")
    shown = err.decode().splitlines()
    assert shown[0] == "stoffel: interrupted"
    if len(shown) > 1 and shown[1].startswith("  at"):
        assert re.fullmatch(r"  at function main, instruction [0-3]: (LDI|PUSHARG|CALL|JMP) .*:[4-8]", shown[1])
    assert any(line.startswith(f"compiled tier: {jit}") for line in shown)


def test_a_program_tells_where_it_is_and_goes_on(start: Any, spinner: Path) -> None:
    child = start("run", spinner)
    child.stdout.readline()
    for _ in range(2):
        child.send_signal(signal.SIGUSR1)
        assert child.stderr.readline() == b"stoffel: running\n"
        assert child.stderr.readline().startswith((b"  at function main, instruction ", b"  between two calls"))
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130


def test_an_interrupt_ends_a_program_that_prints(start: Any, ticker: Path) -> None:
    child = start("run", ticker, stdout=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=1)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    assert child.stderr.readline() == b"stoffel: interrupted\n"


def test_an_interrupted_run_has_json_with_the_output_so_far(start: Any, ticker: Path) -> None:
    child = start("run", "--json", ticker)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, b"")
    found = json.loads(out)
    assert found["output"].startswith("tick\ntick\n")
    assert (found["result"], found["error"]["kind"]) == (None, "Interrupted")
    assert {frame["function"] for frame in found["error"]["stack"]} <= {"main", "print"}


def test_an_interrupt_while_standard_input_is_awaited_is_quiet(start: Any) -> None:
    child = start("run", "-", stdin=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=1)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    assert (child.stdout.read(), child.stderr.read()) == (b"", b"")


# Streams that cannot be written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device")
@pytest.mark.parametrize(
    "words", [["dis", "FILE"], ["info", "FILE"], ["check", "FILE"], ["asm", "FILE", "-o", "-"], ["--help"]]
)
def test_a_full_standard_output_is_told_in_one_line(start: Any, hello: Path, words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        child = start(*(str(hello) if word == "FILE" else word for word in words), stdout=full)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (
        1,
        b"stoffel: cannot write standard output: No space left on device\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device")
def test_a_program_whose_output_cannot_be_written_fails(start: Any, hello: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        child = start("run", hello, stdout=full)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert b"VM output write failed: No space left on device\n" in err
    assert b"Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device")
def test_a_full_standard_error_keeps_the_status(start: Any, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        child = start("run", tmp_path / "missing", stderr=full)
    assert child.wait(timeout=60) == 3


def test_a_closed_standard_output_is_told(start: Any, hello: Path) -> None:
    def close_output() -> None:
        default_signals()
        os.close(1)

    child = start("dis", hello, preexec_fn=close_output)
    assert child.wait(timeout=60) == 1
    assert child.stderr.read() == b"stoffel: cannot write standard output: it is closed\n"


# Failures inside


def test_an_internal_error_is_one_line_and_a_status_of_its_own(
    stoffel: Stoffel, hello: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise KeyError("lost")

    monkeypatch.delenv(main_module.TRACEBACK_VARIABLE, raising=False)
    monkeypatch.setattr("stoffel.isa.disassembler.disassemble", broken)
    assert stoffel("dis", hello) == (
        70,
        "",
        "stoffel: internal error: KeyError: 'lost' (a bug in Stoffel; set STOFFEL_TRACEBACK=1 to see where)\n",
    )


def test_an_internal_error_can_be_seen_in_full(hello: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> str:
        raise KeyError("lost")

    monkeypatch.setenv(main_module.TRACEBACK_VARIABLE, "1")
    monkeypatch.setattr("stoffel.isa.disassembler.disassemble", broken)
    with pytest.raises(KeyError):
        main(["dis", str(hello)])


def test_running_out_of_memory_is_one_line(stoffel: Stoffel, hello: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> str:
        raise MemoryError

    monkeypatch.setattr("stoffel.isa.disassembler.disassemble", broken)
    assert stoffel("dis", hello) == (1, "", "stoffel: out of memory\n")
