"""Inferring across the seams of inlined calls: what happens at the CALL, and where the function returns.

At the CALL its registers get the arguments and Unit, and the caller's compare flag is put aside for the caller's
record. Nothing of that is an instruction of the machine: it is written as copies, which mostly cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stoffel.compiler.analysis.facts import CLOSURE, I64, PRIVATE, UNIT_FACT, of_constant, of_range, public
from stoffel.compiler.analysis.ir import FLAG_BITS, FlowState, Node
from stoffel.compiler.flow.spliced import Callee, Inlined
from stoffel.model.values import Closure

if TYPE_CHECKING:
    from stoffel.compiler.analysis.inferring import Inferring

_FLAG_OF = {flag: value for value, flag in FLAG_BITS.items()}


def enter(inference: Inferring, index: int, call: Inlined, state: FlowState, nodes: list[Node]) -> bool:
    """Apply the CALL at *index*, which is inlined; return False if it can only be left to the interpreter."""
    bottom = inference.layout.stack
    places = tuple(range(bottom, len(state.facts)))
    facts = tuple(state.facts[bottom:])
    if call.shape is not None:
        if not _is_callable(inference, index, call, state):
            nodes.append(
                Node(index, "leave", -1, places, facts=facts, detail="call of what is no closure", leaves=True)
            )
            return False
        nodes.append(Node(index, "expect_closure", -1, places[:1], detail=call.shape, leaves=True))
        _copy(inference, index, call.closure, places[0], state, nodes)
        places, facts = places[1:], facts[1:]
    code = call.code
    if len(facts) != len(code.parameters):
        reason = f"call of '{code.name}' with a wrong number of arguments"
        nodes.append(Node(index, "leave", -1, places, facts=facts, detail=reason, leaves=True))
        return False
    shared = Node(index, "publish", -1, places, facts=facts)
    shared.publishes = tuple(place for place in places if state.facts[place].mask & PRIVATE)
    if shared.publishes:
        nodes.append(shared)
    for number, place in enumerate(places):
        state.facts[place] = public(state.facts[place])
        _copy(inference, index, call.first + number, place, state, nodes)
        _copy(inference, index, call.bound + number, place, state, nodes)
    for place in range(call.first + len(places), call.bound):
        inference.define(state, place, UNIT_FACT)
        nodes.append(Node(index, "constant", place, result=UNIT_FACT))
    value = _FLAG_OF.get(state.flag)
    flag = of_range(I64, -1, 1) if value is None else of_constant(value)
    inference.define(state, call.flag, flag)
    nodes.append(Node(index, "save_flag", call.flag, result=flag))
    nodes.append(Node(index, "flag", detail=0))
    state.flag, state.comparison = FLAG_BITS[0], None
    del state.facts[bottom:]
    nodes.append(Node(index, "enter", detail=call.depth))
    return True


def _is_callable(inference: Inferring, index: int, call: Inlined, state: FlowState) -> bool:
    bottom = inference.layout.stack
    if len(state.facts) == bottom or not state.facts[bottom].mask & (CLOSURE | PRIVATE):
        return False
    sample = state.facts[bottom].hint
    if type(sample) is Closure and sample.shape is not call.shape:
        # Another closure than the one that is inlined here: the splice will be made anew without it.
        code = inference.code if call.outer is None else call.outer.code
        own = index if call.outer is None else index - call.outer.base
        inference.environment.note_closure(code, own, Callee(call.code, sample.shape))
    return True


def give(inference: Inferring, index: int, source: int, call: Inlined, state: FlowState, nodes: list[Node]) -> None:
    """Apply the RET at *index* of an inlined call."""
    del state.facts[inference.layout.stack :]
    flag = state.facts[call.flag]
    _copy(inference, index, call.result, source, state, nodes)
    nodes.append(Node(index, "restore_flag", -1, (call.flag,), result=flag))
    nodes.append(Node(index, "give"))
    state.flag = FLAG_BITS[flag.constant] if flag.is_constant else 7
    state.comparison = None


def _copy(inference: Inferring, index: int, target: int, source: int, state: FlowState, nodes: list[Node]) -> None:
    fact = state.facts[source]
    if source != target:
        inference.define(state, target, fact)
    nodes.append(Node(index, "copy", target, (source,), result=fact))
