"""The calling convention: arguments, results, upvalues of plain calls, entry points."""

from __future__ import annotations

import pytest

import stoffel
from stoffel import Function, Instruction
from stoffel.runtime.events import BeforeInstructionExecute, StackPop
from tests.machines import Make, failure, told


def test_a_call_takes_the_whole_stack_first_pushed_first(machine: Make) -> None:
    vm = machine(
        """
        function main()
            LDI r1, "a"
            LDI r2, "b"
            PUSHARG r1
            PUSHARG r2
            CALL join
            PUSHARG r0
            PUSHARG r0
            CALL join
            RET r0
        end
        function join(x, y)
            ADD r0, r0, r1
        end
        """
    )
    assert vm.execute("main") == "abab"


def test_what_was_left_on_the_stack_counts_as_arguments(machine: Make) -> None:
    vm = machine("function main()\n PUSHARG r0\n CALL g\n RET r0\nend\nfunction g()\n RET r0\nend")
    assert told(failure(vm.execute, "main")) == ("Runtime", "Function g expects 0 arguments but got 1")


def test_an_arity_mismatch_does_not_take_the_stack(machine: Make) -> None:
    vm = machine("function main()\n PUSHARG r0\n CALL g\nend\nfunction g()\nend")
    frames, popped = [], []
    vm.register_hook(BeforeInstructionExecute, lambda event, context: frames.append(context.frame), 0)
    vm.register_hook(StackPop, lambda event, context: popped.append(event), 0)
    failure(vm.execute, "main")
    assert (frames[-1].stack, popped) == ([None], [])


def test_an_unknown_callee_is_an_error_of_the_run_not_of_registration(machine: Make) -> None:
    vm = machine("function main()\n CALL nonexistent_function\n RET r0\nend")
    expected = ("Runtime", "Function 'nonexistent_function' not found")
    assert told(failure(vm.execute, "main")) == expected
    vm.load(stoffel.assemble("function nonexistent_function()\n LDI r0, 8\nend"))
    assert vm.execute("main") == 8


def test_a_call_overwrites_only_register_0_of_its_caller(machine: Make) -> None:
    vm = machine(
        """
        function main()
            LDI r0, 1
            LDI r1, 2
            LDI r2, 3
            CALL g
            PUSHARG r0
            PUSHARG r1
            PUSHARG r2
            CALL see
        end
        function g()
            LDI r1, 50
            LDI r2, 60
            RET r2
        end
        """
    )
    seen = []
    vm.register_foreign_function("see", lambda context: seen.append(context.arguments))
    vm.execute("main")
    assert seen == [(60, 2, 3)]


def test_falling_off_the_end_returns_to_the_caller_like_ret(machine: Make) -> None:
    assert machine("function main()\n CALL g\nend\nfunction g()\n LDI r0, 7\nend").execute("main") == 7


def test_duplicate_parameters_get_a_register_each_and_the_last_names_the_local(machine: Make) -> None:
    vm = machine()
    vm.register_function(Function("f", [Instruction("CALL", "g")], parameters=("x", "x")))
    vm.register_function(Function("g", [Instruction("CALL", "get")], upvalues=("x",)))
    vm.register_foreign_function("get", lambda context: context.upvalue("x"))
    assert vm.execute("f", 1, 2) == 2


# Upvalues of a plain call --------------------------------------------------------------------------------------------

READ_X = """
    LDI r0, "x"
    PUSHARG r0
    CALL get_upvalue
    RET r0
"""


def test_a_declared_upvalue_is_the_callers_original_argument(machine: Make) -> None:
    vm = machine(
        f"""
        function g(x)
            LDI r0, 99
            CALL h
        end
        function h()
            .upvalues (x)
            {READ_X}
        end
        """
    )
    assert vm.execute("g", 1) == 1


def test_a_declared_upvalue_is_found_through_intermediate_frames_innermost_first(machine: Make) -> None:
    vm = machine(
        f"""
        function g(x)
            CALL between
        end
        function between()
            CALL h
        end
        function h()
            .upvalues (x)
            {READ_X}
        end
        function outer(x)
            LDI r1, 5
            PUSHARG r1
            CALL g
        end
        """
    )
    assert vm.execute("g", 1) == 1
    assert vm.execute("outer", 1) == 5


def test_an_upvalue_that_nobody_has_stops_the_call_before_anything_happens(machine: Make) -> None:
    vm = machine(f"function g(y)\n PUSHARG r0\n CALL h\nend\nfunction h(z)\n .upvalues (x)\n {READ_X}\nend")
    frames, popped = [], []
    vm.register_hook(BeforeInstructionExecute, lambda event, context: frames.append(context.frame), 0)
    vm.register_hook(StackPop, lambda event, context: popped.append(event), 0)
    error = failure(vm.execute, "g", 1)
    assert told(error) == ("Runtime", "Could not find upvalue x when calling function")
    assert (error.function, error.instruction) == ("g", 1)
    assert (frames[-1].stack, popped) == ([1], [])


