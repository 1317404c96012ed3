"""Traps: steps that ask the debugger before they do what they stand for, in the place of the bound ones.

The list of a function's steps stays the same object, which the records in progress go over; what is in it is replaced.
So nothing is asked, and nothing is slower, where there is no trap. A function with a trap has no superinstructions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from stoffel.model.code import Code, Step

EVERYWHERE: Final = frozenset([-1])
"""Stands for a trap at every instruction."""
Ask = Callable[[Any, int], None]
"""Called with the record and the index of the instruction that is about to run."""


class TrappedSteps(list[Step]):
    """The steps of *code*, bound when it is first called, with traps that call *ask*; *counting* as in ``bind``."""

    def __init__(self, code: Code, counting: bool, ask: Ask) -> None:
        super().__init__()
        self.code = code
        self.traps: frozenset[int] = frozenset()
        self._counting = counting
        self._ask = ask
        self._is_bound = False

    def __iter__(self) -> Iterator[Step]:
        if not self._is_bound:
            self._is_bound = True
            self._fill()
        return super().__iter__()

    def trap(self, indices: frozenset[int]) -> None:
        """Have traps at *indices* and nowhere else."""
        if indices != self.traps:
            self.traps = indices
            if self._is_bound:
                self._fill()

    def _fill(self) -> None:
        steps = Code.bind(self.code, self._counting, not self.traps)
        if self.traps == EVERYWHERE:
            self[:] = [self._trapped(step, index) for index, step in enumerate(steps)]
            return
        for index in self.traps:
            if index < len(steps):
                steps[index] = self._trapped(steps[index], index)
        self[:] = steps

    def _trapped(self, step: Step, index: int) -> Step:
        ask = self._ask

        def trapped(registers: list[Any], frame: Any) -> int | None:
            ask(frame, index)
            return step(registers, frame)

        return trapped
