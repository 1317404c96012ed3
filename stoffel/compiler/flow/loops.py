"""What is known of a graph of blocks for loops: predecessors and dominators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from stoffel.compiler.flow.blocks import Edge

_ROUNDS: Final = 8
"""Rounds in which the dominators have to be found."""


class _Block(Protocol):
    @property
    def taken(self) -> Edge | None: ...
    @property
    def next(self) -> Edge | None: ...


def predecessors_of(blocks: Mapping[int, _Block]) -> dict[int, list[int]]:
    """Return for every block those with an edge to it, one as often as it has such edges."""
    result: dict[int, list[int]] = {start: [] for start in blocks}
    for start, block in blocks.items():
        for edge in (block.taken, block.next):
            if edge is not None and edge.target in result:
                result[edge.target].append(start)
    return result


def immediate_dominators(blocks: Mapping[int, _Block], predecessors: Mapping[int, list[int]]) -> dict[int, int]:
    """Return the immediate dominator of every block, for the first block itself; empty if they are not found quickly.

    *blocks* should be in reverse postorder (Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm", 2001).
    """
    ranks = {start: rank for rank, start in enumerate(blocks)}
    first, *others = blocks
    found = {first: first}
    for _ in range(_ROUNDS):
        changed = False
        for start in others:
            above = -1
            for predecessor in predecessors[start]:
                if predecessor not in found:
                    continue
                if above < 0:
                    above = predecessor
                    continue
                other = predecessor
                while above != other:
                    while ranks[above] > ranks[other]:
                        above = found[above]
                    while ranks[other] > ranks[above]:
                        other = found[other]
            if above >= 0 and found.get(start) != above:
                found[start] = above
                changed = True
        if not changed:
            return found
    return {}
