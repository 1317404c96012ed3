"""How each form of node is written out: one function per form.

All take the emitter, the node, and the place that the result is copied to next (-1 for none). Guards have been checked
and the site before the instruction noted. Effects come after everything that can leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stoffel.compiler.analysis.facts import KIND_RANGES, UNIT_FACT, is_raw
from stoffel.compiler.analysis.ir import Node
from stoffel.compiler.analysis.operation_forms import OPERATION_FORMS
from stoffel.compiler.cpython.opcodes import OPERATORS
from stoffel.compiler.emission.call_sequences import check_shape, expect_closure, load_room, publish, take_arguments
from stoffel.compiler.emission.closures import create_closure, get_upvalue, load_captures, set_upvalue
from stoffel.compiler.emission.deopt_points import AFTER, DURING, HANDOVER, Held, Known, Length, Order, Spot, Sum, Top
from stoffel.compiler.emission.global_names import (
    CALL_CLOSURE,
    CAPTURES,
    HAS_ELEMENT,
    OVERFLOW,
    SLICE,
    direct_name,
    foreign_name,
    operation_name,
)
from stoffel.compiler.emission.locations import FLAG_LOCAL
from stoffel.isa.table import complete

QUICK_INTEGER: Final = (1 << 30) - 1
"""Largest int that CPython keeps in one digit; its specialised comparisons take no larger ones."""

_OPERATORS: Final = {
    "integer": {*OPERATORS, "NOT"},
    "float": {*OPERATORS, "DIV", "MOD"},
    "string": OPERATORS,
    "boolean": {*OPERATORS, "NOT"},
}
"""Operations that each of the forms for operators can write."""

if TYPE_CHECKING:
    from stoffel.compiler.cpython.writer import Label, Writer
    from stoffel.compiler.emission.emitter import Emitter


def _operands(emitter: Emitter, node: Node) -> None:
    for place in node.sources:
        emitter.spots.load_place(place, raw=True)


def _skip(emitter: Emitter, node: Node) -> bool:
    """Return True, and note it, if the result is not needed and computing it has no effect."""
    if emitter.is_dead(node):
        emitter.spots.set(node.target, None)
        return True
    return False


def _integer(emitter: Emitter, node: Node, landing: int) -> None:
    low, high = node.detail or (False, False)
    if not (low or high) and _skip(emitter, node):
        return
    writer = emitter.writer
    kind = node.facts[0].mask
    least, greatest = KIND_RANGES[kind]
    _operands(emitter, node)
    if node.operation != "NOT":
        writer.binary(node.operation)
    elif least < 0:
        writer.complement()
    else:
        writer.constant(greatest)
        writer.binary("XOR")
    emitter.result(node, landing)
    if not (low or high):
        return
    held = emitter.spots.spot(node.target)
    assert isinstance(held, Held)
    after = emitter.polls.moment_after(emitter, node.index, held)
    suspect = writer.label()
    tests = [(bound, operator) for wanted, bound, operator in ((high, greatest, ">"), (low, least, "<")) if wanted]

    def test(label: Label, bound: int, operator: str) -> None:
        writer.load(held.name)
        writer.constant(bound)
        writer.compare(operator)
        writer.if_true(label)

    for bound, operator in tests:
        test(suspect, max(min(bound, QUICK_INTEGER), -QUICK_INTEGER), operator)
    if after is not None:
        emitter.polls.notice(emitter, after, writer.line)
    # Comparing with a small constant is quick in CPython, so results beyond it are looked at again, out of the way.
    go_on = writer.label() if any(abs(bound) > QUICK_INTEGER for bound, _ in tests) else None
    if go_on is not None:
        writer.place(go_on)

    def overflow() -> None:
        writer.place(suspect)
        if go_on is not None:
            failed = writer.label()
            for bound, operator in tests:
                test(failed, bound, operator)
            writer.jump_back(go_on)
            writer.place(failed)
        writer.begin_call(OVERFLOW)
        writer.constant(node.operation)
        writer.end_call(1)
        writer.give_back()

    emitter.later(overflow)


def _wrapping_shift(emitter: Emitter, node: Node, landing: int) -> None:
    if _skip(emitter, node):
        return
    writer = emitter.writer
    least, greatest = KIND_RANGES[node.facts[0].mask]
    _operands(emitter, node)
    writer.binary("SHL")
    if least:
        writer.constant(least)
        writer.binary("SUB")
    writer.constant(greatest - least)
    writer.binary("AND")
    if least:
        writer.constant(least)
        writer.binary("ADD")
    emitter.result(node, landing)


def _division(emitter: Emitter, node: Node, landing: int) -> None:
    """Floor division is truncated division for a dividend of at least 0 and a divisor above 0; the rest is called."""
    writer = emitter.writer
    dividend, divisor = node.facts
    left, right = (emitter.spots.spot(place) for place in node.sources)
    slow, done = writer.label(), writer.label()
    tests = ((left, dividend.low < 0, "<"), (right, divisor.low <= 0, "<="))
    for spot, wanted, operator in tests:
        if wanted:
            emitter.spots.load(spot, raw=True)
            writer.constant(0)
            writer.compare(operator)
            writer.if_true(slow)
    emitter.spots.load(left, raw=True)
    emitter.spots.load(right, raw=True)
    writer.binary("//" if node.operation == "DIV" else "%")
    # Both ways push the result; it is stored where they meet.
    writer.place(done)
    emitter.result(node, landing)
    if not any(wanted for _, wanted, _ in tests):
        return

    def called() -> None:
        writer.place(slow)
        writer.begin_call(operation_name(node.operation))
        emitter.spots.load(left)
        emitter.spots.load(right)
        writer.end_call(2)
        if is_raw(node.result):
            emitter.spots.unbox()
        writer.jump_back(done)

    emitter.later(called)


def _float(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    if not node.leaves and _skip(emitter, node):
        return
    divisor = node.facts[1]
    if node.operation == "MOD" and not (divisor.is_constant and divisor.constant != 0):
        # The host's fmod does not refuse every division by zero: that of NaN is NaN.
        _generic(emitter, node, landing)
        return
    if node.leaves:
        writer.begin_try()
    if node.operation == "MOD":
        writer.begin_call("fmod")
        _operands(emitter, node)
        writer.end_call(2)
    else:
        _operands(emitter, node)
        writer.binary("/" if node.operation == "DIV" else node.operation)
    if node.leaves:
        writer.end_try()
    emitter.result(node, landing)


def _native(emitter: Emitter, node: Node, landing: int) -> None:
    if _skip(emitter, node):
        return
    _operands(emitter, node)
    if node.operation == "NOT":
        emitter.writer.negate_bool()
    else:
        emitter.writer.binary(node.operation)
    emitter.result(node, landing)


def _call_operation(emitter: Emitter, node: Node) -> None:
    writer = emitter.writer
    writer.begin_call(operation_name(node.operation))
    for place in node.sources:
        emitter.spots.load_place(place)
    writer.end_call(len(node.sources))


def _generic(emitter: Emitter, node: Node, landing: int) -> None:
    _call_operation(emitter, node)
    emitter.result(node, landing, boxed=True)


# Comparisons


def _compare(emitter: Emitter, node: Node, landing: int) -> None:  # noqa: ARG001 - the shape of a form
    left, right = (emitter.spots.spot(place) for place in node.sources)
    left, right = (_settled(emitter, place, spot) for place, spot in zip(node.sources, (left, right), strict=True))
    emitter.spots.flag = Order(left, right, node.form)
    emitter.compare_line = emitter.writer.line


def _settled(emitter: Emitter, place: int, spot: Spot) -> Known | Held | Sum:
    """Return the spot of an operand as something that stays: a length is computed now."""
    if isinstance(spot, Length):
        emitter.spots.load(spot)
        emitter.spots.own_copy(place, 0)
        spot = emitter.spots.spot(place)
    assert not isinstance(spot, Length | Top)
    return spot


def _compare_generic(emitter: Emitter, node: Node, landing: int) -> None:  # noqa: ARG001 - the shape of a form
    _call_operation(emitter, node)
    emitter.writer.store(FLAG_LOCAL)
    emitter.spots.flag = emitter.spots.held(FLAG_LOCAL)


# Calls


def _call(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    writer.begin_call(emitter.environment.unit_name(*node.detail))
    load_room(emitter, node)
    for place, fact in zip(node.sources, node.facts, strict=True):
        emitter.spots.load_fact(place, fact)
    _finish_call(emitter, node, landing, boxed=False)


def _capturing_call(emitter: Emitter, node: Node, landing: int) -> None:
    """Call a function that declares upvalues: they are captured now, and go along."""
    callee, signature, captures = node.detail
    writer = emitter.writer
    writer.begin_call(emitter.environment.unit_name(callee, signature))
    load_room(emitter, node)
    writer.begin_call(CAPTURES)
    load_captures(emitter, callee.upvalue_names, captures)
    writer.end_call(1)
    for place, fact in zip(node.sources, node.facts, strict=False):
        emitter.spots.load_fact(place, fact)
    _finish_call(emitter, node, landing, boxed=False, given=2 + len(node.facts))


def _closure_call(emitter: Emitter, node: Node, landing: int) -> None:
    """Call a closure of the expected shape: the unit is known, the closure goes along with its upvalues."""
    callee, signature, shape = node.detail
    writer = emitter.writer
    check_shape(emitter, node.sources[0], shape)
    writer.begin_call(emitter.environment.unit_name(callee, signature))
    load_room(emitter, node)
    emitter.spots.load_place(node.sources[0])
    for place, fact in zip(node.sources[1:], node.facts[1:], strict=True):
        emitter.spots.load_fact(place, fact)
    _finish_call(emitter, node, landing, boxed=False)


def _any_closure_call(emitter: Emitter, node: Node, landing: int) -> None:
    emitter.writer.begin_call(CALL_CLOSURE)
    load_room(emitter, node)
    for place in node.sources:
        emitter.spots.load_place(place)
    _finish_call(emitter, node, landing, boxed=True)


def _finish_call(emitter: Emitter, node: Node, landing: int, *, boxed: bool, given: int = 0) -> None:
    """Call with *given* arguments (0: the room and the node's sources) and take the result."""
    take_arguments(emitter)
    emitter.site(DURING, node.index + 1)
    emitter.writer.end_call(given or 1 + len(node.sources))
    if node.result.mask == 0:
        emitter.writer.give_back()
    else:
        emitter.result(node, landing, boxed=boxed)


def _foreign(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    given = len(node.sources)
    is_direct = not node.leaves and node.detail.takes(given)
    writer.begin_call(direct_name(node.operation, given) if is_direct else foreign_name(node.operation))
    for place in node.sources:
        emitter.spots.load_place(place)
    take_arguments(emitter)
    if node.leaves:
        emitter.site(DURING, node.index + 1)
    writer.end_call(len(node.sources))
    if node.result is UNIT_FACT:
        writer.pop()
        emitter.spots.set(node.target, Known(UNIT_FACT))
    else:
        emitter.result(node, landing, boxed=True)
    if node.leaves:
        emitter.site(AFTER, node.index + 1)
        emitter.poll(AFTER)


def _leave(emitter: Emitter, node: Node, landing: int) -> None:  # noqa: ARG001 - the shape of a form
    emitter.site(HANDOVER, node.index)
    emitter.leave(HANDOVER)


def _return(emitter: Emitter, node: Node, landing: int) -> None:  # noqa: ARG001 - the shape of a form
    emitter.finish(node.sources[0])


# Opened builtins


def _storage(emitter: Emitter, place: int, attribute: str) -> None:
    emitter.spots.load_place(place)
    emitter.writer.attribute(attribute)


def _get(attribute: str, checked: str = "") -> Callable[[Emitter, Node, int], None]:
    """Return the form that reads a table's storage; with *checked*, what is read must have that attribute."""

    def form(emitter: Emitter, node: Node, landing: int) -> None:
        writer = emitter.writer
        writer.begin_try()
        _storage(emitter, node.sources[0], attribute)
        emitter.spots.load_place(node.sources[1])
        writer.subscript()
        if checked:
            writer.duplicate()
            writer.attribute(checked)
            writer.pop()
        writer.end_try()
        take_arguments(emitter)
        emitter.result(node, landing)

    return form


def _get_character(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    writer.begin_try()
    emitter.spots.load_place(node.sources[0])
    emitter.spots.load_place(node.sources[1])
    writer.subscript()
    writer.end_try()
    take_arguments(emitter)
    emitter.result(node, landing)


def _contains(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    if node.leaves:
        writer.begin_try()
    emitter.spots.load_place(node.sources[1])
    emitter.spots.load_place(node.sources[0])
    if node.leaves:
        writer.attribute("fields")
        writer.end_try()
    writer.contains()
    take_arguments(emitter)
    emitter.result(node, landing)


def _contains_element(emitter: Emitter, node: Node, landing: int) -> None:
    """What equals no element in Python's sense is the same as none; what does is looked at again, out of the way."""
    writer = emitter.writer
    found, done = writer.label(), writer.label()
    writer.begin_try()
    emitter.spots.load_place(node.sources[1])
    _storage(emitter, node.sources[0], "items")
    writer.end_try()
    writer.contains()
    writer.duplicate()
    writer.if_true(found)
    writer.place(done)
    table, value = (emitter.spots.spot(place) for place in node.sources)
    take_arguments(emitter)
    emitter.result(node, landing)

    def confirm() -> None:
        writer.place(found)
        writer.pop()
        writer.begin_call(HAS_ELEMENT)
        emitter.spots.load(table)
        emitter.spots.load(value)
        writer.end_call(2)
        writer.jump_back(done)

    emitter.later(confirm)


def _slice_of_array(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    writer.begin_try()
    writer.begin_call(SLICE)
    for place in node.sources[:3]:
        emitter.spots.load_place(place)
    writer.end_call(3)
    writer.end_try()
    take_arguments(emitter)
    emitter.result(node, landing)


def _integer_text(emitter: Emitter, node: Node, landing: int) -> None:
    emitter.writer.begin_call("str")
    emitter.spots.load_place(node.sources[0])
    emitter.writer.end_call(1)
    take_arguments(emitter)
    emitter.result(node, landing)


def _find_field(emitter: Emitter, node: Node, landing: int) -> None:
    """Like get_field, for keys that are often absent: those read as Unit."""
    writer = emitter.writer
    writer.begin_try()
    _storage(emitter, node.sources[0], "fields")
    writer.begin_method("get")
    emitter.spots.load_place(node.sources[1])
    writer.end_call(1)
    writer.end_try()
    take_arguments(emitter)
    emitter.result(node, landing)


def _set(attribute: str) -> Callable[[Emitter, Node, int], None]:
    def form(emitter: Emitter, node: Node, landing: int) -> None:  # noqa: ARG001 - the shape of a form
        writer = emitter.writer
        writer.begin_try()
        emitter.spots.load_place(node.sources[2])
        _storage(emitter, node.sources[0], attribute)
        emitter.spots.load_place(node.sources[1])
        writer.store_subscript()
        writer.end_try()
        take_arguments(emitter)
        emitter.spots.set(node.target, Known(UNIT_FACT))

    return form


def _append(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    table = emitter.spots.spot(node.sources[0])
    writer.begin_try()
    _storage(emitter, node.sources[0], "items")
    writer.end_try()
    writer.begin_method("append")
    emitter.spots.load_place(node.sources[1])
    writer.end_call(1)
    writer.pop()
    take_arguments(emitter)
    if node.form == "append":
        emitter.spots.set(node.target, Known(UNIT_FACT))
    elif isinstance(table, Held):
        emitter.spots.set(node.target, Length(table.name))
    else:
        writer.begin_call("len")
        emitter.spots.load(table)
        writer.attribute("items")
        writer.end_call(1)
        emitter.result(node, landing)


def _pop(emitter: Emitter, node: Node, landing: int) -> None:
    """Take the last element off; an empty array is left to the interpreter, as is what is none."""
    writer = emitter.writer
    writer.begin_try()
    _storage(emitter, node.sources[0], "items")
    writer.begin_method("pop")
    writer.end_call(0)
    writer.end_try()
    take_arguments(emitter)
    emitter.result(node, landing)


def _array_length(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    writer.begin_try()
    writer.begin_call("len")
    _storage(emitter, node.sources[0], "items")
    writer.end_call(1)
    writer.end_try()
    take_arguments(emitter)
    emitter.result(node, landing)


def _string_length(emitter: Emitter, node: Node, landing: int) -> None:
    writer = emitter.writer
    writer.begin_call("len")
    emitter.spots.load_place(node.sources[0])
    writer.end_call(1)
    take_arguments(emitter)
    emitter.result(node, landing)


def _set_attribute(writer: Writer, name: str) -> None:
    """Pop a value and set it as an attribute of the object below, which stays."""
    writer.duplicate(2)
    writer.store_attribute(name)


def _create(name: str) -> Callable[[Emitter, Node, int], None]:
    """Return the form that makes an empty table: an instance, whose attributes are set here."""

    def form(emitter: Emitter, node: Node, landing: int) -> None:
        writer = emitter.writer
        writer.begin_call(name)
        writer.end_call(0)
        writer.begin_call("next_id")
        writer.end_call(0)
        _set_attribute(writer, "id")
        if name == "Array":
            writer.new_list(0)
            _set_attribute(writer, "items")
            writer.constant(None)
            _set_attribute(writer, "extra")
        else:
            writer.new_dict()
            _set_attribute(writer, "fields")
        take_arguments(emitter)
        emitter.result(node, landing)

    return form


_WRITERS: Final[dict[str, Callable[[Emitter, Node, int], None]]] = {
    "integer": _integer,
    "wrapping_shift": _wrapping_shift,
    "division": _division,
    "float": _float,
    "string": _native,
    "boolean": _native,
    "generic": _generic,
    "compare": _compare,
    "compare_float": _compare,
    "compare_generic": _compare_generic,
    "call": _call,
    "capturing_call": _capturing_call,
    "closure_call": _closure_call,
    "any_closure_call": _any_closure_call,
    "create_closure": create_closure,
    "get_upvalue": get_upvalue,
    "set_upvalue": set_upvalue,
    "foreign": _foreign,
    "leave": _leave,
    "expect_closure": expect_closure,
    "publish": publish,
    "return": _return,
    "get_element": _get("items"),
    "get_element_of_string": _get_character,
    "contains_field": _contains,
    "contains_text": _contains,
    "contains_element": _contains_element,
    "slice_of_array": _slice_of_array,
    "integer_text": _integer_text,
    "get_field": _get("fields"),
    "get_array_element": _get("items", checked="items"),
    "get_array_field": _get("fields", checked="items"),
    "find_field": _find_field,
    "set_element": _set("items"),
    "set_field": _set("fields"),
    "append": _append,
    "push": _append,
    "pop": _pop,
    "array_length": _array_length,
    "string_length": _string_length,
    "create_array": _create("Array"),
    "create_object": _create("Object"),
}

_OF_OPERATIONS: Final = {
    f"{operation} as {form}" if form in _OPERATORS and operation not in _OPERATORS[form] else form
    for operation, forms in OPERATION_FORMS.items()
    for form in (forms.integers, forms.floats, forms.strings, forms.booleans)
    if form
}
"""Forms that operations have, those with an operation that they cannot write by a name of their own."""

FORMS: Final = complete(_WRITERS, {*_WRITERS, *_OF_OPERATIONS}, __name__)
"""The writer of every form that leaves something in the code object."""
