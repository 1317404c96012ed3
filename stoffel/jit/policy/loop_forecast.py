"""How long the loops on the stack will go on, seen from how far they have come.

A loop that counts compares its counter with a bound in each round. Both are in registers, so what is left of it is
known long before it ends: the distance between them, at the pace at which it has shrunk so far. For recursion see
``stoffel.jit.policy.recursion_forecast``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from stoffel.isa.program import Instruction
from stoffel.isa.table import Flow, OperandKind, Place
from stoffel.jit.policy.recursion_forecast import SEEN, Recursion
from stoffel.model.code import Code
from stoffel.model.values import Value
from stoffel.runtime.frames import ActivationRecord

WATCHED: Final = 4
"""Records that are looked at, from the oldest: loops of a program's main function go on for longest."""
LARGEST: Final = 4096
"""Instructions of a function that is looked at, at most."""
CLOSE: Final = 4
"""Instructions before a comparison among which it is looked for what it compares."""
DECLINES: Final = 2
"""Times that a distance must have shrunk, and never grown, to be taken for that of a counter."""

_Operand: TypeAlias = "tuple[OperandKind, Value]"
"""A source register, a spill slot, or a constant; and which."""


class _Comparison(NamedTuple):
    """What a comparison compares.

    *rounds* are the instructions of the loop in which a counter, which is computed from itself, is compared; empty
    where neither operand is one.
    """

    left: _Operand
    right: _Operand
    rounds: range


class _Distance:
    """How far apart the operands of a comparison are in one record, since that last grew."""

    __slots__ = ("comparison", "declines", "first", "heat", "last")

    def __init__(self, comparison: _Comparison) -> None:
        self.comparison = comparison
        self.last: int | None = None
        self.first = self.heat = self.declines = 0

    def look(self, heat: int, record: ActivationRecord) -> int:
        """Return how much heat is still to come, 0 if nothing speaks for any."""
        left, right, rounds = self.comparison
        x, y = _value(left, record), _value(right, record)
        if not isinstance(x, int) or not isinstance(y, int):
            self.last = None
            return 0
        now = abs(int(x) - int(y))
        if self.last is None or now > self.last:
            self.first, self.heat, self.declines = now, heat, 0
        elif now < self.last:
            self.declines += 1
        self.last = now
        if record.next_instruction in rounds:
            # Even if it has not moved yet: then no round is shorter than this.
            return (now - 1) * (heat - self.heat) // max(self.first - now, 1)
        return now * (heat - self.heat) // (self.first - now) if self.declines >= DECLINES else 0


class Forecast:
    """Watches the oldest records of a run."""

    def __init__(self) -> None:
        self._watched: list[tuple[ActivationRecord, list[_Distance]]] = []
        self._comparisons: dict[Code, list[_Comparison]] = {}
        self._recursion = Recursion()

    def look(self, heat: int, stack: Sequence[ActivationRecord], base: int, enough: int) -> Code | None:
        """Return a function that will go on for *enough* heat, None if none is known.

        *heat* is what the run has come to so far; its activation records are those of *stack* from *base* on. It takes
        a look or two before this one.
        """
        records = stack[base : base + WATCHED]
        watched = self._watched
        del watched[len(records) :]
        for position, record in enumerate(records):
            if position == len(watched) or watched[position][0] is not record:
                watched[position:] = [(record, list(map(_Distance, self._comparisons_of(record.code))))]
            for distance in watched[position][1]:
                if distance.look(heat, record) >= enough:
                    return record.code
        code, more = self._recursion.look(heat, stack[base : base + SEEN])
        return code if more >= enough else None

    def _comparisons_of(self, code: Code) -> list[_Comparison]:
        found = self._comparisons.get(code)
        if found is None:
            found = self._comparisons[code] = _comparisons(code)
        return found


def _comparisons(code: Code) -> list[_Comparison]:
    instructions = code.function.instructions
    if len(instructions) > LARGEST:
        return []
    counters = {
        instruction.operands[0]
        for instruction in instructions
        if instruction.op.operation and instruction.operands[0] in instruction.operands[1:]
    }
    loops = [
        range(target, index + 1)
        for index, instruction in enumerate(instructions)
        if instruction.op.flow is Flow.JUMP and (target := code.function.labels[instruction.operands[0]]) <= index
    ]
    places = [index for index, instruction in enumerate(instructions) if Place.FLAG in instruction.op.writes]
    innermost: dict[int, range] = {}
    for loop in sorted(loops, key=len, reverse=True):
        innermost.update(dict.fromkeys(places[bisect_left(places, loop.start) : bisect_left(places, loop.stop)], loop))
    targets = set(code.function.labels.values())
    found = []
    for index in places:
        first = next((at for at in range(index, index - CLOSE, -1) if at in targets), index - CLOSE)
        before = instructions[max(first, 0) : index]
        left, right = [_operand(before, register) for register in instructions[index].operands]
        counts = any(kind is OperandKind.SOURCE and which in counters for kind, which in (left, right))
        found.append(_Comparison(left, right, innermost.get(index, range(0)) if counts else range(0)))
    return found


def _operand(before: Sequence[Instruction], register: int) -> _Operand:
    """Return what is in *register* after the instructions *before*: where it can be read later too, if they load it."""
    for instruction in reversed(before):
        target = instruction.op.position(OperandKind.TARGET)
        if target is not None and instruction.operands[target] == register:
            for kind in (OperandKind.CONSTANT, OperandKind.SLOT):
                source = instruction.op.position(kind)
                if source is not None:
                    return kind, instruction.operands[source]
            break
    return OperandKind.SOURCE, register


def _value(operand: _Operand, record: ActivationRecord) -> Value:
    kind, which = operand
    if kind is OperandKind.CONSTANT:
        return which
    if kind is OperandKind.SLOT:
        return None if record.spill is None else record.spill.get(which)
    return record.registers[which]
