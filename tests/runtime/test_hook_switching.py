"""Hooks that are switched in the middle of a run: by callbacks, foreign functions and other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel import HookContext, VirtualMachine, events
from tests.machines import Make, failure
from tests.runtime.tracing import described


def observing(vm: VirtualMachine) -> tuple[int, list[str]]:
    """Register a disabled hook on instructions; return its id and the list that it fills."""
    seen: list[str] = []

    def callback(event: Any, context: HookContext) -> None:
        seen.append(f"{context.cursor[0]}:{context.cursor[1]} {event.instruction.name}")

    identity = vm.register_hook(events.BeforeInstructionExecute, callback, 0)
    vm.disable_hook(identity)
    return identity, seen


def test_switching_on_is_obeyed_on_return_from_a_foreign_function(machine: Make) -> None:
    vm = machine("function main()\n NOP\n CALL on\n LDI r1, 1\n LDI r2, 2\n CALL off\n NOP\n RET r2\nend")
    identity, seen = observing(vm)
    vm.register_foreign_function("on", lambda context: vm.enable_hook(identity))
    vm.register_foreign_function("off", lambda context: vm.disable_hook(identity))
    assert vm.execute("main") == 2
    assert seen == ["main:2 LDI", "main:3 LDI", "main:4 CALL"]


def test_the_call_that_switches_on_fires_no_events_itself(machine: Make) -> None:
    vm = machine("function main()\n CALL on\n NOP\nend")
    seen: list[str] = []
    vm.register_foreign_function(
        "on", lambda context: vm.register_hook(None, lambda event, _: seen.append(described(event)), 0) and None
    )
    vm.execute("main")
    assert seen == ["BeforeInstructionExecute NOP", "AfterInstructionExecute NOP"]


def test_switching_on_inside_a_nested_run_is_seen_by_the_outer_run_too(machine: Make) -> None:
    vm = machine(
        """
        function main()
            CALL nested
            NOP
        end
        function inner()
            CALL on
            LDI r0, 1
        end
        """
    )
    identity, seen = observing(vm)
    vm.register_foreign_function("on", lambda context: vm.enable_hook(identity))
    vm.register_foreign_function("nested", lambda context: context.call("inner"))
    vm.execute("main")
    assert seen == ["inner:1 LDI", "main:1 NOP"]


def asking(vm: VirtualMachine, identity: int, enabled: bool) -> Callable[[str], None]:
    """Return an output sink that switches the hook from another thread when a line is printed."""

    def write(line: str) -> None:
        switch = vm.enable_hook if enabled else vm.disable_hook
        thread = threading.Thread(target=switch, args=(identity,))
        thread.start()
        thread.join()

    return write


def test_another_thread_switches_on_and_the_next_return_obeys(machine: Make) -> None:
    vm = machine("function main()\n CALL print\n NOP\n RET r0\nend")
    identity, seen = observing(vm)
    vm.output = asking(vm, identity, True)
    vm.execute("main")
    assert seen == ["main:1 NOP", "main:2 RET"]


def test_another_thread_switches_off(machine: Make) -> None:
    vm = machine("function main()\n NOP\n CALL print\n NOP\n RET r0\nend")
    identity, seen = observing(vm)
    vm.enable_hook(identity)
    vm.output = asking(vm, identity, False)
    vm.execute("main")
    assert seen == ["main:0 NOP", "main:1 CALL"]


class Stop(Exception):
    """Raised by a callback to end a run that would not end by itself."""


def first_observed(vm: VirtualMachine, name: str, *arguments: Any) -> str | None:
    """Run *name*, which prints a line; return where an observer that another thread switches on then sees it first.

    None if the run ended before the other thread got its turn.
    """
    seen: list[str] = []

    def stop(event: Any, context: HookContext) -> None:
        seen.append(f"{context.cursor[0]}:{context.cursor[1]} {event.instruction.name}")
        raise Stop

    identity = vm.register_hook(events.BeforeInstructionExecute, stop, 0)
    vm.disable_hook(identity)
    printed = threading.Event()
    vm.output = lambda line: printed.set()
    switch = threading.Thread(target=lambda: (printed.wait(), vm.enable_hook(identity)))
    switch.start()
    failure(vm.execute, name, *arguments)
    switch.join()
    return seen[0] if seen else None


def test_a_loop_without_calls_obeys_at_its_back_edge(machine: Make) -> None:
    vm = machine("function main()\n CALL print\n NOP\nagain:\n MOV r1, r2\n NOP\n JMP again\nend")
    assert first_observed(vm, "main") == "main:2 MOV"
    text = "function main()\n CALL print\n NOP\nagain:\n MOV r1, r2\n CMP r3, r3\n JMPEQ again\nend"
    assert first_observed(machine(text.replace("NOP", "LDI r3, 1")), "main") == "main:2 MOV"


def test_a_recursion_obeys_at_function_entry(machine: Make) -> None:
    vm = machine("function main()\n CALL print\n CALL down\nend\nfunction down()\n MOV r1, r2\n CALL down\nend")
    # The other thread may get its turn only after the depth limit, on a machine that is busy with other things.
    assert next(filter(None, (first_observed(vm.clone(), "main") for _ in range(50)))) == "down:0 MOV"


def test_a_callback_switches_hooks_for_what_comes_next(machine: Make) -> None:
    vm = machine("function main()\n NOP\n LDI r1, 1\n NOP\n LDI r2, 1\n NOP\nend")
    writes: list[int] = []

    def once(event: Any, context: HookContext) -> None:
        writes.append(event.register)
        vm.unregister_hook(identity)

    identity = vm.register_hook(events.RegisterWrite, once, 0)
    vm.execute("main")
    assert writes == [1]


def test_a_hook_that_a_callback_takes_away_is_not_called_for_the_same_event(machine: Make) -> None:
    vm = machine("function main()\n NOP\nend")
    called: list[str] = []

    def take_away(event: Any, context: HookContext) -> None:
        called.append("first")
        vm.unregister_hook(gone)
        vm.disable_hook(off)

    vm.register_hook(events.BeforeInstructionExecute, take_away, 1)
    gone = vm.register_hook(None, lambda event, context: called.append("unregistered"), 0)
    off = vm.register_hook(None, lambda event, context: called.append("disabled"), 0)
    vm.execute("main")
    assert called == ["first"]


def test_a_callback_may_register_hooks(machine: Make) -> None:
    vm = machine("function main()\n LDI r1, 1\n LDI r2, 2\n CALL g\n LDI r3, 3\nend\nfunction g()\nend")
    late: list[str] = []

    def first(event: Any, context: HookContext) -> None:
        vm.unregister_hook(identity)
        vm.register_hook(events.RegisterWrite, lambda event, context: late.append(described(event)), 0)

    identity = vm.register_hook(events.BeforeInstructionExecute, first, 0)
    vm.execute("main")
    assert late[-2:] == ["RegisterWrite 0, (), ()", "RegisterWrite 3, (), 3"]


@pytest.mark.parametrize("mode", ["off", "auto", "always", "kernels"])
def test_a_switch_in_the_after_event_of_a_back_edge_takes_effect_at_the_next_safepoint(mode: str) -> None:
    vm = VirtualMachine(jit=mode)
    seen: list[str] = []
    calls = 0

    def observe(event: Any, context: HookContext) -> None:
        seen.append(event.kind)
        if event.kind == "AfterInstructionExecute" and event.instruction.name == "JMP":
            vm.disable_hook(identity)

    def act() -> None:
        nonlocal calls
        calls += 1
        seen.append(f"call {calls}")
        if calls in (1, 2):
            vm.enable_hook(identity)

    identity = vm.register_hook(None, observe)
    vm.disable_hook(identity)
    vm.register_foreign_function("act", act)
    vm.load(
        stoffel.assemble(
            "function main()\n    LDI r1, 0\n    LDI r2, 1\n    LDI r3, 4\nagain:\n    CMP r1, r3\n    JMPEQ out\n"
            "    CALL act\n    ADD r1, r1, r2\n    JMP again\nout:\n    RET r1\nend\n"
        )
    )
    assert vm.execute("main") == 4
    assert seen[:4] == ["call 1", "BeforeInstructionExecute", "RegisterWrite", "AfterInstructionExecute"]
    # The run is still observed when the second call comes, so what follows that call inside its instruction is seen.
    second = seen.index("call 2")
    assert seen[second - 1] == "AfterInstructionExecute"
    assert seen[second + 1 : second + 4] == ["RegisterWrite", "AfterFunctionCall", "AfterInstructionExecute"]
