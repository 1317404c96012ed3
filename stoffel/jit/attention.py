"""Attention: what asks the code objects and kernels of a machine to look up at their next safepoint, and why.

The interpreter looks at ``VMState.attention``, code objects at globals and at cells of constants, kernels at a word of
their memory. Whatever asks, asks the machine, which asks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.compiler.emission import global_names
from stoffel.compiler.emission.deopt_points import ENTRY, LOOP
from stoffel.jit import unit_globals

if TYPE_CHECKING:
    from types import FrameType

    from stoffel.jit.code_cache import Units
    from stoffel.jit.kernels.running import Kernels
    from stoffel.jit.suspension import CompiledFrames
    from stoffel.runtime.state import VMState

BEYOND_EVERY_COUNT: Final = 1 << 62
"""What loops compare their counts with to end at once; they count less."""


class Attention:
    """Carries the machine's wish for attention to its compiled code.

    ``kernels`` are those of the machine once it has some. ``ticks`` counts those of the clock that were not heeded yet,
    or is 0; ``finished`` says whether a kernel waits to be taken. ``every`` is not 0 if compiled code is left at every
    so many-th safepoint; ``fresh`` says that nothing has polled since it was entered.
    """

    def __init__(self, state: VMState, units: Units, frames: CompiledFrames) -> None:
        self.state = state
        self.kernels: Kernels | None = None
        self.ticks = 0
        self.finished = False
        self.every = self._countdown = 0
        self.fresh = True
        self.is_asked = False
        self._units = units
        self._frames = frames

    def ask(self) -> None:
        """Make compiled code stop at its next safepoint; any thread may call this at any moment."""
        self.is_asked = True
        self._tell(True)

    def clear(self) -> None:
        """Let compiled code pass its safepoints, unless it is to be left at them."""
        self.is_asked = wanted = self.every > 0
        self._tell(wanted)

    def _tell(self, wanted: bool) -> None:
        self.tell_units(wanted)
        if self.kernels is not None:
            self.kernels.ask_attention(wanted)

    def tell_units(self, wanted: bool) -> None:
        """Make code objects stop at their safepoints, or pass them; any thread may call this at any moment."""
        namespace = self._units.namespace
        namespace[global_names.ATTENTION] = wanted
        namespace[global_names.LIMIT] = BEYOND_EVERY_COUNT if wanted else 0
        namespace[global_names.STRETCH] = 1 if wanted else unit_globals.STRETCH
        self._units.polled.follow()

    def renew_after_fork(self) -> None:
        """Forget who held the lock, in a forked process; the cells may be half filled."""
        self._units.polled.renew_after_fork()
        self.tell_units(self._units.namespace[global_names.ATTENTION])

    # Who asks besides the machine itself

    @property
    def is_suspended(self) -> bool:
        """True while compiled code is on the host's stack, suspended in a call that looks at the machine."""
        return self._frames.boundary is not None

    def tick(self, ticks: int) -> None:
        """Have the records looked at when next all are there; called by the clock, from its own thread."""
        self.ticks = ticks
        self.state.ask_unless_hooked()

    def kernel_finished(self) -> None:
        """Have finished kernels taken when next all records are there; called from the thread that makes them."""
        self.finished = True
        self.state.ask_unless_hooked()

    def heed(self) -> int:
        """Return the ticks that were not heeded yet; from now on they are, and finished kernels are taken."""
        ticks, self.ticks, self.finished = self.ticks, 0, False
        return ticks

    def cause(self) -> str:
        """Return what has asked for attention, "" if nothing has."""
        state = self.state
        causes = {
            "registers were changed": self._frames.override is not None,
            "hooks were switched": state.hooks.active != state.hooked,
            "what names mean has changed": state.has_changed,
            "a kernel is ready": self.finished,
            "the clock looks for what is hot": self.ticks > 0,
        }
        return next((cause for cause, holds in causes.items() if holds), "")

    # Leaving at every so many-th safepoint

    def leave_every(self, count: int) -> None:
        """Have compiled code left at every so many-th safepoint, 0 for none but those where somebody asks."""
        self.every = self._countdown = count
        if self.kernels is not None:
            self.kernels.every = count

    def lets_pass(self, way: int, frame: FrameType) -> bool:
        """Return whether *frame*, which polls in a *way* because of ``every``, may pass; each that is asked counts."""
        # An entry that the engine has just made would be made again: only calls from compiled code count. So may
        # a loop that polls before it does anything: only a second poll counts.
        caller = self._frames.boundary
        self._countdown -= not self.fresh if way == LOOP else way != ENTRY or frame.f_back is not caller
        self.fresh = False
        if self._countdown > 0:
            return True
        self._countdown = self.every
        return False
