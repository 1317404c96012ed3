"""The compiled tier where no code object can be written: kernels alone, and the interpreter for everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stoffel.jit.code_tier import CompiledTier
from stoffel.jit.policy import thresholds

if TYPE_CHECKING:
    from stoffel.model.code import Code
    from stoffel.model.values import Value
    from stoffel.runtime.frames import ActivationRecord


class KernelOnlyTier(CompiledTier):
    """Asks for kernels; where there are none, twice as long goes by each time before the next (exponential backoff)."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._rests: dict[Code, int] = {}
        self._next_calls: dict[Code, int] = {}

    def call(
        self, frame: ActivationRecord, callee: Code, arguments: list[Value], upvalues: list[tuple[str, Value]]
    ) -> bool | None:
        """Run a plain call from the interpreter as a kernel if there is or should be one; otherwise as there."""
        if self.kernels is None:
            return None
        callee.heat += len(callee.function.instructions)
        if callee.heat < self._next_calls.get(callee, 0):
            return None
        outcome = super().call(frame, callee, arguments, upvalues)
        if outcome is None:
            self._next_calls[callee] = callee.heat + self._rest(callee)
        else:
            self._rests.pop(callee, None)
        return outcome

    def enter(self, frame: ActivationRecord) -> bool:
        """Go on with the current record, which has just jumped back, as a kernel; otherwise as there."""
        code = frame.code
        if super().enter(frame):
            self._rests.pop(code, None)
            return True
        records = self.state.records
        if records and records[-1] is frame and code.heat >= code.hot:
            code.hot = code.heat + self._rest(code)
        return False

    def _rest(self, code: Code) -> int:
        """Return for how much heat *code* does not ask after it has done so in vain."""
        rest = self._rests.get(code, len(code.function.instructions))
        self._rests[code] = min(2 * rest, thresholds.HEAT_BETWEEN_ASKING)
        return rest
