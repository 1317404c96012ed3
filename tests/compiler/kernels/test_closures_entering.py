"""Closures that come from outside a kernel, or go out: from the host, from compiled code, from a record in progress."""

# ruff: noqa: E501 - a loop body on one line is easier to compare with the next

from __future__ import annotations

import pytest

import stoffel
from stoffel import VirtualMachine
from stoffel.model.values import Closure
from tests.compiler.generators import Case
from tests.compiler.kernels.codegen.test_builtins import HOOKS
from tests.compiler.oracle import ALWAYS, KERNELS, compare
from tests.machines import loaded

from .closures import LIBRARY
from .programs import alike, counting, expanded

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
