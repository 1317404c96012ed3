"""A name may come to mean something else, in mid-run too: no compiled code may go by what it meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError
from stoffel.runtime.state import VMState
from tests.machines import loaded
from tests.ways import ALL_WAYS, Way

CALLS = """
function A.b(x)
    RET     r0
end
function around(x)
    PUSHARG r0
    CALL    A.b
    RET     r0
end
function main(n)
    MOV     r5, r0
    LDI     r1, 0
    LDI     r2, 1
again:
    CALL    act
    PUSHARG r1
    CALL    around
    ADD     r1, r1, r2
    CMP     r1, r5
    JMPLT   again
    RET     r1
end
"""
ROUNDS = 3000
"""Enough for the mode ``auto`` to compile what runs."""


def outcome(machine: VirtualMachine, rounds: int = ROUNDS) -> Any:
    try:
        return machine.execute("main", rounds)
    except VMError as error:
        return str(error), error.stack


def shadow(machine: VirtualMachine) -> None:
    machine.register_method("A", "b", "A.b", lambda context: None)


def discard(machine: VirtualMachine) -> None:
    machine.discard_source()


def observe(machine: VirtualMachine) -> None:
    machine.discard_source()
    machine.register_hook(None, lambda event, context: None)


def withdraw(machine: VirtualMachine) -> None:
    machine.unregister_foreign_function("act")


CHANGES: list[Callable[[VirtualMachine], Any]] = [shadow, discard, observe, withdraw]


def _made(way: Way, act: Callable[[VirtualMachine, int], Any] = lambda machine, count: None) -> VirtualMachine:
    machine = way.machine(cache="off", output=lambda line: None)
    counts = [0]

    def count(context: stoffel.ForeignContext) -> None:
        counts[0] += 1
        act(machine, counts[0])

    machine.register_foreign_function("act", count)
    return loaded(machine, CALLS)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ALL_WAYS[1:], ids=lambda way: way.name)
def test_between_runs(way: Way, change: Callable[[VirtualMachine], Any]) -> None:
    seen = []
    for made in (ALL_WAYS[0], way):
        machine = _made(made)
        seen.append([outcome(machine), outcome(machine), change(machine), outcome(machine), outcome(machine, 3)])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("inside", [False, True], ids=["", "with a run inside"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ALL_WAYS[1:], ids=lambda way: way.name)
def test_in_the_middle_of_a_run(way: Way, change: Callable[[VirtualMachine], Any], inside: bool) -> None:
    def act(machine: VirtualMachine, count: int) -> None:
        if count == ROUNDS - 10:
            change(machine)
        if inside and count in (ROUNDS - 11, ROUNDS - 10):
            # It obeys the change; the run around it has not seen that yet.
            machine.call("A.c", 1)

    seen = []
    for made in (ALL_WAYS[0], way):
        machine = _made(made, act)
        loaded(machine, "function A.c(x)\n RET r0\nend")
        if change is observe and inside:
            with pytest.raises(VMError, match="out of bounds"):
                machine.execute("main", ROUNDS)
            continue
        seen.append(outcome(machine))
    assert len(set(map(repr, seen))) <= 1


def test_every_registering_call_goes_through_the_one_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """What names mean is changed by ``VMState.define`` alone, whichever method of the machine does it."""
    define = VMState.define
    defined: list[str] = []

    def noting(state: VMState, *arguments: Any, **named: Any) -> None:
        define(state, *arguments, **named)
        defined.append("")

    monkeypatch.setattr(VMState, "define", noting)
    machine = VirtualMachine(builtins=False)
    calls: dict[str, Callable[[], Any]] = {
        "load": lambda: loaded(machine, "function f()\nend"),
        "register_function": lambda: machine.register_function(stoffel.assemble("function g()\nend").functions["g"]),
        "register_foreign_function": lambda: machine.register_foreign_function("h", lambda context: None),
        "register_standard_library": machine.register_standard_library,
        "register_mpc_builtins": machine.register_mpc_builtins,
        "register_method": lambda: machine.register_method("A", "b", "f", lambda context: None),
        "discard_source": machine.discard_source,
        "unregister_foreign_function": lambda: machine.unregister_foreign_function("h"),
    }
    others = {"register_foreign_object", "unregister_foreign_object", "register_hook", "unregister_hook"}
    named = {name for name in dir(VirtualMachine) if "register_" in name and not name.startswith("_")}
    assert named <= calls.keys() | others
    for name, call in calls.items():
        before = machine.function_names(), machine.state.changes
        defined.clear()
        call()
        assert defined, name
        assert (machine.function_names(), machine.state.changes) != before, name
