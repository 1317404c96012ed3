"""Exact counts: how often each instruction ran, and each function was called, in the interpreter.

Every step of a function is wrapped in one that counts; what a call iterates over counts calls. So a program takes less
than twice as long, where a hook on each instruction takes twenty times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stoffel.model.code import Code, Step

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

Wrap = Callable[[Step, list[int], int], Step]
"""Makes a step that notes in a list that the instruction at an index ran."""


class CountedSteps(list[Step]):
    """The steps of a function, bound when it is first called; each call begins with iterating over them."""

    def __init__(self, code: Code, wrap: Wrap) -> None:
        super().__init__()
        self.calls = 0
        self.counts: list[int] = []
        self._code = code
        self._wrap = wrap

    def __iter__(self) -> Iterator[Step]:
        if not self.calls:
            steps = Code.bind(self._code, False, False)
            self.counts.extend([0] * len(steps))
            self.extend(self._wrap(step, self.counts, index) for index, step in enumerate(steps))
        self.calls += 1
        return super().__iter__()


def counting(step: Step, counts: list[int], index: int) -> Step:
    """Return *step* as one that adds to *counts* at *index*."""

    def counted(registers: list[Any], frame: Any) -> int | None:
        counts[index] += 1
        return step(registers, frame)

    return counted


@contextmanager
def counted(state: VMState, wrap: Wrap = counting) -> Iterator[dict[str, CountedSteps]]:
    """Count while entered: yield the steps of all VM functions of a machine, which runs in the interpreter meanwhile.

    A machine that shares the program and runs at the same time is counted too. Raises RuntimeError during a run.
    """
    with state.lock:
        if state.runs:
            raise RuntimeError("instructions are counted from the beginning of a run on, and one is in progress")
        tier, state.tier = state.tier, None
        changes = state.changes
        codes = {name: code for name, code in state.functions.items() if type(code) is Code}
        found = {name: CountedSteps(code, wrap) for name, code in codes.items()}
        for name, code in codes.items():
            code.steps = code.single = found[name]
    try:
        yield found
    finally:
        with state.lock:
            for code in codes.values():
                # They are bound anew by the next call.
                del code.steps, code.single
            state.tier = tier
            if tier is not None and state.changes != changes:
                tier.meanings_changed()
