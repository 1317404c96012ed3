"""Writing a typed function out as a code object.

Blocks come in reverse postorder. A block with one predecessor starts with the spots that its predecessor left; where
several paths meet every needed place is in its own local, moved there on the edges. Whatever happens rarely (failed
guards, overflow, slow divisions, polls that found something) is written after the last block, so that conditional jumps
on the common path only go forwards.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_not
from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis.facts import CLASS, KIND_RANGES, PRIVATE, Fact, is_raw, of_kinds
from stoffel.compiler.analysis.ir import FLAG_BITS, Node, TypedBlock, TypedFunction
from stoffel.compiler.analysis.liveness import FLAG, analyse, bit
from stoffel.compiler.cpython.writer import Writer
from stoffel.compiler.emission.branches import branch
from stoffel.compiler.emission.call_sequences import SEAMS, records_of
from stoffel.compiler.emission.counted_loops import count, counted_loops, start_counting, with_loops_together
from stoffel.compiler.emission.deopt_points import (
    BEFORE,
    BOUNDS,
    DEPTH,
    ENTRY,
    TAKEN,
    Held,
    Known,
    Length,
    Line,
    Order,
    Site,
    Spot,
    Sum,
    Unit,
)
from stoffel.compiler.emission.global_names import (
    ARGUMENTS_LOCAL,
    ATTENTION,
    CLOSURE_LOCAL,
    LEAVE,
    LIMIT,
    PUBLISH,
    RECOVER,
    ROOM,
)
from stoffel.compiler.emission.implicit_polls import Moment, PollsInPassing
from stoffel.compiler.emission.locations import FLAG_LOCAL, TOP, Spots
from stoffel.compiler.emission.selection import FORMS
from stoffel.compiler.emission.stack_forwarding import passes_on
from stoffel.compiler.emission.strip_mining import Ranges, stretch
from stoffel.compiler.flow.blocks import END, Edge
from stoffel.model.code import Code

if TYPE_CHECKING:
    from stoffel.compiler.analysis.environment import Environment
    from stoffel.compiler.cpython.writer import Label


_FAR: Final = 12
"""Nodes that are looked at to choose a local."""


class Emitter:
    """Writes one unit. ``forms`` do the single nodes through the methods and attributes here."""

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

    # Lines and sites

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
        self._leave_and_return(found, way, go_on)

    def _leave_and_return(self, found: Label, way: int, go_on: Label) -> None:
        """Arrange for a call, at *found*, that leaves in the given way or returns to *go_on*."""
        writer = self.writer

        def write() -> None:
            writer.place(found)
            writer.begin_call(LEAVE)
            writer.constant(way)
            writer.end_call(1)
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

    # The unit

    def emit(self) -> Unit:
        """Write everything and return the unit."""
        self.new_line(self.entry)
        self.spots.places = list(self.entry_spots)
        self.spots.flag = self.entry_flag
        self.site(ENTRY, self.entry)
        self.site(DEPTH, self.entry)
        if self.counter:
            self.writer.begin_call(self.counter)
            self.writer.end_call(0)
            self.writer.pop()
        self._check_bounds()
        starts = list(self.typed.blocks)
        first = starts[0]
        if self.counted_at == first:
            self._enter()
        if self.predecessors[first] == 0:
            self.inherited[first] = self.spots.places, self.spots.flag
        else:
            self.enter_block(first)
        for position, start in enumerate(starts):
            self._block(self.typed.blocks[start], starts[position + 1] if position + 1 < len(starts) else END)
        while self.rare:
            pending, self.rare = self.rare, []
            for write in pending:
                write()
        self.writer.finish_handler(RECOVER)
        result = self.typed.result
        by_name = {spot.name: spot for spot in self.entry_spots if isinstance(spot, Held)}
        raw = {
            position: by_name[name].raw
            for position, name in enumerate(name for name in self.arguments if name != CLOSURE_LOCAL)
            if name in by_name and by_name[name].raw
        }
        return Unit(
            self.code,
            self.entry,
            self.writer.finish(),
            self.lines,
            self.typed.layout,
            of_kinds(result.mask),
            tuple(self.arguments),
            raw,
            self.calls,
            self.captured,
            self.writer.in_cells,
        )

    def _check_bounds(self) -> None:
        writer = self.writer
        if self.bounded:
            self.site(BOUNDS, self.entry)
        for spot, fact in self.bounded:
            for bound, operator in ((fact.low, "<"), (fact.high, ">")):
                self.spots.load(spot)
                writer.constant(bound)
                writer.compare(operator)
                self.leave_if(BOUNDS)

    def _enter(self) -> None:
        """Count the records, and look in one test for attention and for the end of the room."""
        writer = self.writer
        writer.load(ROOM)
        writer.constant(self.calls)
        writer.binary("SUB")
        writer.store(ROOM)
        found, go_on = writer.label(), writer.label()
        writer.load(ROOM)
        writer.load_global(LIMIT)
        writer.compare("<")
        writer.if_true(found)
        writer.place(go_on)
        self._leave_and_return(found, ENTRY, go_on)

    def _single_flag(self, flag: int) -> int | Held | None:
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
        flag = self._single_flag(typed.entry.flag)
        if isinstance(flag, Held) and not needed & FLAG:
            flag = None
        self.initial[start] = places, flag
        return places, flag

    def _block(self, typed: TypedBlock, following: int) -> None:
        start = typed.block.start
        self.line_is_stale = True
        self.writer.place(self.labels[start])
        for label in self.aliases.pop(start, ()):
            self.writer.place(label)
        self.placed.add(start)
        places, flag = self.inherited.pop(start) if start in self.inherited else self.initial_spots(start)
        known = self._single_flag(typed.entry.flag)
        self.spots.places, self.spots.flag = list(places), known if type(known) is int else flag
        comparison = typed.entry.comparison
        if comparison is not None:
            # What the branch into this block has taught may be a constant.
            for place in (comparison.left, comparison.right):
                fact = typed.entry.facts[place]
                if fact.is_constant and places[place] is not None:
                    self.spots.places[place] = Known(fact)
        if start == self.counted_at and start != next(iter(self.typed.blocks)):
            self.new_line(typed.block.body[0] if typed.block.body else start)
            self.site(ENTRY, start)
            self.site(DEPTH, start)
            self._enter()
        needed_after = self.needed_after = self.needed_after_each.pop(start)
        loop = self.counted.get(start)
        self.current = start
        self.compared = None
        for position, node in enumerate(typed.nodes if loop is None else typed.nodes[:-1]):
            self.needed = needed_after[position]
            self._node(typed, position, node)
        if loop is None:
            self._leave_block(typed, following)
        else:
            count(self, typed, loop, following)

    def _node(self, typed: TypedBlock, position: int, node: Node) -> None:
        if node.form == "constant":
            self.spots.set(node.target, Known(node.result))
            return
        if node.form == "flag":
            self.spots.flag = node.detail
            return
        if node.form == "copy":
            self._copy(node)
            return
        if node.form == "reuse":
            # Nothing is read: a place has what would be found.
            spot = self.spots.spot(node.sources[0])
            del self.spots.places[self.typed.layout.stack :]
            self.spots.set(node.target, spot)
            return
        if node.form in SEAMS:
            SEAMS[node.form](self, node)
            return
        if node in self.increments:
            self.spots.set(node.target, self.increments[node])
            return
        moment = self.polls.moment(self, node.index)
        self.new_line(node.index, node.guards)
        number = self.writer.line
        self.lines[-1].reads = tuple(map(self.spots.spot, node.sources))
        if node.leaves:
            self.site(BEFORE, node.index)
        for source, kind in node.guards:
            self._guard(node.sources[source], kind)
        for place in node.publishes:
            self.publish(self.spots.spot(place))
        form = node.form
        took, self.passed_on = self.passed_on, passes_on(self, typed, position, node)
        if form == "compare_float" and not (position + 1 == len(typed.nodes) and typed.taken and typed.next):
            # NaN is looked for by the branch that tests the flag; without one the operation itself has to.
            form = "compare_generic"
        FORMS[form](self, node, self._landing(typed, position, node))
        if took:
            self.spots.forget_top(node.target if self.passed_on else -1)
        if moment is not None:
            if form == "compare" and self.writer.position == moment.position:
                # It is written where its flag is tested, and has been executed by then.
                self.compared = moment._replace(resume=node.index + 1, flag=self.spots.flag)
            else:
                self.polls.notice(self, moment, number)

    def _copy(self, node: Node) -> None:
        spot = self.spots.spot(node.sources[0])
        if isinstance(spot, Length):
            # A length is only put off while nothing can change the array: give it a local before it has two names.
            source = node.sources[0]
            self.new_line(node.index)
            self.spots.load(spot)
            self.spots.define(source, self.needed | bit(source))
            spot = self.spots.spot(source)
        if node.result.mask & PRIVATE and self.typed.layout.registers <= node.target < self.typed.layout.stack:
            self.new_line(node.index)
            self.publish(spot)
        self.spots.set(node.target, spot)

    def publish(self, spot: Spot) -> None:
        """Note that the value at *spot*, if it is a closure, is held by more than registers from now on."""
        self.writer.begin_call(PUBLISH)
        self.spots.load(spot)
        self.writer.end_call(1)
        self.writer.pop()

    def _landing(self, typed: TypedBlock, position: int, node: Node) -> int:
        """Return the place that the next node copies the result to, or -1."""
        if node.target < 0 or position + 1 >= len(typed.nodes):
            return -1
        layout = self.typed.layout
        if layout.unseen:
            holders = {node.target}
            for ahead, after in enumerate(typed.nodes[position + 1 : position + _FAR], position + 2):
                if after.form == "copy" and after.sources[0] in holders:
                    if layout.first_unseen <= after.target < layout.stack:
                        if self._changes_first(typed, ahead, node.target, after.target):
                            return after.target
                        break
                    holders.add(after.target)
                elif after.target in holders:
                    break
        for ahead, after in enumerate(typed.nodes[position + 1 : position + 3], position + 2):
            if after.form != "copy" or after.sources[0] != node.target:
                break
            if not layout.first_unseen <= after.target < layout.stack:
                if after.target >= layout.stack or self._changes_first(typed, ahead, after.target, node.target):
                    return -1
                return after.target
        return -1

    def _changes_first(self, typed: TypedBlock, position: int, place: int, other: int) -> bool:
        """Return whether *place* is computed anew before *other*: then that should keep the local that both share."""
        for node in typed.nodes[position : position + _FAR]:
            if node.target == other:
                return False
            if node.target == place:
                return node.form not in ("copy", "constant")
        return False

    def _guard(self, place: int, kind: int) -> None:
        writer = self.writer
        spot = self.spots.spot(place)
        self.spots.load(spot)
        writer.class_of()
        writer.constant(CLASS[kind])
        writer.identical()
        self.leave_if(BEFORE, true=False)
        if kind in KIND_RANGES and is_raw(Fact(kind)):
            self.spots.load(spot)
            self.spots.unbox()
            self.spots.own_copy(place, kind)

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

    # Results

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

    # Ends of blocks

    def _leave_block(self, typed: TypedBlock, following: int) -> None:
        if typed.taken is not None and typed.next is not None:
            branch(self, typed, typed.taken, typed.next, following)
        elif typed.taken is not None or typed.next is not None:
            edge = typed.taken or typed.next
            assert edge is not None
            if edge.back:
                self.new_line(typed.block.branch_at)
            elif self.line_is_stale:
                # No instruction of this block was written: the latest line has the sites of another place.
                self.new_line(typed.block.body[-1] if typed.block.body else min(typed.block.start, self.last_index))
            self.follow(edge, TAKEN, following)

    def inherits(self, edge: Edge) -> bool:
        return edge.target != END and self.predecessors[edge.target] == 1 and not edge.back

    def follow(self, edge: Edge, way: int, following: int) -> None:
        """Write the way along an edge from the end of a block, in line."""
        writer = self.writer
        if edge.target == END:
            self.finish(0)
            return
        if edge.back and not self.polls.serve(self, self.current, edge.target) and not stretch(self, edge.target, way):
            self.site(way, edge.target)
            self.poll(way)
        if self.inherits(edge):
            self.inherited[edge.target] = self.spots.places, self.spots.flag
        elif edge.target in self.counted and self.counted[edge.target].latch == self.current:
            self._move_to(edge.target)
        else:
            self.enter_block(edge.target)
            if not writer.goes_on:
                return
        if edge.target in self.placed:
            writer.jump_back(self.labels[edge.target])
        elif edge.target != following:
            writer.jump(self.labels[edge.target])

    def finish(self, place: int) -> None:
        """Return the value of *place* from the unit."""
        self.spots.load_fact(place, self.typed.result)
        self.writer.give_back()

    def enter_block(self, start: int) -> None:
        """Go on to the block *start*, which several paths reach, where it is not reached by the end of its loop.

        Where nothing goes on here afterwards, *start* is reached otherwise.
        """
        self._move_to(start)
        loop = self.counted.get(start)
        if loop is not None:
            start_counting(self, start, loop)

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

    def _move_to(self, start: int) -> None:
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
