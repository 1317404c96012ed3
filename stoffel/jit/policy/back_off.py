"""Asking less and less for what is not there: how loops go on where there are kernels only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.jit.policy import thresholds

if TYPE_CHECKING:
    from stoffel.model.code import Code


class BackOff:
    """Puts off the next question each time for twice as long (exponential back-off), for each function by itself."""

    def __init__(self) -> None:
        self._rests: dict[Code, int] = {}

    def in_vain(self, code: Code) -> None:
        """Note that there was no kernel for the loop of *code* that has asked."""
        rest = self._rests.get(code, len(code.function.instructions))
        self._rests[code] = min(2 * rest, thresholds.HEAT_BETWEEN_ASKING)
        code.hot = code.heat + rest

    def answered(self, code: Code) -> None:
        """Note that there was one."""
        self._rests.pop(code, None)
