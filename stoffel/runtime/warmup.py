"""What stands for the compiled tier while nothing is hot: loading the translator costs more than a short program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stoffel.runtime.code import NEVER, Code
from stoffel.runtime.statistics import Statistics

if TYPE_CHECKING:
    import os

    from stoffel.runtime.compiled import CompiledTier
    from stoffel.runtime.frames import ActivationRecord
    from stoffel.runtime.state import VMState
    from stoffel.runtime.values import Value

HEAT_OF_LOADING: Final = 80_000
"""Interpreted instructions of one function after which the translator is loaded.

Who waits for as long as loading takes loses at most as much again; but what has run for a while mostly goes on for
longer, so waiting for about a third of it loses less with most programs. ``python -m benchmarks --sections
instructions`` tells what an instruction takes, ``python -X importtime -m stoffel run FILE --jit=always`` what loading
does.
"""


class WarmUp:
    """Counts like the compiled tier, and gives way to it when a function is hot enough; arguments as there."""

    is_suspended: Final = False

    def __init__(
        self, state: VMState, threshold: float, kernels: str = "", cache: str | os.PathLike[str] | None = None
    ) -> None:
        self.state = state
        self.threshold = threshold
        self.kernels = kernels
        self.cache = cache
        self.statistics = Statistics()
        self._counted: list[Code] = []

    def load(self) -> CompiledTier:
        """Make the compiled tier, give it to the machine and return it."""
        from stoffel.runtime.compiled import CompiledTier

        tier = CompiledTier(self.state, self.threshold, self.kernels, self.cache, self.statistics)
        self.state.tier = tier
        for code in self._counted:
            # From now on the length of a function decides.
            code.hot = NEVER
        if self.state.attention:
            tier.ask_attention()
        return tier

    @property
    def every(self) -> int:
        """As in the compiled tier."""
        return 0

    @every.setter
    def every(self, count: int) -> None:
        self.load().every = count

    def ask_attention(self) -> None:
        """There is no compiled code to stop."""

    def clear_attention(self) -> None:
        """There is no compiled code to stop."""

    def snapshot(self) -> list[ActivationRecord]:
        """Return no records: no compiled code is suspended."""
        return []

    def suspend(self) -> None:
        """Put nothing aside: no compiled code is suspended."""

    def resume(self, suspension: Any, records: list[ActivationRecord]) -> None:
        """Take nothing back."""

    def call(self, frame: ActivationRecord, callee: Code, arguments: list[Value]) -> bool | None:
        """Count a call; run it compiled if that makes the function hot."""
        callee.heat += len(callee.function.instructions)
        return self.load().call(frame, callee, arguments) if self._is_hot(callee) else None

    def enter(self, frame: ActivationRecord) -> bool:
        """Go on with the current record in compiled code if its function is hot."""
        return self._is_hot(frame.code) and self.load().enter(frame)

    def _is_hot(self, code: Code) -> bool:
        if code.hot == NEVER:
            code.hot = int(self.threshold * HEAT_OF_LOADING)
            self._counted.append(code)
        return code.heat >= code.hot
