"""Stacks of calls as they are read from outside, in every tier."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from time import thread_time
from types import FrameType
from typing import Any

import pytest

import stoffel
from stoffel.embedding import vm
from stoffel.profiling.reading import INNERMOST, OUTERMOST, Reader

Looked = list[tuple[str, str, int]]

NESTED = """
function leaf(n: int64) -> int64
    PUSHARG r0
    CALL look
    RET r0
end
function middle(n: int64) -> int64
    LDI     r1, 1
    ADD     r0, r0, r1
    PUSHARG r0
    CALL    leaf
    RET     r0
end
function main(n: int64) -> int64
    PUSHARG r0
    CALL    middle
    RET     r0
end
"""

TWICE = """
function inner(n)
    PUSHARG r0
    CALL look
    RET r0
end
function outer(n)
    LDI     r1, 5
    PUSHARG r0
    CALL    again
    RET     r0
end
function main(n)
    NOP
    PUSHARG r0
    CALL    outer
    RET     r0
end
"""


def made(text: str, jit: Any, **functions: Callable[..., Any]) -> tuple[stoffel.VirtualMachine, list[Looked]]:
    """Return a machine with a foreign function `look` that reads the stack, and the stacks that it has read."""
    machine = stoffel.VirtualMachine(jit=jit, cache="off")
    reader = Reader(machine.state, vm._RUNS)
    stacks: list[Looked] = []

    def look(value: int) -> int:
        stacks.append(read(reader, sys._getframe()))
        return value

    machine.register_foreign_function("look", look)
    for name, function in functions.items():
        machine.register_foreign_function(name, function)
    machine.load(stoffel.assemble(text))
    return machine, stacks


def read(reader: Reader, frame: FrameType) -> Looked:
    return [(found.function, found.tier.name, index) for found, index in reader.read(frame)]


@pytest.mark.parametrize("exact", [False, True])
def test_interpreted_calls_are_the_records(exact: bool) -> None:
    machine, stacks = made(NESTED, "off")
    with machine.profile(exact=exact):
        assert machine.execute("main", 3) == 4
    where = "interpreter"
    assert stacks == [[("main", where, 1), ("middle", where, 3), ("leaf", where, 1), ("look", "foreign", 0)]]


def test_calls_in_code_objects_are_told_apart_and_inlined_ones_are_calls() -> None:
    machine, stacks = made(NESTED, "always")
    assert machine.execute("main", 3) == 4
    assert machine.jit_statistics()["functions"]["main"]["inlined"] == ["leaf", "middle"]
    where = "code object"
    assert stacks == [[("main", where, 1), ("middle", where, 3), ("leaf", where, 1), ("look", "foreign", 0)]]


@pytest.mark.parametrize(("jit", "where"), [("off", "interpreter"), ("always", "code object")])
def test_a_run_within_a_run_is_below_the_foreign_function_that_started_it(jit: str, where: str) -> None:
    def again(context: stoffel.ForeignContext) -> Any:
        return machine.call("inner", context.arguments[0])

    machine, stacks = made(TWICE, jit, again=again)
    assert machine.execute("main", 3) == 3
    assert [name for name, _, _ in stacks[0]] == ["main", "outer", "again", "inner", "look"]
    assert [tier for _, tier, _ in stacks[0]] == [where, where, "foreign", where, "foreign"]
    assert [index for _, _, index in stacks[0][:2]] == [2, 2]


def test_the_runs_of_another_machine_are_not_those_of_this_one() -> None:
    other, others = made(NESTED, "always")

    def again(value: int) -> Any:
        return other.execute("main", value)

    machine, stacks = made(TWICE, "always", again=again)
    reader = Reader(machine.state, vm._RUNS)
    seen: list[Looked] = []
    other.register_foreign_function("unused", lambda value: value)
    look = other.state.functions["look"].call
    other.state.functions["look"].call = lambda state, given: (
        seen.append(read(reader, sys._getframe())) or look(state, given)
    )
    machine.execute("main", 3)
    assert stacks == []
    assert [name for name, _, _ in others[0]] == ["main", "middle", "leaf", "look"]
    assert [name for name, _, _ in seen[0]] == ["main", "outer", "again"]


def test_a_foreign_function_that_the_host_executes_is_its_own_stack() -> None:
    machine, stacks = made(NESTED, "off")
    machine.execute("look", 3)
    assert stacks == [[("look", "foreign", 0)]]


def test_of_a_deep_recursion_both_ends_are_read() -> None:
    depth = OUTERMOST + INNERMOST + 500
    machine, stacks = made(
        """
