"""Code: what is made of a function for running, and what is not shared with another machine."""

from __future__ import annotations

import pytest

import stoffel
from stoffel import Function, Instruction, VirtualMachine, VMError
from stoffel.model.code import LARGE_FRAME, Code
from stoffel.model.values import Array, DanglingArray

ADD = Function("add", [Instruction("ADD", 0, 0, 1), Instruction("RET", 0)], parameters=["a", "b"])


def test_a_function_that_does_not_verify_has_no_code() -> None:
    with pytest.raises(VMError) as caught:
        Code(Function("bad", [Instruction("JMP", "nowhere")]))
    assert "nowhere" in str(caught.value)


def test_registers_that_are_no_arguments_begin_as_unit() -> None:
    code = Code(Function("f", [Instruction("RET", 4)], parameters=["x"]))
    assert (code.register_count, code.arity, code.blank) == (5, 1, [None] * 4)


def test_the_last_of_several_parameters_of_one_name_is_meant() -> None:
    code = Code(Function("f", [Instruction("RET", 0)], parameters=["x", "y", "x"]))
    assert [code.position_of(name) for name in ("x", "y", "z")] == [2, 1, -1]


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (ADD, True),
        (Function("f", [Instruction("RET", 0)], upvalues=["u"]), False),
        (Function("f", [Instruction("RET", LARGE_FRAME)]), False),
    ],
)
def test_a_call_needs_a_closer_look_for_upvalues_and_for_large_frames(function: Function, plain: bool) -> None:
    assert Code(function).plain is plain


def test_instructions_are_bound_when_they_are_first_run() -> None:
    machine = VirtualMachine()
    machine.register_function(ADD)
    code = machine.state.functions["add"]
    assert isinstance(code, Code)
    unbound = [name for name in ("steps", "counted", "single") if name not in dir_of(code)]
    assert unbound == ["steps", "counted", "single"]
    assert machine.execute("add", 2, 3) == 5
    assert "steps" in dir_of(code)


def dir_of(code: Code) -> set[str]:
    """Return the slots that have a value, without binding anything."""
    found = set()
    for name in Code.__slots__:
        try:
            Code.__dict__[name].__get__(code, Code)
        except AttributeError:
            continue
        found.add(name)
    return found


def test_equal_constants_are_one_and_both_zeros_are_equal() -> None:
    body = [Instruction("LDI", n, value) for n, value in enumerate((0.0, -0.0, 1, True, "a", "a"))]
    values = [instruction.operands[1] for instruction in Code(Function("f", body)).instructions()]
    assert [repr(value) for value in values] == ["0.0", "0.0", "1", "True", "'a'", "'a'"]
    assert values[0] is values[1]


def test_another_machine_gets_a_handle_in_the_place_of_a_table() -> None:
    table = stoffel.VirtualMachine().create_array([1])
    code = Code(Function("f", [Instruction("LDI", 0, table), Instruction("LDI", 1, table), Instruction("RET", 0)]))
    handles: dict[int, stoffel.Object | Array] = {}
    other = code.for_another_machine(handles)
    first, second, _ = other.function.instructions
    assert other is not code
    assert isinstance(first.operands[1], DanglingArray)
    assert first.operands[1] is second.operands[1] is handles[table.id]
    plain = Code(ADD)
    assert plain.for_another_machine(handles) is plain
