"""The builtins that kernels have, in LLVM IR: those on arrays, and the few others.

An array is the address of its header (``buffer``); a header never moves, its elements may. What has no short form
(an index out of range, a gap, an element of another type) leaves the kernel before anything has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stoffel.compiler.kernels.analysis.builtin_types import NATIVE
from stoffel.compiler.kernels.analysis.types import BOOL, FLOAT, ArrayOf, RecordOf, Type
from stoffel.compiler.kernels.codegen import buffer, objects
from stoffel.compiler.kernels.codegen.llvm_writer import Writer
from stoffel.compiler.kernels.codegen.support import LENGTH_RANGE, TBAA_ELEMENTS, UNLIKELY
from stoffel.isa.table import complete

Operands = tuple[tuple[Type, str], ...]
Lowering = Callable[[Writer, Operands, str], str]
"""Writes a builtin; given the block to go to where it is left to the interpreter, returns the result's value."""


def element_of(kind: Type) -> Type | None:
    """Return the element type of an array type."""
    assert isinstance(kind, ArrayOf)
    return kind.element


def item_size(element: Type | None) -> int:
    """Return the size of an element in bytes."""
    return 1 if element is BOOL else 8


def _memory(element: Type | None) -> tuple[str, str]:
    """Return the LLVM type of an element in memory and its alias class."""
    if element is BOOL:
        return "i8", TBAA_ELEMENTS["bool"]
    if element is FLOAT:
        return "double", TBAA_ELEMENTS["float"]
    if isinstance(element, ArrayOf | RecordOf):
        return "ptr", TBAA_ELEMENTS["array"]
    return "i64", TBAA_ELEMENTS["int"]


def length(writer: Writer, array: str) -> str:
    """Write the length of an array."""
    return writer.header(array, buffer.LENGTH, f", {LENGTH_RANGE}")


def _index(writer: Writer, array: str, key: str, leave: str) -> str:
    """Write the index that *key* means: a negative one counts from the end; leave if there is no such element."""
    size = length(writer, array)
    direct = writer.value(f"icmp ult i64 {key}, {size}")
    other, found = writer.fresh("neg"), writer.fresh("found")
    before = writer.fresh("direct")
    writer.line(f"br label {before}")
    writer.label(before)
    writer.line(f"br i1 {direct}, label {found}, label {other}, !prof !17")
    writer.label(other)
    wrapped = writer.value(f"add i64 {key}, {size}")
    # A key past the end stays out of range after the addition, which cannot wrap for a sane length.
    inside = writer.value(f"icmp ult i64 {wrapped}, {size}")
    negative = writer.value(f"icmp slt i64 {key}, 0")
    fine = writer.value(f"and i1 {inside}, {negative}")
    last = writer.fresh("wrap")
    writer.line(f"br i1 {fine}, label {last}, label {leave}")
    writer.label(last)
    writer.line(f"br label {found}")
    writer.label(found)
    return writer.value(f"phi i64 [ {key}, {before} ], [ {wrapped}, {last} ]")


def _address(writer: Writer, array: str, element: Type | None, index: str) -> str:
    return writer.value(f"getelementptr inbounds {_memory(element)[0]}, ptr {writer.data(array)}, i64 {index}")


def _load(writer: Writer, address: str, element: Type | None) -> str:
    kind, alias = _memory(element)
    value = writer.value(f"load {kind}, ptr {address}, {alias}")
    return writer.value(f"zext i8 {value} to i64") if element is BOOL else value


def _store(writer: Writer, address: str, element: Type | None, value: str) -> None:
    kind, alias = _memory(element)
    if element is BOOL:
        value = writer.value(f"trunc i64 {value} to i8")
    writer.line(f"store {kind} {value}, ptr {address}, {alias}")


def _get_field(writer: Writer, operands: Operands, leave: str) -> str:
    if isinstance(operands[0][0], RecordOf):
        return objects.get_field(writer, operands, leave)
    (kind, array), (_, key) = operands[:2]
    element = element_of(kind)
    index = _index(writer, array, key, leave)
    return _load(writer, _address(writer, array, element, index), element)


