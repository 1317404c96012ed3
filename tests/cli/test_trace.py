"""``stoffel trace``: where its lines go, what may be asked for, and what becomes of runs that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import HELLO, Outcome

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]

FAILS = "function main()\nLDI r1, 0\nDIV r0, r1, r1\nRET r0\nend"


@pytest.fixture
def hello(program: Write) -> Path:
    return program(HELLO)


def test_the_trace_goes_to_standard_error_and_the_program_prints_as_ever(stoffel: Stoffel, hello: Path) -> None:
    status, out, err = stoffel("trace", "--events=call,return", hello)
    assert (status, out) == (0, "Hello, world\n5\n")
    assert [line.split("    ")[0].strip() for line in err.splitlines()] == ["", ""] or len(err.splitlines()) == 2
    assert 'main:2  call print("Hello, world")' in err


def test_json_lines_hold_events_output_and_end(stoffel: Stoffel, hello: Path) -> None:
    status, out, err = stoffel("trace", "--events=call", "--json", hello)
    assert (status, err) == (0, "")
    call, printed, end = map(json.loads, out.splitlines())
    assert (call["event"], call["function"], call["instruction"], call["depth"], call["line"]) == (
        "call",
        "main",
        2,
        1,
        4,
    )
    assert (call["target"], call["arguments"]) == ({"sort": "foreign", "name": "print"}, ['"Hello, world"'])
    assert printed == {"event": "output", "text": "Hello, world\n"}
    assert end == {"event": "end", "events": 1, "result": "5", "error": None}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_file_gets_the_trace(stoffel: Stoffel, hello: Path, tmp_path: Path, form: list[str]) -> None:
    path = tmp_path / "trace"
    status, out, err = stoffel("trace", hello, "-o", path, *form)
    assert (status, out, err) == (0, "Hello, world\n5\n", "")
    assert len(path.read_text().splitlines()) == 5 + bool(form)


def test_a_program_that_fails_shows_its_trace_and_its_error(stoffel: Stoffel, program: Write) -> None:
    path = program(FAILS)
    status, out, err = stoffel("trace", path)
    assert (status, out) == (1, "")
    assert err.splitlines()[0].endswith("LDI r1, 0    program.stfasm:2") or "LDI r1, 0" in err.splitlines()[0]
    assert "stoffel: Division by zero" in err
    *_, end = map(json.loads, stoffel("trace", path, "--json").out.splitlines())
    assert (end["event"], end["error"]["message"], end["events"]) == ("end", "Division by zero", 2)


def test_a_run_ends_after_as_many_events_as_were_asked_for(stoffel: Stoffel, program: Write) -> None:
    path = program("function main()\nagain:\nJMP again\nend")
    status, out, err = stoffel("trace", "--stop-after=3", path)
    assert (status, out) == (0, "")
    assert err.splitlines()[-1] == "stoffel: stopped after 3 events"
    assert len(err.splitlines()) == 4


def test_limits_hold_as_in_a_run(stoffel: Stoffel, program: Write) -> None:
    path = program("function main()\nagain:\nJMP again\nend")
    assert stoffel("trace", "--max-instructions=10", "--events=call", path).status == 4


@pytest.mark.parametrize("start", ["2", "main:2", "{name}:4"])
def test_a_trace_may_start_late(stoffel: Stoffel, hello: Path, start: str) -> None:
    err = stoffel("trace", f"--after={start.format(name=hello.name)}", hello).err
    assert "CALL print" in err.splitlines()[0]
    assert len(err.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--events=cal"], "unknown event 'cal'; did you mean call?"),
        (["--function=mian"], "unknown function 'mian'; did you mean main?"),
        (["--register=x"], "--register names registers, as in r0,r3, not 'x'"),
        (["--when=r1 >"], "'r1 >' is no condition"),
        (["--when=r77 > 1"], "unknown name in the condition 'r77'"),
        (["--depth=0"], "--depth must be a number of at least 1, not '0'"),
        (["--stop-after=x"], "--stop-after must be a number of at least 1, not 'x'"),
        (["--after=nowhere"], "unknown function 'nowhere'"),
        (["--after=main:99"], "function main has 5 instructions, not one with index 99"),
        (["--after={name}:99"], "line 99 of {name} has no instruction"),
    ],
)
def test_what_cannot_be_traced_is_told_in_one_line(stoffel: Stoffel, hello: Path, words: list[str], text: str) -> None:
    status, out, err = stoffel("trace", *(word.format(name=hello.name) for word in words), hello)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert text.format(name=hello.name) in err


@pytest.mark.parametrize("name", ["missing/trace", "."])
def test_a_place_that_cannot_be_written_is_told_before_the_program_runs(
    stoffel: Stoffel, hello: Path, tmp_path: Path, name: str
) -> None:
    status, out, err = stoffel("trace", hello, "-o", tmp_path / name)
    assert (status, out, err.count("\n")) == (3, "", 1)


def test_a_disk_that_is_full_ends_the_run_with_a_sentence(stoffel: Stoffel, hello: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    status, _, err = stoffel("trace", hello, "-o", "/dev/full")
    assert status == 3
    assert "cannot write the trace: No space left on device" in err
