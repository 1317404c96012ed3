"""Events of hooks: exact traces, one event of each kind, their order within instructions."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import Closure, Function, HookContext, Instruction, events
from tests.machines import Make, failure
from tests.runtime.tracing import CALL_ID, described, inner, trace

# The worked traces ---------------------------------------------------------------------------------------------------


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
