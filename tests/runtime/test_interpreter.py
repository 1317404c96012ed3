"""Instructions in a frame: registers, stack, spill slots, flag, constants; and where errors say they happened."""

from __future__ import annotations

import math

import pytest

import stoffel
from stoffel import Function, Instruction, VirtualMachine
from stoffel.runtime.events import BeforeInstructionExecute
from tests.machines import Make, failure, told

# Registration --------------------------------------------------------------------------------------------------------


def test_a_name_is_registered_once_and_the_first_function_stays(machine: Make) -> None:
    vm = machine()
    vm.register_function(Function("duplicate", [Instruction("LDI", 0, 1), Instruction("RET", 0)]))
    second = Function("duplicate", [Instruction("LDI", 0, 2), Instruction("RET", 0)])
    error = failure(vm.register_function, second)
    assert told(error) == ("Registration", "Function 'duplicate' is already registered")
    assert vm.execute("duplicate") == 1


def test_a_builtin_keeps_its_name(machine: Make) -> None:
    vm = machine()
    expected = ("Registration", "Function 'print' is already registered")
    assert told(failure(vm.register_function, Function("print"))) == expected
    assert told(failure(vm.register_foreign_function, "print", lambda context: None)) == expected
    assert told(failure(vm.load, stoffel.assemble("function print()\nend"))) == expected


def test_a_label_past_the_end_is_refused_even_if_unused(machine: Make) -> None:
    function = Function("main", [Instruction("NOP")], labels={"x": 2})
    expected = ("Function", "Function main label 'x' points past the instruction stream: 2 > 1")
    assert told(failure(machine().register_function, function)) == expected


def test_a_jump_to_an_unknown_label_is_refused(machine: Make) -> None:
    function = Function("branch", [Instruction("JMP", "missing")])
    expected = ("Function", "Function branch references unknown label 'missing'")
    assert told(failure(machine().register_function, function)) == expected


def test_declaring_too_few_registers_is_no_error(machine: Make) -> None:
    vm = machine()
    body = [Instruction("LDI", 16, 7), Instruction("RET", 16)]
    vm.register_function(Function("f", body, registers=2))
    assert vm.execute("f") == 7


def test_a_refused_program_registers_nothing(machine: Make) -> None:
    vm = machine()
    program = stoffel.Program(
        [Function("good", [Instruction("RET", 0)]), Function("bad", [Instruction("JMP", "nowhere")])]
    )
    assert told(failure(vm.load, program)) == ("Function", "Function bad references unknown label 'nowhere'")
    assert not vm.has_function("good")
    clash = stoffel.assemble("function first()\nend\nfunction print()\nend")
    assert told(failure(vm.load, clash)) == ("Registration", "Function 'print' is already registered")
    assert not vm.has_function("first")


# Registers, stack, spill slots, flag ---------------------------------------------------------------------------------


def test_an_empty_function_returns_unit_or_its_first_argument(machine: Make) -> None:
    vm = machine("function nothing()\nend\nfunction first(a, b)\nend")
    assert vm.execute("nothing") is None
    assert vm.execute("first", 4, 5) == 4


def test_running_past_the_end_returns_register_0(machine: Make) -> None:
    vm = machine("function f()\n LDI r0, 4\n JMP end_\n LDI r0, 5\nend_:\nend")
    assert vm.execute("f") == 4


def test_the_flag_is_equal_before_the_first_comparison(machine: Make) -> None:
    vm = machine("function f()\n JMPEQ yes\n LDI r0, 1\n RET r0\nyes:\n LDI r0, 2\n RET r0\nend")
    assert vm.execute("f") == 2


def test_the_flag_is_each_frames_own(machine: Make) -> None:
    vm = machine(
        """
        function main()
            LDI r1, 1
            LDI r2, 2
            CMP r1, r2
            CALL other
            JMPLT less
            RET r1
        less:
            RET r0
        end
        function other()
            LDI r1, 2
            LDI r2, 1
            JMPEQ fresh
            RET r1
        fresh:
            CMP r1, r2
            LDI r0, 77
        end
        """
    )
    assert vm.execute("main") == 77


