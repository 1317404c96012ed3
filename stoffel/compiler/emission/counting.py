"""Writing counted loops: the range, its start, and going on after a part of it; see ``emission.counted_loops``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.compiler.analysis.ir import TypedBlock
from stoffel.compiler.emission.branches import branch_off
from stoffel.compiler.emission.counted_loops import Counted
from stoffel.compiler.emission.deopt_points import NEXT, TAKEN, Length, Order, Spot, Top
from stoffel.compiler.emission.global_names import RANGE, STRETCH, iterator_name

if TYPE_CHECKING:
    from stoffel.compiler.cpython.writer import Label
    from stoffel.compiler.emission.emitter import Emitter


def start_counting(emitter: Emitter, head: int, loop: Counted) -> None:
    """Make the range of a loop, on the way in, when every place is where the head expects it.

    Whether it is for a part of the loop is known when the loop has been written: where it may be, this is put off.
    """
    if not loop.brief:
        _write_range(emitter, head, loop)
        return
    label = emitter.writer.label()
    emitter.writer.jump(label)

    def write() -> None:
        emitter.writer.place(label)
        _count_on(emitter, head, loop)

    emitter.later(write)


def _count_on(emitter: Emitter, head: int, loop: Counted) -> None:
    """Write, out of line, that the loop goes on at its head with a new range; that is there once if possible."""
    writer = emitter.writer
    known = emitter.ranges.labels.get(head)
    if known is not None:
        writer.jump_back(known)
        return
    emitter.ranges.labels[head] = label = writer.label()
    writer.place(label)
    _write_range(emitter, head, loop)
    writer.jump_back(emitter.labels[head])


def _write_range(emitter: Emitter, head: int, loop: Counted) -> None:
    """Write the making of a range that goes on from the counter's value."""
    writer = emitter.writer
    counter = _counter_of(emitter, head, loop)
    writer.begin_call(RANGE)
    emitter.spots.load(counter)
    if head in emitter.ranges.stretches:
        _load_end_of_stretch(emitter, head, loop)
    else:
        _load_end(emitter, head, loop)
    if loop.step != 1:
        writer.constant(loop.step)
    writer.end_call(2 if loop.step == 1 else 3)
    writer.get_iterator()
    writer.store(iterator_name(head))


def _counter_of(emitter: Emitter, head: int, loop: Counted) -> Spot:
    """Return where the head of a loop expects the counter."""
    places, _ = emitter.initial_spots(head)
    counter = places[loop.counter]
    assert counter is not None
    return counter


def _load_end(emitter: Emitter, head: int, loop: Counted) -> None:
    """Push the number at which a loop ends."""
    places, _ = emitter.initial_spots(head)
    bound = places[loop.bound]
    assert bound is not None
    emitter.spots.load(bound)
    if loop.inclusive:
        emitter.writer.constant(1)
        emitter.writer.binary("ADD")


def _load_end_of_stretch(emitter: Emitter, head: int, loop: Counted) -> None:
    """Push the number at which the next stretch ends, or the loop if that comes first."""
    writer = emitter.writer
    limit = iterator_name(head)
    near, done = writer.label(), writer.label()
    emitter.spots.load(_counter_of(emitter, head, loop))
    writer.load_global(STRETCH)
    if loop.step != 1:
        writer.constant(loop.step)
        writer.binary("MUL")
    writer.binary("ADD")
    # The iterator's local is free until there is one.
    writer.store(limit)
    writer.load(limit)
    _load_end(emitter, head, loop)
    writer.compare("<")
    writer.if_true(near)
    _load_end(emitter, head, loop)
    writer.jump(done)
    writer.place(near)
    writer.load(limit)
    writer.place(done)


def count(emitter: Emitter, typed: TypedBlock, loop: Counted, following: int) -> None:
    """Write the end of a loop's head: on with the next number, or out of the loop."""
    writer, spots = emitter.writer, emitter.spots
    emitter.new_line(typed.block.branch_at)
    name = emitter.typed.layout.name(loop.counter)
    compare = typed.nodes[-1]
    head = typed.block.start
    exhausted = writer.label()
    writer.load(iterator_name(head))
    writer.next_or(exhausted)
    writer.store(name)
    writer.drop_iterator()

    def order() -> Order:
        left, right = (spots.spot(place) for place in compare.sources)
        assert not isinstance(left, Length | Top)
        assert not isinstance(right, Length | Top)
        return Order(left, right, "compare")

    spots.flag = order()
    ways = (TAKEN, NEXT) if loop.goes is typed.taken else (NEXT, TAKEN)

    def arrive(label: Label) -> None:
        writer.place_exhausted(label)
        _begin_next_stretch(emitter, head, loop)

    branch_off(emitter, exhausted, loop.goes, ways[0], arrive=arrive)
    spots.set(loop.counter, spots.held(name))
    spots.flag = order()
    emitter.follow(loop.stays, ways[1], following)


def _begin_next_stretch(emitter: Emitter, head: int, loop: Counted) -> None:
    """Write, where the range of a loop is exhausted, how it goes on unless the loop has ended."""
    if head not in emitter.ranges.stretches:
        return
    writer = emitter.writer
    line, way = emitter.ranges.stretches[head]
    again = writer.label()
    emitter.spots.load(_counter_of(emitter, head, loop))
    _load_end(emitter, head, loop)
    writer.compare("<")
    writer.if_true(again)

    def write() -> None:
        writer.line = line
        writer.place(again)
        emitter.poll(way)
        _count_on(emitter, head, loop)

    emitter.rare.append(write)
