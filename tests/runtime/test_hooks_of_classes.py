"""Hooks on classes of events see exactly what a hook on all events sees of them, with the same context."""

from __future__ import annotations

import random
from typing import Any

import pytest

from stoffel import HookContext, VirtualMachine, VMError, events
from stoffel.runtime import interpreter
from stoffel.runtime.events import EVENTS, OF_INSTRUCTIONS
from tests.compiler.generators import Case, make_case
from tests.machines import Make, failure, told

PROGRAMS = 150

SETS: tuple[tuple[type, ...], ...] = (
    (events.BeforeFunctionCall,),
    (events.AfterFunctionCall,),
    (events.BeforeFunctionCall, events.AfterFunctionCall),
    (events.UpvalueRead, events.UpvalueWrite, events.ClosureCreated),
    (events.ObjectFieldRead, events.ArrayElementWrite),
    (events.StackPop,),
    (events.RegisterWrite,),
    (events.BeforeInstructionExecute,),
    (events.AfterInstructionExecute, events.StackPush),
    (events.RegisterRead, events.AfterFunctionCall),
)


def seen(case: Case, classes: tuple[type, ...] | None) -> tuple[Any, list[Any]]:
    """Return what a run comes to and the events of *classes* with what the context tells; None hooks all of them."""
    machine = VirtualMachine(output=lambda line: None)
    machine.load(case.program)
    if case.depth is not None:
        machine.max_call_depth = case.depth
    trace: list[Any] = []

    def note(event: Any, context: HookContext) -> None:
        trace.append(
            (
                type(event),
                repr(event),
                context.cursor,
                context.current_instruction,
                context.function_name,
                context.call_depth,
                context.compare_flag,
                [(frame.function, repr(frame.registers)) for frame in context.frames[-2:]],
            )
        )

    machine.register_hook(classes, note)
    machine.register_foreign_function("act", lambda context: context.call("back", 3))
    try:
        end: Any = repr(machine.execute("main", *case.arguments))
    except VMError as error:
        end = str(error), error.stack, error.kind
    return end, trace


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_a_hook_on_classes_sees_what_one_on_all_events_sees_of_them(seed: int) -> None:
    case = make_case(random.Random(seed))
    end, whole = seen(case, None)
    for classes in SETS:
        assert seen(case, classes) == (end, [row for row in whole if issubclass(row[0], classes)])


def test_the_programs_have_events_of_every_class_that_is_ever_fired() -> None:
    found = {row[0] for seed in range(PROGRAMS) for row in seen(make_case(random.Random(seed)), None)[1]}
    assert found == {*EVENTS} - {events.VariableRead, events.VariableWrite}


def test_instructions_are_looked_at_one_by_one_only_where_a_hook_wants_that(
    machine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[None] = []
    one = interpreter._observed
    monkeypatch.setattr(interpreter, "_observed", lambda *arguments: (looked.append(None), one(*arguments))[1])
    vm = machine("function main()\n CALL other\nRET r0\nend\nfunction other()\n LDI r0, 1\nend")
    for event in EVENTS:
        looked.clear()
        hook = vm.register_hook(event, lambda event, context: None)
        vm.execute("main")
        vm.unregister_hook(hook)
        assert bool(looked) == (event in OF_INSTRUCTIONS)


def test_a_class_above_the_events_stands_for_all_and_another_for_none(machine: Make) -> None:
    vm = machine("function main()\n NOP\nend")
    kinds: list[str] = []
    vm.register_hook(tuple, lambda event, context: kinds.append(event.kind))
    vm.register_hook(str, lambda event, context: kinds.append("never"))
    vm.execute("main")
    assert kinds == ["BeforeInstructionExecute", "AfterInstructionExecute"]


def test_a_hook_that_wants_nothing_needs_the_source_all_the_same(machine: Make) -> None:
    vm = machine("function main()\n CALL other\nend\nfunction other()\n NOP\nend")
    vm.discard_source()
    assert vm.execute("main") is None
    vm.register_hook(events.VariableRead, lambda event, context: None)
    error = failure(vm.execute, "main")
    assert told(error) == ("Runtime", "Instruction index 0 out of bounds")
    assert error.stack == (("main", 0),)
