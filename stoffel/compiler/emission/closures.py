"""Closures as they are written: what is captured, and the upvalues of the call that runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stoffel.compiler.analysis.facts import UNIT_FACT
from stoffel.compiler.analysis.ir import ARGUMENT, PLACE, UPVALUE, Capture, Node
from stoffel.compiler.emission.call_sequences import take_arguments
from stoffel.compiler.emission.deopt_points import HANDOVER, Known
from stoffel.compiler.emission.global_names import CLOSURE_LOCAL, FIND_UPVALUE, NEW_CLOSURE

if TYPE_CHECKING:
    from stoffel.compiler.emission.emitter import Emitter


def create_closure(emitter: Emitter, node: Node, landing: int) -> None:
    """Make a closure of a known function, with what it captures now."""
    shape, captures = node.detail
    writer = emitter.writer
    writer.begin_call(NEW_CLOSURE)
    writer.constant(shape)
    load_captures(emitter, shape[1], captures)
    writer.end_call(2)
    take_arguments(emitter)
    emitter.result(node, landing)


def load_captures(emitter: Emitter, names: Sequence[str], captures: Sequence[Capture]) -> None:
    """Push a tuple of upvalues: the names with what is captured under them."""
    writer = emitter.writer
    for name, capture in zip(names, captures, strict=True):
        writer.constant(name)
        if capture.sort == UPVALUE:
            _load_upvalue(emitter, capture.position, capture.closure)
        elif capture.sort == ARGUMENT:
            emitter.load_argument(capture.position)
        elif capture.sort == PLACE:
            emitter.spots.load_place(capture.position)
        else:
            writer.begin_call(FIND_UPVALUE)
            writer.constant(name)
            writer.end_call(1)
        writer.new_tuple(2)
    writer.new_tuple(len(captures))


def _load_closure(emitter: Emitter, place: int) -> None:
    """Push the closure that runs: the one in *place*, or (-1) that of the unit."""
    if place < 0:
        emitter.writer.load(CLOSURE_LOCAL)
    else:
        emitter.spots.load_place(place)


def _load_pair(emitter: Emitter, index: int, closure: int) -> None:
    writer = emitter.writer
    _load_closure(emitter, closure)
    writer.attribute("upvalues")
    writer.constant(index)
    writer.subscript()


def _load_upvalue(emitter: Emitter, index: int, closure: int) -> None:
    _load_pair(emitter, index, closure)
    emitter.writer.constant(1)
    emitter.writer.subscript()


def get_upvalue(emitter: Emitter, node: Node, landing: int) -> None:
    """Read an upvalue of the call that runs."""
    position, _, closure = node.detail
    _load_upvalue(emitter, position, closure)
    take_arguments(emitter)
    emitter.result(node, landing)


def set_upvalue(emitter: Emitter, node: Node, landing: int) -> None:  # noqa: ARG001 - the shape of a form
    """Change the closure itself, which only registers hold; one that is shared is left to the interpreter."""
    writer = emitter.writer
    position, captured, closure = node.detail
    emitter.site(HANDOVER, node.index)
    _load_closure(emitter, closure)
    writer.attribute("shared")
    emitter.leave_if(HANDOVER)
    for index, name in enumerate(captured):
        if index == position:
            writer.constant(name)
            emitter.spots.load_place(node.sources[1])
            writer.new_tuple(2)
        else:
            _load_pair(emitter, index, closure)
    writer.new_tuple(len(captured))
    _load_closure(emitter, closure)
    writer.store_attribute("upvalues")
    take_arguments(emitter)
    emitter.spots.set(node.target, Known(UNIT_FACT))
