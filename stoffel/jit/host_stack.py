"""How far compiled code may nest on the host's stack, which its frames use, and the interpreter's records do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.model.code import NEVER
from stoffel.runtime.host_stack import FRAMES_OF_COMPILED_CODE
from stoffel.threads import stack_of_thread

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

ROOM: Final = FRAMES_OF_COMPILED_CODE - 40
"""Records that compiled code may stack up, the rest being for what it calls."""
BYTES_OF_A_FRAME: Final = 2 << 10
"""Bytes of the thread's stack that a compiled frame may use."""


class HostStack:
    """What the runs of one machine may use."""

    def __init__(self, state: VMState) -> None:
        self._state = state
        self._deep = NEVER

    def room_below(self) -> int:
        """Return how many records compiled code may stack up below the one that it starts with."""
        room = min(ROOM, stack_of_thread()[1] // BYTES_OF_A_FRAME // 2)
        state = self._state
        return min(room, state.compiled_depth - len(state.records) - 1)

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
