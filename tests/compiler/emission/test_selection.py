"""Every operation on every pair of types at all edges: compiled code gives the interpreter's results, or its errors."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from stoffel import VirtualMachine, VMError
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.program import Program
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import ROWS, Op, OperandKind
from tests.edges import edges

OPERATIONS = [row for row in ROWS if row.operation and row.operands[0].kind is OperandKind.TARGET]
COMPARE = next(row for row in ROWS if row.operation and row.operands[0].kind is OperandKind.SOURCE)
BRANCHES = [row for row in ROWS if row.is_branch]
TYPES = (*INTEGER_KINDS, float, bool)


def operation(row: Op, name: str, constant: tuple[Any, ...] = ()) -> Function:
    """Return a function that applies an operation to its two arguments, or to the first and a constant."""
    load = [Instruction("LDI", 1, *constant)] if constant else []
    body = [*load, Instruction(row.name, 2, *[0, 1][: len(row.operands) - 1]), Instruction("RET", 2)]
    return Function(name, body, parameters=["a", "b"], registers=3)


def comparison(name: str, constant: tuple[Any, ...] = ()) -> Function:
    """Return a function that gives, as bits, which branches are taken after a comparison."""
    code = [Instruction("LDI", 1, *constant)] if constant else []
    code.append(Instruction("LDI", 2, 0))
    labels = {}
    for number, row in enumerate(BRANCHES):
        code += [Instruction(COMPARE.name, 0, 1), Instruction(row.name, f"yes{number}")]
        code.append(Instruction("JMP", f"no{number}"))
        labels[f"yes{number}"] = len(code)
        code += [Instruction("LDI", 3, 1 << number), Instruction("OR", 2, 2, 3)]
        labels[f"no{number}"] = len(code)
    return Function(name, [*code, Instruction("RET", 2)], parameters=["a", "b"], registers=4, labels=labels)


def functions(name: str, constant: tuple[Any, ...] = ()) -> list[Function]:
    """Return one function for each operation, called *name* and its number, and one for comparisons."""
    made = [operation(row, f"{name}_{number}", constant) for number, row in enumerate(OPERATIONS)]
    return [*made, comparison(f"{name}_{len(OPERATIONS)}", constant)]


def outcome(machine: VirtualMachine, name: str, *arguments: Any) -> tuple[Any, ...]:
    try:
        result = machine.execute(name, *arguments)
    except VMError as error:
        return error.kind, str(error), error.function, error.instruction, error.stack
    return type(result), repr(result)


def machines(made: list[Function]) -> tuple[VirtualMachine, VirtualMachine]:
    """Return a machine that interprets and one that compiles these functions."""
    pair = VirtualMachine(jit="off"), VirtualMachine(jit="always")
    for machine in pair:
        machine.load(Program(made))
    return pair


@pytest.mark.parametrize("left", TYPES, ids=lambda cls: cls.__name__)
def test_every_operation_at_every_pair_of_edges(left: type) -> None:
    for right in TYPES:
        made = functions("f")
        interpreter, compiled = machines(made)
        alike = left is right or {left, right} == {int, float}
        for function in made if alike else (made[0], made[-1]):
            for a, b in product(edges(left), edges(right)):
                expected = outcome(interpreter, function.name, a, b)
                assert outcome(compiled, function.name, a, b) == expected, (a, b, str(function.instructions[0]))


@pytest.mark.parametrize("right", TYPES, ids=lambda cls: cls.__name__)
def test_every_operation_with_a_constant_at_every_edge(right: type) -> None:
    made = [function for number, value in enumerate(edges(right)) for function in functions(f"f{number}", (value,))]
    interpreter, compiled = machines(made)
    for function in made:
        for a in edges(right):
            expected = outcome(interpreter, function.name, a, None)
            actual = outcome(compiled, function.name, a, None)
            assert actual == expected, (a, *map(str, function.instructions[:2]))
    assert compiled.jit_statistics()["functions"].keys() == {function.name for function in made}
