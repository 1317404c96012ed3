"""Calls as they are written: the record that is given up, the room that is left, and the seams of inlined calls.

A call that is inlined has next to no code: its registers are copies, the caller's compare flag is put aside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis.ir import Node
from stoffel.compiler.analysis.liveness import FLAG
from stoffel.compiler.emission.deopt_points import BEFORE, Known
from stoffel.compiler.emission.global_names import ROOM
from stoffel.compiler.emission.locations import FLAG_LOCAL

if TYPE_CHECKING:
    from stoffel.compiler.emission.emitter import Emitter
    from stoffel.model.values import Shape


def take_arguments(emitter: Emitter) -> None:
    """Note that a call has taken the argument stack."""
    del emitter.spots.places[emitter.typed.layout.stack :]


def load_room(emitter: Emitter, node: Node) -> None:
    """Push the room that a call leaves to its callee; the local has what is left below all inlined calls."""
    emitter.writer.load(ROOM)
    inlined = emitter.splice.at(node.index)
    spare = emitter.calls - (1 if inlined is None else inlined.depth + 1)
    if spare:
        emitter.writer.constant(spare)
        emitter.writer.binary("ADD")


def check_shape(emitter: Emitter, place: int, shape: Shape) -> None:
    """Leave if what is in *place* is not a closure of that shape."""
    writer = emitter.writer
    writer.begin_try()
    emitter.spots.load_place(place)
    writer.attribute("shape")
    writer.end_try()
    writer.constant(shape)
    writer.identical()
    emitter.leave_if(BEFORE, true=False)


def expect_closure(emitter: Emitter, node: Node, landing: int) -> None:  # noqa: ARG001 - the shape of a form
    """Look at the shape of the closure whose function is inlined."""
    check_shape(emitter, node.sources[0], node.detail)


def publish(emitter: Emitter, node: Node, landing: int) -> None:
    """Nothing is left to do: what a node publishes is published before it is written."""


def _enter(emitter: Emitter, node: Node) -> None:  # noqa: ARG001 - the shape of a seam
    take_arguments(emitter)


def _save_flag(emitter: Emitter, node: Node) -> None:
    """Put the caller's compare flag into a place of its own."""
    spots = emitter.spots
    if node.result.is_constant:
        spots.set(node.target, Known(node.result))
    elif emitter.is_dead(node):
        spots.set(node.target, None)
    else:
        emitter.new_line(node.index)
        spots.materialise_flag()
        emitter.writer.load(FLAG_LOCAL)
        spots.define(node.target, emitter.needed)


def _restore_flag(emitter: Emitter, node: Node) -> None:
    spots = emitter.spots
    if node.result.is_constant:
        spots.flag = node.result.constant
    elif not emitter.needed & FLAG:
        spots.flag = None
    else:
        emitter.new_line(node.index)
        spots.load_place(node.sources[0])
        emitter.writer.store(FLAG_LOCAL)
        spots.flag = spots.held(FLAG_LOCAL)


SEAMS: Final[dict[str, Callable[[Emitter, Node], None]]] = {
    "enter": _enter,
    "give": _enter,
    "save_flag": _save_flag,
    "restore_flag": _restore_flag,
}
"""What happens, mostly without any code, where inlined calls begin and end."""
