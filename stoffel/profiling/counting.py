"""Counting in the interpreter: how often each instruction ran, or whether it ever did, and calls of functions.

Every step of a function is wrapped in one that counts; what a call iterates over counts calls. So a program takes less
than twice as long, where a hook on each instruction takes twenty times as long. A step that only notes that it ran puts
the real one in its own place, and costs nothing afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stoffel.model.code import Code, Step
from stoffel.runtime.metering import bind_metered
from stoffel.runtime.tier import NoTier

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState


class CountedSteps(list[Step]):
    """The steps of a function, bound when it is first called; each call begins with iterating over them.

    *wrap* makes the step that notes in ``counts`` that an instruction ran, *bind* the steps.
    """

    def __init__(self, code: Code, wrap: Wrap, bind: Callable[[Code], list[Step]]) -> None:
        super().__init__()
        self.calls = 0
        self.counts: list[int] = []
        self._code = code
        self._wrap = wrap
        self._bind = bind

    def __iter__(self) -> Iterator[Step]:
        if not self.calls:
            steps = self._bind(self._code)
            self.counts.extend([0] * (len(steps) - len(self.counts)))
            self.extend(self._wrap(self, step, index) for index, step in enumerate(steps))
        self.calls += 1
        return super().__iter__()


Wrap = Callable[[CountedSteps, Step, int], Step]


def counting(steps: CountedSteps, step: Step, index: int) -> Step:
    """Return *step* as one that counts how often it runs."""
    counts = steps.counts

    def counted(registers: list[Any], frame: Any) -> int | None:
        counts[index] += 1
        return step(registers, frame)

    return counted


def noting(steps: CountedSteps, step: Step, index: int) -> Step:
    """Return *step* as one that notes that it has run, and is the plain one from then on."""

    def noted(registers: list[Any], frame: Any) -> int | None:
        steps.counts[index] = 1
        steps[index] = step
        return step(registers, frame)

    return noted


def _steps_of(code: Code) -> list[Step] | None:
    """Return the steps of *code* if they are bound, and leave them unbound if not."""
    try:
        found: list[Step] = object.__getattribute__(code, "steps")
    except AttributeError:
        return None
    return found


@contextmanager
def counted(state: VMState, wrap: Wrap = counting, *, compiling: bool = False) -> Iterator[dict[str, CountedSteps]]:
    """Count while entered, and yield the steps of all VM functions of a machine.

    Meanwhile it runs in the interpreter; if it goes on *compiling*, what runs compiled is not counted. A machine that
    shares the program and runs at the same time is counted too. Raises RuntimeError during a run, and inside itself.
    """
    with state.lock:
        if state.runs:
            raise RuntimeError("instructions are counted from the beginning of a run on, and one is in progress")
        tier = state.tier
        changes = state.changes
        codes = {name: code for name, code in state.functions.items() if type(code) is Code}
        if any(type(_steps_of(code)) is CountedSteps for code in codes.values()):
            raise RuntimeError("the instructions of this program are being counted already")
        if not compiling:
            state.tier = NoTier()
        heat = state.tier.counts_heat
        found = {
            name: CountedSteps(code, wrap, lambda code: Code.bind(code, heat, False)) for name, code in codes.items()
        }
        for name, code in codes.items():
            code.steps = code.counted = code.single = found[name]
            # A limited run counts in the same place; its records have gone over the others, and count as calls, before.
            code.metered = limited = CountedSteps(code, wrap, bind_metered)
            limited.counts = found[name].counts
    try:
        yield found
    finally:
        with state.lock:
            for code in codes.values():
                # They are bound anew by the next call.
                del code.steps, code.counted, code.single, code.metered
            if not compiling:
                state.tier = tier
                if state.changes != changes:
                    tier.meanings_changed()
