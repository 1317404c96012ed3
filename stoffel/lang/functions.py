"""Whole functions: checked ones become records of the machine, without what is never reached."""

from __future__ import annotations

from array import array

from stoffel.errors import Diagnostic
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.lines import LineTable
from stoffel.isa.table import BY_NAME
from stoffel.isa.types import UNKNOWN as UNKNOWN_DESCRIPTOR
from stoffel.lang import typed_tree as typed
from stoffel.lang.codegen import FunctionWriter
from stoffel.lang.registers import JUMPS, Allocation, Placed, Step
from stoffel.lang.scopes import ObjectDefinition
from stoffel.lang.types import descriptor


def write_function(
    function: typed.Function, objects: dict[str, ObjectDefinition], problems: list[Diagnostic]
) -> Function:
    """Return the function of the machine that *function* becomes; what has no code is added to *problems*."""
    writer = FunctionWriter(objects, problems)
    writer.line = function.position.line
    parameters = [writer.parameter(local) for local in function.parameters]
    writer.body(function.body)
    writer.emit("RET", None, writer.load(None))
    steps, labels = reachable(writer.steps, writer.labels)
    allocation = Allocation(steps, labels, parameters, writer.secrets)
    placed, places = allocation.code()
    names = {
        allocation.place[register]: local.name
        for local, register in writer.variables.items()
        if register in allocation.place and not local.name.startswith("__")
    }
    table = LineTable(function.position.file, array("I", [one.line for one in placed]), names)
    return assemble(function, placed, places, tuple(writer.upvalues), table)


def reachable(steps: list[Step], labels: dict[int, int]) -> tuple[list[Step], dict[int, int]]:
    """Return the steps without those that are never reached and without jumps to where one is anyway."""
    size = len(steps)
    targets = {label: final_target(at, steps, labels) for label, at in labels.items()}
    seen = [False] * size
    pending = [0]
    while pending:
        at = pending.pop()
        while at < size and not seen[at]:
            seen[at] = True
            step = steps[at]
            if step.name in JUMPS:
                pending.append(targets[step.value])
            if step.name in ("JMP", "RET"):
                break
            at += 1
    numbers: list[int] = []
    kept: list[Step] = []
    for at, step in enumerate(steps):
        numbers.append(len(kept))
        if seen[at] and not (step.name == "JMP" and targets[step.value] == _next_seen(seen, at)):
            kept.append(step)
    numbers.append(len(kept))
    return kept, {label: numbers[at] for label, at in targets.items() if at == size or seen[at]}


def _next_seen(seen: list[bool], at: int) -> int:
    at += 1
    while at < len(seen) and not seen[at]:
        at += 1
    return at


def final_target(at: int, steps: list[Step], labels: dict[int, int]) -> int:
    """Return where a jump to *at* ends up, through jumps that stand there."""
    passed: set[int] = set()
    while at < len(steps) and steps[at].name == "JMP" and at not in passed:
        passed.add(at)
        at = labels[steps[at].value]
    return at


def assemble(
    function: typed.Function, placed: list[Placed], places: dict[int, int], upvalues: tuple[str, ...], table: LineTable
) -> Function:
    """Return the function record of instructions whose operands are settled."""
    used = {placed_at.operands[-1] for placed_at in placed if placed_at.name in JUMPS}
    targets = sorted({places[label] for label in used})
    names = {at: f"L{number}" for number, at in enumerate(targets, 1)}
    instructions = []
    highest = -1
    for one in placed:
        op = BY_NAME[one.name]
        operands = one.operands
        if one.name in JUMPS:
            operands = (names[places[operands[0]]],)
        for operand, value in zip(op.operands, operands, strict=True):
            if operand.kind.is_register and value > highest:
                highest = value
        instructions.append(Instruction._from_trusted(op, operands))
    try:
        types = tuple([descriptor(of) for of in function.parameter_types])
        result = descriptor(function.result)
    except ValueError:  # a type is nested deeper than a file can say
        types, result = (UNKNOWN_DESCRIPTOR,) * len(function.parameters), UNKNOWN_DESCRIPTOR
    return Function(
        function.name,
        instructions,
        parameters=tuple([local.name for local in function.parameters]),
        upvalues=upvalues,
        registers=highest + 1,
        labels={name: at for at, name in names.items()},
        parameter_types=types,
        return_type=result,
        line_table=table,
    )
