"""Closures in kernels: state that persists, who sees it, and one object for each that the program can tell apart."""

# ruff: noqa: E501 - a loop body on one line is easier to compare with the next

from __future__ import annotations

from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine
from stoffel.runtime.values import Closure
from tests.compiler.generators import Case
from tests.compiler.oracle import ALWAYS, KERNELS, compare
from tests.machines import loaded

from .programs import alike, counting, expanded, refusals
from .test_arrays import FROM_OUTSIDE, HOOKS

LIBRARY = """
function bump(by)
MOV r2, r0
LDI r1, "n"
r3 = get_upvalue(r1)
ADD r3, r3, r2
_ = set_upvalue(r1, r3)
RET r3
end
function peek()
LDI r1, "n"
r3 = get_upvalue(r1)
RET r3
end
function counter(n)
LDI r1, "bump"
LDI r2, "n"
r3 = create_closure(r1, r2)
RET r3
end
function looker(n)
LDI r1, "peek"
LDI r2, "n"
r3 = create_closure(r1, r2)
RET r3
end
function apply(c, x)
MOV r2, r0
MOV r3, r1
r4 = call_closure(r2, r3)
r5 = call_closure(r2, r3)
ADD r4, r4, r5
RET r4
end
"""
"""Counters that start with any value, and a function that calls one twice."""


def counted(setup: str, body: str, end: str = "RET r9", *, more: str = "", rounds: int = 40, **others: Any) -> Any:
    """Run a counting program with the library as ``alike`` does; a kernel must have run."""
    kernels = alike(counting(setup, body, end, rounds=rounds, more=LIBRARY + more), **others)
    assert kernels
    return kernels


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


