"""``stoffel run --jit-log``: lines for people, JSON lines, and places that cannot be written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]

ADD = """\
function main(n: int64)
    LDI r1, 1
    ADD r0, r0, r1
    RET r0
end
"""


@pytest.fixture
def add(program: Write) -> Path:
    return program(ADD)


def test_the_bare_flag_logs_to_standard_error(stoffel: Stoffel, add: Path) -> None:
    status, out, err = stoffel("run", add, 1, "--jit=always", "--jit-log")
    assert (status, out) == (0, "2\n")
    first, second = err.splitlines()
    assert re.fullmatch(
        r" +\d+\.\d{4} s  compiled   main:0 \(line 2\)  a code object of \d+ bytes, in \d+\.\d\d ms", first
    )
    assert re.fullmatch(r" +\d+\.\d{4} s  entered    main:0 \(line 2\)  code object", second)


@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_a_file_has_json_lines_by_its_ending(stoffel: Stoffel, add: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"log{ending}"
    assert stoffel("run", add, 1, "--jit=always", f"--jit-log={path}") == (0, "2\n", "")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["kind"] for event in events] == ["compiled", "entered"]
    assert {"time", "function", "instruction", "line", "text", "seconds", "size"} <= set(events[0])


def test_another_file_has_the_lines_for_people(stoffel: Stoffel, add: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    assert stoffel("run", add, 1, "--jit=always", f"--jit-log={path}") == (0, "2\n", "")
    assert "compiled   main:0" in path.read_text()


def test_without_a_compiler_the_log_is_empty(stoffel: Stoffel, add: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    assert stoffel("run", add, 1, f"--jit-log={path}", "--jit=off") == (0, "2\n", "")
    assert path.read_text() == ""


@pytest.mark.parametrize(("name", "status"), [("missing/log.txt", 3), (".", 3), ("a\0b", 3), ("", 2)])
def test_a_place_that_cannot_be_written_is_told_before_the_program_runs(
    stoffel: Stoffel, program: Write, tmp_path: Path, name: str, status: int
) -> None:
    hello = program('function main()\nLDI r0, "ran"\nPUSHARG r0\nCALL print\nRET r0\nend')
    found = stoffel("run", hello, f"--jit-log={tmp_path / name if name else ''}")
    assert (found.status, found.out, found.err.count("\n")) == (status, "", 1)


def test_what_was_logged_of_a_program_that_fails_is_there(stoffel: Stoffel, program: Write, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    fails = program("function main()\nLDI r1, 0\nDIV r0, r1, r1\nRET r0\nend")
    assert stoffel("run", fails, "--jit=always", f"--jit-log={path}").status == 1
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()][:2] == ["compiled", "entered"]


def test_stats_tell_where_compiled_code_was_left(stoffel: Stoffel, program: Write) -> None:
    text = """
function add(list, n)
    MOV r5, r0
    MOV r6, r1
    LDI r2, 0
    LDI r3, 1
    LDI r4, 0
again:
    CMP r2, r6
    JMPEQ done
    PUSHARG r5
    PUSHARG r2
    CALL get_field
    ADD r4, r4, r0
    ADD r2, r2, r3
    JMP again
done:
    RET r4
end
function main()
    CALL create_array
    MOV r7, r0
    LDI r1, 1
    PUSHARG r7
    PUSHARG r1
    CALL array_push
    LDI r1, 2.5
    PUSHARG r7
    PUSHARG r1
    CALL array_push
    PUSHARG r7
    LDI r1, 2
    PUSHARG r1
    CALL add
    RET r0
end
"""
    err = stoffel("run", program(text), "--jit=always", "--stats").err
    assert "  left once: a guess failed\n    left at step 10 of add, line 14 (once): expected int64, saw float\n" in err
