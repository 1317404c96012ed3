"""Hooks: the exact trace of events, their order, what callbacks see, and switching in the middle of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel import Closure, Function, HookContext, Instruction, VirtualMachine, diagnostic, events
from stoffel.runtime.hooks import HookManager
from tests.machines import failure, told
from tests.runtime.conftest import Make


def described(event: Any) -> str:
    """Return an event as one short line: its name and what it carries, in diagnostic form."""
    parts = []
    for field in event:
        if isinstance(field, stoffel.Instruction):
            parts.append(" ".join(str(field).split()))
        elif isinstance(field, events.CallTarget):
            parts.append(f"{field.sort} {field.name}")
        elif isinstance(field, tuple):
            pairs = (
                f"{item[0]}={diagnostic(item[1])}" if isinstance(item, tuple) else diagnostic(item) for item in field
            )
            parts.append(f"[{', '.join(pairs)}]")
        else:
            parts.append(field if type(field) is str and "Upvalue" in event.kind else diagnostic(field))
    return f"{event.kind} {', '.join(parts)}"


def where(context: HookContext) -> str:
    """Return current function, depth and cursor as ``main/1 main:0``."""
    cursor = context.cursor
    place = "none" if cursor is None else f"{cursor[0]}:{cursor[1]}"
    return f"{context.function_name}/{context.call_depth} {place}"


def trace(vm: VirtualMachine, name: str, *arguments: Any, places: bool = False) -> list[str]:
    """Run and return every event, with the place where each was seen if asked for."""
    seen: list[str] = []

    def callback(event: Any, context: HookContext) -> None:
        seen.append(f"{described(event)} @ {where(context)}" if places else described(event))

    identity = vm.register_hook(None, callback, 0)
    try:
        vm.execute(name, *arguments)
    finally:
        vm.unregister_hook(identity)
    return seen


# The worked traces ---------------------------------------------------------------------------------------------------

CALL_ID = """
function main()
    LDI r1, 5
    PUSHARG r1
    CALL id
    MOV r2, r0
    CMP r2, r1
    RET r2
end
function id(x)
    RET r0
end
"""


def test_worked_trace_of_a_call(machine: Make) -> None:
    assert trace(machine(CALL_ID), "main", places=True) == [
        "BeforeInstructionExecute LDI r1, 5 @ main/1 main:0",
        "RegisterWrite 1, (), 5 @ main/1 main:0",
        "AfterInstructionExecute LDI r1, 5 @ main/1 main:0",
        "BeforeInstructionExecute PUSHARG r1 @ main/1 main:1",
        "StackPush 5 @ main/1 main:1",
        "AfterInstructionExecute PUSHARG r1 @ main/1 main:1",
        "BeforeInstructionExecute CALL id @ main/1 main:2",
        "StackPop 5 @ main/1 main:2",
        "BeforeFunctionCall function id, [5] @ main/1 main:2",
        "AfterInstructionExecute CALL id @ id/2 main:2",
        "BeforeInstructionExecute RET r0 @ id/2 id:0",
        "RegisterWrite 0, (), 5 @ main/1 main:2",
        "AfterFunctionCall function id, 5 @ main/1 main:2",
        "AfterInstructionExecute RET r0 @ main/1 main:2",
        "BeforeInstructionExecute MOV r2, r0 @ main/1 main:3",
        "RegisterRead 0, 5 @ main/1 main:3",
        "RegisterWrite 2, (), 5 @ main/1 main:3",
        "AfterInstructionExecute MOV r2, r0 @ main/1 main:3",
        "BeforeInstructionExecute CMP r2, r1 @ main/1 main:4",
        "AfterInstructionExecute CMP r2, r1 @ main/1 main:4",
        "BeforeInstructionExecute RET r2 @ main/1 main:5",
        "AfterInstructionExecute RET r2 @ main/1 main:5",
    ]


def test_worked_trace_of_a_builtin(machine: Make) -> None:
    vm = machine()
    array = vm.create_array([9])
    body = [
        Instruction("LDI", 1, array),
        Instruction("PUSHARG", 1),
        Instruction("LDI", 2, -1),
        Instruction("PUSHARG", 2),
        Instruction("CALL", "get_field"),
        Instruction("RET", 0),
    ]
    vm.register_function(Function("main", body))
    assert trace(vm, "main", places=True)[12:-2] == [
        "BeforeInstructionExecute CALL get_field @ main/1 main:4",
        "StackPop -1 @ main/1 main:4",
        "StackPop Array(1) @ main/1 main:4",
        "BeforeFunctionCall foreign get_field, [Array(1), -1] @ main/1 main:4",
        "ArrayElementRead Array(1), 0, 9 @ main/1 main:4",
        "RegisterWrite 0, (), 9 @ main/1 main:4",
        "AfterFunctionCall foreign get_field, 9 @ main/1 main:4",
        "AfterInstructionExecute CALL get_field @ main/1 main:4",
    ]


CLOSURE = """
function mk(start)
    LDI r1, "inc"
    PUSHARG r1
    LDI r2, "start"
    PUSHARG r2
    CALL create_closure
    MOV r4, r0
    PUSHARG r4
    LDI r3, 5
    PUSHARG r3
    CALL call_closure
    RET r0
