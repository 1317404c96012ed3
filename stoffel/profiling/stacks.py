"""Sampled stacks of calls, interned: equal stacks are kept once, with the time that was seen in them.

However long a profile runs, it takes a bounded amount of memory: a tree of calls has as many nodes as a program has
different stacks, and beyond :data:`MOST_NODES` of them what is new is counted for the nearest call that is known.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

MOST_NODES: Final = 40_000
"""Different stacks that are told apart: about 200 bytes each."""
MOST_PLACES: Final = 40_000
"""Different pairs of a stack and an instruction that are told apart."""
MOST_TURNS: Final = 1 << 20
"""Changes from one stack to another whose order is kept: 16 bytes each, and an hour of samples has fewer."""


class Tier(NamedTuple):
    """How a call ran: its name, and what marks it where only text can."""

    name: str
    suffix: str


INTERPRETER: Final = Tier("interpreter", "_[i]")
CODE_OBJECT: Final = Tier("code object", "_[c]")
KERNEL: Final = Tier("kernel", "_[k]")
FOREIGN: Final = Tier("foreign", "_[f]")
COMPILER: Final = Tier("compiler", "")
OMITTED: Final = Tier("omitted", "")
TIERS: Final = (INTERPRETER, CODE_OBJECT, KERNEL, FOREIGN, COMPILER, OMITTED)
"""All of them."""
TIERS_OF_CALLS: Final = TIERS[:3]
"""Those of VM functions."""


class Frame(NamedTuple):
    """One call of a stack: the name of the function, and how it ran."""

    function: str
    tier: Tier

    @property
    def marked(self) -> str:
        """The name with the suffix of the tier, for formats that know names only."""
        return self.function + self.tier.suffix


COMPILING: Final = Frame("[compiling]", COMPILER)
"""Stands on top of a stack while something is compiled for it."""
LEFT_OUT: Final = Frame("[more calls]", OMITTED)
"""Stands for the middle of a stack that is too deep to be read in full."""

ROOT: Final = 0
"""The node above all stacks."""

Place = tuple[Frame, int]
"""A call, and the index of the instruction that it is at."""


class Stacks:
    """A tree of calls. Node 0 is its root; ``parents`` and ``frames`` say what each other node is called from and is.

    ``seconds`` and ``samples`` are what was seen with the node's call innermost. ``places`` are the seconds and samples
    of an innermost call by node and instruction, ``inside`` the seconds of an instruction with all that it calls, by
    frame and instruction. ``turns`` are the nodes in the order in which they were seen, ``turn_seconds`` how long each.
    """

    def __init__(self) -> None:
        self.parents = array("q", [0])
        self.frames: list[Frame] = [Frame("", OMITTED)]
        self.seconds = array("d", [0.0])
        self.samples = array("q", [0])
        self.places: dict[tuple[int, int], list[float]] = {}
        self.inside: dict[tuple[Frame, int], float] = {}
        self.turns = array("q")
        self.turn_seconds = array("d")
        self._children: dict[tuple[int, Frame], int] = {}

    def add(self, stack: Sequence[Place], seconds: float) -> None:
        """Note that *stack*, outermost call first, was seen, and stands for so many seconds."""
        node = ROOT
        for frame, _ in stack:
            child = self._children.get((node, frame))
            if child is None:
                if len(self.frames) >= MOST_NODES:
                    break
                child = self._children[node, frame] = len(self.frames)
                self.parents.append(node)
                self.frames.append(frame)
                self.seconds.append(0.0)
                self.samples.append(0)
            node = child
        self.seconds[node] += seconds
        self.samples[node] += 1
        for place in set(stack):
            if place in self.inside or len(self.inside) < MOST_PLACES:
                self.inside[place] = self.inside.get(place, 0.0) + seconds
        index = stack[-1][1]
        found = self.places.get((node, index))
        if found is not None:
            found[0] += seconds
            found[1] += 1
        elif len(self.places) < MOST_PLACES:
            self.places[node, index] = [seconds, 1]
        if self.turns and self.turns[-1] == node:
            self.turn_seconds[-1] += seconds
        elif len(self.turns) < MOST_TURNS:
            self.turns.append(node)
            self.turn_seconds.append(seconds)

    def path(self, node: int) -> list[int]:
        """Return the nodes from the outermost call down to *node*."""
        found = []
        while node != ROOT:
            found.append(node)
            node = self.parents[node]
        found.reverse()
        return found

    def leaves(self) -> Iterator[tuple[list[int], float, int]]:
        """Yield every stack that was seen as a path of nodes, with its seconds and samples."""
        for node in range(1, len(self.frames)):
            if self.samples[node]:
                yield self.path(node), self.seconds[node], self.samples[node]

    def totals(self) -> list[float]:
        """Return the seconds of every node with all that it calls."""
        found = self.seconds.tolist()
        # A node is made after the one that it is called from.
        for node in range(len(found) - 1, ROOT, -1):
            found[self.parents[node]] += found[node]
        return found