def test_a_failed_comparison_leaves_the_flag_and_a_failed_operation_its_target(machine: Make) -> None:
    vm = machine(
        """
        function compare()
            LDI r1, 1
            LDI r2, 2
            CMP r1, r2
            CMP r0, r0
        end
        function overflow()
            LDI r1, 9223372036854775807
            LDI r2, 1
            ADD r0, r1, r2
        end
        """
    )
    frames = []
    vm.register_hook(BeforeInstructionExecute, lambda event, context: frames.append(context.frame), 0)
    assert told(failure(vm.execute, "compare")) == ("Value", "Cannot compare () and ()")
    assert frames[-1].flag == -1
    assert told(failure(vm.execute, "overflow")) == ("Value", "Integer overflow in ADD operation")
    assert frames[-1].registers == [None, 2**63 - 1, 1]


def test_spill_slots_start_as_unit_and_are_no_stack(machine: Make) -> None:
    text = """
        function main()
            LDI r0, 3
            STS slot5, r0
            PUSHARG r0
            LDS r1, slot5
            LDS r2, slot4
            LDS r3, slot7
            LDS r4, slot4000000000
            {}
        end
        """
    for register, value in ((1, 3), (2, None), (3, None), (4, None)):
        assert machine(text.format(f"RET r{register}")).execute("main") is value


def test_spill_slots_die_with_the_frame(machine: Make) -> None:
    vm = machine("function f(a)\n LDS r1, slot0\n STS slot0, r0\n RET r1\nend")
    assert [vm.execute("f", 1), vm.execute("f", 2)] == [None, None]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [("sp+0", 20), ("sp-1", 10), ("sp-2", None), ("sp-3", None), ("sp+1", None), ("sp-2147483648", None)],
)
def test_stack_reads_count_from_the_top_and_do_not_pop(machine: Make, offset: str, expected: int | None) -> None:
    vm = machine(
        f"""
        function main()
            LDI r1, 10
            PUSHARG r1
            LDI r1, 20
            PUSHARG r1
            LD r2, {offset}
            LD r2, {offset}
            RET r2
        end
        """
    )
    if expected is None:
        number = offset.removeprefix("sp").removeprefix("+")
        assert told(failure(vm.execute, "main")) == ("Runtime", f"Stack address [sp+{number}] out of bounds")
    else:
        assert vm.execute("main") == expected


def test_a_callee_cannot_read_its_arguments_from_the_stack(machine: Make) -> None:
    vm = machine("function main()\n PUSHARG r0\n CALL g\nend\nfunction g(x)\n LD r0, sp+0\n RET r0\nend")
    error = failure(vm.execute, "main")
    assert told(error) == ("Runtime", "Stack address [sp+0] out of bounds")
    assert (error.function, error.instruction) == ("g", 0)


def test_values_pushed_and_never_taken_are_dropped_with_the_frame(machine: Make) -> None:
    vm = machine("function main()\n PUSHARG r0\n PUSHARG r0\n RET r0\nend")
    assert vm.execute("main") is None


def test_registers_from_16_up_are_ordinary(machine: Make) -> None:
    parameters = ", ".join(f"p{index}" for index in range(20))
    vm = machine(f"function f({parameters})\n ADD r40, r16, r19\n MOV r0, r40\nend")
    assert vm.execute("f", *range(20)) == 35


# Constants -----------------------------------------------------------------------------------------------------------


def test_both_zeros_of_a_function_are_the_one_that_came_first(machine: Make) -> None:
    for first, second, text in (("0.0", "-0.0", "0f64"), ("-0.0", "0.0", "-0f64")):
        vm = machine(f"function f()\n LDI r0, {first}\n LDI r1, {second}\n RET r1\nend")
        assert stoffel.diagnostic(vm.execute("f")) == text
    vm = machine("function a()\n LDI r0, 0.0\nend\nfunction b()\n LDI r0, -0.0\nend")
    assert math.copysign(1, vm.execute("b")) == -1


