"""The one door to the ``bytecode`` library: single instructions become bytes, whole functions code objects.

The library's own way from symbolic instructions to a code object builds a control-flow graph of objects and walks it
several times, which costs more than all the rest of a translation. So it is asked for every distinct instruction once,
and for the code object at the end, without its instructions; between the two only lengths of jumps and the table of
lines are computed here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, repeat
from operator import sub
from types import CodeType
from typing import Final, TypeAlias

from bytecode import CompilerFlags, ConcreteBytecode, ConcreteInstr
from bytecode.concrete import ExceptionTableEntry

Position: TypeAlias = int
"""A place in code whose jumps are all as short as can be: the offset in bytes."""
UNPLACED: Final = -1
"""Stands for the position of a label that has none yet."""
Jump: TypeAlias = tuple[Position, str, int]
"""A jump in such code: where it starts, its name, and its label."""
Attempt: TypeAlias = tuple[Position, Position, int, int, bool]
"""An entry of the exception table: from, to, label of the handler, values kept below the exception, whether to push
the place that raised."""


@lru_cache(maxsize=1 << 14)
def assembled(name: str, argument: int | None = None) -> bytes:
    """Return one instruction with its inline caches, as the library assembles it."""
    if argument is not None and argument > 0xFF:
        # Long functions have a great many of these, and no two alike.
        return assembled("EXTENDED_ARG", argument >> 8) + assembled(name, argument & 0xFF)
    instruction = ConcreteInstr(name) if argument is None else ConcreteInstr(name, argument)
    return instruction.assemble() + ConcreteInstr("CACHE", 0).assemble() * instruction.use_cache_opcodes()


@lru_cache(maxsize=1 << 14)
def _located(units: int, change: int) -> bytes:
    """Return the entries of the location table for so many code units whose line is *change* more than that before.

    Entries have no columns, cover at most eight code units, and tell the change as a number with its sign in bit 0, six
    bits in each byte (CPython's Objects/locations.md). One function has thousands of them, most of few kinds.
    """
    number = change << 1 if change >= 0 else -change << 1 | 1
    digits = bytearray()
    while number > 0x3F:
        digits.append(number & 0x3F | 0x40)
        number >>= 6
    digits.append(number)
    first = bytes((_NO_COLUMNS | min(units, 8) - 1, *digits))
    full, rest = divmod(max(units - 8, 0), 8)
    return first + bytes((_NO_COLUMNS | 7, 0)) * full + (bytes((_NO_COLUMNS | rest - 1, 0)) if rest else b"")


_NO_COLUMNS: Final = 0x80 | 13 << 3
"""First byte of an entry of the location table that has a line only; the low bits are its code units less one."""


def code_object(
    code: bytearray,
    jumps: list[Jump],
    labels: Sequence[Position],
    lines: tuple[Sequence[Position], Sequence[int]],
    attempts: list[Attempt],
    cells: list[tuple[Position, int]],
    *,
    name: str,
    filename: str,
    stack_size: int,
    argument_count: int,
    constants: list[object],
    names: list[str],
    local_names: list[str],
) -> CodeType:
    """Return the code object of *code*, in which the arguments of jumps are still open.

    *labels* are the targets of the jumps; *lines* are the positions at which another line begins, and its number.
    *cells* are loads of constants that are to come from cells, with the label of a handler for empty ones.
    """
    first = b""
    if cells:
        first = assembled("COPY_FREE_VARS", len(cells))
        attempts = _with_cells(attempts, [(at, at + 2, label, 0, False) for at, label in cells])
        for number, (at, _) in enumerate(cells, len(local_names)):
            assert number <= 0xFF, "cells that one byte cannot tell"
            code[at : at + 2] = assembled("LOAD_DEREF", number)
    ends = [start + len(assembled(name, 0)) for start, name, _ in jumps]
    moved = _Moved(len(first), jumps, ends, labels)
    whole = first + _with_jumps(code, jumps, ends, moved)
    starts, numbers = lines
    offsets = [*moved.offsets(starts), len(whole)]
    offsets[0] = 0
    locations = []
    latest = 1
    for line, start, end in zip(numbers, offsets, offsets[1:], strict=False):
        locations.append(_located((end - start) // 2, line - latest))
        latest = line
    result = ConcreteBytecode(
        consts=tuple(constants),
        names=tuple(names),
        varnames=local_names,
        exception_table=[
            ExceptionTableEntry(start // 2, end // 2 - 1, handler // 2, depth, lasti)
            for start, end, handler, (_, _, _, depth, lasti) in zip(
                moved.offsets([start for start, _, _, _, _ in attempts]),
                moved.offsets([end for _, end, _, _, _ in attempts]),
                moved.offsets([labels[handler] for _, _, handler, _, _ in attempts]),
                attempts,
                strict=True,
            )
        ],
    )
    result.freevars = [f"constant {number}" for number in range(len(cells))]
    result.name = result.qualname = name
    result.filename = filename
    result.argcount = argument_count
    result.first_lineno = 1
    result.flags = CompilerFlags.OPTIMIZED | CompilerFlags.NEWLOCALS
    frame = result.to_code(stacksize=stack_size, compute_exception_stack_depths=False)
    return frame.replace(co_code=whole, co_linetable=b"".join(locations))


def _with_cells(attempts: list[Attempt], cells: list[Attempt]) -> list[Attempt]:
    """Return the entries of both lists in order; the first have holes where the others are."""
    result: list[Attempt] = []
    inner = sorted(cells, reverse=True)
    for start, end, handler, depth, lasti in sorted(attempts):
        began = start
        while inner and inner[-1][0] < end:
            if inner[-1][0] > began:
                result.append((began, inner[-1][0], handler, depth, lasti))
            result.append(inner.pop())
            began = max(began, result[-1][1])
        if began < end:
            result.append((began, end, handler, depth, lasti))
    return result + inner[::-1]


class _Moved:
    """Where everything is once the jumps, which end at *ends*, have their EXTENDED_ARGs.

    ``targets`` are the positions that the jumps lead to, ``before`` the numbers of jumps before those, and ``shifts``
    says by how many bytes EXTENDED_ARGs shift what comes after so many jumps. ``first`` bytes are to come before all.
    """

    def __init__(self, first: int, jumps: list[Jump], ends: list[Position], labels: Sequence[Position]) -> None:
        self.first = first
        self._starts = [start for start, _, _ in jumps]
        self.targets = [labels[label] for _, _, label in jumps]
        assert UNPLACED not in self.targets, "a label that is jumped to was never placed"
        self.before = list(map(bisect_left, repeat(self._starts), self.targets))
        self.shifts = self._least_shifts(ends)

    def _least_shifts(self, ends: list[Position]) -> list[int]:
        """Return the shifts with the least lengths of all jumps.

        Jumps that are too short grow until none is; since longer jumps never bring others nearer, this ends with the
        least lengths (Szymanski, "Assembling code for machines with span-dependent instructions", 1978).
        """
        lengths = [0] * len(ends)
        if max(map(abs, map(sub, self.targets, ends)), default=0) // 2 <= 0xFF:
            return [0, *lengths]
        while True:
            shifts = [0, *accumulate(lengths)]
            grown = False
            for index, (end, target, before) in enumerate(zip(ends, self.targets, self.before, strict=True)):
                distance = abs(target + shifts[before] - end - shifts[index + 1]) // 2
                if distance > 0xFF:
                    needed = 2 * ((distance.bit_length() - 1) // 8)
                    if needed > lengths[index]:
                        lengths[index] = needed
                        grown = True
            if not grown:
                return shifts

    def offsets(self, positions: Sequence[Position]) -> list[int]:
        """Return where *positions* are now."""
        first = self.first
        if not self.shifts[-1]:
            return [first + position for position in positions] if first else list(positions)
        return [first + position + self.shifts[bisect_left(self._starts, position)] for position in positions]


def _with_jumps(code: bytearray, jumps: list[Jump], ends: list[Position], moved: _Moved) -> bytes:
    whole = bytearray()
    done = 0
    shifts = moved.shifts
    for index, ((start, name, _), end, target, before) in enumerate(
        zip(jumps, ends, moved.targets, moved.before, strict=True)
    ):
        distance = (target + shifts[before] - end - shifts[index + 1]) // 2
        assert (distance < 0) is ("BACKWARD" in name), f"{name} goes the other way"
        whole += code[done:start]
        whole += assembled(name, abs(distance))
        assert len(whole) == end + shifts[index + 1], f"{name} has not the length planned"
        done = end
    whole += code[done:]
    return bytes(whole)
