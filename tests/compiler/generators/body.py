"""One function while it is being generated: its instructions, labels, cost, and the literals that it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, NamedTuple

from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import OperandKind

from .choosing import Chooser
from .vocabulary import COMPARE, FIRST_COUNTER, FLOATS, JUMP, KINDS, STRINGS, TEMPORARY

Statement = Callable[["Body", int], None]
"""Adds a statement to a function; the number says how deeply loops and branches may be nested in it."""


class Grammar(NamedTuple):
    """Statements to choose from: *leaves* only where nothing may be nested any more."""

    leaves: Sequence[Statement]
    statements: Sequence[Statement]


class Callee(NamedTuple):
    """A function that later ones may call: name, parameters, upvalue names, what it returns, and its cost."""

    name: str
    parameters: int
    upvalues: tuple[str, ...]
    integer: bool
    cost: int
    bumps: bool = False


class Body:
    """One function while it is being made."""

    def __init__(
        self,
        chooser: Chooser,
        grammar: Grammar,
        callees: Sequence[Callee],
        name: str,
        budget: int,
        kind: type = int,
    ) -> None:
        self.chooser = chooser
        self.grammar = grammar
        self.callees = callees
        self.name = name
        self.budget = budget
        self.code: list[Instruction] = []
        self.labels: dict[str, int] = {}
        self.counter = FIRST_COUNTER
        self.times = 1
        self.cost = 0
        self.loops: list[int] = []
        self.kind = kind if chooser.randrange(8) < 7 else chooser.choice(KINDS)
        self.upvalues: tuple[str, ...] = ()
        self.parameters = 0
        self.letter = "p"
        """What the names of its parameters begin with."""
        self.first_values: list[tuple[int, int, int]] = []

    def odds(self, wanted: int, of: int) -> bool:
        """Return True in *wanted* of *of* cases; shrinks to False."""
        return self.chooser.randrange(of) >= of - wanted

    def emit(self, name: str, *operands: Any) -> None:
        self.cost += self.times
        self.code.append(Instruction(name, *operands))

    def place(self, label: str) -> None:
        self.labels[label] = len(self.code)

    def fresh(self) -> str:
        """Return the name of a label that is yet to be placed."""
        label = f"l{len(self.labels)}"
        self.labels[label] = 0
        return label

    def call(self, name: str, *registers: int) -> None:
        for register in registers:
            self.emit("PUSHARG", register)
        self.emit("CALL", name)

    def load(self, value: Any) -> int:
        register = self.chooser.choice(TEMPORARY)
        self.emit("LDI", register, value)
        return register

    def visible(self) -> set[str]:
        """Return the names that a closure made in this function can capture, whoever calls it."""
        return {*self.upvalues, *self.parameter_names()}

    def parameter_names(self) -> list[str]:
        return [f"{self.letter}{index}" for index in range(self.parameters)]

    # Values

    def small(self, cls: type | None = None) -> Any:
        cls = cls or self.kind
        return (cls)((1, 2, 3, 0, 5, 7)[self.chooser.randrange(6)])

    def integer(self, cls: type | None = None) -> Any:
        cls = cls or self.kind
        kind = INTEGER_KINDS[cls]
        choice = self.chooser.randrange(10)
        if choice == 9:
            return cls(kind.minimum)
        if choice == 8:
            return cls(kind.maximum)
        if choice == 7:
            return cls(kind.maximum - 1)
        return self.small(cls)

    def value(self) -> Any:
        choice = self.chooser.randrange(6)
        if choice == 0:
            return self.small()
        if choice == 1:
            return self.chooser.choice(STRINGS)
        if choice == 2:
            return self.chooser.choice(FLOATS)
        if choice == 3:
            return bool(self.chooser.randrange(2))
        if choice == 4:
            return None
        return self.integer(self.chooser.choice(KINDS))

    def key(self) -> Any:
        choice = self.chooser.randrange(16)
        if choice < 6:
            return self.chooser.randrange(4)
        if choice < 8:
            return -1 - self.chooser.randrange(3)
        if choice < 12:
            return self.chooser.choice(STRINGS)
        if choice == 12:
            return 4 + self.chooser.randrange(40)
        return self.value()

    # Statements

    def statements(self, count: int, nesting: int) -> None:
        for _ in range(count):
            if self.cost > self.budget:
                return
            self.chooser.choice(self.grammar.statements if nesting > 0 else self.grammar.leaves)(self, nesting)

    @contextmanager
    def repeated(self, times: int) -> Iterator[None]:
        """Count what is emitted inside as executed *times* as often."""
        self.times *= times
        yield
        self.times //= times

    @contextmanager
    def counting(self, rounds: int) -> Iterator[int]:
        """Put a plain loop around what is emitted inside; gives the register that counts from 0."""
        counter, bound = self.counter, self.counter + 1
        self.counter += 2
        start, end = self.fresh(), self.fresh()
        self.emit("LDI", counter, 0)
        self.emit("LDI", bound, rounds)
        self.place(start)
        with self.repeated(rounds):
            self.emit(COMPARE, counter, bound)
            self.emit("JMPEQ", end)
            self.loops.append(counter)
            yield counter
            self.loops.pop()
            self.emit("ADD", counter, counter, self.load(1))
            self.emit(JUMP, start)
        self.place(end)

    def load_at(self, register: int, value: Any) -> int:
        self.emit("LDI", register, value)
        return register

    @contextmanager
    def first_value(self, register: int) -> Iterator[None]:
        """What is emitted inside gives *register* its first value, and goes if nothing reads it."""
        start = len(self.code)
        yield
        self.first_values.append((start, len(self.code), register))

    def finished(self) -> Function:
        """Return the function, without the first values that nothing reads."""
        self._drop_unread()
        return Function(
            self.name,
            self.code,
            parameters=self.parameter_names(),
            upvalues=self.upvalues,
            registers=self.counter,
            labels=self.labels,
        )

    def _drop_unread(self) -> None:
        reads = [instruction_reads(item) for item in self.code]
        kept = [True] * len(self.code)
        for start, stop, register in reversed(self.first_values):
            inside = range(start, stop)
            if not any(register in reads[at] for at in range(len(reads)) if kept[at] and at not in inside):
                kept[start:stop] = [False] * (stop - start)
        if all(kept):
            return
        moved = [0, *accumulate(kept)]
        self.code = [item for item, keep in zip(self.code, kept, strict=True) if keep]
        self.labels = {label: moved[at] for label, at in self.labels.items()}


def instruction_reads(instruction: Instruction) -> list[int]:
    """Return the registers that an instruction reads."""
    operands = zip(instruction.op.operands, instruction.operands, strict=True)
    return [value for operand, value in operands if operand.kind is OperandKind.SOURCE]