REFUSED = {
    "create_closure of what is not known": counting("", "r9 = create_closure(r1)"),
    "create_closure that captures a name twice": counting(
        "",
        "r9 = f(r1)",
        more='function f(n)\nLDI r1, "bump"\nLDI r2, "n"\nr3 = create_closure(r1, r2, r2)\nRET r3\nend',
    ),
    "create_closure that captures 'm', which is no parameter of a call in the kernel": counting(
        "", "r9 = f(r1)", more='function f(n)\nLDI r1, "bump"\nLDI r2, "m"\nr3 = create_closure(r1, r2)\nRET r3\nend'
    ),
    "create_closure that captures a closure": counting("LDI r5, 1\nr9 = counter(r5)", "r8 = counter(r9)", more=LIBRARY),
    "create_closure that captures a string": counting('LDI r5, "text"', "r8 = counter(r5)", more=LIBRARY),
    "call_closure of what is no closure that the kernel knows": counting("", "r8 = call_closure(r1)"),
    "call_closure with a value of several types": counting(
        "LDI r5, 1\nr9 = counter(r5)",
        "LDI r5, 1\nCMP r1, r2\nJMPEQ other\nLDI r5, 1.5\nother:\nr6 = call_closure(r9, r5)",
        more=LIBRARY,
    ),
    "call_closure of 'none', which is no function that can be compiled": counting(
        "", 'LDI r5, "none"\nr9 = create_closure(r5)\nr6 = call_closure(r9)'
    ),
    "call_closure of 'bump' with a wrong number of arguments": counting(
        "LDI r5, 1\nr9 = counter(r5)", "r6 = call_closure(r9)", more=LIBRARY
    ),
    "get_upvalue of what no closure in the kernel has captured": counting("", 'LDI r5, "n"\nr6 = get_upvalue(r5)'),
    "set_upvalue of what no closure in the kernel has captured": counting("", 'LDI r5, "n"\n_ = set_upvalue(r5, r1)'),
    "set_upvalue of float where int64 was captured": counting(
        "", "r9 = counter(r1)\nr6 = call_closure(r9, r1)", more=LIBRARY.replace("ADD r3, r3, r2", "LDI r3, 1.5")
    ),
    "a closure goes to a spill slot, where writing an upvalue back would not reach it": counting(
        "", "r9 = counter(r1)\nSTS slot0, r9", more=LIBRARY
    ),
    "a closure in a spill slot, where writing an upvalue back does not reach it": counting(
        "r9 = counter(r2)\nSTS slot0, r9", "LDS r8, slot0\nr5 = call_closure(r8, r1)", more=LIBRARY
    ),
    "array_push of a closure, of which kernels have no arrays": counting(
        "r8 = create_array()", "r9 = counter(r1)\n_ = array_push(r8, r9)", more=LIBRARY
    ),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_lets_closures_escape_is_refused_with_a_sentence(sentence: str) -> None:
    found = refusals(REFUSED[sentence])
    assert any(sentence in refusal for refusal in found.values()), found


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_refused_runs_alike(sentence: str) -> None:
    alike(REFUSED[sentence])


HOST = expanded(
    LIBRARY
    + """
function main(c, n)
MOV r2, r0
MOV r3, r1
LDI r4, 0
LDI r5, 1
again:
CMP r4, r3
JMPEQ done
r6 = call_closure(r2, r4)
ADD r4, r4, r5
JMP again
done:
RET r2
end
"""
)


@pytest.mark.parametrize("mode", ["off", "kernels"])
def test_a_closure_of_the_host_stays_as_it_is(mode: str) -> None:
    machine = loaded(VirtualMachine(jit=mode), HOST)
    given = Closure("bump", (("n", 100),))
    result = machine.execute("main", given, 50)
    assert isinstance(result, Closure)
    assert (given.upvalues, result.upvalues, result is given) == ((("n", 100),), (("n", 100 + sum(range(50))),), False)


def test_a_closure_that_is_not_written_to_stays_one_object() -> None:
    machine = loaded(
        VirtualMachine(jit="kernels"),
        HOST.replace("_ = set_upvalue(r1, r3)", "NOP").replace("CALL set_upvalue", "CALL type"),
    )
    given = Closure("peek", (("n", 100),))
    assert machine.execute("main", given, 0) is given


@pytest.mark.parametrize("program", ["closure_counter.O0", "closure_counter.O3"])
def test_the_counter_of_the_benchmarks_is_one_kernel(program: str) -> None:
    path = f"benchmarks/programs/{program}.stflb"
    outcomes = []
    for mode in ("off", "kernels"):
        machine = VirtualMachine(jit=mode)
        machine.load(stoffel.load(path))
        outcomes.append(machine.execute("bench", 2000))
    statistics = machine.jit_statistics()["functions"]
    made = {
        name: [kernel["left"] for kernel in item["kernels"]] for name, item in statistics.items() if item["kernels"]
    }
    assert (outcomes[0] == outcomes[1], made) == (True, {"bench": [0]})


LOOPING = """
function sum(x)
MOV r2, r0
LDI r1, "n"
_ = act(r2)
_ = act(r2)
LDI r0, 0
LDI r4, 0
LDI r5, 1
LDI r6, 30
again:
CMP r4, r6
JMPEQ done
BODY
ADD r4, r4, r5
JMP again
done:
r7 = get_upvalue(r1)
RET r7
end
function summer(n, m)
LDI r1, "sum"
LDI r2, "n"
LDI r3, "m"
r3 = create_closure(r1, r2, r3)
RET r3
end
"""
ADDING = 'LDI r1, "n"\nr3 = get_upvalue(r1)\nADD r3, r3, r2\n_ = set_upvalue(r1, r3)'
CAPTURING = ADDING + '\nLDI r8, "peek"\nr9 = create_closure(r8, r1)\nr8 = call_closure(r9)\nADD r3, r3, r8'


def looping(body: str, start: str = "7", step: str = "3") -> str:
    setup = f"LDI r10, {start}\nLDI r11, 2.5\nr9 = summer(r10, r11)\nMOV r12, r9\nLDI r6, {step}"
    end = "r15 = create_array()\n_ = array_push(r15, r5)\n_ = array_push(r15, r9)\n_ = array_push(r15, r12)\nRET r15"
    more = LIBRARY + expanded(LOOPING.replace("BODY", body))
    return expanded(
        f"function main()\n{setup}\nr5 = call_closure(r9, r6)\nr6 = call_closure(r12, r5)\n{end}\nend\n"
    ) + expanded(more)


@pytest.mark.parametrize(
    ("body", "start", "step"),
    [
        (ADDING, "7", "3"),
        (ADDING, "9223372036854775707", "7"),
        (CAPTURING, "7", "3"),
        ("ADD r2, r2, r4", "7", "3"),
        ('LDI r8, "n"\nr3 = get_upvalue(r8)\nADD r2, r2, r3', "9223372036854775707", "-9223372036854775707"),
    ],
)
def test_a_loop_of_a_closure_in_progress_is_taken_over(body: str, start: str, step: str) -> None:
    kernels = alike(looping(body, start, step), plan=HOOKS)
    assert [kernel["entry"] for kernel in kernels] == [10]


def test_an_upvalue_whose_name_is_not_known_is_set_by_the_interpreter() -> None:
    case = Case(stoffel.assemble(looping(ADDING.replace('LDI r1, "n"\n', ""))), (), {0: "enable", 1: "disable"}, None)
    difference = compare(case, [ALWAYS, KERNELS])
    assert difference is None, difference.report()


def test_upvalues_that_no_kernel_can_have_are_left_to_the_interpreter() -> None:
    for start in ('"text"', "()"):
        alike(looping(ADDING, start), plan=HOOKS)
        alike(looping("ADD r2, r2, r4", start), plan=HOOKS)


BUILDING = """
function build(n)
MOV r2, r0
LDI r4, 0
LDI r5, 1
LDI r6, 30
again:
CMP r4, r6
JMPEQ done
ADD r2, r2, r5
ADD r4, r4, r5
JMP again
done:
r3 = counter(r2)
r4 = call_closure(r3, r5)
RET r3
end
"""


def test_compiled_code_goes_on_with_a_closure_that_a_kernel_has_made() -> None:
    body = "_ = print(r1)\nr9 = build(r1)\nr6 = call_closure(r9, r1)\nMOV r7, r9\nr6 = call_closure(r7, r6)\n_ = array_push(r8, r9)\nr6 = call_closure(r9, r1)"
    end = "_ = array_push(r8, r9)\n_ = array_push(r8, r7)\nRET r8"
    text = counting("r8 = create_array()", body, end, more=LIBRARY + expanded(BUILDING))
    kernels = alike(text)
    assert [(kernel["entry"], kernel["result"], kernel["runs"]) for kernel in kernels] == [
        (None, "(4:bump{1:nint64})", 80)
    ]


def test_a_closure_given_by_compiled_code_is_written_back_to_its_registers() -> None:
    # Nothing in a kernel writes to the frames of compiled code: these calls stay there.
    more = expanded("function twice(c, x)\nMOV r2, r0\nMOV r3, r1\n" + "r4 = apply(r2, r3)\n" * 2 + "RET r4\nend\n")
    body = "_ = print(r1)\nr6 = twice(r9, r1)\nr7 = call_closure(r9, r2)"
    end = "r15 = create_array()\n_ = array_push(r15, r9)\n_ = array_push(r15, r7)\nRET r15"
    alike(counting("LDI r10, 7\nr9 = counter(r10)", body, end, more=LIBRARY + more))


def test_a_closure_that_is_also_in_a_register_which_nothing_reads_is_left_to_the_interpreter() -> None:
    # The second call has it there; that register's type does not matter to a second kernel, but what it holds does.
    more = """
function f(c, which)
MOV r9, r0
MOV r8, r1
LDI r2, 1
CMP r8, r2
JMPNEQ on
MOV r8, r9
on:
_ = act(r2)
_ = act(r2)
LDI r0, 0
LDI r4, 0
LDI r6, 30
again:
CMP r4, r6
JMPEQ done
r5 = call_closure(r9, r4)
ADD r4, r4, r2
JMP again
done:
_ = act(r2)
RET r9
end
"""
    setup = "function main()\nLDI r1, 7\nr9 = counter(r1)\nLDI r1, 0\nr9 = f(r9, r1)\nLDI r1, 1\nr9 = f(r9, r1)\nRET r9\nend\n"
    plan = {0: "enable", 1: "disable", 2: "look", 3: "enable", 4: "disable", 5: "look"}
    kernels = alike(expanded(setup + LIBRARY + more), plan=plan)
    assert sum(kernel["mismatches"] for kernel in kernels) == 0
    assert [kernel["entry"] for kernel in kernels] == [13]


def test_the_last_of_two_parameters_with_one_name_is_captured() -> None:
    more = LIBRARY.replace("function counter(n)", "function counter(n, n)")
    counted_text = counting(
        "LDI r10, 100\nLDI r11, 5\nr9 = counter(r10, r11)", "r5 = call_closure(r9, r1)\nr9 = counter(r5, r1)", more=more
    )
    assert alike(counted_text)


def test_an_error_behind_the_setting_of_an_upvalue_leaves_it_set() -> None:
    more = LIBRARY.replace(
        "_ = set_upvalue(r1, r3)", "_ = set_upvalue(r1, r3)\nLDI r4, 3037000499\nADD r4, r4, r3\nMUL r4, r4, r4"
    )
    end = "RET r9"
    text = counting("LDI r10, -10\nr9 = counter(r10)", "r5 = call_closure(r9, r1)", end, more=more)
    kernels = alike(text)
    assert [kernel["left"] for kernel in kernels] == [2]
