"""Closures in kernels: state that persists, who sees it, and one object for each that the program can tell apart."""

# ruff: noqa: E501 - a loop body on one line is easier to compare with the next

from __future__ import annotations

import pytest

from tests.compiler.kernels.codegen.test_builtins import FROM_OUTSIDE, HOOKS

from .closures import LIBRARY, counted
from .programs import alike, counting, expanded

COUNTERS = {
    "int64": ("LDI r10, 100", "MOV r11, r1"),
    "int8": ("LDI r10, -100i8", "LDI r11, 3i8"),
    "uint64": ("LDI r10, 18446744073709551515u64", "LDI r11, 2u64"),
    "float": ("LDI r10, 0.5", "LDI r11, 0.25"),
}


@pytest.mark.parametrize("kind", COUNTERS)
@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_a_counter_keeps_its_state(kind: str, between: str) -> None:
    start, step = COUNTERS[kind]
    counted(start + "\nr9 = counter(r10)\n" + between, step + "\nr5 = call_closure(r9, r11)", "RET r5", plan=HOOKS)


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_the_closure_itself_is_the_result(between: str) -> None:
    counted("LDI r10, 7\nr9 = counter(r10)\n" + between, "r5 = call_closure(r9, r1)", plan=HOOKS)


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_two_registers_hold_one_closure_and_two_closures_are_two(between: str) -> None:
    setup = "LDI r10, 7\nr9 = counter(r10)\nMOV r11, r9\nr12 = counter(r10)\n" + between
    body = "r5 = call_closure(r9, r1)\nr6 = call_closure(r11, r2)\nr7 = call_closure(r12, r2)"
    end = "r15 = create_array()\n_ = array_push(r15, r5)\n_ = array_push(r15, r9)\n_ = array_push(r15, r11)\n_ = array_push(r15, r12)\nRET r15"
    counted(setup, body, end, plan=HOOKS)


def test_a_counter_that_overflows_fails_in_its_own_function() -> None:
    counted("LDI r10, 9223372036854775000\nr9 = counter(r10)", "r5 = call_closure(r9, r1)", rounds=100)


def test_closures_made_in_a_loop() -> None:
    kernels = counted("LDI r5, 0", "r9 = counter(r1)\nr6 = call_closure(r9, r2)\nADD r5, r5, r6\n", "RET r5")
    assert [kernel["left"] for kernel in kernels] == [0]


def test_a_register_holds_the_last_of_many() -> None:
    body = "r9 = counter(r1)\nLDI r6, 7\nMOD r7, r1, r6\nCMP r7, r2\nJMPNEQ next\nMOV r8, r9\nr5 = call_closure(r8, r1)"
    end = "r15 = create_array()\n_ = array_push(r15, r8)\n_ = array_push(r15, r9)\nRET r15"
    counted("LDI r8, 0\nr8 = counter(r8)", body, end)


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_one_place_has_closures_of_several_functions(between: str) -> None:
    body = "LDI r6, 3\nMOD r7, r1, r6\nr9 = counter(r1)\nCMP r7, r2\nJMPNEQ on\nr9 = looker(r1)\non:\nr8 = f(r9)\nADD r5, r5, r8"
    more = "function f(c)\nMOV r1, r0\nr2 = type(r1)\nr3 = call_closure(r1)\nRET r3\nend"
    # A counter takes one argument more: the interpreter says so.
    assert (
        alike(counting("LDI r5, 0\n" + between, body, "RET r5", more=LIBRARY + expanded(more)), plan=HOOKS) is not None
    )


BOTH = """
function plus(x)
MOV r2, r0
LDI r1, "n"
r3 = get_upvalue(r1)
ADD r3, r3, r2
RET r3
end
function times(x)
MOV r2, r0
LDI r1, "n"
r3 = get_upvalue(r1)
MUL r3, r3, r2
ADD r4, r3, r2
_ = set_upvalue(r1, r2)
LDI r5, RESULT
RET r5
end
function either(n, which)
LDI r2, "plus"
LDI r3, "n"
LDI r4, 0
CMP r1, r4
JMPEQ first
LDI r2, "times"
r5 = create_closure(r2, r3)
RET r5
first:
r5 = create_closure(r2, r3)
RET r5
end
"""


