"""Compiling that is interrupted, as by Ctrl-C, at any place: the machine goes on as if it had not begun."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine
from stoffel.jit.code_cache import Units
from stoffel.jit.kernels.async_exceptions import address_of_exception
from stoffel.runtime.interruptions import ATTEMPTS, complete
from tests.machines import loaded

# What is found out once in a process is not to be interrupted anew by each interruption.
address_of_exception()

PROGRAM = """
function add(a, b)
ADD r0, r0, r1
RET r0
end
function down(n)
LDI r1, 0
CMP r0, r1
JMPEQ done
LDI r1, 1
SUB r1, r0, r1
PUSHARG r1
CALL down
PUSHARG r0
PUSHARG r1
CALL add
RET r0
done:
RET r1
end
function bump(by)
LDI r1, "count"
PUSHARG r1
CALL get_upvalue
ADD r2, r0, r0
LDI r1, "count"
PUSHARG r1
PUSHARG r2
CALL set_upvalue
RET r2
end
function main(count)
LDI r1, "bump"
LDI r2, "count"
PUSHARG r1
PUSHARG r2
CALL create_closure
MOV r3, r0
LDI r4, 0
LDI r5, 1
LDI r6, 4
loop:
PUSHARG r3
PUSHARG r4
CALL call_closure
PUSHARG r0
CALL down
ADD r4, r4, r5
CMP r4, r6
JMPLT loop
RET r0
end
"""


class Interruption:
    """Counts the calls of functions while it is the profile function, and raises at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.calls = 0

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and "stoffel" in frame.f_code.co_filename:
            self.calls += 1
            if self.calls == self.at:
                raise KeyboardInterrupt


