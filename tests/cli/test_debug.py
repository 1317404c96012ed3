"""``stoffel debug`` by script: where it stops, what it shows, how it goes on and back."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel.cli.main import main

PROGRAM = """\
function leaf(n)
    LDI r1, 1
    ADD r0, r0, r1
    RET r0
end
function main(n)
    MOV r3, r0
    LDI r2, 0
    LDI r4, "working"
again:
    PUSHARG r4
    CALL print
    PUSHARG r2
    CALL leaf
    MOV r2, r0
    CMP r2, r3
    JMPLT again
    LDI r5, 0
    DIV r0, r2, r5
    RET r2
end
"""
TABLES = """\
function main()
    CALL create_object
    MOV r2, r0
    LDI r3, "name"
    LDI r4, 7
    PUSHARG r2
    PUSHARG r3
    PUSHARG r4
    CALL set_field
    LDI r4, 8
    PUSHARG r2
    PUSHARG r3
    PUSHARG r4
    CALL set_field
    RET r4
end
"""
KERNEL = """\
function work(n)
    LDI r1, 1
    LDI r2, 0
again:
    ADD r2, r2, r1
    CMP r2, r0
    JMPLT again
    RET r2
end
function mark(n)
    RET r0
end
function main()
    LDI r3, 30000
    PUSHARG r3
    CALL work
    PUSHARG r0
    CALL mark
    PUSHARG r3
    CALL work
    RET r0
end
"""
RANDOM = """\
function main()
    LDI r1, "k"
    PUSHARG r1
    CALL LocalStorage.exists
    MOV r5, r0
    LDI r2, 5
    PUSHARG r1
    PUSHARG r2
    CALL LocalStorage.store
    PUSHARG r1
    CALL LocalStorage.exists
    MOV r6, r0
    RET r6
