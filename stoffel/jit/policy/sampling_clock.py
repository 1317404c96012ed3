"""A clock that asks compiled code for attention now and then, so that what is hot can be seen."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stoffel.jit.code_tier import CompiledTier

TICKS: tuple[float, ...] = (0.2, 0.5, 0.8, 1.2, 2.4, 5.0, 10.0)
"""Seconds of work between the samples, the last again and again: for programs that come to their hot part late. Empty
for none: then kernels are made only where they are made at once, and nothing depends on the time that a run takes."""
LOOKS: Final = 4
"""Times, between two samples, that the clock looks whether the machine is at work."""
LONGEST_REST: Final = 1.0
"""Seconds between two looks, at most, at a machine that is idle for longer than so many looks."""


class Clock(threading.Thread):
    """Ticks as often as :data:`TICKS` says, counting only time in which the machine works; ends with the tier."""

    def __init__(self, tier: CompiledTier) -> None:
        super().__init__(name="stoffel sampling", daemon=True)
        self._tier = weakref.ref(tier)
        self.wait = threading.Event().wait

    def run(self) -> None:
        """Wait and tick."""
        for ticks, seconds in enumerate(_intervals(), 1):
            if not self._pass(seconds):
                return
            tier = self._tier()
            if tier is None:
                return
            tier.tick(ticks)
            del tier

    def _pass(self, seconds: float) -> bool:
        """Wait until the machine has worked for so long; return False if it is gone before."""
        pause = seconds / LOOKS
        looks = rests = 0
        while looks < LOOKS:
            self.wait(pause)
            tier = self._tier()
            if tier is None:
                return False
            if tier.is_suspended or tier.state.records:
                looks += 1
                rests = 0
                pause = seconds / LOOKS
            else:
                rests += 1
                # Between short runs the machine is found idle too, now and then.
                if rests > LOOKS:
                    pause = max(pause, min(2 * pause, LONGEST_REST))
            del tier
        return True


def _intervals() -> Iterator[float]:
    return chain(TICKS, repeat(TICKS[-1]))