def run(machine: VirtualMachine, interruption: Interruption) -> Any:
    sys.setprofile(interruption)
    try:
        return machine.execute("main", 1)
    except KeyboardInterrupt:
        return None
    finally:
        sys.setprofile(None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it may come in a destructor
@pytest.mark.parametrize("jit", ["always", "kernels"])
def test_a_machine_whose_compiling_was_interrupted_goes_on_as_if_it_had_not_begun(jit: str) -> None:
    expected = loaded(VirtualMachine(jit="off"), PROGRAM).execute("main", 1)
    counting = Interruption(None)
    assert run(loaded(VirtualMachine(jit=jit), PROGRAM), counting) == expected
    interrupted = 0
    for at in range(1, counting.calls, max(counting.calls // 150, 1)):
        machine = loaded(VirtualMachine(jit=jit), PROGRAM)
        interrupted += run(machine, Interruption(at)) is None
        assert machine.execute("main", 1) == expected
        assert machine.jit_statistics()["functions"]["main"]["units"] > 0
    assert interrupted > 50


TABLES = """
function fill(numbers, rows, thing, n)
MOV r10, r0
MOV r11, r1
MOV r12, r2
MOV r8, r3
LDI r4, 0
LDI r5, 1
loop:
PUSHARG r10
PUSHARG r4
CALL array_push
CALL create_array
MOV r9, r0
PUSHARG r9
PUSHARG r4
CALL array_push
PUSHARG r11
PUSHARG r9
CALL array_push
LDI r7, "last"
PUSHARG r12
PUSHARG r7
PUSHARG r4
CALL set_field
ADD r4, r4, r5
CMP r4, r8
JMPLT loop
RET r9
end
"""
"""Lets two arrays grow, one of them by new arrays, changes a field, and returns the last of the new arrays."""


TIMES = 20


class Tables:
    """What ``fill`` is given, and what can be seen of it: ids counted from the first."""

    def __init__(self, machine: VirtualMachine) -> None:
        self.machine = machine
        self.numbers = machine.create_array([7, 8])
        self.rows = machine.create_array([machine.create_array([1, 2])])
        self.thing = machine.create_object({"last": -1})

    def fill(self) -> Any:
        return self.machine.execute("fill", self.numbers, self.rows, self.thing, TIMES)

    def seen(self) -> tuple[Any, ...]:
        elements = self.machine.elements
        rows = tuple((row.id - self.numbers.id, *elements(row)) for row in elements(self.rows))
        used = int(repr(self.machine.state.objects.next_id.__self__)[len("count(") : -1]) - self.numbers.id  # type: ignore[attr-defined]
        return tuple(elements(self.numbers)), rows, self.machine.get(self.thing, "last"), used


def states_in_the_interpreter() -> list[tuple[Any, ...]]:
    """Return what can be seen before each instruction of ``fill``, and at its end."""
    machine = loaded(VirtualMachine(jit="off"), TABLES)
    tables = Tables(machine)
    states: list[tuple[Any, ...]] = []
    machine.register_hook(
        stoffel.events.BeforeInstructionExecute, lambda _event, _context: states.append(tables.seen())
    )
    tables.fill()
    return [*states, tables.seen()]


class Signal:
    """Raises, while it is the trace function, at one of the places where Python looks for signals in *modules*."""

    OPCODES = ("RESUME", "CALL", "JUMP_BACKWARD", "POP_JUMP_BACKWARD")
    """Beginnings of the names of opcodes after which, or in which, the interpreter looks for signals."""

    def __init__(self, at: int | None, modules: tuple[str, ...]) -> None:
        self.at = at
        self.modules = modules
        self.places = 0

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        if not frame.f_code.co_filename.endswith(self.modules):
            return None
        frame.f_trace_opcodes = True
        code = frame.f_code.co_code
        looks = False

        def trace(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal looks
            if event == "opcode":
                self.places += looks
                if looks and self.places == self.at:
                    raise KeyboardInterrupt
                looks = dis.opname[code[frame.f_lasti]].startswith(self.OPCODES)
            return trace

        return trace


def completes(action: Callable[[], Any], signal: Signal) -> bool:
    """Return whether *action* came to its end."""
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 has no events of opcodes unless one frame asks for them before
    sys.settrace(signal)
    try:
        action()
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(before)
    return True


@pytest.mark.parametrize("every", [0, 8])
def test_an_interruption_around_a_kernel_leaves_tables_as_the_interpreter_has_them_at_some_instruction(
    every: int,
) -> None:
    states = states_in_the_interpreter()
    machine = loaded(VirtualMachine(jit="kernels"), TABLES)
    machine.state.tier.every = every
    Tables(machine).fill()
    modules = ("running.py", "marshalling.py", "elements.py", "values.py")
    counting = Signal(None, modules)
    assert completes(Tables(machine).fill, counting)
    interrupted = 0
    found = set()
    for at in range(1, counting.places, max(counting.places // 300, 1)):
        tables = Tables(machine)
        interrupted += not completes(tables.fill, Signal(at, modules))
        found.add(tables.seen())
        tables = Tables(machine)
        tables.fill()
        assert tables.seen() == states[-1]
    assert [state for state in found if state not in states] == []
    assert states[0] in found
    assert every or states[-1] in found
    assert interrupted > 100
    assert sum(kernel["runs"] for kernel in machine.jit_statistics()["functions"]["fill"]["kernels"]) > interrupted


FORGETTING = ("code_cache.py", "environment.py", "functions.py")


def test_units_are_forgotten_altogether_or_not_at_all() -> None:
    def known(units: Units) -> tuple[Any, ...]:
        names = {name for name, unit in units.namespace.items() if unit == units.hand_over}
        facts = units.environment
        tables = facts.names, facts.assumed, facts._callers, facts.hosts, facts._splices, units.calls, units.entries
        return len(names), len(units._functions), *map(len, tables)

    def compiled() -> tuple[VirtualMachine, Units, Callable[[], None]]:
        machine = loaded(VirtualMachine(jit="always"), PROGRAM)
        assert machine.execute("main", 1) == expected
        units = machine.state.tier.units
        return machine, units, lambda: units.forget(machine.state.functions["down"])

    expected = loaded(VirtualMachine(jit="off"), PROGRAM).execute("main", 1)
    for _ in range(2):  # Python 3.13 has events of opcodes from the second time on
        _, units, forget = compiled()
        before = known(units)
        assert completes(forget, Signal(None, FORGETTING))
        after = known(units)
    found = []
    for at in count(1):
        machine, units, forget = compiled()
        if completes(forget, Signal(at, FORGETTING)):
            break
        found.append(known(units))
        assert machine.execute("main", 1) == expected
    assert before != after
    assert set(found) == {before, after}


def test_complete_calls_again_until_nothing_interrupts_and_raises_the_last_interruption() -> None:
    calls: list[int] = []

    def action(times: int) -> None:
        calls.append(times)
        if len(calls) < times:
            raise KeyboardInterrupt(len(calls))

    complete(action, 1)
    assert calls == [1]
    calls.clear()
    with pytest.raises(KeyboardInterrupt) as caught:
        complete(action, 4)
    assert (calls, caught.value.args) == ([4] * 4, (3,))


def test_complete_gives_up_what_always_fails() -> None:
    calls: list[None] = []

    def action(argument: None) -> None:
        calls.append(argument)
        raise MemoryError

    with pytest.raises(MemoryError):
        complete(action, None)
    assert len(calls) == ATTEMPTS