def test_setting_an_upvalue_of_a_plain_call_changes_only_that_frame(machine: Make) -> None:
    vm = machine(
        f"""
        function g(x)
            CALL change
            CALL h
        end
        function change()
            .upvalues (x)
            LDI r0, "x"
            PUSHARG r0
            LDI r1, 50
            PUSHARG r1
            CALL set_upvalue
        end
        function h()
            .upvalues (x)
            {READ_X}
        end
        """
    )
    assert vm.execute("g", 1) == 1


# Entry points --------------------------------------------------------------------------------------------------------


def test_an_unknown_entry_is_reported_without_quotes(machine: Make) -> None:
    assert told(failure(machine().execute, "zzz")) == ("Runtime", "Function zzz not found")
    assert told(failure(machine().execute, "zzz", 1)) == ("Runtime", "Function zzz not found")


def test_a_foreign_function_is_no_entry_but_is_called_directly_with_arguments(machine: Make) -> None:
    lines: list[str] = []
    vm = machine(output=lines.append)
    assert told(failure(vm.execute, "print")) == ("Runtime", "Cannot execute foreign function print")
    assert vm.execute("type", 1.5) == "float"
    assert vm.execute_with_args("print", []) is None
    assert lines == [""]


def test_a_direct_call_of_a_foreign_function_wraps_errors_and_has_no_frame(machine: Make) -> None:
    vm = machine()
    error = failure(vm.execute, "create_array", -1)
    assert told(error) == (
        "ForeignFunction",
        "Foreign function create_array failed: array capacity must be a non-negative integer",
    )
    assert error.inner_kind == "Value"
    assert (error.function, error.stack) == (None, ())
    text = "Foreign function get_upvalue failed: No active activation record"
    assert told(failure(vm.execute, "get_upvalue", "x")) == ("ForeignFunction", text)


def test_the_entry_is_called_with_the_arity_that_it_declares(machine: Make) -> None:
    vm = machine("function needs_arg(a)\n RET r0\nend")
    expected = ("Runtime", "Function needs_arg expects 1 arguments but got 0")
    assert told(failure(vm.execute, "needs_arg")) == expected
    assert told(failure(vm.execute, "needs_arg", 1, 2)) == (
        "Runtime",
        "Function needs_arg expects 1 arguments but got 2",
    )
    assert vm.execute("needs_arg", "x") == "x"


def test_a_function_that_captures_is_no_entry_and_arity_is_checked_first(machine: Make) -> None:
    vm = machine("function g()\n .upvalues (a, b)\nend")
    expected = 'Cannot execute function g as an entry point because it requires captured upvalues: ["a", "b"]'
    assert told(failure(vm.execute, "g")) == ("Runtime", expected)
    assert told(failure(vm.execute, "g", 1)) == ("Runtime", "Function g expects 0 arguments but got 1")


def test_method_resolution_is_not_for_entry_names(machine: Make) -> None:
    vm = machine()
    vm.register_method("string", "shout", "string_shout", lambda context: context[0].upper())
    assert told(failure(vm.execute, "shout", "hi")) == ("Runtime", "Function shout not found")
    assert vm.execute("string_shout", "hi") == "HI"


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (1 << 63, "argument 1 of f: 9223372036854775808 does not fit int64; use stoffel.U64 for larger values"),
        ("\ud800", "argument 1 of f: the string holds a lone surrogate at 0"),
        (
            b"x",
            "argument 1 of f: a Python bytes is not a machine value; use int, float, bool, str, None, a stoffel "
            "integer type, or a table, closure or foreign handle of the machine",
        ),
    ],
)
def test_an_argument_that_is_no_machine_value_is_refused(machine: Make, argument: object, text: str) -> None:
    vm = machine("function f(a)\nend")
    assert told(failure(vm.execute, "f", argument)) == ("Message", text)


def test_a_recursive_function_saves_what_the_call_overwrites(machine: Make) -> None:
    vm = machine(
        """
        function fib(n)
            LDI r1, 2
            CMP r0, r1
            JMPLT base
            MOV r4, r0
            LDI r2, 1
            SUB r3, r4, r2
            PUSHARG r3
            CALL fib
            MOV r5, r0
            SUB r3, r4, r1
            PUSHARG r3
            CALL fib
            ADD r0, r0, r5
        base:
            RET r0
        end
        """
    )
    assert vm.execute("fib", 10) == 55
