"""Results of functions that call each other: one fixpoint over all the calls that an analysis meets."""

from __future__ import annotations

from collections.abc import Callable

from stoffel.compiler.analysis.environment import Signature
from stoffel.compiler.analysis.facts import IMPOSSIBLE, Fact, join, of_kinds, with_hint
from stoffel.model.code import Code

Key = tuple[Code, Signature]
"""A function and what calls of it are specialised on."""


class Solver:
    """Computes what functions return, optimistically: every call is assumed not to return until one is seen to.

    *analyse* is given a key and returns what one analysis finds; it asks for the results of callees by :meth:`ask`.
    """

    def __init__(self, analyse: Callable[[Key], Fact]) -> None:
        self._analyse = analyse
        self._results: dict[Key, Fact] = {}
        self._dependents: dict[Key, set[Key]] = {}
        self._pending: list[Key] = []
        self._current: Key | None = None

    def ask(self, key: Key) -> Fact:
        """Return what is assumed about *key* so far, for the analysis in progress."""
        if self._current is not None:
            self._dependents.setdefault(key, set()).add(self._current)
        if key not in self._results:
            self._results[key] = IMPOSSIBLE
            self._pending.append(key)
        return self._results[key]

    def solve(self, key: Key) -> dict[Key, Fact]:
        """Return the results of *key* and of all that it calls."""
        self.ask(key)
        while self._pending:
            self._current = self._pending.pop()
            known = self._results[self._current]
            found = join(known, self._analyse(self._current))
            if found.mask != known.mask:
                self._results[self._current] = with_hint(of_kinds(found.mask), found.hint)
                for dependent in self._dependents.get(self._current, ()):
                    if dependent not in self._pending:
                        self._pending.append(dependent)
        return self._results
