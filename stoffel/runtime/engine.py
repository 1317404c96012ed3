"""The engine decides how a run proceeds: the only place that knows every tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.runtime import interpreter

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState
    from stoffel.runtime.values import Value

MODES: Final = ("off", "auto", "always")
"""What ``jit`` can be."""


class Engine:
    """Runs records in the tier that *mode* asks for. Raises ValueError for a mode that does not exist."""

    __slots__ = ("mode",)

    def __init__(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"jit must be one of {', '.join(MODES)}, not {mode!r}")
        self.mode = mode

    def clone(self) -> Engine:
        """Return an engine with the same settings for an independent machine."""
        return Engine(self.mode)

    def run(self, state: VMState) -> Value:
        """Run the records above ``state.base`` to the end and return the result of the lowest."""
        return interpreter.run(state)
