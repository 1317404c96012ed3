"""Closures: capture, the write-back of set_upvalue, and running them from the host."""

from __future__ import annotations

import pytest

import stoffel
from stoffel import Closure, Function, Instruction
from stoffel.runtime.events import AfterFunctionCall, BeforeFunctionCall
from tests.machines import Make, failure, told

COUNTER = """
function add(amount)
    MOV r4, r0
    LDI r1, "n"
    PUSHARG r1
    CALL get_upvalue
    ADD r2, r0, r4
    PUSHARG r1
    PUSHARG r2
    CALL set_upvalue
    RET r2
end
function counter(n)
    LDI r1, "add"
    LDI r2, "n"
    PUSHARG r1
    PUSHARG r2
    CALL create_closure
    RET r0
end
"""


def twice(*between: str, second: str = "r1") -> str:
    """Return a program that calls the counter in r1 with 5, runs lines, and calls the one in *second* with 5."""
    return f"""
        {COUNTER}
        function main(start)
            PUSHARG r0
            CALL counter
            MOV r1, r0
            LDI r5, 5
            {between[0] if between else ""}
            PUSHARG r1
            PUSHARG r5
            CALL call_closure
            {between[1] if len(between) > 1 else ""}
            PUSHARG {second}
            PUSHARG r5
            CALL call_closure
            RET r0
        end
        """


def store_field(array: str, source: str) -> str:
    return f"PUSHARG {array}\n LDI r8, 0\n PUSHARG r8\n PUSHARG {source}\n CALL set_field"


def load_field(array: str, target: str) -> str:
    return f"PUSHARG {array}\n LDI r8, 0\n PUSHARG r8\n CALL get_field\n MOV {target}, r0"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        pytest.param(twice(), 20, id="kept in a register: the state persists"),
        pytest.param(twice("MOV r6, r1", second="r6"), 20, id="an alias in another register is updated too"),
        pytest.param(twice("STS slot0, r1", "LDS r1, slot0"), 15, id="saved in a spill slot before: the old state"),
        pytest.param(
            twice("CALL create_array\n MOV r7, r0\n" + store_field("r7", "r1"), load_field("r7", "r1")),
            15,
            id="stored in a table before: the old state",
        ),
        pytest.param(
            twice("CALL create_array\n MOV r7, r0", store_field("r7", "r1") + "\n" + load_field("r7", "r1")),
            20,
            id="stored in a table afterwards: the new state",
        ),
    ],
)
def test_where_the_state_of_a_closure_persists(machine: Make, program: str, expected: int) -> None:
    assert machine(program).execute("main", 10) == expected


def test_equal_closures_that_were_created_separately_do_not_share_state(machine: Make) -> None:
    text = twice("LDI r6, 10\n PUSHARG r6\n CALL counter\n MOV r6, r0", second="r6")
    assert machine(text).execute("main", 10) == 15


def test_two_writes_in_one_call_both_persist(machine: Make) -> None:
    vm = machine(
        """
        function both()
            LDI r1, "a"
            LDI r2, 10
            PUSHARG r1
            PUSHARG r2
            CALL set_upvalue
            LDI r1, "b"
            LDI r2, 20
            PUSHARG r1
            PUSHARG r2
            CALL set_upvalue
        end
        function main(a, b)
            LDI r2, "both"
            PUSHARG r2
            LDI r2, "a"
            PUSHARG r2
            LDI r2, "b"
            PUSHARG r2
            CALL create_closure
            MOV r1, r0
            PUSHARG r1
            CALL call_closure
            RET r1
        end
        """
    )
    result = vm.execute("main", 1, 2)
    assert (result.function, result.upvalues) == ("both", (("a", 10), ("b", 20)))


