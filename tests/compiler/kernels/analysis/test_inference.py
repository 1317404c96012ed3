"""What is refused, by which sentence; what is passed on, through registers, slots and the argument stack."""

# ruff: noqa: E501 - a loop body on one line is easier to compare with the next

from __future__ import annotations

from typing import Any

import pytest

from stoffel import Function, Instruction, VirtualMachine
from stoffel.compiler.kernels.analysis.inference import Family
from stoffel.compiler.kernels.analysis.tail_duplication import COPIED_LENGTH
from stoffel.compiler.kernels.analysis.types import I64
from stoffel.compiler.refusal import Refusal
from stoffel.jit.policy import thresholds
from tests.compiler.kernels.codegen.test_builtins import FROM_OUTSIDE, HOOKS
from tests.compiler.kernels.programs import alike, counting, expanded, refusals
from tests.machines import loaded

OBJECT = 'r9 = create_object()\nLDI r5, "x"\n_ = set_field(r9, r5, r1)\n'
CAPTURING = "function inner()\n.upvalues (n)\nLDI r0, 1\nRET r0\nend"
SEVERAL = "LDI r5, 1\nCMP r1, r2\nJMPEQ other\nLDI r5, 1.5\nother:\n"
REFUSED = {
    "call of 'print' at instruction": counting("", "_ = print(r1)"),
    "which the interpreter resolves": counting("", "_ = host(r1)"),
    "no loop and no recursion": expanded("function main()\nLDI r0, 1\nADD r0, r0, r0\nRET r0\nend"),
    "ADD of a string and int64": counting('LDI r5, "text"', "ADD r6, r5, r1"),
    "SHL of int64 and uint8": counting("LDI r5, 1u8", "SHL r6, r1, r5"),
    "SHR of int64 and float": counting("LDI r5, 1.0", "SHR r6, r1, r5"),
    "CMP of boolean and int64": counting("LDI r5, true", "CMP r5, r1"),
    "a value of several types": counting(
        "LDI r5, 1",
        "CMP r1, r2\nJMPEQ other\nLDI r5, 1.5\nJMP join\nother:\nLDI r5, 2\njoin:\nADD r6, r5, r2"
        + "\nNOP" * COPIED_LENGTH,
    ),
    "get_field with a key that is no I64": counting(
        'r9 = create_array()\n_ = array_push(r9, r1)\nLDI r5, "k"', "r6 = get_field(r9, r5)"
    ),
    "create_array with a capacity that is no integer": counting("LDI r5, 1.5", "r6 = create_array(r5)"),
    "array_repeat with a count that is no I64": counting(
        "r9 = create_array()\n_ = array_push(r9, r1)\nLDI r5, 3u8", "r6 = array_repeat(r9, r5)"
    ),
    "with a wrong number of arguments": counting("", "_ = inner(r1, r2)", more="function inner(x)\nRET r0\nend"),
    "assert of what is no Bool": counting("", "_ = assert(r1)"),
    "call of 'inner', which captures upvalues": counting("", "_ = inner()", more=CAPTURING),
    "call of 'inner' with a value of several types": counting(
        "",
        SEVERAL + "_ = inner(r5)",
        more="function inner(x)\nRET r0\nend",
    ),
    "a stack address that is out of bounds at instruction": counting("", "PUSHARG r1\nLD r6, sp-5\nCALL len"),
    "argument stack has no static shape at instruction": counting(
        "", "CMP r1, r2\nJMPEQ other\nPUSHARG r1\nother:\nADD r4, r4, r2"
    ),
    "'main' does not return": "function main()\nCALL main\nRET r0\nend",
    "'f' is called with arrays of different element types": counting(
        "r9 = create_array()\nr10 = create_array()",
        "r6 = f(r9)\n_ = array_push(r9, r10)\nr6 = f(r10)",
        more="function f(x)\nRET r0\nend",
    ),
    "'f' has no instructions": counting("", "_ = f()", more="function f()\nend"),
    "more than 4000 instructions, with those of 'f'": counting(
        "", "_ = f(r1)", more="function f(x)\n" + "ADD r0, r0, r0\n" * 3995 + "RET r0\nend"
    ),
    "'main' has 4009 instructions, more than the 4000 of a kernel": counting("", "ADD r6, r1, r2\n" * 4000),
    "calls of 'f' with ever new types of arguments": counting(
        "r9 = create_array()\n_ = array_push(r9, r1)",
        "_ = f(r9)",
        more=expanded("function f(x)\nMOV r1, r0\nr2 = create_array()\n_ = array_push(r2, r1)\n_ = f(r2)\nRET r0\nend"),
    ),
    "len with 2 arguments": counting("r9 = create_array()\n_ = array_push(r9, r1)", "_ = len(r9, r1)"),
    "len of what is no array of numbers or tables": counting('LDI r5, "text"', "r6 = len(r5)"),
    "get_field of an object with a key that is not known": counting(OBJECT, "r6 = get_field(r9, r1)"),
    "get_field of a field that was never set": counting(OBJECT, 'LDI r6, "other"\nr6 = get_field(r9, r6)'),
    "get_field of an array of which nothing is known": counting("r9 = create_array()", "r6 = get_field(r9, r1)"),
    "get_or_create_array_field of an array whose elements are no arrays": counting(
        "r9 = create_array()\n_ = array_push(r9, r1)", "r6 = get_or_create_array_field(r9, r4)"
    ),
    "set_field of an object with a key that is not known": counting(OBJECT, "_ = set_field(r9, r1, r1)"),
    "set_field of float in a field of an object": counting(OBJECT, "LDI r6, 1.5\n_ = set_field(r9, r5, r6)"),
    "array_push of a string, of which kernels have no arrays": counting(
        'r9 = create_array()\nLDI r5, "text"', "_ = array_push(r9, r5)"
    ),
    "array_push of float in an array of int64": counting(
        "r9 = create_array()\n_ = array_push(r9, r1)\nLDI r5, 1.5", "_ = array_push(r9, r5)"
    ),
    "append of boolean in an array of int64": counting(
        "r9 = create_array()\n_ = array_push(r9, r1)\nLDI r5, true", "_ = append(r9, r5)"
    ),
    "type of a value that is not known": counting("", SEVERAL + "r6 = type(r5)"),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_no_kernel_is_refused_with_a_sentence(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HASTE", 0.0)
    found = refusals(REFUSED[sentence])
    assert any(sentence in refusal for refusal in found.values()), found


def test_calls_of_the_host_are_refused_with_a_sentence() -> None:
    machine = loaded(VirtualMachine(jit="kernels"), counting("", "_ = host(r1)"))
    machine.register_foreign_function("host", lambda context: None)
    machine.execute("main")
    refusal = machine.jit_statistics()["functions"]["main"]["kernel_refusal"]
    assert refusal == "call of the foreign function 'host' at instruction 7"


def test_a_record_of_too_many_places_is_no_kernel() -> None:
    assert refusals(counting("LDI r2100, 1", "ADD r4, r4, r2")) == {
        "main": "2101 registers and slots, more than the 2048 of a kernel"
    }


def test_an_entry_that_no_way_leads_back_to_is_refused() -> None:
    machine = loaded(VirtualMachine(jit="always"), "function main()\nJMP on\nback:\nRET r0\non:\nJMP back\nend")
    units: Any = machine.state.tier.units  # type: ignore[union-attr]
    family = Family(units.environment, units.environment.instructions_of)
    with pytest.raises(Refusal, match=r"^nothing comes back to the loop's head at instruction 1$"):
        family.analyse(machine.state.functions["main"], 1, [I64])  # type: ignore[arg-type]


def test_values_that_are_no_numbers_are_passed_on() -> None:
    setup = 'r9 = create_object()\nLDI r10, "text"\nr11 = create_array()\n_ = array_push(r11, r10)\n' + FROM_OUTSIDE
    body = "MOV r12, r9\nMOV r13, r10\nMOV r14, r11\nADD r5, r1, r2"
    end = "r15 = create_array()\n_ = array_push(r15, r12)\n_ = array_push(r15, r13)\n_ = array_push(r15, r14)\nRET r15"
    assert alike(counting(setup, body, end), plan=HOOKS)


@pytest.mark.parametrize("value", ["2.5", "true", '"text"', "()", "18446744073709551615u64", "-5i8"])
@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_a_place_with_values_of_several_types_is_passed_on(value: str, between: str) -> None:
    body = f"LDI r6, 3\nMOD r6, r1, r6\nCMP r6, r2\nJMPEQ other\nMOV r5, r1\nJMP next\nother:\nLDI r5, {value}\nMOV r7, r5\nSTS slot3, r7"
    assert alike(
        counting(
            "LDI r5, 0\nSTS slot3, r5\n" + between,
            body,
            "LDS r9, slot3\nr8 = create_array()\n_ = array_push(r8, r9)\n_ = array_push(r8, r5)\n_ = array_push(r8, r7)\nRET r8",
        ),
        plan=HOOKS,
    )


def test_spill_slots_and_the_argument_stack() -> None:
    body = "STS slot0, r1\nPUSHARG r1\nPUSHARG r5\nLD r6, sp+0\nLD r7, sp-1\nLDS r8, slot0\nADD r4, r7, r8\nADD r5, r5, r6\nCALL get_field2"
    more = "function get_field2(x, y)\nMOV r2, r0\nADD r0, r0, r2\nRET r0\nend"
    assert alike(counting("LDI r5, 1.5\n", body, "RET r5", more=more))


@pytest.mark.parametrize("fault", ["DIV r3, r1, r1", "ADD r3, r4, r2"])
def test_a_recursion_fails_in_its_depth(fault: str) -> None:
    text = expanded(
        f"function main(n, f)\nMOV r5, r1\nLDI r1, 0\nLDI r2, 1\nLDI r4, 9223372036854775807\nCMP r0, r1\nJMPEQ end\nSUB r3, r0, r2\n"
        f"STS slot0, r3\nMOV r6, r0\nr7 = main(r3, r5)\nLDS r8, slot0\nADD r0, r6, r7\nRET r0\nend:\n{fault}\nRET r0\nend\n"
    )
    assert alike(text, 30, 1.5)


def test_a_function_returns_values_of_several_types() -> None:
    more = """
function some(n)
LDI r1, 4
MOD r1, r0, r1
LDI r2, 1
CMP r1, r2
JMPLT zero
JMPEQ one
LDI r3, "many"
LDI r2, 2
CMP r1, r2
JMPEQ two
RET r3
zero:
LDI r3, 2.5
RET r3
one:
LDI r3, true
RET r3
two:
LDI r3, ()
RET r3
end
"""
    assert alike(counting("", "r9 = some(r1)", "RET r9", more=more))
    assert alike(
        counting("LDI r7, 1", "r9 = some(r1)\nDIV r7, r3, r1", "RET r9", more=more, rounds=7).replace(
            "LDI r1, 0", "LDI r1, -3", 1
        )
    )


@pytest.mark.parametrize(("first", "second"), [("r5, r5", "r5, r6"), ("r5, r6", "r5, r5"), ("r6, r5", "r1, r2")])
def test_a_flag_that_differs_by_the_way_taken_is_not_known(first: str, second: str) -> None:
    # What is between keeps the jump at the end from being threaded through.
    between = "MOV r7, r1\n" * 9
    body = f"CMP r1, r8\nJMPLT other\nCMP {first}\nJMP join\nother:\nCMP {second}\njoin:\n{between}JMPEQ next\nADD r4, r4, r2"
    assert alike(counting('LDI r5, "a"\nLDI r6, "b"\nLDI r8, 15\n', body, "RET r4"))


def test_a_constant_that_is_a_table_leaves_the_kernel_where_it_is_read() -> None:
    results = []
    for mode in ("off", "kernels"):
        machine = VirtualMachine(jit=mode)
        array = machine.create_array([7])
        body = [Instruction("LDI", 0, 0), Instruction("LDI", 1, 1), Instruction("LDI", 2, 1000)]
        body += [Instruction("ADD", 0, 0, 1), Instruction("CMP", 0, 2), Instruction("JMPLT", "again")]
        body += [Instruction("LDI", 3, array), Instruction("RET", 3)]
        machine.register_function(Function("main", body, labels={"again": 3}, registers=4))
        results.append(machine.elements(machine.execute("main")))
    assert results == [[7], [7]]
    (kernel,) = machine.jit_statistics()["functions"]["main"]["kernels"]
    assert (kernel["runs"], kernel["left"]) == (1, 1)
