"""Calls, as inference sees them: VM functions, builtins that are opened inline, other foreign functions.

Opened builtins touch a table's storage directly. They need no test of the table's class: an Array without gaps is the
only value with an ``items`` list and an Object the only one with a ``fields`` dict, so the attribute access is the
guard, and whatever it or the subscription raises leaves compiled code before anything has happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis import load_elimination
from stoffel.compiler.analysis.environment import Signature
from stoffel.compiler.analysis.facts import (
    ARRAY,
    BOOL,
    CLASS,
    CLOSURE,
    I64,
    KIND_RANGES,
    NOTHING,
    OBJECT,
    PRIVATE,
    STRING,
    UNIT,
    UNIT_FACT,
    UNKNOWN,
    Fact,
    kind_of,
    of_kinds,
    of_result,
    public,
    with_hint,
)
from stoffel.compiler.analysis.ir import ARGUMENT, AROUND, PLACE, UPVALUE, Capture, FlowState, Node
from stoffel.compiler.flow.spliced import Callee
from stoffel.model.builtins.declaration import COUNT, Builtin
from stoffel.model.builtins.table import complete
from stoffel.model.code import Code
from stoffel.model.foreign import ForeignFunction
from stoffel.model.values import Array, Closure, Object, Operand, TypedArray, machine_values

if TYPE_CHECKING:
    from stoffel.compiler.analysis.inferring import Inferring

_LENGTH: Final = of_result(COUNT)
_PLAIN: Final = frozenset({*KIND_RANGES, BOOL, STRING, UNIT})
"""Kinds of values that are the same only if they are equal to Python, too; NaN is not."""


def call(inference: Inferring, index: int, name: str, target: int, state: FlowState, nodes: list[Node]) -> bool:
    """Apply CALL *name*, whose result goes to *target*; return False if control does not come back in compiled code."""
    bottom = inference.layout.stack
    arguments = tuple(range(bottom, len(state.facts)))
    facts = tuple(state.facts[bottom:])
    known = inference.calls.get(index)
    if known is not None and known[0] == facts:
        node = known[1]
    else:
        callee = inference.environment.resolve(name)
        node = _node(inference, index, name, callee, arguments, facts)
        if node.target >= 0:
            node.target = target
        first = PUBLISHING.get(node.form, len(facts))
        node.publishes = tuple(
            [place for place, fact in zip(arguments[first:], facts[first:], strict=True) if fact.mask & PRIVATE]
        )
        if isinstance(callee, ForeignFunction) and not (callee.declaration and callee.declaration.calls):
            inference.calls[index] = facts, node
    place = None
    if inference.layout.unseen:
        place = load_elimination.place_of(inference, node, facts, nodes)
        node = load_elimination.before_call(inference, place, node, facts, state, nodes)
    del state.facts[bottom:]
    nodes.append(node)
    if node.form == "leave":
        return False
    inference.define(state, target, node.result)
    if inference.layout.unseen:
        load_elimination.after_call(place, node, state, nodes)
    return node.result.mask != 0


def _node(
    inference: Inferring,
    index: int,
    name: str,
    callee: Code | ForeignFunction | None,
    arguments: tuple[int, ...],
    facts: tuple[Fact, ...],
) -> Node:
    if callee is None:
        return _leave(index, arguments, facts, f"call of '{name}' is resolved by the interpreter")
    if type(callee) is Code:
        if len(facts) != len(callee.parameters):
            return _leave(index, arguments, facts, f"call of '{name}' with a wrong number of arguments")
        signature = inference.environment.signature_of(
            callee, tuple(public(fact).mask for fact in facts), callee.upvalue_names or None
        )
        facts = _passed(facts, signature)
        result = inference.environment.result_of(callee, signature)
        if inference.environment.resolve(name) is None:
            return _leave(index, arguments, facts, f"'{name}' is not compiled")
        if not callee.upvalue_names:
            detail = callee, signature
            return Node(index, "call", 0, arguments, facts=facts, result=result, detail=detail, leaves=True)
        captures = [_capture(inference, index, upvalue) for upvalue in callee.upvalue_names]
        return Node(
            index,
            "capturing_call",
            0,
            (*arguments, *(place for capture in captures for place in capture.needs)),
            facts=facts,
            result=result,
            detail=(callee, signature, captures),
            leaves=True,
        )
    assert isinstance(callee, ForeignFunction)
    row = callee.declaration
    if row is not None:
        expand = EXPANSIONS[row.name]
        if expand is not None and (row.changes_records or not inference.is_generic(index)):
            node = expand(inference, index, arguments, facts)
            if node is not None:
                return node
    return Node(
        index,
        "foreign",
        0,
        arguments,
        facts=facts,
        operation=name,
        result=UNKNOWN if row is None else of_result(row.result),
        leaves=not callee.quiet,
        detail=callee,
    )


def _passed(facts: tuple[Fact, ...], signature: Signature) -> tuple[Fact, ...]:
    """Return *facts* about arguments as a unit for such calls is given them: what it expects of any kind is boxed."""
    return tuple(
        fact if fact.mask == mask else of_kinds(mask)
        for fact, mask in zip(map(public, facts), signature.masks, strict=True)
    )


PUBLISHING: Final = {
    "call": 0,
    "capturing_call": 0,
    "closure_call": 1,
    "any_closure_call": 1,
    "foreign": 0,
    "set_element": 1,
    "set_field": 1,
    "append": 1,
    "push": 1,
    "set_upvalue": 1,
}
"""Forms that put values where registers do not hold them, with the first source of which that is true."""


def _call_closure(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node:
    if not facts or not facts[0].mask & (CLOSURE | PRIVATE):
        return _leave(index, arguments, facts, "call of what is not a closure")
    facts = facts[0], *map(public, facts[1:])
    sample = facts[0].hint
    if type(sample) is Closure and not inference.is_generic(index):
        callee = inference.environment.resolve(sample.function)
        captured = sample.shape[1]
        if type(callee) is Code and len(callee.parameters) == len(facts) - 1 and len(set(captured)) == len(captured):
            signature = inference.environment.signature_of(callee, tuple(fact.mask for fact in facts[1:]), captured)
            facts = facts[0], *_passed(facts[1:], signature)
            result = inference.environment.result_of(callee, signature)
            if inference.environment.resolve(sample.function) is not None:
                inlined = inference.inlined_at(index)
                caller, own = (inference.code, index) if inlined is None else (inlined.code, index - inlined.base)
                inference.environment.note_closure(caller, own, Callee(callee, sample.shape))
                detail = callee, signature, sample.shape
                return Node(index, "closure_call", 0, arguments, facts=facts, result=result, detail=detail, leaves=True)
    return Node(index, "any_closure_call", 0, arguments, facts=facts, result=UNKNOWN, leaves=True)


def _create_closure(
    inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]
) -> Node | None:
    """Capture what the unit has; what the records around have is left to the builtin."""
    if not facts or any(type(fact.constant) is not str for fact in facts):
        return None
    function, *captured = (fact.constant for fact in facts)
    captures = [_capture(inference, index, name) for name in captured]
    if any(capture.sort == AROUND for capture in captures):
        return None
    unknown: Operand = NOTHING
    sample = Closure(function, tuple((name, unknown) for name in captured))
    result = with_hint(of_kinds(PRIVATE), sample)
    sources = *arguments, *(place for capture in captures for place in capture.needs)
    return Node(index, "create_closure", 0, sources, facts=facts, result=result, detail=(sample.shape, captures))


def _capture(inference: Inferring, index: int, name: str) -> Capture:
    """Return where the CALL at *index* finds *name*: in each record its parameters, then its upvalues."""
    inlined = inference.inlined_at(index)
    while inlined is not None:
        position = inlined.code.position_of(name)
        if position >= 0:
            return Capture(PLACE, inlined.bound + position)
        if inlined.captured is not None and name in inlined.captured:
            return Capture(UPVALUE, inlined.captured.index(name), inlined.closure)
        inlined = inlined.outer
    position = inference.code.position_of(name)
    if position >= 0:
        return Capture(ARGUMENT, position)
    if inference.captured is not None and name in inference.captured:
        return Capture(UPVALUE, inference.captured.index(name))
    return Capture(AROUND)


def _upvalue(inference: Inferring, index: int, facts: tuple[Fact, ...]) -> tuple[int, tuple[str, ...], int] | None:
    """Return position and names of upvalues, and the place of the closure (-1: the one that the unit runs)."""
    inlined = inference.inlined_at(index)
    upvalues = inference.captured if inlined is None else inlined.captured
    name = facts[0].constant if facts else None
    if upvalues is None or type(name) is not str or name not in upvalues:
        return None
    # The last of that name: the record of a plain call may have several.
    return len(upvalues) - 1 - upvalues[::-1].index(name), upvalues, -1 if inlined is None else inlined.closure


def _get_upvalue(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    found = _upvalue(inference, index, facts)
    if found is None or len(facts) != 1:
        return None
    closure = found[2:] if found[2] >= 0 else ()
    return Node(index, "get_upvalue", 0, (*arguments, *closure), facts=facts, result=UNKNOWN, detail=found)


def _set_upvalue(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node:
    found = _upvalue(inference, index, facts)
    if found is None or len(facts) < 2:
        # Called as a foreign function it would change a snapshot of the record, not what compiled code goes on with.
        return _leave(index, arguments, facts, "set_upvalue of what is not known to be captured")
    sources = (*arguments, *found[2:]) if found[2] >= 0 else arguments
    return Node(index, "set_upvalue", 0, sources, facts=facts, result=UNIT_FACT, detail=found, leaves=True)


def _leave(index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...], reason: str) -> Node:
    return Node(index, "leave", 0, arguments, facts=facts, detail=reason, leaves=True)


def _is_array(fact: Fact) -> bool:
    """Return whether a value is an array, as far as can be told."""
    return fact.mask == ARRAY or (_can_be(fact, ARRAY) and fact.hint is not NOTHING and isinstance(fact.hint, Array))


def _can_be(fact: Fact, kind: int) -> bool:
    return bool(fact.mask & kind)


def _container(inference: Inferring, index: int, facts: tuple[Fact, ...]) -> int:
    """Return ARRAY or OBJECT, whichever a table accessed with a key most likely is, 0 if neither can be opened."""
    fact, key = facts[:2]
    choice = _likely(inference, index, 0, fact)
    if not choice:
        if _can_be(fact, OBJECT) and key.mask == STRING:
            choice = OBJECT
        elif _can_be(fact, ARRAY) and key.mask == I64:
            choice = ARRAY
    if choice == ARRAY:
        return ARRAY if key.mask == I64 else 0
    return OBJECT if choice == OBJECT and key.mask in (STRING, I64) else 0


def _sample(container: Fact, key: Fact) -> object:
    """Return a value like the one that get_field will find, if the hint about the table shows one."""
    table = container.hint
    if type(table) is Array and table.items:
        return table.items[0]
    if type(table) is TypedArray and table.buffer:
        return machine_values(table.kind, table.buffer[:1])[0]
    if type(table) is Object and key.is_constant:
        return table.fields.get(key.constant, NOTHING)
    return NOTHING


Guards = tuple[tuple[int, int], ...]
"""Kinds to be checked first, by the position of the argument."""


def _likely(inference: Inferring, index: int, position: int, fact: Fact) -> int:
    """Return the kind of an argument, the one that it most likely has where it is open, 0 if nothing tells.

    What was seen there decides, else a value that is like it. Several kinds that were seen are the result together.
    """
    if fact.mask in CLASS:
        return fact.mask
    feedback, own = inference.feedback_at(index)
    seen = feedback.seen(own, position) & fact.mask
    if seen or fact.hint is NOTHING:
        return seen
    return kind_of(fact.hint) & fact.mask


def _with_string(
    inference: Inferring, index: int, facts: tuple[Fact, ...], guards: Guards = ()
) -> tuple[tuple[Fact, ...], Guards]:
    """Guess that the first argument is a string where that is likely; return facts as after the check of that."""
    if facts[0].mask in CLASS or inference.is_generic(index) or _likely(inference, index, 0, facts[0]) != STRING:
        return facts, guards
    return (inference.guarded(facts[0], STRING), *facts[1:]), ((0, STRING), *guards)


def _with_key(inference: Inferring, index: int, facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], Guards]:
    """Guess the kind of a table's key, the second argument, where it is open; return facts as after the check of that.

    If nothing tells, it is what such tables mostly have: a string for an object, an integer for an array.
    """
    table, key = facts[:2]
    if key.mask in CLASS or inference.is_generic(index):
        return facts, ()
    kind = _likely(inference, index, 1, key)
    if not kind:
        kind = STRING if _likely(inference, index, 0, table) == OBJECT else I64
    if kind not in (I64, STRING) or not kind & key.mask:
        return facts, ()
    return (table, inference.guarded(key, kind), *facts[2:]), ((1, kind),)


def _get_field(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 2:
        return None
    facts, guards = _with_string(inference, index, *_with_key(inference, index, facts))
    if facts[0].mask == STRING and facts[1].mask == I64:
        result = of_kinds(STRING)
        return Node(
            index, "get_element_of_string", 0, arguments, facts=facts, guards=guards, result=result, leaves=True
        )
    container = _container(inference, index, facts)
    if not container:
        return None
    form = "get_element" if container == ARRAY else "get_field"
    feedback, own = inference.feedback_at(index)
    if form == "get_field" and feedback.is_absent(own):
        form = "find_field"
    result = with_hint(UNKNOWN, _sample(facts[0], facts[1]))
    return Node(index, form, 0, arguments, facts=facts, guards=guards, result=result, leaves=True)


def _get_or_create(
    inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]
) -> Node | None:
    """An array that is there already is only read; where there is none, the interpreter makes it."""
    if len(facts) != 2:
        return None
    facts, guards = _with_key(inference, index, facts)
    container = _container(inference, index, facts)
    if not container:
        return None
    form = "get_array_element" if container == ARRAY else "get_array_field"
    result = with_hint(of_kinds(ARRAY), _sample(facts[0], facts[1]))
    return Node(index, form, 0, arguments, facts=facts, guards=guards, result=result, leaves=True)


def _set_field(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 3:
        return None
    facts, guards = _with_key(inference, index, facts)
    container = _container(inference, index, facts)
    if not container:
        return None
    form = "set_element" if container == ARRAY else "set_field"
    return Node(index, form, 0, arguments, facts=facts, guards=guards, result=UNIT_FACT, leaves=True)


def _append(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 2 or not _can_be(facts[0], ARRAY):
        return None
    return Node(index, "append", 0, arguments, facts=facts, result=UNIT_FACT, leaves=True)


def _push(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 2 or not _can_be(facts[0], ARRAY):
        return None
    return Node(index, "push", 0, arguments, facts=facts, result=_LENGTH, leaves=True)


def _pop(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 1 or not _can_be(facts[0], ARRAY):
        return None
    result = with_hint(UNKNOWN, _sample(facts[0], facts[0]))
    return Node(index, "pop", 0, arguments, facts=facts, result=result, leaves=True)


def _length(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 1:
        return None
    facts, guards = _with_string(inference, index, facts)
    if facts[0].mask == STRING:
        form = "string_length"
    elif _can_be(facts[0], ARRAY) and _likely(inference, index, 0, facts[0]) in (0, ARRAY):
        form = "array_length"
    else:
        return None
    return Node(index, form, 0, arguments, facts=facts, guards=guards, result=_LENGTH, leaves=True)


def _to_string(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 1 or facts[0].mask != I64:
        return None
    return Node(index, "integer_text", 0, arguments, facts=facts, result=of_kinds(STRING))


def _contains(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) != 2:
        return None
    if _is_array(facts[0]) and facts[1].mask in _PLAIN:
        return Node(index, "contains_element", 0, arguments, facts=facts, result=of_kinds(BOOL), leaves=True)
    if facts[1].mask != STRING:
        return None
    if facts[0].mask == STRING:
        return Node(index, "contains_text", 0, arguments, facts=facts, result=of_kinds(BOOL))
    if facts[0].mask == OBJECT or type(facts[0].hint) is Object:
        return Node(index, "contains_field", 0, arguments, facts=facts, result=of_kinds(BOOL), leaves=True)
    return None


def _slice(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    """The result of a slice has the kind of what is sliced, also where it is not opened."""
    bounds = facts[1:]
    if (
        facts
        and _is_array(facts[0])
        and (len(facts) == 3 or (len(facts) == 4 and facts[3].constant == 1))
        and all(fact.mask == I64 for fact in bounds)
    ):
        return Node(index, "slice_of_array", 0, arguments, facts=facts, result=of_kinds(ARRAY), leaves=True)
    if not facts or facts[0].mask not in (STRING, ARRAY):
        return None
    callee = inference.environment.resolve("slice")
    return Node(
        index, "foreign", 0, arguments, facts=facts, operation="slice", result=of_kinds(facts[0].mask), detail=callee
    )


def _create_array(inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node | None:
    if len(facts) > 1 or (facts and (facts[0].mask != I64 or facts[0].low < 0)):
        return None
    return Node(index, "create_array", 0, arguments, facts=facts, result=of_kinds(ARRAY))


def _create_object(
    inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]
) -> Node | None:
    return Node(index, "create_object", 0, arguments, facts=facts, result=of_kinds(OBJECT))


Expansion = Callable[["Inferring", int, tuple[int, ...], tuple[Fact, ...]], "Node | None"]
"""Returns the node of a builtin's call, or None where the call is best made as that of a foreign function."""


