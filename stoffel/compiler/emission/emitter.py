"""What the code of a unit is written with: lines and sites, leaving, results, and the spots that blocks begin with."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_not
from typing import TYPE_CHECKING

from stoffel.compiler.analysis.facts import Fact, is_raw
from stoffel.compiler.analysis.ir import CALLING, FLAG_BITS, Node, TypedBlock, TypedFunction
from stoffel.compiler.analysis.liveness import FLAG, analyse, bit
from stoffel.compiler.cpython.writer import Writer
from stoffel.compiler.emission.counted_loops import Ranges, counted_loops, with_loops_together
from stoffel.compiler.emission.deopt_points import (
    ENTRY,
    Held,
    Known,
    Line,
    Order,
    Site,
    Spot,
    Sum,
)
from stoffel.compiler.emission.global_names import (
    ARGUMENTS_LOCAL,
    ATTENTION,
    LEAVE,
    PUBLISH,
    ROOM,
)
from stoffel.compiler.emission.implicit_polls import Moment, PollsInPassing
from stoffel.compiler.emission.locations import FLAG_LOCAL, TOP, Spots
from stoffel.compiler.flow.blocks import END, Edge
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment
    from stoffel.compiler.cpython.writer import Label
    from stoffel.compiler.flow.spliced import Splice


def records_of(typed: TypedBlock, splice: Splice) -> int:
    """Return how many records the calls of a block may need, those of inlined calls among them."""
    most = 0
    for node in typed.nodes:
        if node.form in CALLING or node.form == "enter":
            inlined = splice.at(node.index)
            most = max(most, 1 if inlined is None else inlined.depth + 1)
    return most


class Emitter:
    """Writes a unit: what the forms of single nodes, the ends of blocks and loops are written with.

    :class:`.UnitEmitter` writes the blocks with it.
    """

    def __init__(
        self,
        code: Code,
        typed: TypedFunction,
        environment: Environment,
        entry: int,
        arguments: list[str],
        spots: list[Spot | None],
        flag: int,
        captured: tuple[str, ...] | None,
        filename: str,
    ) -> None:
        self.code = code
        self.counted = counted_loops(typed)
        self.typed = typed = with_loops_together(typed, self.counted)
        self.environment = environment
        self.entry = entry
        self.arguments = arguments
        self.entry_spots = spots
        self.entry_flag = flag
        self.captured = captured
        self.writer = Writer(code.name, filename, [ROOM, *arguments])
        self.spots = Spots(self.writer, typed.layout)
        self.lines: list[Line] = []
        self.line_is_stale = False
        self.splice = typed.layout.splice
        self.last_index = len(self.splice.instructions) - 1
        self.labels = {start: self.writer.label() for start in typed.blocks}
        self.placed: set[int] = set()
        self.inherited: dict[int, tuple[list[Spot | None], int | Order | Held | None]] = {}
        self.initial: dict[int, tuple[list[Spot | None], int | Order | Held | None]] = {}
        self.latest_initial: tuple[list[Fact], int, list[Spot | None]] = [], 0, []
        self.rare: list[Callable[[], None]] = []
        self.aliases: dict[int, list[Label]] = {}
        """Labels to be placed together with a block's own."""
        self.ranks = {start: rank for rank, start in enumerate(typed.blocks)}
        self.predecessors = self._count_predecessors()
        self.calls = max((records_of(typed, self.splice) for typed in self.typed.blocks.values()), default=0)
        """Records that there must be room for: those of inlined calls, and one for a call of another unit."""
        self.counted_at = self._where_counted() if self.calls else END
        """The block at whose start the record is counted: calls come after it only, and returns before it need none."""
        self.needed_in, self.needed_after_each = analyse(typed, self.counted_at)
        self.needed = 0
        self.compare_line = 0
        self.current = END
        self.needed_after: list[int] = []
        self.passed_on = False
        self.polls = PollsInPassing(typed)
        self.ranges = Ranges()
        self.compared: Moment | None = None
        """Right after the latest comparison of a block, if that may poll in passing where its flag is tested."""
        self.counter = ""
        """Global to be called at the start, if any: counts calls."""
        self.bounded: list[tuple[Spot, Fact]] = []
        """What enters with bounds that have to be checked."""
        self.increments = {
            loop.increment: self.spots.sum_of(typed.layout.name(loop.counter), loop.step)
            for loop in self.counted.values()
        }

    def _count_predecessors(self) -> dict[int, int]:
        counts = dict.fromkeys(self.typed.blocks, 0)
        for typed in self.typed.blocks.values():
            for edge in (typed.taken, typed.next):
                if edge is not None and edge.target != END:
                    # A back-edge meets the way in, however many of them there are.
                    counts[edge.target] += 2 if edge.target in counts and self._retreats(typed, edge) else 1
        return counts

    def _where_counted(self) -> int:
        blocks = self.typed.blocks
        calling = {start for start, typed in blocks.items() if records_of(typed, self.splice)}
        leading: set[int] = set()
        found = set(calling)
        while found != leading:
            leading = set(found)
            for start in reversed(blocks):
                typed = blocks[start]
                if any(edge is not None and edge.target in found for edge in (typed.taken, typed.next)):
                    found.add(start)
        start = next(iter(blocks))
        while start not in calling and not self.predecessors[start] > 1:
            typed = blocks[start]
            ways = [edge for edge in (typed.taken, typed.next) if edge is not None and edge.target in leading]
            if len(ways) != 1 or ways[0].back or self.predecessors[ways[0].target] != 1:
                break
            start = ways[0].target
        return start

    def _retreats(self, typed: TypedBlock, edge: Edge) -> bool:
        return self.ranks[edge.target] <= self.ranks[typed.block.start]

    def new_line(self, index: int, guards: tuple[tuple[int, int], ...] = ()) -> Line:
        """Start the line of VM instruction *index* and make it current."""
        line = Line(index, self.splice, guards)
        self.lines.append(line)
        self.writer.line = len(self.lines)
        self.line_is_stale = False
        return line

    def site(self, way: int, resume: int) -> None:
        """Note at the current line how the interpreter takes over from here in the given way."""
        line = self.lines[self.writer.line - 1]
        flag = self.spots.flag
        line.sites[way] = Site(resume, self.spots.snapshot(), 0 if flag is None else flag)

    def later(self, write: Callable[[], None]) -> None:
        """Have *write* called after the last block, at the present line."""
        line = self.writer.line

        def at_line() -> None:
            self.writer.line = line
            write()

        self.rare.append(at_line)

    def leave_if(self, way: int, *, true: bool = True) -> None:
        """Pop a Bool and leave in the given way if it is *true*; the site must have been noted."""
        label = self.writer.label()
        (self.writer.if_true if true else self.writer.if_false)(label)

        def write() -> None:
            self.writer.place(label)
            self.leave(way)

        self.later(write)

    def poll(self, way: int) -> None:
        """Look for attention, and leave in the given way if it is meant seriously; the site must have been noted."""
        writer = self.writer
        found, go_on = writer.label(), writer.label()
        writer.load_global(ATTENTION)
        writer.if_true(found)
        writer.place(go_on)
        self.leave_and_return(found, way, go_on)

    def leave_and_return(self, found: Label, way: int, go_on: Label) -> None:
        """Arrange for a call, at *found*, that leaves in the given way or returns to *go_on*: the room, at an entry."""
        writer = self.writer

        def write() -> None:
            writer.place(found)
            writer.begin_call(LEAVE)
            writer.constant(way)
            writer.end_call(1)
            if way == ENTRY:
                writer.store(ROOM)
            else:
                writer.pop()
            writer.jump_back(go_on)

        self.later(write)

    def leave(self, way: int) -> None:
        """Leave in the given way."""
        writer = self.writer
        writer.begin_call(LEAVE)
        writer.constant(way)
        writer.end_call(1)
        writer.give_back()

    def single_flag(self, flag: int) -> int | Held | None:
        for value, flag_bit in FLAG_BITS.items():
            if flag == flag_bit:
                return value
        return Held(FLAG_LOCAL)

    def initial_spots(self, start: int) -> tuple[list[Spot | None], int | Order | Held | None]:
        """Return the spots with which a block begins that several paths reach."""
        known = self.initial.get(start)
        if known is not None:
            return known
        typed = self.typed.blocks[start]
        needed = self.needed_in[start]
        facts = typed.entry.facts
        # Most places are as they were in the block before, so only what differs from that is worked out.
        before, needed_before, places = self.latest_initial
        places = places[: len(facts)] + [None] * (len(facts) - len(places))
        changed = [place for place, differs in enumerate(map(is_not, facts, before)) if differs]
        changed.extend(range(len(before), len(facts)))
        others = needed ^ needed_before
        if others:
            changed.extend(place for place in range(len(facts)) if others & bit(place))
        for place in changed:
            fact = facts[place]
            if fact.is_constant:
                places[place] = Known(fact)
            elif needed & bit(place):
                places[place] = self.spots.held(self.typed.layout.name(place), fact.mask if is_raw(fact) else 0)
            else:
                places[place] = None
        self.latest_initial = facts, needed, places
        loop = self.counted.get(start)
        if loop is not None:
            places = places.copy()
            places[loop.counter] = self.spots.sum_of(self.typed.layout.name(loop.counter), loop.step)
        flag = self.single_flag(typed.entry.flag)
        if isinstance(flag, Held) and not needed & FLAG:
            flag = None
        self.initial[start] = places, flag
        return places, flag

    def publish(self, spot: Spot) -> None:
        """Note that the value at *spot*, if it is a closure, is held by more than registers from now on."""
        self.writer.begin_call(PUBLISH)
        self.spots.load(spot)
        self.writer.end_call(1)
        self.writer.pop()

    def load_argument(self, index: int) -> None:
        """Push argument *index* as it was bound at entry."""
        writer = self.writer
        if ARGUMENTS_LOCAL in self.arguments:
            writer.load(ARGUMENTS_LOCAL)
            writer.constant(index)
            writer.subscript()
        else:
            spot = self.entry_spots[index]
            assert spot is not None
            self.spots.load(spot)

    def result(self, node: Node, landing: int, *, boxed: bool = False) -> None:
        """Pop the result of *node* into its place; *boxed* says that it is a machine value even if held raw."""
        raw = node.result.mask if is_raw(node.result) else 0
        if raw and boxed:
            self.spots.unbox()
        if self.passed_on:
            self.spots.set(node.target, TOP)
            return
        self.spots.define(node.target, self.needed, raw=raw, landing=landing)

    def is_dead(self, node: Node) -> bool:
        """Return whether nothing needs what *node* defines."""
        return not self.needed & bit(node.target)

    def inherits(self, edge: Edge) -> bool:
        return edge.target != END and self.predecessors[edge.target] == 1 and not edge.back

    def finish(self, place: int) -> None:
        """Return the value of *place* from the unit."""
        self.spots.load_fact(place, self.typed.result)
        self.writer.give_back()

    def moves(self, start: int) -> tuple[list[tuple[Spot, Held | Sum]], bool]:
        """Return what has to be moved where for the block *start*, and whether it wants the flag as a value."""
        places, flag = self.initial_spots(start)
        spots = self.spots
        moves: list[tuple[Spot, Held | Sum]] = []
        different = [place for place, differs in enumerate(map(is_not, spots.places, places)) if differs]
        for place in different:
            wanted = places[place]
            if isinstance(wanted, Held | Sum):
                moves.append((spots.spot(place), wanted))
        return moves, isinstance(flag, Held) and not isinstance(spots.flag, Held)

    def move_to(self, start: int) -> None:
        """Move every place to where the block *start* expects it, all at once."""
        moves, flag = self.moves(start)
        if flag:
            self.spots.materialise_flag()
        for present, wanted in moves:
            if isinstance(wanted, Held):
                self.spots.load(present, raw=bool(wanted.raw))
            else:
                self.spots.load_less(present, wanted.amount)
        for _, wanted in reversed(moves):
            self.writer.store(wanted.name)

    def follow(self, edge: Edge, way: int, following: int) -> None:
        """Write the way along an edge from the end of a block, in line."""
        raise NotImplementedError

    def enter_block(self, start: int) -> None:
        """Go on to the block *start*, which several paths reach, where it is not reached by the end of its loop.

        Where nothing goes on here afterwards, *start* is reached otherwise.
        """
        raise NotImplementedError
