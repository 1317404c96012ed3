"""What is left of a run's limits, and what happens when nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, repeat
from time import monotonic
from typing import TYPE_CHECKING, Final

from stoffel.errors import VMError
from stoffel.model.builtins.costs import costs_of, no_cost, stored, utf8
from stoffel.model.values import Array, Object, Operand
from stoffel.runtime.limits import ELEMENT_UNITS, ELEMENTS_PER_INSTRUCTION, TABLE_UNITS, Limits

if TYPE_CHECKING:
    from stoffel.model.code import Code
    from stoffel.model.foreign import ForeignFunction

UNLIMITED: Final = 1 << 60
"""What stands for no limit: no run counts as far."""


class Budget:
    """The limits of one run and of all that it calls, and what is left of them.

    *stop* notes why the run has to end, so that nobody can swallow it; *live* returns how many units of memory can be
    reached; *outer* is the budget of the run around this
    one, which pays too. ``ticks`` yields once for each instruction that may still run. ``counted`` says whether each
    instruction has to be looked at; the limits of single values are the least of all runs around.
    """

    __slots__ = (
        "allocated",
        "array",
        "counted",
        "ends",
        "limits",
        "lines",
        "live",
        "memory",
        "next_walk",
        "object",
        "outer",
        "printed",
        "stack",
        "stop",
        "storage",
        "string",
        "ticks",
        "tracks",
    )

    def __init__(
        self,
        limits: Limits,
        stop: Callable[[str], VMError],
        live: Callable[[], int],
        outer: Budget | None = None,
    ) -> None:
        self.limits = limits
        self.stop = stop
        self.live = live
        self.outer = outer
        self.counted: bool = limits.counted or (outer is not None and outer.counted)
        self.ends = None if limits.seconds is None else monotonic() + limits.seconds
        """The time of ``time.monotonic`` at which the run has to end."""
        self.ticks = repeat(True, self._granted())
        self.allocated = self.printed = self.lines = 0
        self.string = self._least("string")
        self.array = self._least("array")
        self.object = self._least("object")
        self.stack = self._least("stack")
        self.storage = self._least("storage")
        self.memory = self.next_walk = self._least("memory")
        """Units of memory, and how many may be allocated in all before what is reachable is counted anew."""
        self.tracks: bool = (
            limits.allocation is not None or self.memory < UNLIMITED or (outer is not None and outer.tracks)
        )

    def _least(self, name: str) -> int:
        own: int | None = getattr(self.limits, name)
        around: int = UNLIMITED if self.outer is None else getattr(self.outer, name)
        return around if own is None else min(own, around)

    def _granted(self) -> int:
        around = UNLIMITED if self.outer is None else self.outer.left
        own = self.limits.instructions
        return around if own is None else min(own, around)

    def end(self) -> None:
        """Have the outer run pay the instructions that this one has taken."""
        if self.outer is not None:
            _take(self.outer.ticks, self._granted() - self.left)

    # Instructions

    @property
    def left(self) -> int:
        """The number of instructions that may still run."""
        return self.ticks.__length_hint__()

    def out_of_instructions(self) -> VMError:
        """Return the error of the instruction that is one too many."""
        limit = self.limits.instructions
        if limit is None or (self.outer is not None and self.outer.left <= limit):
            assert self.outer is not None
            return self.outer.out_of_instructions()
        return self.stop(f"Instruction limit of {limit} exceeded")

    def work(self, elements: int) -> None:
        """Charge for going through so many elements or characters; raises VMError if not enough is left."""
        price = elements // ELEMENTS_PER_INSTRUCTION
        if price:
            if price > self.left:
                raise self.out_of_instructions()
            _take(self.ticks, price)

    # Memory

    def allocate(self, units: int) -> None:
        """Charge for *units* of memory, here and in the runs around; raises VMError if there are not so many left."""
        if not self.tracks:
            return
        for budget in self._chain():
            most = budget.limits.allocation
            if most is not None and budget.allocated + units > most:
                raise self.stop(f"Allocation limit of {most} units exceeded")
        for budget in self._chain():
            budget.allocated += units
        if self.allocated > self.next_walk:
            live = self.live() + units
            if live > self.memory:
                raise self.stop(f"Memory limit of {self.memory} units exceeded")
            self.next_walk = self.allocated + self.memory - live

    def _chain(self) -> Iterator[Budget]:
        budget: Budget | None = self
        while budget is not None:
            yield budget
            budget = budget.outer

    def record(self, code: Code) -> None:
        """Charge for an activation record."""
        if self.tracks:
            self.allocate(ELEMENT_UNITS * code.register_count)

    def table(self, elements: int, kind: type = Array) -> None:
        """Charge for a new table or closure of so many elements."""
        self.grow(0, elements, kind)
        self.allocate(TABLE_UNITS + ELEMENT_UNITS * elements)

    def grow(self, before: int, elements: int, kind: type) -> None:
        """Raise VMError if a table of *kind* with *before* elements must not have *elements* more."""
        most = self.object if kind is Object else self.array
        if elements > 0 and before + elements > most:
            what, parts = ("Object", "fields") if kind is Object else ("Array", "elements")
            raise self.stop(f"{what} of {before + elements} {parts} exceeds the limit of {most}")

    def fits(self, length: int) -> None:
        """Raise VMError if there must be no string of so many bytes of UTF-8."""
        if length > self.string:
            raise self.stop(f"String of {length} bytes exceeds the limit of {self.string}")

    def text(self, length: int) -> None:
        """Charge for a new string of so many bytes of UTF-8."""
        self.fits(length)
        self.allocate(length)

    def join(self, left: str, right: str) -> None:
        """Charge for two strings that are about to be joined."""
        self.work(len(left) + len(right))
        self.text(utf8(left) + utf8(right))

    def stack_overflow(self, values: int) -> VMError:
        """Return the error of an argument stack of so many values."""
        return self.stop(f"Argument stack of {values} values exceeds the limit of {self.stack}")

    # Calls of builtins

    def call(self, function: ForeignFunction, arguments: list[Operand]) -> None:
        """Charge for the call of a builtin that is about to be made."""
        row = function.declaration
        if row is None or function.free:
            return
        costs = costs_of(row)
        if len(arguments) < costs.least:
            return
        if costs.work is not no_cost:
            self.work(costs.work(*arguments))
        if costs.text is not no_cost:
            self.fits(costs.text(*arguments))
        if costs.grows is not no_cost and (growth := costs.grows(*arguments)):
            table = arguments[0]
            kind = Object if isinstance(table, Object) else Array
            if kind is Object or isinstance(table, Array):
                self.grow(stored(table), growth, kind)
                self.allocate(ELEMENT_UNITS * growth)
        if costs.makes is not None and (made := costs.makes(*arguments)) is not None:
            self.table(made)

    def result(self, value: Operand) -> None:
        """Charge for what a foreign function has returned, where that cannot be known before."""
        if type(value) is str:
            self.text(utf8(value))

    # Output and storage

    def writer(self, write_line: Callable[[str], None]) -> Callable[[str], None]:
        """Return *write_line* as it is within the limits; for a line that exceeds one it raises VMError."""
        most, most_lines = self.limits.output, self.limits.lines
        if most is None and most_lines is None:
            return write_line

        def write(line: str) -> None:
            size = utf8(line) + 1
            if most is not None and self.printed + size > most:
                raise self.stop(f"Output limit of {most} bytes exceeded")
            if most_lines is not None and self.lines >= most_lines:
                raise self.stop(f"Output limit of {most_lines} lines exceeded")
            self.printed += size
            self.lines += 1
            write_line(line)

        return write

    def keep(self, size: int) -> None:
        """Raise VMError if local storage must not keep, or give back, a value of so many bytes."""
        if size > self.storage:
            raise self.stop(f"Storage limit of {self.storage} bytes exceeded")


def _take(ticks: Iterator[bool], count: int) -> None:
    next(islice(ticks, count, count), None)
