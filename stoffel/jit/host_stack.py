"""How far compiled code may nest on the host's stack, which its frames use, and the interpreter's records do not."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Final

from stoffel.model.code import NEVER

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

RESERVE: Final = 60
"""Host stack frames kept free for what compiled code calls."""
UNKNOWN: Final = -1


class HostStack:
    """What one run may use. ``room`` is the number of compiled frames for which there is place, or UNKNOWN."""

    def __init__(self, state: VMState) -> None:
        self.room = UNKNOWN
        self._state = state
        self._deep = NEVER

    def room_below(self) -> int:
        """Return how many records compiled code may stack up below the one that it starts with."""
        if self.room == UNKNOWN:
            depth = 0
            frame: FrameType | None = sys._getframe()
            while frame is not None:
                depth += 1
                frame = frame.f_back
            self.room = max((sys.getrecursionlimit() - depth) // 2 - RESERVE, 0)
        state = self._state
        return min(self.room, state.max_call_depth - len(state.records) - 1)

    def used_up(self, depth: int) -> None:
        """Note that a recursion of *depth* records had no more room, and goes on in the interpreter."""
        self._deep = depth

    def is_used_up(self) -> bool:
        """Return whether such a recursion is still going on: rebuilding its records again would not pay."""
        depth = len(self._state.records)
        if depth >= self._deep:
            return True
        if depth < self._deep // 2:
            self._deep = NEVER
        return False
