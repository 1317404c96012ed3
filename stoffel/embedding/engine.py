"""The engine decides how a run proceeds: the only place that knows every tier."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from stoffel.runtime import interpreter
from stoffel.runtime.state import PAUSED, VMState
from stoffel.threads import load_ahead

if TYPE_CHECKING:
    from stoffel.jit.reports import JitStatistics
    from stoffel.model.values import Operand


class Mode(NamedTuple):
    """What a value of ``jit`` stands for."""

    threshold: float
    """Factor on the heat at which a function becomes a code object."""
    kernels: str
    """Empty for no kernels, "wanted" for those of what sampling shows to be hot, "eager" for all that qualify."""
    summary: str
    """For the command line's help."""

    @property
    def learns(self) -> bool:
        """Whether the course of a run decides what is compiled."""
        return self.threshold > 0 or self.kernels == "wanted"


ModeName = Literal["off", "auto", "always", "no-kernels", "kernels"]
"""The values of ``jit``."""

MODES: Final[dict[ModeName, Mode]] = {
    "off": Mode(0.0, "", "the interpreter alone"),
    "auto": Mode(1.0, "wanted", "hot functions become code objects, hot numeric ones kernels"),
    "always": Mode(0.0, "wanted", "as auto, but every function becomes a code object at its first call"),
    "no-kernels": Mode(1.0, "", "as auto, without kernels"),
    "kernels": Mode(0.0, "eager", "every function becomes a code object at once, or a kernel where it qualifies"),
}
"""What ``jit`` can be."""


def mode_named(text: str) -> ModeName:
    """Return *text* as the name of a mode. Raises ValueError if there is none of that name."""
    for name in MODES:
        if name == text:
            return name
    raise ValueError(f"jit must be one of {', '.join(MODES)}, not {text!r}")


class Engine:
    """Runs records in the tiers that *mode* asks for. Raises ValueError for a mode that does not exist.

    *cache* is the directory for the machine code of kernels, ``"off"``, or None for the usual one.
    """

    __slots__ = ("cache", "mode")

    def __init__(self, mode: str, cache: str | os.PathLike[str] | None = None) -> None:
        self.mode = mode_named(mode)
        self.cache = cache

    def attach(self, state: VMState) -> None:
        """Give *state* the compiled tier that the mode asks for.

        On a CPython whose bytecode the translator does not know there are kernels only, on another Python nothing is
        compiled; either is said once.
        """
        if self.mode == "off":
            return
        load_ahead("stoffel.compiler", "stoffel.jit")
        from stoffel.compiler.cpython.versions import is_cpython, why_not

        mode = MODES[self.mode]
        reason = why_not()
        if reason is not None:
            from stoffel.notices import say_once

            only_kernels = mode.kernels and is_cpython()
            say_once(f"{'nothing but kernels' if only_kernels else 'nothing'} is compiled: {reason}")
            if not only_kernels:
                return
        from stoffel.jit.policy.warmup import WarmUp

        tier = WarmUp(state, mode.threshold, mode.kernels, self.cache)
        state.tier = tier if mode.threshold else tier.load()

    def clone(self) -> Engine:
        """Return an engine with the same settings for an independent machine."""
        return Engine(self.mode, self.cache)

    def run(self, state: VMState) -> Operand:
        """Run the records above ``state.base`` to the end and return the result of the lowest."""
        records = state.records
        while len(records) > state.base:
            state.observe_hooks()
            if state.stopped is not None:
                raise state.stop_error()
            if state.pausing == state.nesting:
                return PAUSED
            if state.hooked:
                if state.watches_instructions or state.counting is not None:
                    interpreter.run_hooked(state)
                else:
                    interpreter.run_watched(state)
            elif state.counting is not None:
                from stoffel.runtime.metering import run_metered

                run_metered(state)
            elif not state.tier.enter(records[-1]):
                interpreter.run_plain(state)
        return state.result

    def statistics(self, state: VMState) -> JitStatistics:
        """Return what the compiled tier of *state* did, as plain data."""
        from stoffel.jit.policy.warmup import tier_of

        return {"mode": self.mode, **tier_of(state).statistics.as_dict()}