def test_constants_of_different_types_stay_apart(machine: Make) -> None:
    constants = [1, stoffel.U8(1), stoffel.I32(1), 1.0, True, "1"]
    body = [Instruction("LDI", index, value) for index, value in enumerate(constants)]
    vm = machine()
    seen = []
    vm.register_foreign_function("see", lambda context: seen.extend(context.arguments))
    body += [Instruction("PUSHARG", index) for index in range(len(constants))]
    vm.register_function(Function("main", [*body, Instruction("CALL", "see")]))
    vm.execute("main")
    assert [*map(stoffel.diagnostic, seen)] == ["1", "1u8", "1i32", "1f64", "true", '"1"']


def test_any_value_can_be_a_constant_of_a_function_built_in_python(machine: Make) -> None:
    vm = machine()
    array = vm.create_array([9])
    body = [
        Instruction("LDI", 1, array),
        Instruction("PUSHARG", 1),
        Instruction("LDI", 2, -1),
        Instruction("PUSHARG", 2),
        Instruction("CALL", "get_field"),
    ]
    vm.register_function(Function("main", body))
    assert vm.execute("main") == 9


# Errors --------------------------------------------------------------------------------------------------------------

FAILING = """
function main()
    NOP
    CALL middle
end
function middle()
    NOP
    NOP
    CALL bottom
end
function bottom()
    LDI r1, 0
    DIV r0, r1, r1
end
"""


def test_an_error_carries_function_instruction_and_the_stack_of_calls(machine: Make) -> None:
    error = failure(machine(FAILING).execute, "main")
    assert told(error) == ("Value", "Division by zero")
    assert (error.function, error.instruction) == ("bottom", 1)
    assert error.stack == (("main", 1), ("middle", 2), ("bottom", 1))


def test_an_error_before_the_run_has_no_position(machine: Make) -> None:
    error = failure(machine().execute, "zzz")
    assert told(error) == ("Runtime", "Function zzz not found")
    assert (error.function, error.instruction, error.stack) == (None, None, ())


def test_a_failing_builtin_is_located_at_its_call(machine: Make) -> None:
    vm = machine("function main()\n NOP\n LDI r1, 5\n PUSHARG r1\n CALL assert\nend")
    error = failure(vm.execute, "main")
    assert told(error) == (
        "ForeignFunction",
        "Foreign function assert failed: assert condition must be a bool, found int64",
    )
    assert (error.function, error.instruction, error.stack) == ("main", 3, (("main", 3),))


def test_the_machine_is_reusable_after_any_error_and_fails_alike_again(machine: Make) -> None:
    vm = machine(
        """
        function grow(a)
            LDI r1, 1
            PUSHARG r0
            PUSHARG r1
            CALL append
            CALL nonexistent
        end
        """
    )
    array = vm.create_array()
    for count in (1, 2):
        error = failure(vm.execute, "grow", array)
        assert told(error) == ("Runtime", "Function 'nonexistent' not found")
        assert (error.function, error.instruction) == ("grow", 4)
        assert vm.length(array) == count
        assert vm.state.frames == []
        assert vm.state.current_instruction is None


def test_a_running_function_is_seen_by_foreign_functions(machine: Make) -> None:
    vm = machine("function main(a)\n NOP\n CALL look\n RET r0\nend")
    seen = []

    def look(context: stoffel.ForeignContext) -> None:
        state = context.vm.state
        seen.append((state.current_instruction, [frame.function for frame in state.frames], state.frames[-1].locals))

    vm.register_foreign_function("look", look)
    vm.execute("main", 3)
    assert seen == [(("main", 1), ["main"], {"a": 3})]


def test_a_jump_backwards_repeats_until_the_branch_falls_through(machine: Make) -> None:
    vm = machine(
        """
        function sum(n)
            LDI r1, 0
            LDI r2, 1
        again:
            ADD r1, r1, r0
            SUB r0, r0, r2
            CMP r0, r2
            JMPGT again
            JMPEQ again
            RET r1
        end
        """
    )
    assert vm.execute("sum", 100) == 5050


def test_jit_takes_the_modes_and_nothing_else() -> None:
    modes = ["off", "auto", "always", "no-kernels", "kernels"]
    assert [VirtualMachine(jit=mode).jit for mode in modes] == modes
    with pytest.raises(ValueError, match="jit must be one of off, auto, always, no-kernels, kernels, not 'on'"):
        VirtualMachine(jit="on")
