"""How far compiled code may nest on the host's stack, which its frames use, and the interpreter's records do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.runtime.host_stack import FRAMES_OF_COMPILED_CODE, RECURSION_LIMIT
from stoffel.threads import stack_of_thread

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

BEYOND_EVERY_DEPTH: Final = 1 << 62
"""Records that no recursion comes to."""
FRAMES_OF_A_RECORD: Final = 2
"""Host frames for each record: that of a closure whose unit the call has to find takes two."""
ROOM: Final = (FRAMES_OF_COMPILED_CODE - 40) // FRAMES_OF_A_RECORD
"""Records that compiled code may stack up at first, and each time that it asks for more."""
BYTES_OF_A_FRAME: Final = 2 << 10
"""Bytes of the thread's stack that a compiled frame may use where its caller has been entered by C."""
BYTES_OF_A_RECORD: Final = 1 << 10
"""Bytes of the thread's stack for each record in all: on 3.11 what a foreign function nests in C counts by the same
limit as frames do, and must not run off the stack before it comes to that."""


class HostStack:
    """What the runs of one machine may use."""

    def __init__(self, state: VMState) -> None:
        self._state = state
        self._deep = BEYOND_EVERY_DEPTH
        self.run: object = None
        """The run of compiled code in progress."""
        self.frames = FRAMES_OF_COMPILED_CODE
        """Host frames that it may take."""
        self._records = 0
        """Records that it may stack up."""

    def begin(self) -> object:
        """Begin a run, and return what stands for it."""
        self.frames = FRAMES_OF_COMPILED_CODE
        self.run = run = object()
        return run

    def room_below(self, given_up: int = 0) -> int:
        """Return how many records compiled code may stack up below the one that it starts with.

        So many records of those on the stack, for which it stands itself, are *given_up*.
        """
        state = self._state
        self._records = state.compiled_depth - len(state.records) - 1 + given_up
        room = min(ROOM, stack_of_thread()[1] // BYTES_OF_A_FRAME // 2) + given_up
        return min(room, self._records)

    def room_for_kernels(self) -> int:
        """Return how many records a kernel may stack up, which does not use the frames of the host."""
        return self._state.compiled_depth - len(self._state.records) - 1

    def more_room(self) -> int:
        """Return for how many records more there is room, now that the run has used up what it had.

        The host's limit is raised by no more than a run has come to, a step at a time.
        """
        # One more than the room at first, where a record is given up.
        taken = ROOM + 1 + (self.frames - FRAMES_OF_COMPILED_CODE) // FRAMES_OF_A_RECORD
        room = min(ROOM, min(self._records, stack_of_thread()[1] // BYTES_OF_A_RECORD) - taken)
        if room <= 0:
            return 0
        self.frames += room * FRAMES_OF_A_RECORD
        RECURSION_LIMIT.adjust_for(self.run, self.frames)
        return room

    def suspend(self, records: int) -> tuple[object, int, int]:
        """Give back what the run takes beyond its *records*: what is called back has as much as in the interpreter."""
        RECURSION_LIMIT.adjust_for(self.run, records)
        return self.run, self.frames, self._records

    def resume(self, run: object, frames: int, records: int) -> None:
        """Take it again."""
        self.run, self.frames, self._records = run, frames, records
        RECURSION_LIMIT.adjust_for(run, frames)

    def used_up(self, depth: int) -> None:
        """Note that a recursion of *depth* records had no more room, and goes on in the interpreter."""
        self._deep = depth

    def is_used_up(self) -> bool:
        """Return whether such a recursion is still going on: rebuilding its records again would not pay."""
        depth = len(self._state.records)
        if depth >= self._deep:
            return True
        if depth < self._deep // 2:
            self._deep = BEYOND_EVERY_DEPTH
        return False
