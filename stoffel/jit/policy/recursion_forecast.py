"""How long a function that calls itself from several places will go on, seen from where its records stand.

A run is looked at now and then, so a record is the more often found in one of its calls the more of its time that call
takes. Among the records that come and go, those in their first call of themselves and those in a later one therefore
tell how much more a record has to do when its first call is over (as Knuth, "Estimating the efficiency of backtrack
programs", 1975, tells the size of a tree from some ways down). The oldest records stay where they are from one look to
the next. What is above each of them has taken so long already, and that much more is to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stoffel.isa.table import Flow
from stoffel.model.code import Code
from stoffel.runtime.frames import ActivationRecord

SEEN: Final = 48
"""Records that are looked at, from the oldest."""
FOUND: Final = 3
"""Records that must have been found in later calls, and in first ones."""
LEAST: Final = 0.125
"""How much of what the first call takes the later ones must take: a tree that is nearly a list is soon over."""
MOST: Final = 32
"""Records whose later calls are counted on, at most."""


class Recursion:
    """Watches the records of functions that call themselves from several places."""

    def __init__(self) -> None:
        self._places: dict[Code, tuple[int, ...]] = {}
        self._before: list[tuple[ActivationRecord, int, int]] = []
        """The records that were seen last, where they stood, and since when."""
        self._first = self._later = 0

    def look(self, heat: int, records: Sequence[ActivationRecord]) -> tuple[Code | None, int]:
        """Return a function that goes on, and for about how much heat, which is 0 if nothing speaks for any.

        *heat* is what the run has come to so far.
        """
        before, self._before = self._before, []
        stays = True
        unfinished = []
        code = None
        for number, record in enumerate(records):
            position, since = record.next_instruction, heat
            stays = stays and number < len(before) and before[number][:2] == (record, position)
            if stays:
                since = before[number][2]
            self._before.append((record, position, since))
            places = self._places_in(record.code)
            if len(places) < 2 or position - 1 not in places:
                continue
            if stays:
                if position - 1 < places[-1]:
                    unfinished.append(heat - since)
                    code = record.code
            elif position - 1 == places[0]:
                self._first += 1
            else:
                self._later += 1
        if min(self._first, self._later) < FOUND:
            return None, 0
        more = self._later / self._first
        if more < LEAST:
            return None, 0
        rest = 0.0
        for taken in reversed(unfinished[:MOST]):
            rest += more * (taken + rest)
        return code, int(rest)

    def _places_in(self, code: Code) -> tuple[int, ...]:
        """Return where *code* calls itself."""
        places = self._places.get(code)
        if places is None:
            places = self._places[code] = tuple(
                index
                for index, instruction in enumerate(code.function.instructions)
                if instruction.op.flow is Flow.CALL and instruction.operands[0] == code.name
            )
        return places
