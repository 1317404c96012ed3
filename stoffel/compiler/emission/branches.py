"""Ends of blocks where control goes two ways: the comparison, the jump, and what has to be done on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stoffel.compiler.analysis.ir import TypedBlock
from stoffel.compiler.emission.deopt_points import NEXT, TAKEN, Held, Known, Order
from stoffel.compiler.emission.global_names import operation_name
from stoffel.compiler.flow.blocks import END, Edge
from stoffel.isa.flags import FLAGS, RELATIONS, SYMBOLS

if TYPE_CHECKING:
    from stoffel.compiler.cpython.writer import Label
    from stoffel.compiler.emission.emitter import Emitter


def branch(emitter: Emitter, typed: TypedBlock, taken: Edge, other: Edge, following: int) -> None:
    """Write the end of a block with two ways on; *following* is the block written next."""
    outcomes = typed.block.branch
    assert outcomes is not None
    writer = emitter.writer
    flag = emitter.spots.flag
    compare_line = emitter.compare_line
    emitter.new_line(typed.block.branch_at)
    # Sites are noted before anything is written, while the spots are as both edges find them.
    direct = other
    if taken.target == following and not taken.back and other.target != following:
        direct, outcomes = taken, FLAGS - outcomes
        remote, way, direct_way = other, NEXT, TAKEN
    else:
        remote, way, direct_way = taken, TAKEN, NEXT
    label = writer.label()
    late_nan = early_nan = None
    if isinstance(flag, Order):
        if flag.form == "compare_float":
            # Looked for where the comparison came out false: on the way out of line, if that can be arranged.
            late_nan, early_nan = (None, flag) if outcomes == {0} else (flag, None)
        _test(emitter, flag, outcomes, label)
    else:
        assert isinstance(flag, Held), "a branch on a known flag is decided earlier"
        writer.load(flag.name)
        if len(outcomes) == 1:
            writer.constant(next(iter(outcomes)))
            writer.compare("==")
        else:
            writer.constant(next(iter(FLAGS - outcomes)))
            writer.compare("!=")
        writer.if_true(label)
    if emitter.compared is not None:
        emitter.polls.notice(emitter, emitter.compared, writer.line)
    branch_off(emitter, label, remote, way, late_nan, compare_line)
    if early_nan is not None:
        _check_nan(emitter, early_nan, compare_line)
    emitter.follow(direct, direct_way, following)


def _test(emitter: Emitter, flag: Order, branch: frozenset[int], label: Label) -> None:
    """Write the comparison and the jump to *label*, also taken for a NaN, but by a test for equality."""
    writer = emitter.writer
    right = flag.right
    if isinstance(right, Known) and type(right.value) is bool and flag.form == "compare":
        truth = _truth(right.value, branch)
        if truth is not None:
            emitter.spots.load(flag.left)
            (writer.if_true if truth else writer.if_false)(label)
            return
    emitter.spots.load(flag.left, raw=True)
    emitter.spots.load(flag.right, raw=True)
    if flag.form == "compare_float" and branch not in ({0}, {-1, 1}):
        writer.compare(SYMBOLS[RELATIONS[FLAGS - branch]])
        writer.if_false(label)
    else:
        writer.compare(SYMBOLS[RELATIONS[branch]])
        writer.if_true(label)


def _truth(right: bool, branch: frozenset[int]) -> bool | None:
    """Return the value of the left Bool for which comparing it with *right* comes out in *branch*, if just one."""
    outcomes = {left: (left > right) - (left < right) in branch for left in (False, True)}
    return None if outcomes[True] == outcomes[False] else outcomes[True]


def _check_nan(emitter: Emitter, flag: Order, compare_line: int) -> None:
    """Write the test that a comparison of floats which came out false had no NaN in it."""
    writer = emitter.writer
    line = writer.line
    for spot in (flag.left, flag.right):
        if isinstance(spot, Known):
            continue
        label = writer.label()
        emitter.spots.load(spot, raw=True)
        emitter.spots.load(spot, raw=True)
        writer.compare("==")
        writer.if_false(label)

        def write(label: Label = label) -> None:
            writer.place(label)
            writer.line = compare_line
            writer.begin_call(operation_name("CMP"))
            emitter.spots.load(flag.left)
            emitter.spots.load(flag.right)
            writer.end_call(2)
            writer.give_back()

        emitter.later(write)
    writer.line = line


def branch_off(
    emitter: Emitter,
    label: Label,
    edge: Edge,
    way: int,
    nan: Order | None = None,
    compare_line: int = 0,
    *,
    arrive: Callable[[Label], None] | None = None,
) -> None:
    """Arrange for the edge that the jump to *label* takes; *arrive* places the label where more is to be done there."""
    writer = emitter.writer
    spots = emitter.spots
    polls = edge.back and not emitter.polls.serve(emitter, emitter.current, edge.target)
    if polls:
        emitter.site(way, edge.target)
    plain = edge.target != END and not edge.back and edge.target not in emitter.placed and nan is None
    if (
        plain
        and arrive is None
        and edge.target not in emitter.counted
        and (emitter.inherits(edge) or emitter.moves(edge.target) == ([], False))
    ):
        # Nothing has to be moved on the way: the jump goes to the block itself.
        if emitter.inherits(edge):
            emitter.inherited[edge.target] = list(spots.places), spots.flag
        emitter.aliases.setdefault(edge.target, []).append(label)
        return
    places, flag = list(spots.places), spots.flag
    if emitter.inherits(edge):
        emitter.inherited[edge.target] = list(places), flag

    def write() -> None:
        kept = spots.places, spots.flag
        spots.places, spots.flag = list(places), flag
        (arrive or writer.place)(label)
        if nan is not None:
            _check_nan(emitter, nan, compare_line)
        if edge.target == END:
            emitter.finish(0)
        else:
            if polls:
                emitter.poll(way)
            if not emitter.inherits(edge):
                emitter.enter_block(edge.target)
            if writer.goes_on:
                writer.jump_back(emitter.labels[edge.target])
        spots.places, spots.flag = kept

    emitter.later(write)
