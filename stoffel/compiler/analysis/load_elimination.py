"""What tables and closures are known to hold: fields and upvalues that were just read or written are not read again.

A field of the object in a register, and an upvalue of the running closure, can have a place of its own, in which the
value that was last read or written there is remembered (load elimination by value forwarding; Fink, Knobe and Sarkar,
"Unified analysis of array and object references in strongly typed languages", 2000). Writing still writes. A place
forgets when its register changes, when a field of that name is written through another register, which may hold the
same object, and at every call of what may write to tables. The interpreter has no such places: leaving compiled code
loses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis.facts import FORGOTTEN, FORGOTTEN_FACT, PRIVATE, Fact
from stoffel.compiler.analysis.ir import RUNNING_OTHERS, FlowState, Node
from stoffel.compiler.flow.decoding import Subject
from stoffel.isa.instruction import Instruction
from stoffel.isa.table import ROWS, Flow, OperandKind, Place
from stoffel.model.builtins.table import complete

if TYPE_CHECKING:
    from stoffel.compiler.analysis.inferring import Inferring

MOST: Final = 24
"""Places for remembering in one function; the subjects used most often get them."""

_FIELD_READERS: Final = frozenset({"get_field", "find_field"})


def _field(pushed: list[int], texts: dict[int, str]) -> Subject | None:
    """Return the register of the object and the name of the field that a call accesses; register 0 is not one."""
    key = texts.get(pushed[min(1, len(pushed) - 1)])
    return None if key is None or pushed[0] == 0 else (pushed[0], key)


def _upvalue(pushed: list[int], texts: dict[int, str]) -> Subject | None:
    """Return the name of the upvalue that a call accesses, with -1 for the running closure."""
    key = texts.get(pushed[0])
    return None if key is None else (-1, key)


_Finder = Callable[[list[int], dict[int, str]], "Subject | None"]
_SUBJECTS: Final[dict[str, _Finder | None]] = complete(
    {"get_field": _field, "set_field": _field, "get_upvalue": _upvalue, "set_upvalue": _upvalue},
    lambda _: None,
    "stoffel.compiler.analysis.load_elimination",
)
"""What a call of a builtin accesses that is worth remembering, given the registers that were pushed and the texts in
registers; None for a builtin of which nothing is remembered."""

_PUSHING: Final = frozenset(row.code for row in ROWS if Place.STACK in row.writes)
_LOADING: Final = {
    row.code: (constant, target)
    for row in ROWS
    if (constant := row.position(OperandKind.CONSTANT)) is not None
    and (target := row.position(OperandKind.TARGET)) is not None
}
"""Positions of constant and target, for the instructions that load a constant."""


def subjects(instructions: list[Instruction]) -> list[Subject]:
    """Return what a function reads or writes more than once and may be worth remembering."""
    if sum(1 for one in instructions if one.op.flow is Flow.CALL and _SUBJECTS.get(one.operands[0])) < 2:
        return []
    found: Counter[Subject] = Counter()
    texts: dict[int, str] = {}
    pushed: list[int] = []
    for instruction in instructions:
        row, operands = instruction.op, instruction.operands
        if row.flow is Flow.CALL:
            find = _SUBJECTS.get(operands[0])
            subject = find(pushed, texts) if find is not None and pushed else None
            if subject is not None:
                found[subject] += 1
            pushed = []
        elif row.code in _PUSHING:
            pushed.append(operands[0])
        elif row.code in _LOADING:
            constant, target = _LOADING[row.code]
            if type(operands[constant]) is str:
                texts[operands[target]] = operands[constant]
    return [subject for subject, times in found.most_common(MOST) if times > 1]


def before_call(
    inference: Inferring, place: int | None, node: Node, facts: tuple[Fact, ...], state: FlowState, nodes: list[Node]
) -> Node:
    """Return the node of a call, or one that takes what is remembered instead; note what the call writes or forgets.

    *place* is the one for what the call reads or writes, see :func:`place_of`.
    """
    layout = inference.layout
    if node.form in RUNNING_OTHERS:
        for kept in layout.unseen.values():
            state.facts[kept] = FORGOTTEN_FACT
        return node
    if node.form in _FIELD_READERS or node.form == "get_upvalue":
        if place is None or state.facts[place].mask & FORGOTTEN:
            return node
        return Node(node.index, "reuse", node.target, (place,), facts=(state.facts[place],), result=state.facts[place])
    if node.form == "set_field":
        key = facts[1].constant
        for (holder, other), field in layout.unseen.items():
            if holder >= 0 and (other == key or type(key) is not str):
                state.facts[field] = FORGOTTEN_FACT
        _remember(place, node.sources[2], facts[2], node.index, state, nodes)
    elif node.form == "set_upvalue":
        _remember(place, node.sources[1], facts[1], node.index, state, nodes)
    return node


def after_call(place: int | None, node: Node, state: FlowState, nodes: list[Node]) -> None:
    """Remember in *place* what a call has read."""
    if node.form in _FIELD_READERS or node.form == "get_upvalue":
        _remember(place, node.target, node.result, node.index, state, nodes)


def place_of(inference: Inferring, node: Node, facts: tuple[Fact, ...], nodes: list[Node]) -> int | None:
    """Return the place for the field or upvalue that a node reads or writes, if there is one."""
    if node.form.endswith("upvalue"):
        if inference.inlined_at(node.index) is not None:
            return None
        return inference.layout.unseen.get((-1, facts[0].constant))
    if node.form not in _FIELD_READERS and node.form != "set_field":
        return None
    key = facts[1].constant
    return inference.layout.unseen.get((_origin(nodes, node.sources[0]), key)) if type(key) is str else None


def _origin(nodes: list[Node], place: int) -> int:
    """Return the register whose present value is in the stack entry *place*, or -2."""
    changed = set()
    for node in reversed(nodes):
        if node.target == place:
            source = node.sources[0] if node.form == "copy" else -2
            return -2 if source in changed else source
        changed.add(node.target)
    return -2


def _remember(place: int | None, source: int, fact: Fact, index: int, state: FlowState, nodes: list[Node]) -> None:
    if place is None:
        return
    if fact.mask & PRIVATE:
        state.facts[place] = FORGOTTEN_FACT
        return
    state.facts[place] = fact
    nodes.append(Node(index, "copy", place, (source,), result=fact))