function down(n)
    LDI r1, 0
    CMP r0, r1
    JMPEQ bottom
    LDI r1, 1
    SUB r0, r0, r1
    PUSHARG r0
    CALL down
    RET r0
bottom:
    PUSHARG r0
    CALL look
    RET r0
end
function main(n)
    PUSHARG r0
    CALL down
    RET r0
end
""",
        "off",
    )
    machine.execute("main", depth)
    (stack,) = stacks
    assert stack[0] == ("main", "interpreter", 1)
    assert stack[-1] == ("look", "foreign", 0)
    assert stack[OUTERMOST] == ("[more calls]", "omitted", 0)
    assert len(stack) == OUTERMOST + INNERMOST + 2


LOOP = """
function main(n: int64) -> int64
    LDI r1, 0
    LDI r2, 1
again:
    ADD r1, r1, r2
    CMP r1, r0
    JMPLT again
    RET r1
end
"""


def seen_from_outside(machine: stoffel.VirtualMachine, wanted: Looked) -> bool:
    """Run `main` for long in another thread until its stack is *wanted*; return whether it ever was."""
    reader = Reader(machine.state, vm._RUNS)
    error: list[BaseException] = []

    def work() -> None:
        try:
            machine.execute("main", 1 << 60)
        except BaseException as caught:
            error.append(caught)

    class Enough(Exception):
        pass

    def stop(event: object, context: object) -> None:
        raise Enough

    thread = threading.Thread(target=work)
    thread.start()
    found = False
    # Of this thread's processor time: a computer that is busy changes nothing.
    limit = thread_time() + 20
    try:
        while not found and not error and thread_time() < limit:
            frame = sys._current_frames().get(thread.ident or 0)
            found = frame is not None and bool(machine.state.runs) and read(reader, frame) == wanted
    finally:
        machine.register_hook(None, stop)
        thread.join()
    assert isinstance(error[0], stoffel.VMError)
    return found


@pytest.mark.parametrize("index", [2, 3, 4])
def test_every_instruction_of_an_interpreted_loop_is_seen(index: int) -> None:
    machine, _ = made(LOOP, "off")
    assert seen_from_outside(machine, [("main", "interpreter", index)])


def test_a_loop_in_a_code_object_is_seen_at_its_jump() -> None:
    machine, _ = made(LOOP, "no-kernels")
    assert seen_from_outside(machine, [("main", "code object", 4)])


def test_a_kernel_is_seen_where_it_was_entered_in_the_place_of_the_record() -> None:
    machine, _ = made(LOOP, "kernels")
    # It is taken over at the start of the run, which is a safepoint.
    assert seen_from_outside(machine, [("main", "kernel", 0)])


def test_compiling_stands_on_top_of_what_it_is_for() -> None:
    machine, _ = made(LOOP, "always")
    reader = Reader(machine.state, vm._RUNS)
    stacks: set[tuple[tuple[str, str, int], ...]] = set()

    def called(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.endswith(("pipeline.py", "inference.py", "emitter.py")):
            stacks.add(tuple(read(reader, frame)))

    sys.setprofile(called)
    try:
        machine.execute("main", 100)
    finally:
        sys.setprofile(None)
    assert stacks == {(("main", "interpreter", 0), ("[compiling]", "compiler", 0))}
