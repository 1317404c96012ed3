"""A kernel over columns: a loop in LLVM IR that calls the kernel's function for one row after the other.

The function is ``i64 kernel(state, columns, first, end, mask, left)``. *columns* has address and stride in bytes for
each parameter and then for the results; *mask*, unless it is null, has a byte for each row, 0 where it is skipped;
*left* gets the numbers of the rows that are to be run otherwise, because a value does not fit its parameter or the
kernel leaves there. It returns how many they are, -1 if the thread's stack has no room; the first word of the state's
values is the row at which it has stopped, *end* unless the fuel was used up.

It runs without the interpreter lock. ATTENTION is set from the beginning, so the first poll leaves, before it would
touch Python: a row that takes long is given back, and whoever called looks for signals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from stoffel.compiler.kernels import SYMBOL
from stoffel.compiler.kernels.analysis.ir import Instance
from stoffel.compiler.kernels.analysis.types import DOUBLE, NOWHERE, Scalar
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.llvm_writer import LLVM, Writer
from stoffel.compiler.kernels.codegen.stack import room_for_calls
from stoffel.compiler.kernels.codegen.support import UNLIKELY
from stoffel.compiler.refusal import Refusal
from stoffel.isa.scalars import INTEGER_KINDS, IntegerKind

EXACT: Final = 1 << 53
"""Integers up to this size, of either sign, are Floats without rounding."""
_ALLOCATING: Final = re.compile(r"call [^@\n]*@(?!f\d|poll\b|llvm\.)\w+\(ptr %S")
"""A call of a support function that is given the state: such may create tables."""


class Storage(NamedTuple):
    """How a column holds its values: integers of some kind, floats of 32 or 64 bits, or one byte for each Bool."""

    integer: IntegerKind | None
    bits: int

    @property
    def llvm(self) -> str:
        """Return the LLVM type of an element."""
        return f"i{self.bits}" if self.integer is not None or self.bits == 8 else {32: "float", 64: "double"}[self.bits]


def storage_of(cls: type) -> Storage:
    """Return how a column of results of a scalar class is held."""
    if cls is bool:
        return Storage(None, 8)
    return Storage(INTEGER_KINDS[cls], INTEGER_KINDS[cls].bits) if cls in INTEGER_KINDS else Storage(None, 64)


def row_loop(storages: Sequence[Storage]) -> Callable[[Instance, Sequence[str]], str]:
    """Return what writes the loop for columns that are held so, given the main function and the texts of all."""

    def write(main: Instance, texts: Sequence[str]) -> str:
        return _Loop(main, storages, any(map(_ALLOCATING.search, texts))).write()

    return write


class _Loop:
    def __init__(self, main: Instance, storages: Sequence[Storage], allocates: bool) -> None:
        self.main = main
        self.storages = storages
        self.allocates = allocates
        self.writer = Writer()

    def write(self) -> str:
        writer = self.writer
        main = self.main
        if main.result is not None and not isinstance(main.result, Scalar):
            raise Refusal("it does not return numbers or Bools of one type", main.code.name)
        # Slots, which LLVM turns into registers.
        writer.line("%row = alloca i64")
        writer.line("%fuel = alloca i64")
        writer.line("%count = alloca i64")
        writer.line("store i64 %first, ptr %row")
        writer.line("store i64 0, ptr %count")
        writer.line(f"store i64 {writer.state(buffer.FUEL)}, ptr %fuel")
        frames = writer.state(buffer.FRAMES, "ptr")
        budget = writer.state(buffer.BUDGET)
        depth, fits = room_for_calls(writer)
        columns = [
            (writer.value(f"load ptr, ptr {writer.word('%columns', 2 * number)}"),
             writer.value(f"load i64, ptr {writer.word('%columns', 2 * number + 1)}"))
            for number in range(len(self.storages) + 1)
        ]  # fmt: skip
        masked = writer.value("icmp ne ptr %mask, null")
        writer.line(f"br i1 {fits}, label %next, label %no_room")
        writer.label("%no_room")
        writer.line("ret i64 -1")

        writer.label("%next")
        row = writer.value("load i64, ptr %row")
        more = writer.value(f"icmp slt i64 {row}, %end")
        writer.line(f"br i1 {more}, label %look, label %stop")
        writer.label("%look")
        writer.line(f"br i1 {masked}, label %skip, label %run")
        writer.label("%skip")
        wanted = writer.value(f"load i8, ptr {writer.value(f'getelementptr i8, ptr %mask, i64 {row}')}")
        writer.line(f"br i1 {writer.value(f'icmp ne i8 {wanted}, 0')}, label %run, label %step")

        writer.label("%run")
        arguments = ["ptr %S", f"i64 {writer.value('load i64, ptr %fuel')}", f"i64 {depth}"]
        for kind, storage, column in zip(main.parameters, self.storages, columns, strict=False):
            if kind.bank != NOWHERE:
                assert isinstance(kind, Scalar)
                arguments.append(f"{LLVM[kind.bank]} {self._argument(kind, storage, self._element(column, row))}")
        result = LLVM[NOWHERE if main.result is None else main.result.bank]
        both = f"{{{result}, i64}}"
        pair = writer.value(f"call {both} @f{main.number}({', '.join(arguments)})")
        fuel = writer.value(f"extractvalue {both} {pair}, 1")
        left = writer.value(f"icmp slt i64 {fuel}, 0")
        writer.line(f"br i1 {left}, label %leave, label %returned, {UNLIKELY}")
        writer.label("%returned")
        writer.line(f"store i64 {fuel}, ptr %fuel")
        self._store(columns[-1], row, writer.value(f"extractvalue {both} {pair}, 0"))
        writer.line("br label %tidy")

        writer.label("%leave")
        writer.set_state(buffer.FRAMES, frames, "ptr")
        rest = writer.value(f"load volatile i64, ptr {writer.word('%S', buffer.FUEL)}")
        writer.line(f"store i64 {rest}, ptr %fuel")
        writer.line(f"br i1 {writer.value(f'icmp slt i64 {rest}, 0')}, label %empty, label %note")
        writer.label("%empty")
        self._release(budget)
        writer.line("br label %stop")
        writer.label("%note")
        self._note(row)
        writer.line("br label %tidy")
        writer.label("%tidy")
        self._release(budget)
        writer.line("br label %step")
        writer.label("%misfit")
        self._note(row)
        writer.line("br label %step")
        writer.label("%step")
        writer.line(f"store i64 {writer.value(f'add i64 {row}, 1')}, ptr %row")
        writer.line("br label %next")

        writer.label("%stop")
        writer.set_state(buffer.VALUES, writer.value("load i64, ptr %row"))
        writer.line(f"ret i64 {writer.value('load i64, ptr %count')}")
        head = f"define i64 @{SYMBOL}(ptr %S, ptr %columns, i64 %first, i64 %end, ptr %mask, ptr %left) {{"
        return "\n".join([head, "entry:", *writer.lines, "}", ""])

    def _note(self, row: str) -> None:
        """Add a row to those that are to be run otherwise."""
        writer = self.writer
        count = writer.value("load i64, ptr %count")
        writer.line(f"store i64 {row}, ptr {writer.value(f'getelementptr i64, ptr %left, i64 {count}')}")
        writer.line(f"store i64 {writer.value(f'add i64 {count}, 1')}, ptr %count")

    def _element(self, column: tuple[str, str], row: str) -> str:
        """Return the address of an element."""
        address, stride = column
        return self.writer.value(
            f"getelementptr i8, ptr {address}, i64 {self.writer.value(f'mul i64 {row}, {stride}')}"
        )

    def _argument(self, kind: Scalar, storage: Storage, address: str) -> str:
        """Return the argument that an element is; what does not fit goes to the block ``misfit``."""
        writer = self.writer
        value = writer.value(f"load {storage.llvm}, ptr {address}, align 1")
        held = storage.integer
        if held is None and storage.bits == 8:
            return writer.value(f"zext i1 {writer.value(f'icmp ne i8 {value}, 0')} to i64")
        if held is None:
            return value if storage.bits == 64 else writer.value(f"fpext float {value} to double")
        if held.bits < 64:
            value = writer.value(f"{'sext' if held.signed else 'zext'} {storage.llvm} {value} to i64")
        low, high = (-EXACT, EXACT) if kind.bank == DOUBLE else _range(INTEGER_KINDS[kind.cls])
        signed = "s" if held.signed else "u"
        if held.minimum < low:
            writer.unless(writer.value(f"icmp {signed}lt i64 {value}, {low}"), "%misfit")
        if held.maximum > high:
            writer.unless(writer.value(f"icmp {signed}gt i64 {value}, {high}"), "%misfit")
        return writer.value(f"{signed}itofp i64 {value} to double") if kind.bank == DOUBLE else value

    def _store(self, column: tuple[str, str], row: str, value: str) -> None:
        result = self.main.result
        if result is None or result.bank == NOWHERE:
            return
        assert isinstance(result, Scalar)
        storage = storage_of(result.cls)
        if result.bank != DOUBLE and storage.bits < 64:
            value = self.writer.value(f"trunc i64 {value} to {storage.llvm}")
        self.writer.line(f"store {storage.llvm} {value}, ptr {self._element(column, row)}, align 1")

    def _release(self, budget: str) -> None:
        """Free the tables of a row: nothing of them is in its result."""
        if self.allocates:
            writer = self.writer
            writer.line("call void @release(ptr %S)")
            for word in (buffer.ARENA, buffer.ARENA_END, buffer.CREATED):
                writer.set_state(word, "0")
            writer.set_state(buffer.BUDGET, budget)


def _range(kind: IntegerKind) -> tuple[int, int]:
    return kind.minimum, kind.maximum
