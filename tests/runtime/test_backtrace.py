"""Backtraces of failed runs: the same in every tier, as lines, as notes, and after pickling."""

from __future__ import annotations

import pickle
import traceback

import pytest

import stoffel
from stoffel import VirtualMachine, VMError
from stoffel.errors import BacktraceFrame, backtrace_lines
from tests.machines import Make, failure

PROGRAM = """\
function add(a, b)
    ADD r0, r0, r1
    RET r0
end
function difference(a, b)
    SUB r1, r0, r1
    RET r1
end
function square(a)
    MUL r1, r0, r0
    RET r1
end
function doubled(a)
    ADD r0, r0, r0
    RET r0
end
function counted(n)
    LDI r1, 1
again:
    ADD r0, r0, r1
    JMP again
end
function element(array)
    LDI r1, "a text that is longer than is shown of it"
    PUSHARG r0
    PUSHARG r1
    CALL array_length
    RET r0
end
function deep(n)
    LDI r1, 0
    CMP r0, r1
    JMPEQ out
    LDI r1, 1
    SUB r0, r0, r1
    PUSHARG r0
    CALL deep
    RET r0
out:
    LDI r1, "zero"
    PUSHARG r0
    PUSHARG r1
    CALL add
    RET r0
end
"""
MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("call", "operands"),
    [
        (("add", 1, "x"), 'r0 = 1, r1 = "x"'),
        (("add", MOST, 1), f"r0 = {MOST}, r1 = 1"),
        (("add", stoffel.U8(200), stoffel.U8(100)), "r0 = 200u8, r1 = 100u8"),
        (("difference", -2, MOST), f"r0 = -2, r1 = {MOST}"),
        (("square", MOST), f"r0 = {MOST}"),
        (("doubled", MOST), f"r0 = {MOST}"),
        (("counted", MOST - 2000), f"r0 = {MOST}, r1 = 1"),
        (("element", 5), '5, "a text that is longer than is shown of i"... (41 characters)'),
        (("deep", 3), 'r0 = 0, r1 = "zero"'),
    ],
)
def test_the_values_that_failed_are_told_in_every_tier(machine: Make, call: tuple[object, ...], operands: str) -> None:
    vm = machine()
    vm.load(stoffel.assemble(PROGRAM, path="some.stfasm"))
    for _ in range(3):
        error = failure(vm.execute, *call)
        last = backtrace_lines(error)[-1]
        assert last.split("    ")[1] == operands.replace(' it"', ' it"')
        assert error.backtrace[-1].file == "some.stfasm"
        assert error.__notes__ == ["\n".join(backtrace_lines(error))]


def test_an_ordinary_traceback_shows_the_calls(machine: Make) -> None:
    vm = machine()
    vm.load(stoffel.assemble(PROGRAM, path="some.stfasm"))
    error = failure(vm.execute, "deep", 4)
    error.add_note("added later")
    shown = "".join(traceback.format_exception_only(error)).splitlines()
    assert shown == [
        "stoffel.errors.VMError: Type error in ADD operation",
        "  at function deep, instruction 6: CALL deep    some.stfasm:37",
        "  ... 3 more",
        "  at function deep, instruction 11: CALL add    some.stfasm:43",
        '  at function add, instruction 0: ADD r0, r0, r1    r0 = 0, r1 = "zero"    some.stfasm:2',
        "added later",
    ]


def test_an_error_keeps_its_backtrace_when_it_is_pickled() -> None:
    vm = VirtualMachine()
    vm.load(stoffel.assemble(PROGRAM, path="some.stfasm"))
    error = failure(vm.execute, "add", 1, "x")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kind, again.stack) == (str(error), error.kind, error.stack)
    assert backtrace_lines(again) == backtrace_lines(error)


def test_an_error_outside_a_run_has_no_notes() -> None:
    assert not hasattr(VMError("text"), "__notes__")
    error = VMError("text")
    error.add_note("a note")
    assert error.__notes__ == ["a note"]


def test_names_cannot_write_to_a_terminal() -> None:
    vm = VirtualMachine()
    vm.load(stoffel.assemble('function "m\\u{1b}[2J"()\n CALL "x\\u{1b}]0;t"\nend', path="a\x1b.stfasm"))
    error = failure(vm.execute, "m\x1b[2J")
    assert all(line.isprintable() for line in backtrace_lines(error))


def test_a_function_without_source_has_no_text() -> None:
    vm = VirtualMachine()
    vm.register_function(stoffel.assemble(PROGRAM).functions[0], keep_source=False)
    error = failure(vm.execute, "add", 1, "x")
    assert error.backtrace == (BacktraceFrame("add", 0, "", "<assembly>", 2),)
    assert error.operands == ()
