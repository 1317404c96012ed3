"""The handlers of the reference interpreter: one per instruction, bound to its operands when a function is first run.

A bound instruction (a *step*) is a Python function of the current registers and activation record. It does what the
instruction's formula in the table says, and returns

* None: go on with the next instruction;
* an index (0 or more): a jump was taken, go on there;
* :data:`SWITCH`: the record on top of the stack may have changed, or hooks are to be looked at; the record's own
  position is up to date.

Every step has the same shape: read, compute, write, next. The operations of values are those of
``stoffel.model.operations``; the I64 cases of the four commonest are written out before they are asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from stoffel.errors import VMError
from stoffel.isa.flags import FLAGS
from stoffel.isa.scalars import I64_MAX, I64_MIN
from stoffel.isa.table import BY_NAME, ROWS, Flow, OperandKind, complete
from stoffel.model.code import CONSTANTS, HEAT_OF_CALL, Code, Step
from stoffel.model.operations import OPERATIONS, Operation
from stoffel.model.values import Operand
from stoffel.runtime.calls import call_foreign, call_function, leave
from stoffel.runtime.resolution import resolve
from stoffel.runtime.superinstructions import fuse

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord

SWITCH: Final = -1
"""Result of a step after which the loop must look at the stack of records again."""

Registers = list[Operand]
Bind = Callable[..., Step]


def _nop() -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        pass

    return step


def _ld(target: int, offset: int) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        index = len(frame.stack) - 1 + offset
        if not 0 <= index < len(frame.stack):
            raise VMError(f"Stack address [sp+{offset}] out of bounds")
        registers[target] = frame.stack[index]

    return step


def _ldi(target: int, constant: Operand) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        registers[target] = constant

    return step


def _mov(target: int, source: int) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        registers[target] = registers[source]

    return step


def _pusharg(source: int) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        frame.stack.append(registers[source])

    return step


def _lds(target: int, slot: int) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        registers[target] = None if frame.spill is None else frame.spill.get(slot)

    return step


def _sts(slot: int, source: int) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        if frame.spill is None:
            frame.spill = {}
        frame.spill[slot] = registers[source]

    return step


def _binary(operation: Operation) -> Bind:
    def bind(target: int, left: int, right: int) -> Step:
        def step(registers: Registers, frame: ActivationRecord) -> None:
            registers[target] = operation(registers[left], registers[right])

        return step

    return bind


def _unary(operation: Operation) -> Bind:
    def bind(target: int, source: int) -> Step:
        def step(registers: Registers, frame: ActivationRecord) -> None:
            registers[target] = operation(registers[source])

        return step

    return bind


def _add(target: int, left: int, right: int) -> Step:
    add = OPERATIONS["ADD"]

    def step(registers: Registers, frame: ActivationRecord) -> None:
        x = registers[left]
        y = registers[right]
        if type(x) is int and type(y) is int:
            result = x + y
            if I64_MIN <= result <= I64_MAX:
                registers[target] = result
                return
        registers[target] = add(x, y)

    return step


def _sub(target: int, left: int, right: int) -> Step:
    subtract = OPERATIONS["SUB"]

    def step(registers: Registers, frame: ActivationRecord) -> None:
        x = registers[left]
        y = registers[right]
        if type(x) is int and type(y) is int:
            result = x - y
            if I64_MIN <= result <= I64_MAX:
                registers[target] = result
                return
        registers[target] = subtract(x, y)

    return step


def _mul(target: int, left: int, right: int) -> Step:
    multiply = OPERATIONS["MUL"]

    def step(registers: Registers, frame: ActivationRecord) -> None:
        x = registers[left]
        y = registers[right]
        if type(x) is int and type(y) is int:
            result = x * y
            if I64_MIN <= result <= I64_MAX:
                registers[target] = result
                return
        registers[target] = multiply(x, y)

    return step


def _cmp(left: int, right: int) -> Step:
    compare = OPERATIONS["CMP"]

    def step(registers: Registers, frame: ActivationRecord) -> None:
        x = registers[left]
        y = registers[right]
        kind = type(x)
        if kind is type(y) and (kind is int or kind is bool):
            frame.flag = 0 if x == y else -1 if x < y else 1
        else:
            frame.flag = compare(x, y)

    return step


def _jump(target: int, span: int, counting: bool) -> Step:
    """Bind a jump; *span* is the heat of what a back-edge repeats, 0 for a jump forwards."""
    if span and counting:

        def step(registers: Registers, frame: ActivationRecord) -> int:
            code = frame.code
            code.heat += span
            state = frame.state
            # Under hooks nothing is compiled, and asking for it would let a switch in the jump's After event take
            # effect one safepoint early.
            if state.attention or (code.heat >= code.hot and not state.hooked):
                frame.jump(target)
                state.attention = True
                return SWITCH
            return target

    elif span:

        def step(registers: Registers, frame: ActivationRecord) -> int:
            if frame.state.attention:
                frame.jump(target)
                return SWITCH
            return target

    else:

        def step(registers: Registers, frame: ActivationRecord) -> int:
            return target

    return step


def _branch(taken_on: frozenset[int]) -> Bind:
    """Return the binder of a jump; a flag value is compared directly, of two the one that is missing."""

    def bind(target: int, span: int, counting: bool) -> Step:
        taken = _jump(target, span, counting)
        if taken_on == FLAGS:
            return taken
        if len(taken_on) == 1:
            (value,) = taken_on
            if span:

                def step(registers: Registers, frame: ActivationRecord) -> int | None:
                    return taken(registers, frame) if frame.flag == value else None

            else:

                def step(registers: Registers, frame: ActivationRecord) -> int | None:
                    return target if frame.flag == value else None

        else:
            (value,) = FLAGS - taken_on
            if span:

                def step(registers: Registers, frame: ActivationRecord) -> int | None:
                    return taken(registers, frame) if frame.flag != value else None

            else:

                def step(registers: Registers, frame: ActivationRecord) -> int | None:
                    return target if frame.flag != value else None

        return step

    return bind


def _call(name: str) -> Step:
    dotted = "." in name

    def step(registers: Registers, frame: ActivationRecord) -> int | None:
        callee = frame.state.functions.get(name)
        if dotted or callee is None:
            callee = resolve(frame.state, name, frame.stack)
        if type(callee) is Code:
            return SWITCH if call_function(frame, callee) else None
        return SWITCH if call_foreign(frame, callee) else None

    return step


def _ret(source: int) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> int:
        state = frame.state
        frames = state.records
        if state.watches_returns or len(frames) - 1 == state.base:
            leave(frame, registers[source])
        else:
            # The commonest case of leaving, written out.
            frames.pop()
            frames[-1].registers[0] = registers[source]
        return SWITCH

    return step


_SPECIAL: Final[dict[str, Bind]] = {
    "NOP": _nop,
    "LD": _ld,
    "LDI": _ldi,
    "MOV": _mov,
    "ADD": _add,
    "SUB": _sub,
    "MUL": _mul,
    "CMP": _cmp,
    "CALL": _call,
    "RET": _ret,
    "PUSHARG": _pusharg,
    "LDS": _lds,
    "STS": _sts,
}

_BY_OPERANDS: Final = {
    (OperandKind.TARGET, OperandKind.SOURCE): _unary,
    (OperandKind.TARGET, OperandKind.SOURCE, OperandKind.SOURCE): _binary,
}
"""How an operation becomes a step, by the kinds of the operands of its instruction."""

BINDERS: Final[dict[str, Bind]] = complete(
    {
        **{
            row.name: _BY_OPERANDS[kinds](OPERATIONS[row.operation])
            for row in ROWS
            if row.operation and (kinds := tuple(operand.kind for operand in row.operands)) in _BY_OPERANDS
        },
        **{row.name: _branch(row.taken_on) for row in ROWS if row.flow is Flow.JUMP},
        **_SPECIAL,
    },
    BY_NAME,
    __name__,
)
"""For every instruction the function that makes its step from its operands."""


def bind(code: Code, counting: bool, fused: bool, binders: Mapping[str, Bind] = BINDERS) -> list[Step]:
    """Return the steps of *code* that *binders* make; equal instructions share one step.

    If *counting*, back-edges add to the heat; if *fused*, superinstructions stand where their first instruction does.
    """
    labels = code.function.labels
    instructions = code.instructions()
    shared: dict[Any, Step] = {}
    steps: list[Step] = []
    calls: list[int] = []
    for index, instruction in enumerate(instructions):
        row = instruction.op
        operands: tuple[Any, ...] = instruction.operands
        if row.flow is Flow.JUMP:
            target = labels[operands[row.position(OperandKind.LABEL) or 0]]
            span = max(index - target + 1, 0)
            if span:
                span += HEAT_OF_CALL * (len(calls) - bisect_left(calls, target))
            operands = (target, span, counting)
        elif row.flow is Flow.CALL:
            calls.append(index)
        # Only constants have to be told apart by more than their value.
        key = (row.code, *(map(_identity, operands) if row.code in CONSTANTS else operands))
        step = shared.get(key)
        if step is None:
            step = shared[key] = binders[row.name](*operands)
        steps.append(step)
    if fused:
        fuse(instructions, labels, steps)
    return steps


def _identity(operand: object) -> object:
    """Return a key for an operand; constants are interned, so theirs is the object itself."""
    return operand if type(operand) is int or type(operand) is str else (type(operand), id(operand))