end
"""

Debug = Callable[..., list[str]]


@pytest.fixture
def debug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Debug:
    """Run a script of commands; return the lines that are shown, prompts left out."""

    def run(text: str, commands: str, *words: object, jit: str = "off", options: tuple[str, ...] = ()) -> list[str]:
        path = tmp_path / "program.stfasm"
        path.write_text(text, encoding="utf-8")
        given = [part for command in commands.split("; ") for part in ("--command", command)]
        capsys.readouterr()
        status = main(["debug", f"--jit={jit}", *given, *options, str(path), *map(str, words)])
        out, err = capsys.readouterr()
        assert (status, err) == (0, "")
        return [line.replace(f"{path}", "FILE") for line in out.splitlines() if not line.startswith("(stoffel) ")]

    return run


def places(lines: list[str]) -> list[str]:
    """Return the places at which it stopped."""
    return [line[2:].split()[0] for line in lines if line.startswith("> ") and "#" not in line]


@pytest.mark.parametrize("jit", ["off", "always", "kernels", "no-kernels"])
@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ("s; n; n", "main:0 main:1 main:2 main:3"),
        ("b leaf; c; c", "main:0 leaf:0 leaf:0"),
        ("tbreak leaf; c; c", "main:0 leaf:0 main:11"),
        ("b leaf:2 if r0 == 3; c", "main:0 leaf:2"),
        ("b program.stfasm:15; c", "main:0 main:7"),
        ("b 13; c", "main:0 main:5"),
        ("b leaf; c; finish", "main:0 leaf:0 main:7"),
        ("b leaf; c; si; si; si", "main:0 leaf:0 leaf:1 leaf:2 main:7"),
        ("b 14; c; n", "main:0 main:6 main:7"),
        ("b 14; c; s", "main:0 main:6 leaf:0"),
        ("b leaf; c; up; down", "main:0 leaf:0 main:6 leaf:0"),
        ("b leaf; disable 1; c", "main:0 main:11"),
        ("b leaf; clear 1; c", "main:0 main:11"),
        ("b leaf; condition 1 n == 2; c", "main:0 leaf:0"),
        # backwards
        ("b leaf; c; c; back; back", "main:0 leaf:0 leaf:0 main:6 main:5"),
        (
            "b leaf; c; c; c; clear 1; b main:4; rc; rc; rc; rc",
            "main:0 leaf:0 leaf:0 leaf:0 main:4 main:4 main:4 main:0",
        ),
        ("c; back; back 3; rn; rn", "main:0 main:11 main:11 main:8 main:7 main:6"),
        ("b leaf; c; rs; rs", "main:0 leaf:0 main:6 main:5"),
        ("b main:5; c; back; s; back", "main:0 main:5 main:4 main:5 main:4"),
        ("n; n; back; n; n; back 99; n", "main:0 main:1 main:2 main:1 main:2 main:3 main:0 main:1"),
        ("watch-print work; c; back; c; c", "main:0 main:4 main:4 main:4 main:4"),
        ("b leaf; c; run; c", "main:0 leaf:0 main:0 leaf:0"),
    ],
)
def test_where_it_stops(debug: Debug, commands: str, expected: str, jit: str) -> None:
    stops, wanted = places(debug(PROGRAM, commands, 3, jit=jit)), expected.split()
    if jit != "off" and "main:11" in wanted:
        # What fails in compiled code has no record to show.
        stops, wanted = ([place for place in places if place != "main:11"] for places in (stops, wanted))
    assert stops[: len(wanted)] == wanted


@pytest.mark.parametrize("jit", ["off", "always", "kernels"])
def test_the_results_are_those_of_a_run(debug: Debug, jit: str) -> None:
    for commands in ("c", "b leaf; c; c; c; c", "watch r2; c; c; c; c; c; c; c", "c; rc; c; c"):
        lines = debug(PROGRAM, commands, 3, jit=jit)
        assert lines.count("working") == 3
        assert "* error: Division by zero" in lines


def test_registers_are_shown_by_number_and_name(debug: Debug) -> None:
    lines = debug(PROGRAM, "b leaf; c; c; p n; regs; args; p n + 1 == 2 and not false", 3)
    assert lines[-5:] == ["1", "r0 n = 1", "r1 = ()", "n = 1", "true"]


def test_a_register_that_was_set_counts_and_is_set_again_on_the_way_back(debug: Debug) -> None:
    lines = debug(PROGRAM, "b leaf; c; set n = 41; finish; p r0; si; si; back; p r2", 3)
    assert "n = 41" in lines
    assert lines[-1] == "42"
    assert lines.count("working") == 1


def test_an_error_shows_operands_and_can_be_gone_back_from(debug: Debug) -> None:
    lines = debug(PROGRAM, "c; p r2; back; p r5; c; c; back; p r2", 3)
    at = lines.index("* error: Division by zero")
    assert lines[at + 1 : at + 5] == ["    r2 = 3", "    r5 = 0", "> main:11  DIV r0, r2, r5  FILE:19", "3"]
    assert lines[-1] == "3"
    assert "* the program has ended by this error" in lines


def test_a_watch_tells_both_values(debug: Debug) -> None:
    assert "* watch r2: 0 -> 1" in debug(PROGRAM, "n; n; watch r2; c", 3)


def test_a_watch_on_a_field(debug: Debug) -> None:
    lines = debug(TABLES, "b main:8; c; si; watch r2.name; c; p r2")
    assert "* watch r2.name: 7 -> 8" in lines
    assert lines[-1] == "  name = 8"


@pytest.mark.parametrize("jit", ["kernels", "always", "auto"])
def test_a_function_that_has_run_compiled_stops_at_a_breakpoint_set_then(debug: Debug, jit: str) -> None:
    lines = debug(KERNEL, "b mark; c; b work:3 if r2 == 100; c; p r2; c; back; p r2", jit=jit)
    assert places(lines)[:3] == ["main:0", "mark:0", "work:3"]
    assert "100" in lines
    assert "* the program has ended: 30000" in lines


def test_local_storage_is_written_once_and_read_as_it_was(debug: Debug, tmp_path: Path) -> None:
    store = ("--local-store", str(tmp_path / "store.db"))
    lines = debug(RANDOM, "b main:4; c; p r0; c; back; back 99; c; p r0; c", options=store)
    assert [line for line in lines if line in ("true", "false")] == ["false", "false"]
    assert lines[-1] == "* the program has ended: true"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("b lef", "there is no function lef; did you mean leaf?"),
        ("b leaf:9", "leaf has no instruction 9: they are 0 to 2"),
        ("b program.stfas:3", "there is no function or file program.stfas; did you mean program.stfasm?"),
        ("b leaf if n ==", "not an expression: n =="),
        ("b leaf if f(n)", "Call is not part of expressions"),
        ("p __import__('os')", "Call is not part of expressions"),
        ("p r33", "nothing is called r33 here; did you mean r3?"),
        ("p r3.x", "only objects and arrays have fields and elements"),
        ("p r0 / 0", "Division by zero"),
        ("p '" + "x" * 2000 + "'", "an expression has at most 1000 characters"),
        ("p " + "(" * 400 + ")" * 400, "not an expression"),
        ("contniue", "there is no command contniue; did you mean continue?"),
        ("clear 7", "there is no breakpoint 7"),
        ("up", "this is the oldest call"),
        ("back", "this is the first instruction"),
        ("back x", "back takes a number of instructions, not x"),
        ("set r99 = 1", "main has no register 99: they are r0 to r5"),
        ("set x", "set takes REGISTER = EXPRESSION"),
        ("watch zz", "nothing is called zz here"),
        ("on-error perhaps", "on-error takes stop or go"),
        ("run u8:999", "argument 1:"),
    ],
)
def test_what_cannot_be_done_is_one_clear_sentence(debug: Debug, command: str, text: str) -> None:
    lines = [line for line in debug(PROGRAM, command, 3) if line.startswith("*** ")]
    assert len(lines) == 1
    assert text in lines[0]


def test_a_condition_that_fails_stops_and_tells(debug: Debug) -> None:
    lines = debug(PROGRAM, "b leaf if zz == 1; c", 3)
    assert any("breakpoint 1: its condition fails: nothing is called zz here" in line for line in lines)


def test_every_command_has_help(debug: Debug) -> None:
    lines = debug(PROGRAM, "help; h b", 3)
    assert any(line.startswith("reverse-continue: ") for line in lines)
    assert lines[-1].startswith("break [PLACE")


def test_a_listing_marks_place_and_breakpoint(debug: Debug) -> None:
    lines = debug(PROGRAM, "b 8; list", 3)
    assert "    7  >     MOV r3, r0" in lines
    assert "    8 B      LDI r2, 0" in lines


def test_commands_from_a_file_and_from_standard_input(process: Any, program: Any, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("b leaf\nc\n")
    path = program(PROGRAM)
    status, out, err = process("debug", "-x", script, path, 3)
    assert (status, err) == (0, "")
    assert "* breakpoint 1" in out
    assert process("debug", path, 3, input=script.read_bytes()).out == out
    assert process("debug", "-x", tmp_path / "none", path).status == 3
    assert "did you mean main" in process("debug", "--entry", "mian", path).err


@pytest.mark.parametrize("jit", ["off", "kernels"])
def test_an_interrupt_stops_at_the_next_instruction(start: Any, program: Any, jit: str) -> None:
    text = 'function main()\n    LDI r0, "started"\n    PUSHARG r0\n    CALL print\nagain:\n    JMP again\nend\n'
    child = start("debug", f"--jit={jit}", program(text), stdin=subprocess.PIPE)
    child.stdin.write(b"c\n")
    child.stdin.flush()
    while child.stdout.readline() != b"started\n":
        pass
    child.send_signal(signal.SIGINT)
    assert b"interrupted" in child.stdout.readline()
    assert b"> main:3" in child.stdout.readline()
    out, err = child.communicate(b"back\nq\n", timeout=60)
    assert b"no way back" in out
    assert (child.returncode, err) == (0, b"")
