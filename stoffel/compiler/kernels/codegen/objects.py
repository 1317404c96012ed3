"""The builtins that work on objects, in LLVM IR.

An object is the address of a word with a bit for each field that it has, followed by its identity and its fields
(``buffer``). Fields are numbered in the order in which the analysis met them. An object that would get them in another
order leaves the kernel, so that the bits tell the order as well: programs can see it when they print the object.
"""

from __future__ import annotations

from stoffel.compiler.kernels.analysis.types import Known, RecordOf, Type
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.llvm_writer import LLVM, Writer
from stoffel.compiler.kernels.codegen.support import TBAA_FIELDS, TBAA_OBJECT

Operands = tuple[tuple[Type, str], ...]


def size_of(kind: Type) -> int:
    """Return the size of an object in bytes."""
    assert isinstance(kind, RecordOf)
    return 8 * (buffer.FIELDS + len(kind.row.fields))


def _field(operands: Operands) -> tuple[int, Type | None]:
    """Return number and type of the field that is meant."""
    kind, key = operands[0][0], operands[1][0]
    assert isinstance(kind, RecordOf)
    assert isinstance(key, Known)
    fields = kind.row.fields
    return list(fields).index(key.value), fields[key.value].content


def _mask(writer: Writer, record: str) -> str:
    return writer.value(f"load i64, ptr {writer.word(record, buffer.MASK)}, {TBAA_OBJECT}")


def create_object(writer: Writer, kind: Type, leave: str) -> str:
    """Write the creation of an object that has no fields yet."""
    record = writer.value(f"call ptr @new_object(ptr %S, i64 {size_of(kind)})")
    writer.unless(writer.value(f"icmp eq ptr {record}, null"), leave)
    return record


def get_field(writer: Writer, operands: Operands, leave: str) -> str:
    """Write the reading of a field; an absent one leaves."""
    number, kind = _field(operands)
    assert kind is not None
    record = operands[0][1]
    bit = writer.value(f"and i64 {_mask(writer, record)}, {1 << number}")
    writer.unless(writer.value(f"icmp eq i64 {bit}, 0"), leave)
    llvm = LLVM[kind.bank]
    return writer.value(f"load {llvm}, ptr {writer.word(record, buffer.FIELDS + number)}, {TBAA_FIELDS[llvm]}")


def set_field(writer: Writer, operands: Operands, leave: str) -> str:
    """Write the setting of a field, which the object has or gets next."""
    number, kind = _field(operands)
    assert kind is not None
    record, value = operands[0][1], operands[2][1]
    after = writer.value(f"or i64 {_mask(writer, record)}, {1 << number}")
    following = writer.value(f"add i64 {after}, 1")
    hole = writer.value(f"and i64 {after}, {following}")
    writer.unless(writer.value(f"icmp ne i64 {hole}, 0"), leave)
    writer.line(f"store i64 {after}, ptr {writer.word(record, buffer.MASK)}, {TBAA_OBJECT}")
    llvm = LLVM[kind.bank]
    writer.line(f"store {llvm} {value}, ptr {writer.word(record, buffer.FIELDS + number)}, {TBAA_FIELDS[llvm]}")
    return "0"
