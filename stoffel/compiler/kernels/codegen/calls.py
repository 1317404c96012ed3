"""Calls of VM functions and closures in LLVM IR, and what the running function has of its closure.

A closure is the address of words (``buffer``): how often it was written, its kind, and then its upvalues.
Writing an upvalue back changes it in place, because only registers hold it. The arguments as they were bound at entry,
which the interpreter keeps, are not registers: for them the words of a closure are copied at entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from stoffel.compiler.kernels.analysis.ir import Action, Instance
from stoffel.compiler.kernels.analysis.types import NOWHERE, ClosureOf, Mixed, Type
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.llvm_writer import LLVM, Writer
from stoffel.compiler.kernels.codegen.support import TBAA_FIELDS, TBAA_OBJECT

if TYPE_CHECKING:
    from stoffel.compiler.kernels.codegen.kernel import Kernel


class Calling(Protocol):
    """What calls are written with: the function that is being lowered."""

    @property
    def writer(self) -> Writer: ...
    @property
    def kernel(self) -> Kernel: ...
    def way_back(self) -> str:
        """Return the block that leaves with the places as they were at the last checkpoint."""

    def operands(self, action: Action) -> tuple[tuple[Type, str], ...]:
        """Load the sources of an action, with their types."""

    def symbol_of(self, callee: Instance) -> str:
        """Return the name of the LLVM function that a call of *callee* calls."""

    def formed(self, have: Type, want: Type, value: str) -> tuple[str, str]:
        """Return a value of type *have* as one of type *want*, with its tag ("" unless that is to be set)."""


def words_of(kind: ClosureOf) -> int:
    """Return the number of words that a closure of the type takes."""
    return buffer.UPVALUES + max(map(len, kind.variants.cells.values()))


def _types(instance: Instance) -> list[Type]:
    """Return the types of the upvalues of the closure that an instance runs."""
    kinds = [cell.content for cell in instance.upvalues.values()]
    return [kind for kind in kinds if kind is not None]


def _place(position: int) -> str:
    return f"u{position}"


def enter(writer: Writer, instance: Instance) -> list[str]:
    """Write the start of a function: its upvalues to their slots. Return its arguments as words of a frame record."""
    for position, kind in enumerate(_types(instance)):
        llvm = LLVM[kind.bank]
        address = writer.word("%closure", buffer.UPVALUES + position)
        value = writer.value(f"load {llvm}, ptr {address}, {TBAA_FIELDS[llvm]}")
        writer.store(kind.bank, _place(position), value)
    words = []
    for index, kind in enumerate(instance.parameters):
        if kind.bank != NOWHERE:
            words.append(writer.as_word(kind.bank, f"%a.{index}"))
        if isinstance(kind, ClosureOf):
            # Whatever their types are: without an alias class.
            words += [writer.value(f"load i64, ptr {writer.word(f'%a.{index}', n)}") for n in range(words_of(kind))]
    return words


def take_over(writer: Writer, instance: Instance) -> None:
    """Write the start of a function that takes over a record: the closure that it runs and its upvalues."""
    for position, kind in enumerate(instance.given):
        word = writer.state(buffer.VALUES + len(instance.entry.types) + position)
        if position:
            writer.store(kind.bank, _place(position - 1), writer.from_word(kind.bank, word))
        else:
            writer.line(f"%closure = inttoptr i64 {word} to ptr")


def upvalue_words(writer: Writer, instance: Instance) -> list[str]:
    """Return the closure that runs and its upvalues as the words of a frame record; none in a plain call."""
    if instance.closure is None:
        return []
    words = [writer.as_word(kind.bank, writer.load(kind.bank, _place(n))) for n, kind in enumerate(_types(instance))]
    return [writer.value("ptrtoint ptr %closure to i64"), *words]


def get_upvalue(writer: Writer, instance: Instance, action: Action) -> None:
    """Write the reading of an upvalue of the running function."""
    position = list(instance.upvalues).index(action.detail)
    bank = action.result.bank
    writer.store(bank, action.target, writer.load(bank, _place(position)))


def set_upvalue(writer: Writer, instance: Instance, action: Action) -> None:
    """Write the setting of an upvalue, in the running function and in its closure."""
    position = list(instance.upvalues).index(action.detail)
    bank = action.types[1].bank
    value = writer.load(bank, action.sources[1])
    writer.store(bank, _place(position), value)
    llvm = LLVM[bank]
    address = writer.word("%closure", buffer.UPVALUES + position)
    writer.line(f"store {llvm} {value}, ptr {address}, {TBAA_FIELDS[llvm]}")
    times = writer.word("%closure", buffer.WRITTEN)
    more = writer.value(f"add i64 {writer.value(f'load i64, ptr {times}, {TBAA_OBJECT}')}, 1")
    writer.line(f"store i64 {more}, ptr {times}, {TBAA_OBJECT}")


def create_closure(writer: Writer, kernel: Kernel, action: Action, leave: str) -> str:
    """Write the making of a closure and return its address."""
    assert isinstance(action.result, ClosureOf)
    key, captures = action.detail
    cells = action.result.variants.cells[key]
    closure = writer.value(f"call ptr @reserve(ptr %S, i64 {8 * words_of(action.result)})")
    writer.unless(writer.value(f"icmp eq ptr {closure}, null"), leave)
    writer.line(f"store i64 0, ptr {writer.word(closure, buffer.WRITTEN)}, {TBAA_OBJECT}")
    number = kernel.variant(key, cells)
    writer.line(f"store i64 {number}, ptr {writer.word(closure, buffer.VARIANT)}, {TBAA_OBJECT}")
    for position, (cell, (sort, where)) in enumerate(zip(cells, captures, strict=True)):
        assert cell.content is not None
        bank = cell.content.bank
        value = f"%a.{where}" if sort == "argument" else writer.load(bank, _place(where))
        address = writer.word(closure, buffer.UPVALUES + position)
        writer.line(f"store {LLVM[bank]} {value}, ptr {address}, {TBAA_FIELDS[LLVM[bank]]}")
    return closure


def call(lowering: Calling, action: Action, leave: Callable[[], str]) -> None:
    """Write a call, of the one function that is meant or of the one that the closure has.

    *leave* gives the block that leaves after the callee has left.
    """
    writer = lowering.writer
    shallow = writer.value("icmp sle i64 %depth, 0")
    writer.unless(shallow, lowering.way_back())
    operands = lowering.operands(action)
    fuel = writer.value("load i64, ptr %fuel.left")
    shared = ["ptr %S", f"i64 {fuel}", f"i64 {writer.value('sub i64 %depth, 1')}"]
    left = leave()
    if action.detail[0].closure is None:
        (callee,) = action.detail
        _call_one(lowering, action, callee, [*shared, *_arguments(callee, operands)], left)
        return
    assert isinstance(action.types[0], ClosureOf)
    closure = operands[0][1]
    shared.append(f"ptr {closure}")
    cells = action.types[0].variants.cells
    kind = writer.value(f"load i64, ptr {writer.word(closure, buffer.VARIANT)}, {TBAA_OBJECT}")
    blocks = [(callee, writer.fresh("kind")) for callee in action.detail]
    numbers = [lowering.kernel.variant(callee.closure.key, cells[callee.closure.key]) for callee, _ in blocks]
    cases = " ".join(f"i64 {number}, label {label}" for number, (_, label) in zip(numbers, blocks, strict=True))
    other, done = lowering.way_back(), writer.fresh("called")
    if len(blocks) == len(cells):
        # One of them it is.
        other = writer.fresh("never")
    writer.line(f"switch i64 {kind}, label {other} [ {cases} ]")
    if len(blocks) == len(cells):
        writer.label(other)
        writer.line("unreachable")
    for callee, label in blocks:
        writer.label(label)
        _call_one(lowering, action, callee, [*shared, *_arguments(callee, operands[1:])], left)
        if callee.result is not None:
            writer.line(f"br label {done}")
    if not action.ends:
        writer.label(done)


def _arguments(callee: Instance, operands: tuple[tuple[Type, str], ...]) -> list[str]:
    arguments = []
    for (have, value), want in zip(operands, callee.parameters, strict=True):
        if want.bank != NOWHERE:
            arguments.append(f"{LLVM[want.bank]} {value}")
            assert have.bank == want.bank
    return arguments


def _call_one(lowering: Calling, action: Action, callee: Instance, arguments: list[str], left: str) -> None:
    """Write the call of one instance and what happens with its result."""
    writer = lowering.writer
    value = LLVM[NOWHERE if callee.result is None else callee.result.bank]
    kind = f"{{{value}, i64}}"
    pair = writer.value(f"call {kind} @{lowering.symbol_of(callee)}({', '.join(arguments)})")
    fuel = writer.value(f"extractvalue {kind} {pair}, 1")
    if callee.result is None:
        writer.line(f"br label {left}")
        return
    writer.unless(writer.value(f"icmp slt i64 {fuel}, 0"), left)
    writer.line(f"store i64 {fuel}, ptr %fuel.left")
    result = writer.value(f"extractvalue {kind} {pair}, 0") if callee.result.bank != NOWHERE else "0"
    tag, word = lowering.formed(callee.result, action.result, result)
    if action.result.bank != NOWHERE:
        writer.store(action.result.bank, 0, word)
    if isinstance(action.result, Mixed):
        writer.set_tag(0, tag or writer.state(buffer.TAG))