def _append(writer: Writer, array: str, element: Type | None, value: str, leave: str) -> str:
    """Write an append and return the new length."""
    size = length(writer, array)
    capacity = writer.header(array, buffer.CAPACITY)
    full = writer.value(f"icmp uge i64 {size}, {capacity}")
    grow, fits = writer.fresh("grow"), writer.fresh("fits")
    writer.line(f"br i1 {full}, label {grow}, label {fits}, {UNLIKELY}")
    writer.label(grow)
    grown = writer.value(f"call i1 @grow(ptr %S, ptr {array}, i64 {item_size(element)})")
    writer.line(f"br i1 {grown}, label {fits}, label {leave}")
    writer.label(fits)
    _store(writer, _address(writer, array, element, size), element, value)
    longer = writer.value(f"add nuw nsw i64 {size}, 1")
    writer.set_header(array, buffer.LENGTH, longer)
    return longer


def _set_field(writer: Writer, operands: Operands, leave: str) -> str:
    if isinstance(operands[0][0], RecordOf):
        return objects.set_field(writer, operands, leave)
    (kind, array), (_, key), (_, value) = operands[:3]
    element = element_of(kind)
    size = length(writer, array)
    at_end = writer.value(f"icmp eq i64 {key}, {size}")
    push, replace, done = (writer.fresh(hint) for hint in ("push", "replace", "done"))
    writer.line(f"br i1 {at_end}, label {push}, label {replace}, {UNLIKELY}")
    writer.label(push)
    _append(writer, array, element, value, leave)
    writer.line(f"br label {done}")
    writer.label(replace)
    index = _index(writer, array, key, leave)
    _store(writer, _address(writer, array, element, index), element, value)
    writer.line(f"br label {done}")
    writer.label(done)
    return "0"


def _push(writer: Writer, operands: Operands, leave: str) -> str:
    (kind, array), (_, value) = operands
    return _append(writer, array, element_of(kind), value, leave)


def _length(writer: Writer, operands: Operands, leave: str) -> str:  # noqa: ARG001 - cannot fail
    return length(writer, operands[0][1])


def _or_leave(writer: Writer, array: str, leave: str) -> str:
    writer.unless(writer.value(f"icmp eq ptr {array}, null"), leave)
    return array


def _create_array(writer: Writer, operands: Operands, leave: str) -> str:
    # The first operand is the type of the new array, the second its capacity.
    if len(operands) > 1:
        writer.unless(writer.value(f"icmp slt i64 {operands[1][1]}, 0"), leave)
    return _or_leave(writer, writer.value("call ptr @new_array(ptr %S)"), leave)


def _create_object(writer: Writer, operands: Operands, leave: str) -> str:
    return objects.create_object(writer, operands[0][0], leave)


def _repeat(writer: Writer, operands: Operands, leave: str) -> str:
    (kind, array), (_, times) = operands
    size = item_size(element_of(kind))
    return _or_leave(writer, writer.value(f"call ptr @repeat(ptr %S, ptr {array}, i64 {times}, i64 {size})"), leave)


def _copy(writer: Writer, operands: Operands, leave: str) -> str:
    return _repeat(writer, (operands[0], (operands[0][0], "1")), leave)


def _assert(writer: Writer, operands: Operands, leave: str) -> str:
    writer.unless(writer.value(f"icmp eq i64 {operands[0][1]}, 0"), leave)
    return "0"


def _type(writer: Writer, operands: Operands, leave: str) -> str:  # noqa: ARG001 - known when it is compiled
    return "0"


LOWERINGS: Final[dict[str, Lowering]] = complete(
    {
        "append": _push,
        "array_length": _length,
        "array_push": _push,
        "array_repeat": _repeat,
        "assert": _assert,
        "copy": _copy,
        "create_array": _create_array,
        "create_object": _create_object,
        "get_field": _get_field,
        # An element that is there is an array; what is not there is created by the interpreter.
        "get_or_create_array_field": _get_field,
        "len": _length,
        "set_field": _set_field,
        "type": _type,
    },
    NATIVE,
    __name__,
)
"""How each builtin is written, by name."""