def test_of_a_name_captured_twice_the_frame_changes_the_last_and_write_back_the_first(machine: Make) -> None:
    vm = machine(
        """
        function body()
            LDI r1, "n"
            PUSHARG r1
            CALL get_upvalue
            MOV r3, r0
            LDI r2, 9
            PUSHARG r1
            PUSHARG r2
            CALL set_upvalue
            RET r3
        end
        function main(n)
            LDI r1, "body"
            LDI r2, "n"
            PUSHARG r1
            PUSHARG r2
            PUSHARG r2
            CALL create_closure
            MOV r1, r0
            PUSHARG r1
            CALL call_closure
            PUSHARG r1
            CALL call_closure
            PUSHARG r0
            PUSHARG r1
            CALL pair
            RET r0
        end
        """
    )
    vm.register_foreign_function("pair", lambda context: [context[0], repr(context[1].upvalues)])
    result = vm.execute("main", 1)
    assert vm.to_python(result) == [1, "(('n', 9), ('n', 1))"]


def test_capture_takes_original_arguments_then_upvalues_then_the_callers(machine: Make) -> None:
    vm = machine(
        """
        function inner()
            LDI r1, "a"
            PUSHARG r1
            CALL get_upvalue
            RET r0
        end
        function make()
            LDI r1, "inner"
            LDI r2, "a"
            PUSHARG r1
            PUSHARG r2
            CALL create_closure
            RET r0
        end
        function main(a)
            LDI r0, "overwritten"
            CALL make
            PUSHARG r0
            CALL call_closure
            RET r0
        end
        """
    )
    assert vm.execute("main", "as bound") == "as bound"


def test_captured_tables_are_shared_not_copied(machine: Make) -> None:
    vm = machine(COUNTER)
    array = vm.create_array([1])
    closure = vm.execute("counter", array)
    assert closure.upvalues[0][1] is array


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("create_closure", [5], "First argument must be a string"),
        ("create_closure", ["f", 1], "Upvalue names must be strings"),
        ("create_closure", ["f", "missing"], "Could not find upvalue missing when creating closure"),
        ("call_closure", [5], "First argument must be a closure, but got int64"),
        ("call_closure", [Closure("nofn")], "Function nofn not found"),
        ("call_closure", [Closure("print")], "Cannot execute foreign function as closure: print"),
        ("call_closure", [Closure("add")], "Function add expects 1 arguments but got 0"),
        ("get_upvalue", [1], "Upvalue name must be a string"),
        ("get_upvalue", ["x"], "No active activation record"),
        ("set_upvalue", [1, 2], "Upvalue name must be a string"),
        ("set_upvalue", ["x", 2], "No active activation record"),
    ],
)
def test_what_closure_builtins_refuse(machine: Make, name: str, arguments: list[object], text: str) -> None:
    error = failure(machine(COUNTER).execute_with_args, name, arguments)
    assert told(error) == ("ForeignFunction", f"Foreign function {name} failed: {text}")


@pytest.mark.parametrize(
    ("name", "push", "text"),
    [
        ("get_upvalue", 1, "Upvalue 'x' not found"),
        ("set_upvalue", 2, "Upvalue 'x' not found for writing"),
    ],
)
def test_a_function_has_no_upvalue_of_its_own_parameters(machine: Make, name: str, push: int, text: str) -> None:
    pushes = 'LDI r1, "x"\n' + "PUSHARG r1\n" * push
    vm = machine(f"function g(x)\n {pushes} CALL {name}\nend")
    error = failure(vm.execute, "g", 1)
    assert told(error) == ("ForeignFunction", f"Foreign function {name} failed: {text}")
    assert error.inner_kind == "Runtime"


def test_a_failing_closure_call_pushes_no_frame_and_announces_nothing(machine: Make) -> None:
    vm = machine(f"{COUNTER}function main(c)\n PUSHARG r0\n CALL call_closure\nend")
    calls = []
    vm.register_hook(BeforeFunctionCall, lambda event, context: calls.append(event.target.label), 0)
    error = failure(vm.execute, "main", Closure("add"))
    text = "Foreign function call_closure failed: Function add expects 1 arguments but got 0"
    assert told(error) == ("ForeignFunction", text)
    assert error.stack == (("main", 1),)
    assert calls == ["<foreign function call_closure>"]


