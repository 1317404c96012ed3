"""When the host looks at the records of compiled code so often that the interpreter, which has them, is quicker."""

from __future__ import annotations

from time import perf_counter
from typing import Final

LOOKS: Final = 256
"""Looks that are taken together."""
SHARE: Final = 0.15
"""Share of the time between looks that making records may take: calls in the interpreter cost less than that more."""


class Looks:
    """The looks at the records of one machine's compiled code: by foreign functions, and for runs that they begin."""

    def __init__(self) -> None:
        self._count = 0
        self._seconds = 0.0
        self._since = perf_counter()

    def are_too_many(self, seconds: float) -> bool:
        """Note a look whose records took so many *seconds* to make; return whether that takes too much in all."""
        self._count += 1
        self._seconds += seconds
        if self._count < LOOKS:
            return False
        now = perf_counter()
        often = self._seconds > SHARE * (now - self._since)
        self._count, self._seconds, self._since = 0, 0.0, now
        return often