@pytest.mark.parametrize("result", ["3", "2.5", "true", '"text"', "()"])
def test_closures_that_are_chosen_at_run_time(result: str) -> None:
    body = "LDI r6, 3\nMOD r7, r1, r6\nr9 = either(r1, r7)\nr8 = call_closure(r9, r1)\nMOV r10, r8"
    counted(
        "LDI r5, 0",
        body,
        "r15 = create_array()\n_ = array_push(r15, r9)\n_ = array_push(r15, r10)\nRET r15",
        more=BOTH.replace("RESULT", result),
    )


TWO = """
function both(x)
MOV r4, r0
LDI r1, "a"
LDI r2, "b"
r5 = get_upvalue(r1)
r6 = get_upvalue(r2)
ADD r7, r5, r4
_ = set_upvalue(r1, r7)
LDI r8, 0.5
ADD r6, r6, r8
_ = set_upvalue(r2, r6)
r5 = get_upvalue(r1)
_ = set_upvalue(r1, r5)
ADD r6, r6, r5
RET r6
end
function two(a, b)
LDI r2, "both"
LDI r3, "b"
LDI r4, "a"
r5 = create_closure(r2, r3, r4)
RET r5
end
"""


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_two_upvalues_of_different_banks(between: str) -> None:
    setup = "LDI r10, 7\nLDI r11, 1.25\nr9 = two(r10, r11)\n" + between
    body = "r5 = call_closure(r9, r1)"
    end = "r15 = create_array()\n_ = array_push(r15, r5)\n_ = array_push(r15, r9)\nRET r15"
    counted(setup, body, end, more=TWO, plan=HOOKS)


TABLES = """
function keep(x)
MOV r2, r0
LDI r1, "n"
r3 = get_upvalue(r1)
_ = array_push(r3, r2)
r4 = len(r3)
LDI r5, 10
CMP r4, r5
JMPLT small
r6 = create_array()
_ = array_push(r6, r4)
_ = set_upvalue(r1, r6)
small:
RET r4
end
function keeper(n)
LDI r1, "keep"
LDI r2, "n"
r3 = create_closure(r1, r2)
RET r3
end
"""


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_captured_arrays_are_shared_and_can_be_replaced(between: str) -> None:
    setup = "r10 = create_array()\n_ = array_push(r10, r2)\nr9 = keeper(r10)\n" + between
    end = "r15 = create_array()\n_ = array_push(r15, r9)\n_ = array_push(r15, r10)\nRET r15"
    counted(setup, "r5 = call_closure(r9, r1)", end, more=TABLES, plan=HOOKS)


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_a_closure_goes_through_calls(between: str) -> None:
    counted("LDI r10, 7\nr9 = counter(r10)\n" + between, "r5 = apply(r9, r1)", plan=HOOKS)


def test_the_argument_as_it_was_bound_keeps_the_old_closure() -> None:
    # In the 31st round the interpreter captures the parameter: that is the counter as it was given.
    more = """
function other()
LDI r1, "c"
r2 = get_upvalue(r1)
LDI r3, 1000
r4 = call_closure(r2, r3)
r4 = call_closure(r2, r3)
RET r4
end
function use(c, n)
MOV r5, r0
MOV r6, r1
r9 = call_closure(r5, r6)
r9 = call_closure(r5, r6)
LDI r7, 30
CMP r6, r7
JMPNEQ fine
LDI r1, "other"
LDI r2, "c"
r3 = create_closure(r1, r2)
r10 = call_closure(r3)
_ = act(r5)
SUB r9, r9, r10
fine:
RET r9
end
"""
    setup = "LDI r10, 7\nr9 = counter(r10)\nLDI r12, 0"
    body = "r11 = use(r9, r1)\nADD r12, r12, r11"
    end = "r15 = create_array()\n_ = array_push(r15, r12)\n_ = array_push(r15, r9)\nRET r15"
    kernels = counted(setup, body, end, more=expanded(more), plan={0: "look"})
    assert kernels[0]["left"] > 0