end
function inc(amount)
    LDI r3, 15
    RET r3
end
"""


def test_worked_trace_of_creating_and_calling_a_closure(machine: Make) -> None:
    seen = trace(machine(CLOSURE), "mk", 10, places=True)
    start = seen.index("BeforeInstructionExecute CALL create_closure @ mk/1 mk:4")
    assert seen[start + 1 : start + 8] == [
        'StackPop "start" @ mk/1 mk:4',
        'StackPop "inc" @ mk/1 mk:4',
        'BeforeFunctionCall foreign create_closure, ["inc", "start"] @ mk/1 mk:4',
        'ClosureCreated "inc", [start=10] @ mk/1 mk:4',
        "RegisterWrite 0, 10, Function(inc) @ mk/1 mk:4",
        "AfterFunctionCall foreign create_closure, Function(inc) @ mk/1 mk:4",
        "AfterInstructionExecute CALL create_closure @ mk/1 mk:4",
    ]
    start = seen.index("BeforeInstructionExecute CALL call_closure @ mk/1 mk:9")
    assert seen[start + 1 :] == [
        "StackPop 5 @ mk/1 mk:9",
        "StackPop Function(inc) @ mk/1 mk:9",
        "BeforeFunctionCall foreign call_closure, [Function(inc), 5] @ mk/1 mk:9",
        "BeforeFunctionCall closure inc, [5] @ mk/1 mk:9",
        "AfterInstructionExecute CALL call_closure @ inc/2 mk:9",
        "BeforeInstructionExecute LDI r3, 15 @ inc/2 inc:0",
        "RegisterWrite 3, (), 15 @ inc/2 inc:0",
        "AfterInstructionExecute LDI r3, 15 @ inc/2 inc:0",
        "BeforeInstructionExecute RET r3 @ inc/2 inc:1",
        "RegisterWrite 0, Function(inc), 15 @ mk/1 mk:9",
        "AfterFunctionCall closure inc, 15 @ mk/1 mk:9",
        "AfterInstructionExecute RET r3 @ mk/1 mk:9",
        "BeforeInstructionExecute RET r0 @ mk/1 mk:10",
        "AfterInstructionExecute RET r0 @ mk/1 mk:10",
    ]


# One event of each kind ----------------------------------------------------------------------------------------------


def inner(vm: VirtualMachine, name: str, *arguments: Any) -> list[str]:
    """Return the events of a run without those of instructions."""
    return [line for line in trace(vm, name, *arguments) if "InstructionExecute" not in line]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("NOP", []),
        ("JMP here\nhere:", []),
        ("CMP r1, r2\nJMPEQ here\nhere:", []),
        ("CMP r1, r2\nJMPLT here\nhere:", []),
        ("STS slot0, r1\nLDS r2, slot0", []),
        ("LDI r3, 7", ["RegisterWrite 3, (), 7"]),
        ("PUSHARG r1\nLD r3, sp+0", ["StackPush 1", "RegisterWrite 3, (), 1"]),
        ("MOV r3, r1", ["RegisterRead 1, 1", "RegisterWrite 3, (), 1"]),
        ("MOV r1, r1", ["RegisterRead 1, 1", "RegisterWrite 1, 1, 1"]),
        ("ADD r3, r1, r2", ["RegisterWrite 3, (), 3"]),
        ("SHL r1, r1, r2", ["RegisterWrite 1, 1, 4"]),
        ("NOT r3, r1", ["RegisterWrite 3, (), -2"]),
    ],
)
def test_which_events_an_instruction_fires(machine: Make, lines: str, expected: list[str]) -> None:
    vm = machine(f"function main(a, b, c)\n MOV r5, r5\n {lines}\nend")
    assert inner(vm, "main", 0, 1, 2)[2:] == expected


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("get_field", ["object", "k"], ['ObjectFieldRead Object(1), "k", 1']),
        ("get_field", ["object", 5], ["ObjectFieldRead Object(1), 5, ()"]),
        ("get_field", ["array", -1], ["ArrayElementRead Array(2), 1, 20"]),
        ("get_field", ["array", "k"], ['ArrayElementRead Array(2), "k", ()']),
        ("get_field", ["text", 0], []),
        ("get_field", [5, 0], []),
        ("set_field", ["object", "k", 2], ['ObjectFieldWrite Object(1), "k", 1, 2']),
        ("set_field", ["object", "new", 2], ['ObjectFieldWrite Object(1), "new", (), 2']),
        ("set_field", ["array", -2, 2], ["ArrayElementWrite Array(2), 0, 10, 2"]),
        ("set_field", ["array", 7, 2], ["ArrayElementWrite Array(2), 7, (), 2"]),
        ("append", ["array", 1], []),
        ("len", ["array"], []),
        ("get_or_create_array_field", ["object", "list"], []),
        ("create_object", [0], []),
    ],
)
def test_table_events_of_builtins(machine: Make, name: str, arguments: list[Any], expected: list[str]) -> None:
    vm = machine()
    tables = {"object": vm.create_object({"k": 1}), "array": vm.create_array([10, 20])}
    given = [tables.get(value, value) if type(value) is str else value for value in arguments]
    assert trace(vm, name, *given, places=True) == [f"{line} @ None/0 none" for line in expected]


def test_table_events_come_in_order_with_typed_tables_and_unit_as_the_first_old_value(machine: Make) -> None:
    vm = machine(
        """
        function touch(table, key)
            LDI r2, 8
            PUSHARG r0
            PUSHARG r1
            PUSHARG r2
            MOV r3, r0
            CALL set_field
            PUSHARG r3
            PUSHARG r1
            CALL get_field
        end
        function main(object, array)
            LDI r2, 0
            PUSHARG r0
            PUSHARG r2
            MOV r4, r1
            CALL touch
            PUSHARG r4
            PUSHARG r2
            CALL touch
        end
        """
    )
    seen = []
    kinds = (events.ObjectFieldRead, events.ObjectFieldWrite, events.ArrayElementRead, events.ArrayElementWrite)
    vm.register_hook(kinds, lambda event, context: seen.append(event), 0)
    table, array = vm.create_object(), vm.create_array()
    vm.execute("main", table, array)
    assert seen == [
        events.ObjectFieldWrite(table, 0, None, 8),
        events.ObjectFieldRead(table, 0, 8),
        events.ArrayElementWrite(array, 0, None, 8),
        events.ArrayElementRead(array, 0, 8),
    ]


def test_upvalue_events_carry_name_old_and_new_value(machine: Make) -> None:
    vm = machine(
        """
        function body()
            LDI r1, "n"
            LDI r2, 6
            PUSHARG r1
            CALL get_upvalue
            PUSHARG r1
            PUSHARG r2
            CALL set_upvalue
        end
        function main(closure)
            PUSHARG r0
            CALL call_closure
        end
        """
    )
    seen = [line for line in inner(vm, "main", Closure("body", (("n", 5),))) if "Upvalue" in line]
    assert seen == ["UpvalueRead n, 5", "UpvalueWrite n, 5, 6"]


def test_an_upvalue_write_has_changed_the_frame_but_not_yet_the_closure(machine: Make) -> None:
    vm = machine(
        """
        function body()
            LDI r1, "n"
            LDI r2, 6
            PUSHARG r1
            PUSHARG r2
            CALL set_upvalue
        end
        function main(closure)
            MOV r3, r0
            PUSHARG r0
            CALL call_closure
            RET r3
        end
        """
    )
    seen = []

    def look(event: Any, context: HookContext) -> None:
        seen.append((context.frame.upvalue("n"), context.frames[0].registers[3].upvalues))

    identity = vm.register_hook(events.UpvalueWrite, look, 0)
    closure = Closure("body", (("n", 5),))
    assert vm.execute("main", closure).upvalues == (("n", 6),)
    assert seen == [((True, 6), (("n", 5),))]

    def refuse(event: Any, context: HookContext) -> None:
        frames.extend(context.frames)
        raise ValueError("no")

    frames: list[Any] = []
    vm.unregister_hook(identity)
    vm.register_hook(events.UpvalueWrite, refuse, 0)
    assert (
        str(failure(vm.execute, "main", closure)) == "Foreign function set_upvalue failed: Hook 2 callback failed: no"
    )
    assert frames[0].registers[3] is closure


def test_the_stack_hooks_of_a_foreign_call(machine: Make) -> None:
    vm = machine("function main()\n LDI r1, 10\n PUSHARG r1\n LDI r1, 20\n PUSHARG r1\n CALL sum\n RET r0\nend")
    vm.register_foreign_function("sum", lambda context: sum(context.arguments))
    stack = [line for line in inner(vm, "main") if line.startswith("Stack")]
    assert stack == ["StackPush 10", "StackPush 20", "StackPop 20", "StackPop 10"]


def test_every_declared_event_knows_its_name() -> None:
    assert [event.kind for event in events.EVENTS] == [
        "BeforeInstructionExecute",
        "AfterInstructionExecute",
        "RegisterRead",
        "RegisterWrite",
        "VariableRead",
        "VariableWrite",
        "UpvalueRead",
        "UpvalueWrite",
        "ObjectFieldRead",
        "ObjectFieldWrite",
        "ArrayElementRead",
        "ArrayElementWrite",
        "BeforeFunctionCall",
        "AfterFunctionCall",
        "ClosureCreated",
        "StackPush",
        "StackPop",
    ]
    assert events.CallTarget("closure", "f").label == "<function f>"
    assert events.CallTarget("function", "f").label == "<function f>"
    assert events.CallTarget("foreign", "f").label == "<foreign function f>"


# Order within instructions -------------------------------------------------------------------------------------------


def test_falling_off_the_end_fires_the_events_of_the_return_but_none_of_an_instruction(machine: Make) -> None:
    vm = machine("function main()\n CALL g\nend\nfunction g()\n LDI r0, 7\nend")
    assert trace(vm, "main", places=True)[5:] == [
        "AfterInstructionExecute LDI r0, 7 @ g/2 g:0",
        "RegisterWrite 0, (), 7 @ main/1 main:0",
        "AfterFunctionCall function g, 7 @ main/1 main:0",
    ]


def test_falling_off_the_end_of_the_entry_fires_nothing(machine: Make) -> None:
    assert trace(machine("function main()\nend"), "main") == []


def test_the_entrys_own_return_is_seen_while_its_frame_exists(machine: Make) -> None:
    depths = []
    vm = machine("function main()\n RET r0\nend")
    vm.register_hook(None, lambda event, context: depths.append((event.kind, context.call_depth)), 0)
    vm.execute("main")
    assert depths == [("BeforeInstructionExecute", 1), ("AfterInstructionExecute", 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LDI r1, 1\n DIV r0, r1, r2", ["BeforeInstructionExecute DIV r0, r1, r2"]),
        ("CMP r0, r0", ["BeforeInstructionExecute CMP r0, r0"]),
        ("PUSHARG r0\n CALL unknown", ["BeforeInstructionExecute CALL unknown"]),
        ("PUSHARG r0\n CALL main", ["BeforeInstructionExecute CALL main"]),
        (
            "PUSHARG r0\n CALL assert",
            [
                "BeforeInstructionExecute CALL assert",
                "StackPop ()",
                "BeforeFunctionCall foreign assert, [()]",
            ],
        ),
        ("LD r0, sp+0", ["BeforeInstructionExecute LD r0, sp+0"]),
    ],
)
def test_a_failing_instruction_fires_nothing_beyond_the_failing_point(
    machine: Make, text: str, expected: list[str]
) -> None:
    vm = machine(f"function main()\n {text}\nend")
    seen: list[str] = []
    vm.register_hook(None, lambda event, context: seen.append(described(event)), 0)
    failure(vm.execute, "main")
    last = max(index for index, line in enumerate(seen) if line.startswith("BeforeInstruction"))
    assert seen[last:] == expected


def test_stack_pops_see_the_stack_already_empty(machine: Make) -> None:
    lengths = []
    vm = machine(CALL_ID)
    kinds = (events.StackPush, events.StackPop, events.BeforeFunctionCall)
    vm.register_hook(kinds, lambda event, context: lengths.append((event.kind, len(context.frame.stack))), 0)
    vm.execute("main")
    assert lengths == [("StackPush", 1), ("StackPop", 0), ("BeforeFunctionCall", 0)]


def test_writes_have_happened_when_their_event_fires(machine: Make) -> None:
    vm = machine("function main(a)\n LDI r1, 7\n MOV r0, r1\nend")
    seen = []
    kinds = (events.RegisterWrite, events.RegisterRead)
    vm.register_hook(kinds, lambda event, context: seen.append((event.kind, context.frame.registers[:])), 0)
    vm.execute("main", 1)
    assert seen == [
        ("RegisterWrite", [1, 7]),
        ("RegisterRead", [7, 7]),
        ("RegisterWrite", [7, 7]),
    ]


def test_a_read_carries_the_value_from_before_the_assignment_of_a_register_to_itself(machine: Make) -> None:
    vm = machine("function main()\n LDI r0, 3\n MOV r0, r0\nend")
    assert inner(vm, "main") == ["RegisterWrite 0, (), 3", "RegisterRead 0, 3", "RegisterWrite 0, 3, 3"]


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


# Registration, order, control ----------------------------------------------------------------------------------------


def ignore(event: Any, context: HookContext) -> None:
    pass


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


# Switching in the middle of a run ------------------------------------------------------------------------------------


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
