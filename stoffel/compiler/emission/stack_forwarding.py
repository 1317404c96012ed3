"""Results that stay on the evaluation stack because the next instruction takes them, as in code for an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis.ir import Node, TypedBlock
from stoffel.compiler.analysis.liveness import FLAG, bit
from stoffel.compiler.analysis.operation_forms import OPERATION_FORMS

if TYPE_CHECKING:
    from stoffel.compiler.emission.emitter import Emitter

TAKING: Final = frozenset({"integer", "float", "string", "boolean"})
"""Forms that load their first source before anything else, and nothing but once."""

PASSING: Final = TAKING | {"wrapping_shift", "division", "get_element_of_string", "string_length", "integer_text"}
"""Forms that end with their result on the evaluation stack."""


def passes_on(emitter: Emitter, typed: TypedBlock, position: int, node: Node) -> bool:
    """Return whether the result of *node* can stay on the evaluation stack for the next node that writes code."""
    if node.form not in PASSING or node.target < 0 or (type(node.detail) is tuple and any(node.detail)):
        return False
    holders = {node.target}
    for after in range(position + 1, len(typed.nodes)):
        taker = typed.nodes[after]
        if taker.form == "constant":
            holders.discard(taker.target)
        elif taker.form == "give" or (taker.form == "restore_flag" and not emitter.needed_after[after] & FLAG):
            # The end of an inlined call has no code.
            continue
        elif taker.form == "copy" and taker.target < emitter.typed.layout.stack:
            if taker.sources[0] in holders:
                holders.add(taker.target)
            else:
                holders.discard(taker.target)
        else:
            if taker.form not in TAKING or taker.guards or taker.leaves or taker in emitter.increments:
                return False
            first, *others = taker.sources
            if first not in holders and taker.form == "integer" and OPERATION_FORMS[taker.operation].commutes:
                # Whichever is loaded first, the result is the same.
                first, others = others[0], [first]
            if first not in holders or any(other in holders for other in others):
                return False
            left_over = emitter.needed_after[after]
            if not left_over & bit(taker.target):
                return False
            return not any(left_over & bit(place) for place in holders if place != taker.target)
        if not holders:
            return False
    return False
