"""A clock that asks compiled code for attention now and then, so that what is hot can be seen."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol

from stoffel import threads
from stoffel.jit.policy import thresholds

if TYPE_CHECKING:
    from stoffel.runtime.frames import RunState


class Sampled(Protocol):
    """What the clock asks of a machine's compiled code, and tells it."""

    @property
    def state(self) -> RunState: ...
    @property
    def is_suspended(self) -> bool: ...
    def tick(self, ticks: int) -> None:
        """Look soon at what is hot; *ticks* counts the ticks so far."""


class Clock(threading.Thread):
    """Ticks as ``thresholds.TICKS`` says, counting only time in which the machine works; ends with the tier."""

    def __init__(self, tier: Sampled) -> None:
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
        pause = seconds / thresholds.LOOKS_BETWEEN_TICKS
        looks = rests = 0
        while looks < thresholds.LOOKS_BETWEEN_TICKS:
            self.wait(pause)
            tier = self._tier()
            if tier is None:
                return False
            if tier.is_suspended or tier.state.records:
                looks += 1
                rests = 0
                pause = seconds / thresholds.LOOKS_BETWEEN_TICKS
            else:
                rests += 1
                # Between short runs the machine is found idle too, now and then.
                if rests > thresholds.LOOKS_BETWEEN_TICKS:
                    pause = max(pause, min(2 * pause, thresholds.LONGEST_REST))
            del tier
        return True


def start(tier: Sampled) -> None:
    """Start a clock for *tier*, if there are to be ticks and there is a thread to be had."""
    if thresholds.TICKS:
        threads.start(Clock(tier))


def _intervals() -> Iterator[float]:
    return chain(thresholds.TICKS, repeat(thresholds.TICKS[-1]))
