"""Where the decisions of a generator come from: a seeded random number generator, or hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

Item = TypeVar("Item")


class Chooser(Protocol):
    """Where decisions come from; :class:`random.Random` is one."""

    def randrange(self, stop: int, /) -> int: ...

    def choice(self, items: Sequence[Item], /) -> Item: ...


class Drawn:
    """Hypothesis' choices as a :class:`Chooser`; zero is the simplest."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def randrange(self, stop: int, /) -> int:
        return self._draw(st.integers(0, stop - 1))

    def choice(self, items: Sequence[Item], /) -> Item:
        return items[self.randrange(len(items))]
