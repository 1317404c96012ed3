"""Breakpoints and watches: where a run stops, and on what condition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stoffel.debug.expressions import DebugError, evaluate
from stoffel.debug.places import Place
from stoffel.model.text import diagnostic

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord


class Breakpoint:
    """A stop at *places*, on a *condition* unless that is empty; *once* for one that is removed when it is hit."""

    def __init__(
        self, number: int, text: str, places: Iterable[Place], condition: str = "", *, once: bool = False
    ) -> None:
        self.number = number
        self.text = text
        self.places = frozenset(places)
        self.condition = condition
        self.once = once
        self.enabled = True
        self.hits = 0


class Breakpoints:
    """The breakpoints of a session by number."""

    def __init__(self) -> None:
        self._by_number: dict[int, Breakpoint] = {}
        self._next = 1

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(list(self._by_number.values()))

    def __getitem__(self, number: int) -> Breakpoint:
        found = self._by_number.get(number)
        if found is None:
            known = ", ".join(map(str, self._by_number))
            raise DebugError(f"there is no breakpoint {number}" + (f": there are {known}" if known else ""))
        return found

    def add(self, text: str, places: Iterable[Place], condition: str = "", *, once: bool = False) -> Breakpoint:
        """Set a breakpoint."""
        made = self._by_number[self._next] = Breakpoint(self._next, text, places, condition, once=once)
        self._next += 1
        return made

    def remove(self, number: int) -> None:
        """Remove a breakpoint."""
        del self._by_number[self[number].number]

    def traps(self) -> dict[str, frozenset[int]]:
        """Return where the enabled ones are: indices of instructions by function."""
        found: dict[str, frozenset[int]] = {}
        for item in self:
            if item.enabled:
                for function, index in item.places:
                    found[function] = found.get(function, frozenset()) | {index}
        return found

    def hit(self, record: ActivationRecord, index: int, *, count: bool = True) -> str | None:
        """Return what is to be told of a breakpoint at which *record* is, None if there is none.

        A condition that cannot be evaluated stops too, and is told.
        """
        place = record.code.name, index
        for item in self:
            if not item.enabled or place not in item.places:
                continue
            told = f"breakpoint {item.number}"
            if item.condition:
                try:
                    value = evaluate(item.condition, record)
                except DebugError as error:
                    value, told = True, f"breakpoint {item.number}: its condition fails: {error}"
                if value is not True:
                    continue
            if count:
                item.hits += 1
                if item.once:
                    self.remove(item.number)
            return told
        return None


class Watch:
    """An expression in one record; the run stops when its value has changed, or when the record is gone."""

    def __init__(self, text: str, record: ActivationRecord) -> None:
        self.text = text
        self.is_over = False
        self._record = record
        evaluate(text, record)
        self._shown = self._value()

    def _value(self) -> str:
        try:
            return diagnostic(evaluate(self.text, self._record))
        except DebugError as error:
            return f"({error})"

    def look(self) -> None:
        """Take the value as it is now for the one that changes."""
        self._shown = self._value()

    def changed(self, records: list[ActivationRecord]) -> str | None:
        """Return what is to be told if the value has changed, else None."""
        if not any(record is self._record for record in records):
            self.is_over = True
            return f"watch {self.text}: {self._record.code.name} has returned"
        before, self._shown = self._shown, self._value()
        return None if before == self._shown else f"watch {self.text}: {before} -> {self._shown}"
