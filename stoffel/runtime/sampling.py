"""A clock that asks compiled code for attention now and then, so that what is hot can be seen."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stoffel.runtime.compiled import CompiledTier

TICKS: tuple[float, ...] = (0.2, 0.5, 0.8, 1.2, 2.4, 5.0, 10.0)
"""Seconds between the samples; the later ones are for programs that come to their hot part late. Empty for none: then
kernels are made only where they are made at once, and nothing depends on the time that a run takes."""


class Clock(threading.Thread):
    """Ticks as often as :data:`TICKS` says; ends early with the tier that it is for."""

    def __init__(self, tier: CompiledTier) -> None:
        super().__init__(name="stoffel sampling", daemon=True)
        self._tier = weakref.ref(tier)

    def run(self) -> None:
        """Wait and tick."""
        wait = threading.Event().wait
        for ticks, seconds in enumerate(TICKS, 1):
            wait(seconds)
            tier = self._tier()
            if tier is None:
                return
            tier.tick(ticks)
            del tier
