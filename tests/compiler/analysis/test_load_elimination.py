"""Fields and upvalues that are not read again: what is remembered, and what makes it forgotten."""

from __future__ import annotations

import pytest

import stoffel
from stoffel.compiler.analysis.load_elimination import subjects
from tests.compiler.units import units

pytestmark = pytest.mark.usefixtures("nothing_inlined")


def program(body: str) -> str:
    """Return a program that calls a function with two objects, whose field "x" is 7."""
    return f"""
function work(p: object, q: object, k: string)
    MOV     r3, r0
    MOV     r4, r1
    MOV     r7, r2
    LDI     r5, "x"
    LDI     r6, 1
{body}
    ADD     r1, r0, r6
    RET     r1
end
function main()
    CALL    create_object
    MOV     r1, r0
    LDI     r2, "x"
    LDI     r3, 7
    PUSHARG r1
    PUSHARG r2
    PUSHARG r3
    CALL    set_field
    PUSHARG r1
    PUSHARG r1
    PUSHARG r2
    CALL    work
    RET     r0
end
function nothing()
    RET     r0
end
function change(p: object)
    LDI     r1, "x"
    LDI     r2, 100
    PUSHARG r0
    PUSHARG r1
    PUSHARG r2
    CALL    set_field
    RET     r0
end
"""


def read(register: str) -> str:
    return f"    PUSHARG {register}\n    PUSHARG r5\n    CALL get_field\n"


def write(register: str, key: str = "r5", value: str = "r6") -> str:
    return f"    PUSHARG {register}\n    PUSHARG {key}\n    PUSHARG {value}\n    CALL set_field\n"


def agree(text: str) -> None:
    """Fail unless compiled code gives what the interpreter gives, also the second time."""
    results = []
    for jit in ("off", "always"):
        machine = stoffel.VirtualMachine(jit=jit, output=lambda line: None)
        machine.load(stoffel.assemble(text))
        results.append([machine.execute("main") for _ in range(2)])
    assert results[0] == results[1]


def reading_lines(body: str) -> int:
    """Return how many lines of the compiled function read a field."""
    agree(program(body))
    made = units(program(body))["work"]
    return sum(1 for line in made.lines if "get_field" in line.text)


def test_a_field_that_was_read_is_not_read_again() -> None:
    assert reading_lines(read("r3") + read("r3")) == 1


def test_a_field_that_was_written_is_not_read() -> None:
    assert reading_lines(write("r3") + read("r3")) == 0


@pytest.mark.parametrize(
    "between",
    [
        write("r4"),
        write("r4", "r7"),
        "    PUSHARG r3\n    CALL change\n",
        "    CALL nothing\n",
        "    MOV r3, r4\n",
        "    PUSHARG r3\n    CALL print\n",
    ],
    ids=["write through another register", "unknown key", "function", "empty function", "register", "builtin"],
)
def test_what_may_change_the_field_makes_it_forgotten(between: str) -> None:
    assert reading_lines(read("r3") + between + read("r3")) == 2


def test_other_fields_and_arrays_do_not_matter() -> None:
    other = '    LDI r8, "y"\n    PUSHARG r4\n    PUSHARG r8\n    PUSHARG r6\n    CALL set_field\n'
    assert reading_lines(read("r3") + other + read("r3")) == 1


def test_a_field_is_remembered_around_a_loop_that_only_writes_it() -> None:
    loop = (
        write("r3")
        + "    LDI r9, 50\n    LDI r10, 0\nagain:\n"
        + read("r3")
        + "    ADD r8, r0, r6\n"
        + write("r3", value="r8")
        + "    ADD r10, r10, r6\n    CMP r10, r9\n    JMPLT again\n"
        + read("r3")
    )
    assert reading_lines(loop) == 0


@pytest.mark.parametrize("every", [1, 2, 3])
def test_leaving_at_any_safepoint_loses_nothing(every: int) -> None:
    text = program(
        read("r3") + "    LDI r9, 9\n    LDI r10, 0\nagain:\n" + read("r3") + "    ADD r8, r0, r6\n"
        "    CMP r8, r9\n    JMPGT skip\n" + write("r4", value="r8") + "skip:\n"
        "    ADD r10, r10, r6\n    CMP r10, r9\n    JMPLT again\n" + read("r3")
    )
    machine = stoffel.VirtualMachine(jit="off")
    machine.load(stoffel.assemble(text))
    expected = machine.execute("main")
    machine = stoffel.VirtualMachine(jit="always")
    machine.load(stoffel.assemble(text))
    machine.state.tier.every = every
    assert [machine.execute("main") for _ in range(3)] == [expected] * 3


def test_only_what_is_used_more_than_once_is_a_subject() -> None:
    instructions = list(stoffel.assemble(program(read("r3") + read("r4") + read("r3"))).functions["work"].instructions)
    assert subjects(instructions) == [(3, "x")]
