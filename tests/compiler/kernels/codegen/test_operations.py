"""Every operation on every pair of types at all edges: kernels give the interpreter's results, or its errors.

One function holds all operations, so that each pair of types needs one kernel; the runs are counted, so that no result
can come from anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from stoffel import VirtualMachine, VMError
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.program import Program
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import ROWS, OperandKind
from stoffel.jit.policy import thresholds
from tests.compiler.kernels.programs import alike_in_a_process, counting
from tests.edges import BOOLS, FLOATS, bits_of, edges
from tests.machines import loaded

OPERATIONS = [row for row in ROWS if row.operation and row.operands[0].kind is OperandKind.TARGET]
COMPARE = next(row for row in ROWS if row.operation and row.operands[0].kind is OperandKind.SOURCE)
BRANCHES = [row for row in ROWS if row.is_branch]
WHICH = range(len(OPERATIONS) + 1)
"""What the function under test does: one of the operations, or, at last, all branches after a comparison."""


def _everything() -> Program:
    """Return a program whose main(a, b, which) does one thing with a and b and then counts to *which* in a loop."""
    code: list[tuple[Any, ...]] = []
    labels: dict[str, int] = {}
    for number in WHICH:
        code += [("LDI", 3, number), (COMPARE.name, 2, 3), ("JMPEQ", f"do{number}")]
    for number, row in enumerate(OPERATIONS):
        labels[f"do{number}"] = len(code)
        sources = [0, 1][: len(row.operands) - 1]
        code += [(row.name, 4, *sources), ("JMP", "count")]
    labels[f"do{len(OPERATIONS)}"] = len(code)
    code.append(("LDI", 4, 0))
    for number, row in enumerate(BRANCHES):
        code += [(COMPARE.name, 0, 1), (row.name, f"yes{number}"), ("JMP", f"no{number}")]
        labels[f"yes{number}"] = len(code)
        code += [("LDI", 3, 1 << number), ("OR", 4, 4, 3)]
        labels[f"no{number}"] = len(code)
    labels["count"] = len(code)
    code += [("LDI", 5, 0), ("LDI", 6, 1)]
    labels["again"] = len(code)
    code += [("ADD", 5, 5, 6), (COMPARE.name, 5, 2), ("JMPLT", "again"), ("RET", 4)]
    body = [Instruction(str(name), *operands) for name, *operands in code]
    return Program([Function("main", body, parameters=["a", "b", "which"], registers=7, labels=labels)])


EVERYTHING = _everything()


def outcome(machine: VirtualMachine, *arguments: Any) -> Any:
    try:
        result = machine.execute("main", *arguments)
    except VMError as error:
        return error.kind, str(error), error.function, error.instruction, error.stack
    return type(result), bits_of(result) if type(result) is float else repr(result)


def machine(jit: str) -> VirtualMachine:
    made = VirtualMachine(jit=jit)
    made.load(EVERYTHING)
    return made


@pytest.fixture(scope="module")
def interpreter() -> VirtualMachine:
    return machine("off")


@pytest.fixture(autouse=True)
def _no_kernel_is_dropped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(thresholds, "LEAST_WORK_IF_EAGER", 0)
    return


NUMBERS = (*INTEGER_KINDS, float)
TYPES = (*NUMBERS, bool)


@pytest.mark.parametrize("operation", ["DIV", "MOD"])
@pytest.mark.parametrize(("left", "last"), [("-9223372036854775808", -1), ("7", 0)])
def test_a_quotient_that_the_processor_has_a_trap_for_is_as_in_the_interpreter(
    operation: str, left: str, last: int
) -> None:
    body = f"SUB r6, r1, r5\n{operation} r7, r8, r6\nXOR r9, r9, r7"
    alike_in_a_process(counting(f"LDI r5, {39 - last}\nLDI r8, {left}\nLDI r9, 0", body, rounds=40))


@pytest.mark.parametrize("left", TYPES, ids=lambda cls: cls.__name__)
def test_every_operation_at_every_pair_of_edges(left: type, interpreter: VirtualMachine) -> None:
    for right in TYPES:
        kernels = machine("kernels")
        runs = failures = 0
        whichever = WHICH if left is right or {left, right} == {int, float} else WHICH[-1:]
        for a, b, which in product(edges(left), edges(right), whichever):
            expected = outcome(interpreter, a, b, which)
            actual = outcome(kernels, a, b, which)
            assert actual == expected, (a, b, EVERYTHING.functions["main"].instructions[3 * which])
            runs += 1
            failures += len(expected) > 2
        made = kernels.jit_statistics()["functions"]["main"]["kernels"]
        if (left is bool) != (right is bool):
            assert failures == runs
            continue
        (kernel,) = [one for one in made if one["entry"] == 0]
        # Only what fails is left to the interpreter, besides some remainders of Floats.
        remainders = 3 * len(FLOATS) ** 2 if float in (left, right) else 0
        assert (kernel["runs"], kernel["left"] >= failures) == (runs, True)
        assert kernel["left"] <= failures + remainders


def test_sums_of_products_are_rounded_twice(interpreter: VirtualMachine) -> None:
    """A fused multiplication and addition would give another last bit."""
    body = """
function main(a, b, n)
    LDI r3, 0.0
    LDI r4, 0
    LDI r5, 1
again:
    MUL r6, r0, r1
    ADD r3, r6, r3
    SUB r0, r0, r3
    ADD r4, r4, r5
    CMP r4, r2
    JMPLT again
    RET r3
end
"""
    found = []
    for jit in ("off", "kernels"):
        made = loaded(VirtualMachine(jit=jit), body)
        found.append([outcome(made, 1.1 / number, 1.3 * number, 50) for number in range(1, 20)])
    assert found[1] == found[0]


@pytest.mark.parametrize(
    "value", [*FLOATS, *(value for cls in INTEGER_KINDS for value in edges(cls)), *BOOLS], ids=repr
)
def test_literals_keep_all_bits(value: Any) -> None:
    code = [("LDI", 3, value), ("LDI", 2, 1), ("ADD", 1, 1, 2), (COMPARE.name, 1, 0), ("JMPLT", "again"), ("RET", 3)]
    body = [Instruction("LDI", 1, 0), *(Instruction(str(name), *operands) for name, *operands in code)]
    program = Program([Function("main", body, parameters=["n"], registers=4, labels={"again": 1})])
    kernels = VirtualMachine(jit="kernels")
    kernels.load(program)
    assert outcome(kernels, 40) == (type(value), bits_of(value) if type(value) is float else repr(value))
    assert [one["runs"] for one in kernels.jit_statistics()["functions"]["main"]["kernels"]] == [1]