def test_an_error_in_a_closures_body_is_not_wrapped(machine: Make) -> None:
    vm = machine("function bad()\n ADD r0, r0, r0\nend\nfunction main(c)\n PUSHARG r0\n CALL call_closure\nend")
    error = failure(vm.execute, "main", Closure("bad"))
    assert told(error) == ("Value", "Type error in ADD operation")
    assert error.stack == (("main", 1), ("bad", 0))


def test_closures_are_constants_of_functions_built_in_python(machine: Make) -> None:
    vm = machine(COUNTER)
    body = [
        Instruction("LDI", 1, Closure("add", (("n", 100),))),
        Instruction("LDI", 2, 1),
        *[Instruction("PUSHARG", register) for register in (1, 2)],
        Instruction("CALL", "call_closure"),
    ]
    vm.register_function(Function("main", body))
    assert [vm.execute("main"), vm.execute("main")] == [101, 101]


# From the host -------------------------------------------------------------------------------------------------------


def test_the_host_runs_a_closure_and_sees_its_state_unchanged(machine: Make) -> None:
    vm = machine(COUNTER)
    closure = vm.execute("counter", 10)
    assert [vm.call(closure, 5), vm.call(closure, 5)] == [15, 15]
    assert stoffel.diagnostic(closure) == "Function(add)"


def test_call_closure_as_an_entry_runs_the_closure(machine: Make) -> None:
    vm = machine(COUNTER)
    assert vm.execute("call_closure", vm.execute("counter", 10), 7) == 17
    assert vm.state.frames == []


def test_a_closure_that_the_host_runs_is_an_entry_without_call_events(machine: Make) -> None:
    vm = machine(COUNTER)
    closure = vm.execute("counter", 10)
    targets = []
    vm.register_hook(BeforeFunctionCall, lambda event, context: targets.append(event.target.name), 0)
    vm.call(closure, 1)
    assert targets == ["get_upvalue", "set_upvalue"]


def test_a_closure_that_a_foreign_function_runs_is_an_entry_too(machine: Make) -> None:
    vm = machine(f"{COUNTER}function main(c)\n PUSHARG r0\n CALL apply\nend")
    vm.register_foreign_function("apply", lambda context: context.call(context[0], 1))
    targets = []
    kinds = (BeforeFunctionCall, AfterFunctionCall)
    vm.register_hook(kinds, lambda event, context: targets.append((event.kind, event.target.name)), 0)
    vm.execute("main", Closure("add", (("n", 1),)))
    inner = [
        (kind, name) for name in ("get_upvalue", "set_upvalue") for kind in ("BeforeFunctionCall", "AfterFunctionCall")
    ]
    assert targets == [("BeforeFunctionCall", "apply"), *inner, ("AfterFunctionCall", "apply")]


def test_a_function_called_directly_from_a_foreign_function_has_no_frame_to_read_upvalues_of(machine: Make) -> None:
    vm = machine("function body()\n CALL F\n RET r0\nend")
    errors = []

    def look(context: stoffel.ForeignContext) -> None:
        if not errors:
            errors.append(str(failure(context.call, "get_upvalue", "n")))
            errors.append(str(failure(context.call, "F")))
        context.upvalue("n")

    vm.register_foreign_function("F", look)
    vm.call(Closure("body", (("n", 1),)))
    assert errors == [
        "Foreign function get_upvalue failed: No active activation record",
        "Foreign function F failed: Upvalue 'n' not found",
    ]


def test_a_closure_called_from_a_foreign_function_writes_back_to_the_registers_of_the_program(machine: Make) -> None:
    vm = machine(
        f"""
        {COUNTER}
        function main(n)
            PUSHARG r0
            CALL counter
            MOV r1, r0
            PUSHARG r1
            CALL apply
            PUSHARG r1
            CALL apply
            RET r0
        end
        """
    )
    vm.register_foreign_function("apply", lambda context: context.call(context[0], 5))
    assert vm.execute("main", 10) == 20
