"""When a long function may be translated once more."""

from __future__ import annotations

from stoffel.compiler.analysis.environment import LARGE
from stoffel.jit.policy import thresholds
from stoffel.model.code import Code


class LongFunctions:
    """The long functions of one machine that have been translated.

    Such a function must run for as long as that takes before it is again: with hundreds of loops in it, each left at
    a guess that failed, there would be no end to it.
    """

    def __init__(self) -> None:
        self._again: dict[Code, int] = {}

    def may_translate(self, code: Code) -> bool:
        """Return whether *code* may be translated for one more entry."""
        size = len(code.function.instructions)
        if size < LARGE:
            return True
        if code.heat < self._again.get(code, 0):
            code.hot = self._again[code]
            return False
        self._again[code] = code.heat + thresholds.HEAT_PER_INSTRUCTION * size
        return True


def heat_of_translating(threshold: float, size: int) -> int:
    """Return the heat at which a function of *size* instructions is translated where *threshold* scales that.

    A long one must have run for as long as translating it takes, even where everything is to be compiled at once.
    """
    wanted = threshold or (thresholds.HASTE if size >= LARGE else 0.0)
    return int(wanted * thresholds.HEAT_PER_INSTRUCTION * size)
