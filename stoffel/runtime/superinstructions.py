"""Superinstructions: one step for a sequence of instructions that the StoffelLang compiler emits for every condition.

A superinstruction (Proebsting, "Optimizing an ANSI C interpreter with superoperators", 1995) stands in the list of
steps at the position of its first instruction, does what the whole sequence does and goes on behind it. The steps of
the other instructions stay where they are, so that a jump may lead to any of them. A sequence holds no call, no return,
and no safepoint but a jump back at its very end; the only instruction of it that can fail is its first, or one at which
the record's position has been put before. So every record that anybody can see is one of the sequence executed step by
step. Hooks see every instruction: the loop that fires events runs none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from stoffel.isa.scalars import I64_MAX, I64_MIN
from stoffel.isa.table import Flow
from stoffel.model.code import Step
from stoffel.model.operations import OPERATIONS
from stoffel.model.values import Operand

if TYPE_CHECKING:
    from stoffel.isa.instruction import Instruction
    from stoffel.runtime.frames import ActivationRecord

_CHECKED: Final = {"ADD": 1, "SUB": -1}
"""Operations of which a superinstruction adds a constant, and the sign with which it does."""


def fuse(instructions: Sequence[Instruction], labels: Mapping[str, int], steps: list[Step]) -> None:
    """Put superinstructions into *steps*, the bound instructions of a function, in the place of their first ones."""
    names = [instruction.op.name for instruction in instructions]
    for index, name in enumerate(names):
        step = None
        if name == "CMP":
            step = _condition(instructions, labels, index)
        elif name == "LDI":
            following = names[index + 1 : index + 3]
            if following[:1] == ["CMP"]:
                step = _test(instructions, labels, index)
            elif following[:1] and following[0] in _CHECKED and following[1:] == ["MOV"]:
                step = _assignment(instructions, labels, steps, index)
        if step is not None:
            steps[index] = step


def _branch(instruction: Instruction, labels: Mapping[str, int], index: int) -> tuple[frozenset[int], int] | None:
    """Return the flags on which a jump forwards is taken, and where it leads; None for anything else."""
    row = instruction.op
    if row.flow is not Flow.JUMP:
        return None
    target = labels[instruction.operands[0]]
    return (row.taken_on, target) if target > index else None


def _order(left: Operand, right: Operand) -> int:
    return 0 if left == right else -1 if left < right else 1


def _outcome_of_test(
    instructions: Sequence[Instruction], labels: Mapping[str, int], index: int, register: int, value: Operand
) -> tuple[int, bool, int, int] | None:
    """Return what ``LDI q, b; CMP register, q; JMPxx`` at *index* does where *register* holds the Bool *value*.

    That is the register q, the constant b, the flag and the next instruction; None if there is no such sequence.
    """
    if (
        index + 2 >= len(instructions)
        or instructions[index].op.name != "LDI"
        or instructions[index + 1].op.name != "CMP"
    ):
        return None
    target, constant = instructions[index].operands
    branch = _branch(instructions[index + 2], labels, index + 2)
    if type(constant) is not bool or target == register or branch is None:
        return None
    if instructions[index + 1].operands != (register, target):
        return None
    flag = _order(value, constant)
    return target, constant, flag, branch[1] if flag in branch[0] else index + 3


def _condition(instructions: Sequence[Instruction], labels: Mapping[str, int], index: int) -> Step | None:
    """Bind ``CMP x, y; JMPxx a; LDI r, b; JMP e; a: LDI r, c; e:`` and the test of r that mostly follows."""
    if index + 4 >= len(instructions):
        return None
    branch = _branch(instructions[index + 1], labels, index + 1)
    first, jump, second = instructions[index + 2 : index + 5]
    if branch is None or branch[1] != index + 4 or first.op.name != "LDI" or second.op.name != "LDI":
        return None
    if jump.op.name != "JMP" or labels[jump.operands[0]] != index + 5 or first.operands[0] != second.operands[0]:
        return None
    register: int = first.operands[0]
    values = [(second if flag in branch[0] else first).operands[1] for flag in (0, 1, -1)]
    if any(type(value) is not bool for value in values):
        return None
    left, right = instructions[index].operands
    compare = OPERATIONS["CMP"]
    tests = [_outcome_of_test(instructions, labels, index + 5, register, value) for value in values]
    # By the order of x and y: 0, 1, and -1 for the last.
    if tests[0] is None or tests[1] is None or tests[2] is None:
        plain = tuple(zip(values, (0, 1, -1), strict=True))
        end = index + 5

        def step(registers: list[Operand], frame: ActivationRecord) -> int:
            x = registers[left]
            y = registers[right]
            kind = type(x)
            if kind is type(y) and (kind is int or kind is bool):
                order = 0 if x == y else -1 if x < y else 1
            else:
                order = compare(x, y)
            registers[register], frame.flag = plain[order]
            return end

        return step
    tested, constant = tests[0][:2]
    outcomes = tuple((value, test[2], test[3]) for value, test in zip(values, tests, strict=True) if test is not None)

    def step_and_test(registers: list[Operand], frame: ActivationRecord) -> int:
        x = registers[left]
        y = registers[right]
        kind = type(x)
        if kind is type(y) and (kind is int or kind is bool):
            order = 0 if x == y else -1 if x < y else 1
        else:
            order = compare(x, y)
        registers[register], frame.flag, target = outcomes[order]
        registers[tested] = constant
        return target

    return step_and_test


def _test(instructions: Sequence[Instruction], labels: Mapping[str, int], index: int) -> Step | None:
    """Bind ``LDI q, b; CMP r, q; JMPxx``, the test of a Bool; other values are compared as they are."""
    register = instructions[index + 1].operands[0]
    tests = [_outcome_of_test(instructions, labels, index, register, value) for value in (False, True)]
    if tests[0] is None or tests[1] is None:
        return None
    tested, constant = tests[0][:2]
    outcomes = (tests[0][2:], tests[1][2:])
    compare = OPERATIONS["CMP"]
    at_compare = index + 2

    def step(registers: list[Operand], frame: ActivationRecord) -> int:
        registers[tested] = constant
        x = registers[register]
        if type(x) is bool:
            frame.flag, target = outcomes[x]
            return target
        frame.jump(at_compare)
        frame.flag = compare(x, constant)
        return at_compare

    return step


def _assignment(
    instructions: Sequence[Instruction], labels: Mapping[str, int], steps: list[Step], index: int
) -> Step | None:
    """Bind ``LDI k, c; ADD k, x, k; MOV d, k; LDI k, e``, a counted variable; the jump back that mostly follows too."""
    if index + 3 >= len(instructions):
        return None
    load, operation, move, last = instructions[index : index + 4]
    target, constant = load.operands
    source: int = operation.operands[1]
    destination: int = move.operands[0]
    if type(constant) is not int or operation.operands != (target, source, target) or source == target:
        return None
    if move.operands != (destination, target) or last.op.name != "LDI" or last.operands[0] != target:
        return None
    final = last.operands[1]
    compute = OPERATIONS[operation.op.name]
    signed = _CHECKED[operation.op.name] * constant
    at_operation = index + 2
    end = index + 4
    back: Step | None = None
    if end < len(instructions) and instructions[end].op.name == "JMP" and labels[instructions[end].operands[0]] <= end:
        back = steps[end]

    def step(registers: list[Operand], frame: ActivationRecord) -> int | None:
        x = registers[source]
        if type(x) is int:
            result: Any = x + signed
            if I64_MIN <= result <= I64_MAX:
                registers[destination] = result
                registers[target] = final
                return end if back is None else back(registers, frame)
        registers[target] = constant
        frame.jump(at_operation)
        registers[destination] = compute(x, constant)
        registers[target] = final
        return end

    return step
