"""Hooks: registration, order, failures, and what a callback sees through its context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stoffel import Function, HookContext, Instruction, events
from stoffel.runtime.hooks import HookManager
from tests.machines import Make, failure, told
from tests.runtime.tracing import CALL_ID, ignore

# Registration, order, control ----------------------------------------------------------------------------------------


def test_ids_count_from_1_and_are_never_reused(machine: Make) -> None:
    vm = machine()
    assert [vm.register_hook(None, ignore, 0) for _ in range(3)] == [1, 2, 3]
    assert vm.unregister_hook(3) is True
    assert vm.register_hook(None, ignore, 0) == 4


def test_switching_tells_whether_the_hook_exists(machine: Make) -> None:
    vm = machine()
    identity = vm.register_hook(None, ignore, 0)
    assert [vm.enable_hook(identity), vm.disable_hook(identity), vm.disable_hook(identity)] == [True, True, True]
    assert [vm.enable_hook(9), vm.disable_hook(9), vm.unregister_hook(9)] == [False, False, False]
    assert [vm.unregister_hook(identity), vm.unregister_hook(identity)] == [True, False]


@pytest.mark.parametrize("arguments", [(5, ignore, 0), (None, "no", 0), (None, ignore, 1.5)])
def test_what_cannot_be_a_hook_is_refused(machine: Make, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="hook"):
        machine().register_hook(*arguments)


def test_higher_priority_comes_first_and_equal_priority_in_order_of_registration(machine: Make) -> None:
    vm = machine("function main()\n NOP\nend")
    order: list[str] = []

    def named(name: str) -> Callable[[Any, HookContext], None]:
        return lambda event, context: order.append(name)

    for name, priority in (("10", 10), ("100", 100), ("1000", 1000), ("100 again", 100), ("-5", -5)):
        vm.register_hook(events.BeforeInstructionExecute, named(name), priority)
    vm.execute("main")
    assert order == ["1000", "100", "100 again", "10", "-5"]


def test_predicates_and_callbacks_interleave_hook_by_hook(machine: Make) -> None:
    vm = machine("function main()\n NOP\nend")
    order: list[str] = []

    def predicate(name: str, answer: bool) -> Callable[[Any], bool]:
        def test(event: Any) -> bool:
            order.append(f"predicate {name}")
            return answer

        return test

    def callback(name: str) -> Callable[[Any, HookContext], None]:
        return lambda event, context: order.append(f"callback {name}")

    for name, answer in (("a", True), ("b", False), ("c", True)):
        vm.register_hook(predicate(name, answer), callback(name), 0)
    disabled = vm.register_hook(predicate("disabled", True), callback("disabled"), 5)
    vm.disable_hook(disabled)
    vm.execute("main")
    assert order == ["predicate a", "callback a", "predicate b", "predicate c", "callback c"] * 2


def test_a_predicate_may_be_an_event_class_or_several_or_any_truth(machine: Make) -> None:
    vm = machine(CALL_ID)
    counts = {"one": 0, "two": 0, "truthy": 0}

    def counting(name: str) -> Callable[[Any, HookContext], None]:
        def callback(event: Any, context: HookContext) -> None:
            counts[name] += 1

        return callback

    vm.register_hook(events.StackPush, counting("one"), 0)
    vm.register_hook((events.StackPush, events.StackPop), counting("two"), 0)
    vm.register_hook(lambda event: "yes" if event.kind == "RegisterRead" else 0, counting("truthy"), 0)
    vm.execute("main")
    assert counts == {"one": 1, "two": 2, "truthy": 1}


def test_a_failing_callback_stops_the_remaining_hooks_and_the_run(machine: Make) -> None:
    vm = machine("function main()\n NOP\n NOP\nend")
    called = []
    original = ValueError("typed hook failure")

    def fail(event: Any, context: HookContext) -> None:
        raise original

    vm.register_hook(events.BeforeInstructionExecute, fail, 0)
    vm.register_hook(None, lambda event, context: called.append("low"), -1)
    vm.register_hook(None, lambda event, context: called.append("high"), 1)
    error = failure(vm.execute, "main")
    assert told(error) == ("Hook", "Hook 1 callback failed: typed hook failure")
    assert error.__cause__ is original
    assert (error.function, error.instruction) == ("main", 0)
    assert called == ["high"]


def test_a_failing_predicate_is_a_failing_hook(machine: Make) -> None:
    vm = machine("function main()\n NOP\nend")
    vm.register_hook(lambda event: 1 / 0, ignore, 0)
    assert told(failure(vm.execute, "main")) == ("Hook", "Hook 1 callback failed: division by zero")


def test_a_failing_hook_inside_a_builtin_is_wrapped_and_the_write_stays(machine: Make) -> None:
    vm = machine()

    def fail(event: Any, context: HookContext) -> None:
        raise RuntimeError("nope")

    vm.register_hook(None, ignore, 0)
    vm.register_hook(events.ArrayElementWrite, fail, 0)
    array = vm.create_array()
    error = failure(vm.execute, "set_field", array, 0, 5)
    assert told(error) == ("ForeignFunction", "Foreign function set_field failed: Hook 2 callback failed: nope")
    assert error.inner_kind == "Hook"
    assert vm.elements(array) == [5]


@pytest.mark.parametrize("kind", [events.StackPop, events.BeforeFunctionCall])
@pytest.mark.parametrize("callee", ["id", "to_string"])
def test_a_hook_that_fails_during_a_call_puts_the_argument_stack_back(machine: Make, kind: type, callee: str) -> None:
    vm = machine(f"function main()\n PUSHARG r0\n CALL {callee}\nend\nfunction id(x)\nend")
    frames: list[Any] = []

    def fail(event: Any, context: HookContext) -> None:
        frames.append(context.frame)
        raise RuntimeError("nope")

    vm.register_hook(kind, fail, 0)
    assert str(failure(vm.execute, "main")).endswith("Hook 1 callback failed: nope")
    assert [frame.stack for frame in frames] == [[None]]


def test_a_failing_foreign_function_leaves_the_argument_stack_as_it_was(machine: Make) -> None:
    vm = machine("function main()\n PUSHARG r0\n CALL assert\nend")
    frames: list[Any] = []
    vm.register_hook(events.BeforeFunctionCall, lambda event, context: frames.append(context.frame), 0)
    failure(vm.execute, "main")
    assert frames[0].stack == [None]


def test_hooks_between_runs_are_off_on_and_gone(machine: Make) -> None:
    vm = machine("function main()\n NOP\n NOP\n NOP\n RET r0\nend")
    count = []
    identity = vm.register_hook(events.BeforeInstructionExecute, lambda event, context: count.append(1), 0)

    def calls() -> int:
        count.clear()
        vm.execute("main")
        return len(count)

    assert calls() == 4
    vm.disable_hook(identity)
    assert calls() == 0
    vm.enable_hook(identity)
    assert calls() == 4
    vm.unregister_hook(identity)
    assert calls() == 0


def test_a_run_inside_a_callback_is_not_observed(machine: Make) -> None:
    vm = machine("function main()\n NOP\nend\nfunction helper()\n LDI r0, 5\nend")
    seen: list[Any] = []
    vm.register_hook(None, lambda event, context: seen.append((event.kind, vm.execute("helper"))), 0)
    vm.execute("main")
    assert seen == [("BeforeInstructionExecute", 5), ("AfterInstructionExecute", 5)]


def test_hooks_belong_to_one_machine(machine: Make) -> None:
    vm = machine("function main()\n NOP\nend")
    seen: list[Any] = []
    vm.register_hook(None, lambda event, context: seen.append(event), 0)
    clone = vm.clone()
    clone.execute("main")
    assert seen == []
    assert clone.register_hook(None, ignore, 0) == 1


def test_the_manager_tells_of_every_change() -> None:
    changes = []
    manager = HookManager(lambda: changes.append(manager.active))
    identity = manager.register(None, ignore, 0)
    manager.set_enabled(identity, False)
    manager.set_enabled(identity, True)
    manager.unregister(identity)
    assert changes == [True, False, True, False]


# What callbacks see --------------------------------------------------------------------------------------------------


def test_a_callback_sees_frames_registers_locals_stack_and_flag(machine: Make) -> None:
    vm = machine(
        """
        function main(a, b)
            LDI r0, 50
            PUSHARG r0
            CMP r1, r0
            NOP
        end
        """
    )
    seen = {}

    def look(event: Any, context: HookContext) -> None:
        if event.instruction.name == "NOP":
            frame = context.frame
            seen.update(
                registers=frame.registers[:],
                locals=frame.locals,
                local=(frame.local("b"), frame.local("c")),
                stack=frame.stack[:],
                flag=(context.compare_flag, frame.flag),
                place=(context.function_name, context.current_instruction, context.cursor),
                register=context.register(1),
                outside=str(failure(context.register, 2)),
                instruction=str(context.instruction_at("main", 3)),
                no_instruction=(context.instruction_at("main", 4), context.instruction_at("print", 0)),
            )

    vm.register_hook(events.BeforeInstructionExecute, look, 0)
    vm.execute("main", 1, 2)
    assert seen == {
        "registers": [50, 2],
        "locals": {"a": 1, "b": 2},
        "local": ((True, 2), (False, None)),
        "stack": [50],
        "flag": (-1, -1),
        "place": ("main", 3, ("main", 3)),
        "register": 2,
        "outside": "Register r2 out of bounds for frame with 2 registers",
        "instruction": "NOP",
        "no_instruction": (None, None),
    }


def test_a_callback_of_a_direct_call_sees_no_frame(machine: Make) -> None:
    vm = machine()
    seen = []

    def look(event: Any, context: HookContext) -> None:
        seen.append((context.frame, context.frames, context.call_depth, context.compare_flag, context.cursor))
        seen.append((context.function_name, context.current_instruction, str(failure(context.register, 0))))

    vm.register_hook(None, look, 0)
    vm.execute("get_field", vm.create_array([1]), 0)
    assert seen == [(None, (), 0, None, None), (None, 0, "No active activation record")]


# Source --------------------------------------------------------------------------------------------------------------


def test_a_function_without_its_source_runs_until_a_hook_wants_to_observe_it(machine: Make) -> None:
    vm = machine()
    vm.register_function(Function("main", [Instruction("LDI", 0, 4)]), keep_source=False)
    assert vm.execute("main") == 4
    identity = vm.register_hook(lambda event: False, ignore, 0)
    assert told(failure(vm.execute, "main")) == ("Runtime", "Instruction index 0 out of bounds")
    vm.disable_hook(identity)
    assert vm.execute("main") == 4


def test_discarding_all_source_concerns_this_machine_only(machine: Make) -> None:
    vm = machine("function main()\n LDI r0, 4\nend")
    clone = vm.clone()
    vm.discard_source()
    assert vm.execute("main") == 4
    for each in (vm, clone):
        each.register_hook(None, ignore, 0)
    assert str(failure(vm.execute, "main")) == "Instruction index 0 out of bounds"
    assert clone.execute("main") == 4
