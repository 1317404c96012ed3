"""What is written to standard error stays readable whatever it quotes."""

from __future__ import annotations

import io
import re
import sys

import pytest

import stoffel
from stoffel import VirtualMachine
from stoffel.cli import report
from stoffel.errors import VMError


class Broken(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


def error_with_stack(depth: int) -> VMError:
    error = VMError("text")
    error.stack = tuple((f"f{index}", index) for index in range(depth))
    return error


def test_a_message_is_one_line_of_printable_text() -> None:
    assert report.one_line("a\nb\tc\x1b[0m\x7f\u2028é") == "a\\nb\\tc\\x1b[0m\\x7f\\u2028é"


def test_a_very_long_message_loses_its_middle() -> None:
    text = report.one_line("a" * 5000 + "b" * 5000)
    assert text == "a" * 1000 + " ...(8000 more characters)... " + "b" * 1000


@pytest.mark.parametrize("depth", [0, 1, 16, 17])
def test_a_short_stack_is_shown_in_full(depth: int) -> None:
    assert report.call_stack(error_with_stack(depth)) == [
        f"  at function f{index}, instruction {index}" for index in range(depth)
    ]


def test_a_long_stack_shows_both_ends() -> None:
    lines = report.call_stack(error_with_stack(18))
    assert lines[8] == "  ... 2 more lines ..."
    assert (lines[7], lines[9]) == ("  at function f7, instruction 7", "  at function f10, instruction 10")
    assert len(lines) == 17


def test_calls_at_one_place_are_shown_once() -> None:
    error = VMError("text")
    error.stack = (("a", 1), *[("b", 2)] * 5, ("c", 3), ("c", 3))
    shown = ["  at function a, instruction 1", "  at function b, instruction 2", "  ... 4 more"]
    assert report.call_stack(error) == [*shown, *["  at function c, instruction 3"] * 2]
    # The innermost call has its operands, and is no repetition.
    error.operands = ("r1", "5"), ("r2", '"x"')
    assert report.call_stack(error)[-1] == '  at function c, instruction 3    r1 = 5, r2 = "x"'
    error.stack = (("b", 2),) * 4
    assert report.call_stack(error)[:2] == ["  at function b, instruction 2", "  ... 2 more"]
    assert report.call_stack(error)[2] == '  at function b, instruction 2    r1 = 5, r2 = "x"'


def test_what_an_error_comes_from_is_shown_too() -> None:
    vm = VirtualMachine()
    inner = stoffel.assemble(
        "function inner()\n LDI r0, 1\n LDI r1, 0\n DIV r0, r0, r1\n RET r0\nend", path="in.stfasm"
    )
    vm.load(inner)
    vm.load(stoffel.assemble("function outer()\n CALL again\n RET r0\nend\nfunction bad()\n CALL broken\nend"))
    vm.register_foreign_function("again", lambda context: context.vm.execute("inner"))
    vm.register_foreign_function("broken", lambda context: {}["key"])
    with pytest.raises(VMError) as caught:
        vm.execute("outer")
    assert report.call_stack(caught.value) == [
        "  at function outer, instruction 0: CALL again    <assembly>:2",
        "because of: Division by zero",
        "  at function outer, instruction 0: CALL again    <assembly>:2",
        "  at function inner, instruction 2: DIV r0, r0, r1    r0 = 1, r1 = 0    in.stfasm:4",
    ]
    with pytest.raises(VMError) as caught:
        vm.execute("bad")
    shown = report.call_stack(caught.value)
    assert shown[0] == "  at function bad, instruction 0: CALL broken    <assembly>:6"
    assert re.fullmatch(r"because of: KeyError: 'key'    .*test_report\.py:\d+", shown[1])


def test_a_full_disk_is_an_output_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(OSError(28, "No space left on device")))
    for write in (lambda: report.put("x"), report.flush, lambda: report.put_bytes(b"x")):
        with pytest.raises(report.OutputError) as caught:
            write()
        assert str(caught.value) == "cannot write standard output: No space left on device"


def test_a_closed_pipe_stays_a_broken_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError()))
    for write in (lambda: report.put("x"), report.flush, lambda: report.put_bytes(b"x")):
        with pytest.raises(BrokenPipeError):
            write()


def test_closed_standard_streams_are_met_calmly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(report.OutputError):
        report.put("x")
    with pytest.raises(report.OutputError):
        report.flush()
    report.complain("to nobody")


def test_a_standard_error_that_cannot_be_written_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Broken(OSError(28, "No space left on device")))
    report.complain("to nobody")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("plain_environment")
@pytest.mark.parametrize(
    ("variables", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"NO_COLOR": "", "FORCE_COLOR": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"CLICOLOR": "0"}, False, False),
    ],
)
def test_the_usual_variables_decide_about_colours(
    variables: dict[str, str], on_terminal: bool, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert report.has_colours(Terminal()) is on_terminal
    assert report.has_colours(io.StringIO()) is elsewhere


@pytest.mark.usefixtures("plain_environment")
def test_failure_and_innermost_call_stand_out_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        report.complain_failure(error_with_stack(3), "  a hint")
        written[stream.isatty()] = stream.getvalue()
    assert "\x1b" not in written[False]
    assert re.sub(r"\x1b\[[0-9;]*m", "", written[True]) == written[False]
    lines = written[True].splitlines()
    assert [line.startswith("\x1b[") for line in lines] == [True, False, False, True, False]


def test_progress_is_told_on_a_terminal_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10.0
    monkeypatch.setattr(report, "monotonic", lambda: now)
    for stream, told in ((Terminal(), "\r\x1b[Kfile 2 of 3: b\\x1b[0m\r\x1b[K"), (io.StringIO(), "")):
        monkeypatch.setattr(sys, "stderr", stream)
        with report.Progress("file", 3) as progress:
            progress.step("a")
            now += 1.5
            progress.step("b\x1b[0m")
        assert stream.getvalue() == told


def test_quick_work_has_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(report, "monotonic", lambda: 0.0)
    with report.Progress("file", 1) as progress:
        progress.step("a")
    assert isinstance(sys.stderr, Terminal)
    assert sys.stderr.getvalue() == ""