def test_a_closure_that_calls_itself_keeps_its_own_upvalues() -> None:
    # The outer call has read its upvalue before the inner one writes it; both write back to one closure.
    more = """
function down(me, x)
MOV r2, r0
MOV r3, r1
LDI r4, 0
LDI r5, "n"
CMP r3, r4
JMPEQ zero
LDI r6, 1
SUB r7, r3, r6
r8 = get_upvalue(r5)
ADD r8, r8, r3
_ = set_upvalue(r5, r8)
r9 = call_closure(r2, r2, r7)
r10 = get_upvalue(r5)
ADD r10, r10, r9
_ = set_upvalue(r5, r10)
RET r10
zero:
r10 = get_upvalue(r5)
RET r10
end
function downer(n)
LDI r1, "down"
LDI r2, "n"
r3 = create_closure(r1, r2)
RET r3
end
"""
    end = "r15 = create_array()\n_ = array_push(r15, r5)\n_ = array_push(r15, r9)\nRET r15"
    counted(
        "LDI r10, 7\nr9 = downer(r10)\nLDI r11, 6",
        "r5 = call_closure(r9, r9, r11)\nLDI r6, 1000\nMOD r5, r5, r6",
        end,
        more=more,
        rounds=6,
    )


def test_a_deep_recursion_of_closures_fails_where_the_interpreter_does() -> None:
    more = """
function down(me, x)
MOV r2, r0
MOV r3, r1
LDI r4, 1
ADD r3, r3, r4
r9 = call_closure(r2, r2, r3)
RET r9
end
function downer(n)
LDI r1, "down"
LDI r2, "n"
r3 = create_closure(r1, r2)
RET r3
end
function run(f)
MOV r1, r0
LDI r2, 0
r3 = call_closure(r1, r1, r2)
RET r3
end
"""
    text = expanded("function main()\nLDI r1, 5\nr2 = downer(r1)\nr3 = run(r2)\nRET r3\nend\n" + more)
    alike(text, depth=60)


def test_a_closure_in_the_registers_of_several_calls_in_progress_is_one() -> None:
    # It leaves in the innermost call, then all of them go on with one and the same closure.
    more = """
function inner(c, x)
MOV r2, r0
MOV r3, r1
r4 = call_closure(r2, r3)
LDI r5, 30
CMP r3, r5
JMPNEQ fine
_ = act(r2)
fine:
r4 = call_closure(r2, r3)
RET r4
end
function outer(c, x)
MOV r2, r0
MOV r3, r1
r4 = inner(r2, r3)
r5 = call_closure(r2, r4)
RET r5
end
"""
    end = "r15 = create_array()\n_ = array_push(r15, r5)\n_ = array_push(r15, r9)\nRET r15"
    assert (
        alike(
            counting(
                "LDI r10, 7\nr9 = counter(r10)",
                "r5 = outer(r9, r1)\nLDI r6, 100000\nMOD r5, r5, r6",
                end,
                more=LIBRARY + more,
            ),
            plan={0: "look"},
        )
        is not None
    )


@pytest.mark.parametrize(
    "keeping",
    [
        "r8 = create_array()\n_ = array_push(r8, r9)\n",
        'r8 = create_object()\nLDI r7, "c"\n_ = set_field(r8, r7, r9)\n',
        "STS slot3, r9\n",
    ],
)
def test_what_holds_a_closure_besides_registers_keeps_the_old_one(keeping: str) -> None:
    setup = "LDI r10, 7\nr9 = counter(r10)\nLDI r8, 0\n" + keeping + FROM_OUTSIDE
    end = "LDS r7, slot3\nr15 = create_array()\n_ = array_push(r15, r9)\n_ = array_push(r15, r8)\n_ = array_push(r15, r7)\nRET r15"
    alike(counting(setup, "r5 = call_closure(r9, r1)", end, more=LIBRARY), plan=HOOKS)


def test_a_value_that_may_be_a_closure_is_passed_on_in_registers() -> None:
    body = "LDI r6, 3\nMOD r7, r1, r6\nMOV r8, r1\nCMP r7, r2\nJMPNEQ on\nMOV r8, r9\non:\nMOV r11, r8\nr5 = call_closure(r9, r1)"
    end = "r15 = create_array()\n_ = array_push(r15, r11)\n_ = array_push(r15, r8)\n_ = array_push(r15, r9)\nRET r15"
    for rounds in (40, 41, 42):
        counted("LDI r10, 7\nr9 = counter(r10)", body, end, rounds=rounds)
