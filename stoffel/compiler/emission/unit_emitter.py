"""Writing a typed function out as a code object.

Blocks come in reverse postorder. A block with one predecessor starts with the spots that its predecessor left; where
several paths meet every needed place is in its own local, moved there on the edges. Whatever happens rarely (failed
guards, overflow, slow divisions, polls that found something) is written after the last block, so that conditional jumps
on the common path only go forwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis.facts import CLASS, KIND_RANGES, PRIVATE, Fact, is_raw, of_kinds
from stoffel.compiler.analysis.ir import Node, TypedBlock
from stoffel.compiler.analysis.liveness import bit
from stoffel.compiler.emission.branches import branch
from stoffel.compiler.emission.call_sequences import SEAMS
from stoffel.compiler.emission.counting import count, start_counting
from stoffel.compiler.emission.deopt_points import (
    BEFORE,
    BOUNDS,
    DEPTH,
    ENTRY,
    TAKEN,
    Held,
    Known,
    Length,
    Unit,
)
from stoffel.compiler.emission.emitter import Emitter
from stoffel.compiler.emission.global_names import (
    CLOSURE_LOCAL,
    LIMIT,
    RECOVER,
    ROOM,
)
from stoffel.compiler.emission.selection import FORMS
from stoffel.compiler.emission.stack_forwarding import passes_on
from stoffel.compiler.emission.strip_mining import stretch
from stoffel.compiler.flow.blocks import END, Edge

if TYPE_CHECKING:
    pass

_FAR: Final = 12
"""Nodes that are looked at to choose a local."""


class UnitEmitter(Emitter):
    """Writes one unit, block by block."""

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
        self.leave_and_return(found, ENTRY, go_on)

    def _block(self, typed: TypedBlock, following: int) -> None:
        start = typed.block.start
        self.line_is_stale = True
        self.writer.place(self.labels[start])
        for label in self.aliases.pop(start, ()):
            self.writer.place(label)
        self.placed.add(start)
        places, flag = self.inherited.pop(start) if start in self.inherited else self.initial_spots(start)
        known = self.single_flag(typed.entry.flag)
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
            self.move_to(edge.target)
        else:
            self.enter_block(edge.target)
            if not writer.goes_on:
                return
        if edge.target in self.placed:
            writer.jump_back(self.labels[edge.target])
        elif edge.target != following:
            writer.jump(self.labels[edge.target])

    def enter_block(self, start: int) -> None:
        """Go on to the block *start*, which several paths reach, where it is not reached by the end of its loop.

        Where nothing goes on here afterwards, *start* is reached otherwise.
        """
        self.move_to(start)
        loop = self.counted.get(start)
        if loop is not None:
            start_counting(self, start, loop)
