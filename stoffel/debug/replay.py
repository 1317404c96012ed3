"""How far a run has come, and how another one from the start is taken to the same instruction, or to an earlier one.

A run is not counted while it goes at full speed. What is known is how often its traps were met between two stops; a run
that asks at every instruction meets the same ones, and counts. A *time* is the number of instructions begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from stoffel.debug.traps import EVERYWHERE

START, INSTRUCTION, LINE, LINE_OF_CALLER, BREAKPOINT = "start", "instruction", "line", "line of caller", "breakpoint"
PRINTED: Final = ""
"""Stands for the name of a function in traps: the printing of a line."""


class Stretch(NamedTuple):
    """What ran between two stops: where the traps were, how many were met, and what ended it if not the last of them.

    *ending* is "", or "error" or "end".
    """

    traps: Mapping[str, frozenset[int]]
    met: int
    ending: str = ""

    def has(self, function: str, index: int) -> bool:
        """Return whether there was a trap."""
        at = self.traps.get(function)
        return at is not None and (at == EVERYWHERE or index in at)


class Change(NamedTuple):
    """A register that was set at a stop: the depth of the record, the register, and the expression."""

    depth: int
    register: int
    text: str


Trail = list["Stretch | Change"]


class Replay:
    """A run that is on the way to a time: *goal*, if that is known, else the end of *trail*, which is being looked for.

    *changes* are those to be made, by time. *kind* says which of the instructions before the end is wanted: the one
    *back* before it, or the last one of which the run says that it may be (:meth:`propose`).
    """

    def __init__(self, trail: Trail, kind: str, depth: int, back: int = 1) -> None:
        self.time = 0
        self.goal: int | None = None
        self.kind = kind
        self.depth = depth
        self.changes: list[tuple[int, Change]] = []
        self._trail = list(trail)
        self._left: int | None = None
        self._back = back
        self._proposed: int | None = None

    def to(self, goal: int) -> Replay:
        """Return the replay that goes to *goal*, with the changes until there."""
        found = Replay([], START, 0)
        found.goal = goal
        found.changes = [(time, change) for time, change in self.changes if time <= goal]
        return found

    def trail(self) -> Trail:
        """Return the trail of a run that has reached the goal."""
        assert self.goal is not None
        found: Trail = []
        before = 0
        for time, change in [*self.changes, (self.goal, None)]:
            if time > before or change is None:
                found.append(Stretch(EVERY_TRAP, time - before))
            before = time
            if change is not None:
                found.append(change)
        return found

    def met(self, function: str, index: int) -> tuple[bool, list[Change]]:
        """Tell of an instruction or a printed line; return whether the trail ends there, and the changes to be made."""
        stretch = self._trail[0] if self._trail else None
        if not isinstance(stretch, Stretch) or stretch.ending or not stretch.has(function, index):
            return False, []
        left = stretch.met if self._left is None else self._left
        self._left = left - 1
        return self._next() if left == 1 else (False, [])

    def ended(self, ending: str) -> bool:
        """Tell that the run failed, or is at its end; return whether the trail ends there."""
        stretch = self._trail[0] if self._trail else None
        if isinstance(stretch, Stretch) and stretch.ending == ending:
            return self._next()[0]
        return False

    def _next(self) -> tuple[bool, list[Change]]:
        self._left = None
        del self._trail[0]
        changes: list[Change] = []
        while self._trail and isinstance(self._trail[0], Change):
            changes.append(self._trail[0])
            self.changes.append((self.time, self._trail[0]))
            del self._trail[0]
        return not self._trail, changes

    def propose(self) -> None:
        """Say that the instruction that is about to run may be the one that is wanted."""
        self._proposed = self.time

    def found(self, *, inside: bool) -> int:
        """Return the time that is wanted, the trail being at its end; *inside* the instruction, or before it."""
        if self.kind == INSTRUCTION:
            return max(self.time - self._back + inside, 1)
        return self._proposed or 1


class EveryTrap(dict[str, frozenset[int]]):
    """Traps at every instruction of every function, and at every printed line if it has *lines*."""

    def __init__(self, *, lines: bool) -> None:
        super().__init__()
        self._lines = EVERYWHERE if lines else frozenset()

    def get(self, key: str, _default: object = None) -> frozenset[int]:
        """Return where there are traps in a function."""
        return self._lines if key == PRINTED else EVERYWHERE


EVERY_TRAP: Final = EveryTrap(lines=False)
EVERY_TRAP_AND_LINE: Final = EveryTrap(lines=True)
