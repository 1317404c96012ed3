"""What is known of a graph of blocks for loops: predecessors and dominators."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

_ROUNDS: Final = 8
"""Rounds in which the dominators have to be found."""


def predecessors_of(successors: Mapping[int, Iterable[int]]) -> dict[int, list[int]]:
    """Return the predecessors of every block, in the order of *successors*; targets that are no blocks do not count."""
    result: dict[int, list[int]] = {start: [] for start in successors}
    for start, targets in successors.items():
        for target in targets:
            if target in result:
                result[target].append(start)
    return result


def immediate_dominators(predecessors: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Return the immediate dominator of every block, for the first block itself; empty if they are not found quickly.

    The blocks should be in reverse postorder (Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm", 2001).
    """
    ranks = {start: rank for rank, start in enumerate(predecessors)}
    first, *others = predecessors
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
