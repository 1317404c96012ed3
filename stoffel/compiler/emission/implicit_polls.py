"""Polls in passing: a loop looks for attention where it loads a constant anyway.

A poll of its own, a flag and a conditional jump, is a tenth of a short loop. So a constant that every round loads is
loaded from a cell of the machine's instead, which costs about the same. Whoever asks for attention empties the cells:
the load then raises, and the exception table leads to where compiled code is left. Signals by making an access fail
instead of testing a flag are what virtual machines in machine code do with a page that is taken away (Lin, Wang,
Blackburn, Hosking and Norrish, "Stop and go: understanding yieldpoint behavior", ISMM 2015).

Suited is a constant that an instruction loads before it has done anything, or first when it looks for an overflow, in a
block through which every way round the loop goes, if all that the interpreter sees there is at hand. A loop without one
has a poll at its jump backwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from stoffel.compiler.analysis.ir import TypedBlock, TypedFunction
from stoffel.compiler.analysis.liveness import bit
from stoffel.compiler.emission.deopt_points import LOOP, Held, Order, Site, Spot
from stoffel.compiler.emission.global_names import EMPTIED
from stoffel.compiler.emission.locations import TOP
from stoffel.compiler.flow.blocks import END
from stoffel.compiler.flow.loops import immediate_dominators

if TYPE_CHECKING:
    from collections.abc import Callable

    from stoffel.compiler.cpython.assembler import Position
    from stoffel.compiler.cpython.writer import Load, Writer
    from stoffel.compiler.emission.deopt_points import Line
    from stoffel.compiler.emission.locations import Spots

FARTHEST: Final = 64
"""Dominators of a jump backwards that are looked at."""
MOST: Final = 32
"""Polls in passing of one unit."""
_LOCALS: Final = 200
"""Most locals of a unit that has such polls: the number of a cell, which comes after them, must fit into a byte."""


class Moment(NamedTuple):
    """A point between instructions: of the code, the instruction that is next, the spots of all places and the flag.

    ``doubtful`` is the spot of the result that is looked at for an overflow next.
    """

    position: Position
    resume: int
    places: tuple[Spot | None, ...]
    flag: int | Order | Held | None
    doubtful: Held | None = None


class Writing(Protocol):
    """What polls in passing see of the code that is being written."""

    @property
    def current(self) -> int: ...
    @property
    def lines(self) -> list[Line]: ...
    @property
    def rare(self) -> list[Callable[[], None]]: ...
    @property
    def spots(self) -> Spots: ...
    @property
    def writer(self) -> Writer: ...


class _Chance(NamedTuple):
    load: Load
    line: int
    site: Site


class PollsInPassing:
    """The polls in passing of one unit."""

    def __init__(self, function: TypedFunction) -> None:
        self._layout = function.layout
        self._ways: dict[tuple[int, int], list[int]] = {}
        self._chances: dict[int, _Chance] = {}
        self._made: set[int] = set()
        jumps = [
            (start, edge.target)
            for start, typed in function.blocks.items()
            for edge in (typed.taken, typed.next)
            if edge is not None and edge.back and edge.target != END
        ]
        if jumps and _few_locals(function):
            dominators = immediate_dominators(function.predecessors)
            for latch, head in jumps:
                self._ways[latch, head] = _between(function.blocks, dominators, latch, head)
        self._wanted = {start for way in self._ways.values() for start in way}

    def moment(self, emitter: Writing, index: int) -> Moment | None:
        """Return the present, before instruction *index*, if a poll would serve there and the stack is empty."""
        if emitter.current not in self._wanted or emitter.writer.depth:
            return None
        return Moment(emitter.writer.position, index, emitter.spots.snapshot(), emitter.spots.flag)

    def moment_after(self, emitter: Writing, index: int, doubtful: Held) -> Moment | None:
        """Return the present, after instruction *index*, as :meth:`moment` does, if its result has not overflowed."""
        splice = self._layout.splice
        if splice.at(index) is not splice.at(index + 1):
            # The next is not the next instruction of an inlined function.
            return None
        moment = self.moment(emitter, index + 1)
        return moment and moment._replace(doubtful=doubtful)

    def notice(self, emitter: Writing, moment: Moment, line: int) -> None:
        """Note that the code since *moment*, which is on *line*, could poll, if it could."""
        load = emitter.writer.leading_constant(moment.position)
        if load is None or moment.flag is None:
            return
        hidden = self._layout.hidden(moment.resume)
        for place, spot in enumerate(moment.places):
            if spot is TOP or (spot is None and not hidden & bit(place)):
                return
        site = Site(moment.resume, moment.places, moment.flag, moment.doubtful)
        self._chances[emitter.current] = _Chance(load, line, site)

    def serve(self, emitter: Writing, latch: int, head: int) -> bool:
        """Return whether every round that ends with the jump from *latch* back to *head* polls in passing."""
        for start in self._ways.get((latch, head), ()):
            if start in self._made:
                return True
            if start in self._chances and len(self._made) < MOST:
                self._made.add(start)
                _poll(emitter, self._chances[start])
                return True
        return False


def _poll(emitter: Writing, chance: _Chance) -> None:
    """Have a constant that has been written loaded from a cell, and leave where that is empty."""
    writer = emitter.writer
    emitter.lines[chance.line - 1].sites[LOOP] = chance.site
    empty, go_on = writer.load_from_cell(chance.load)

    def write() -> None:
        writer.line = chance.line
        writer.repeat(chance.load, empty, go_on, EMPTIED)

    emitter.rare.append(write)


def _few_locals(function: TypedFunction) -> bool:
    """Return whether the unit cannot have more locals than there may be."""
    places = function.layout.stack
    for typed in function.blocks.values():
        for node in typed.nodes:
            places = max(places, node.target + 1)
    # A place has a local of its own and may have to move to another; every loop may have an iterator.
    return 3 * places + len(function.blocks) <= _LOCALS


def _between(blocks: dict[int, TypedBlock], dominators: dict[int, int], latch: int, head: int) -> list[int]:
    """Return blocks that are written by the end of *latch*, and that every way from *head* to *latch* goes through.

    The nearest to *latch* comes first.
    """
    result = [latch]
    while len(result) < FARTHEST:
        above = dominators.get(result[-1], latch)
        if above == result[-1] or _leads(blocks, head, latch, above):
            break
        result.append(above)
        if above == head:
            break
    return result


def _leads(blocks: dict[int, TypedBlock], start: int, end: int, but: int) -> bool:
    """Return whether a way leads from *start* to *end* without block *but*, or whether that is too far to see."""
    if but in (start, end):
        return False
    seen = {start}
    pending = [start]
    while pending:
        typed = blocks[pending.pop()]
        for edge in (typed.taken, typed.next):
            if edge is None or edge.target in seen or edge.target in (but, END):
                continue
            if edge.target == end or len(seen) > FARTHEST:
                return True
            seen.add(edge.target)
            pending.append(edge.target)
    return False