def _unexpanded(row: Builtin) -> Expansion | None:
    """Return how calls of a builtin are written that compiled code has not: None, like those of a foreign function.

    One that changes activation records is left to the interpreter, since those of compiled code are snapshots.
    """

    def left(_inference: Inferring, index: int, arguments: tuple[int, ...], facts: tuple[Fact, ...]) -> Node:
        return _leave(index, arguments, facts, f"call of '{row.name}'")

    return left if row.changes_records else None


_EXPANSIONS: Final[dict[str, Expansion]] = {
    "append": _append,
    "array_length": _length,
    "array_push": _push,
    "call_closure": _call_closure,
    "contains": _contains,
    "create_array": _create_array,
    "create_closure": _create_closure,
    "create_object": _create_object,
    "get_field": _get_field,
    "get_or_create_array_field": _get_or_create,
    "get_upvalue": _get_upvalue,
    "len": _length,
    "pop": _pop,
    "set_field": _set_field,
    "set_upvalue": _set_upvalue,
    "to_string": _to_string,
}

NATIVE: Final = frozenset(_EXPANSIONS)
"""The builtins that compiled code has expanded, in the common cases."""
EXPANSIONS: Final[dict[str, Expansion | None]] = complete(
    {**_EXPANSIONS, "slice": _slice}, _unexpanded, "stoffel.compiler.analysis.calls"
)
"""How the call of each builtin is written where its arguments allow that, by name."""
