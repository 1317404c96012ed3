"""The interpreter of limited runs: one loop more, in which each instruction takes one of the ticks that are left.

Its steps are those of :mod:`stoffel.runtime.steps` one by one, since a superinstruction is several instructions; what
makes values or pushes records pays before it does so. Machines without limits run none of this.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import TYPE_CHECKING, Any, Final

from stoffel.model.code import Code, Step
from stoffel.model.operations import OPERATIONS
from stoffel.model.values import Operand
from stoffel.runtime.calls import call_foreign, call_function, leave
from stoffel.runtime.resolution import resolve
from stoffel.runtime.steps import BINDERS, SWITCH, Bind, bind

if TYPE_CHECKING:
    from stoffel.runtime.budget import Budget
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState

Registers = list[Operand]


def _add(target: int, left: int, right: int) -> Step:
    plain = BINDERS["ADD"](target, left, right)
    add = OPERATIONS["ADD"]

    def step(registers: Registers, frame: ActivationRecord) -> None:
        x = registers[left]
        if type(x) is not str:
            plain(registers, frame)
            return
        y = registers[right]
        if type(y) is str:
            _budget(frame).join(x, y)
        registers[target] = add(x, y)

    return step


def _cmp(left: int, right: int) -> Step:
    plain = BINDERS["CMP"](left, right)

    def step(registers: Registers, frame: ActivationRecord) -> None:
        x = registers[left]
        if type(x) is str and type(y := registers[right]) is str:
            _budget(frame).work(min(len(x), len(y)))
        plain(registers, frame)

    return step


def _pusharg(source: int) -> Step:
    def step(registers: Registers, frame: ActivationRecord) -> None:
        stack = frame.stack
        budget = _budget(frame)
        if len(stack) >= budget.stack:
            raise budget.stack_overflow(len(stack) + 1)
        stack.append(registers[source])

    return step


def _call(name: str) -> Step:
    dotted = "." in name

    def step(registers: Registers, frame: ActivationRecord) -> int | None:
        state: Any = frame.state
        callee = state.functions.get(name)
        if dotted or callee is None:
            callee = resolve(state, name, frame.stack)
        budget = state.budget
        if type(callee) is Code:
            if budget.tracks:
                budget.record(callee)
            call_function(frame, callee)
            state.records[-1].cursor = iter(metered(callee))
            if state.tier.statistics.counts_calls:
                state.tier.statistics.called(callee)
            return SWITCH
        if not callee.free:
            budget.call(callee, frame.stack)
        looks = call_foreign(frame, callee)
        if state.records[-1] is not frame:
            _take_up(state.records[-1])
        elif type(registers[0]) is str:
            budget.result(registers[0])
        return SWITCH if looks else None

    return step


_BINDERS: Final[dict[str, Bind]] = {**BINDERS, "ADD": _add, "CMP": _cmp, "PUSHARG": _pusharg, "CALL": _call}


def _budget(frame: ActivationRecord) -> Budget:
    return frame.state.budget  # type: ignore[return-value]


def metered(code: Code) -> list[Step]:
    """Return the steps of *code* that pay for what they make, bound when they are first asked for."""
    try:
        return code.metered
    except AttributeError:
        code.metered = steps = bind_metered(code)
        return steps


def bind_metered(code: Code) -> list[Step]:
    """Bind the steps of *code* that pay for what they make."""
    return bind(code, False, False, _BINDERS)


def ticking(budget: Budget, frame: ActivationRecord) -> Iterator[Any]:
    """Return what goes over the steps of *frame*, as its cursor does, as long as there are ticks."""
    return compress(frame.cursor, budget.ticks)


def ended(budget: Budget, frame: ActivationRecord) -> None:
    """Raise VMError if :func:`ticking` has ended because there were no more ticks; the step was not run then."""
    # An iterator that has come to its end forgets its list.
    if not budget.left and len(frame.cursor.__reduce__()) == 3:
        raise budget.out_of_instructions()


def _take_up(frame: ActivationRecord) -> None:
    """Have *frame* go over the steps that pay, from where it is."""
    index = frame.next_instruction
    frame.cursor = iter(metered(frame.code))
    frame.jump(index)


def run_metered(state: VMState) -> None:
    """Run without events until the entry returns or a safepoint asks for attention; raises VMError at a limit."""
    records = state.records
    base = state.base
    budget = state.budget
    assert budget is not None
    ticks = budget.ticks
    # From here on up all records go over these steps; others have gone over those below.
    known = len(records)
    while len(records) > base and not state.attention:
        frame = records[-1]
        if len(records) <= known:
            known = len(records) - 1
            _take_up(frame)
        registers = frame.registers
        cursor: Any = frame.cursor
        for step in compress(cursor, ticks):
            target = step(registers, frame)
            if target is not None:
                if target < 0:
                    break
                cursor.__setstate__(target)
        else:
            ended(budget, frame)
            leave(frame, registers[0])
