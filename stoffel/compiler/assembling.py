"""The one door to the ``bytecode`` library: single instructions become bytes, whole functions code objects.

The library's own way from symbolic instructions to a code object builds a control-flow graph of objects and walks it
several times, which costs more than all the rest of a translation. So it is asked for every distinct instruction once,
and for the code object at the end, without its instructions; between the two only lengths of jumps and the table of
lines are computed here.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from types import CodeType
from typing import Final, TypeAlias

from bytecode import CompilerFlags, ConcreteBytecode, ConcreteInstr
from bytecode.concrete import ExceptionTableEntry

Position: TypeAlias = tuple[int, int]
"""A place in code whose jumps are all as short as can be: the offset in bytes, and the number of jumps before it."""
Jump: TypeAlias = tuple[int, int, str, int]
"""A jump in such code: the offsets of its start and end, its name, and its label."""
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
    labels: list[Position | None],
    lines: list[tuple[int, int, int]],
    attempts: list[Attempt],
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

    *labels* are the targets of the jumps; *lines* says at which position (offset and jumps) which line number begins.
    """
    targets = [_placed(labels, label) for _, _, _, label in jumps]
    shifts = _shifts(jumps, targets)
    whole = _with_jumps(code, jumps, targets, shifts)

    def unit_of(position: Position) -> int:
        return (position[0] + shifts[position[1]]) // 2

    locations = []
    latest = 1
    starts = [offset + shifts[before] for offset, before, _ in lines]
    for (_, _, line), start, end in zip(lines, starts, [*starts[1:], len(whole)], strict=True):
        locations.append(_located((end - start) // 2, line - latest))
        latest = line
    result = ConcreteBytecode(
        consts=tuple(constants),
        names=tuple(names),
        varnames=local_names,
        exception_table=[
            ExceptionTableEntry(unit_of(start), unit_of(end) - 1, unit_of(_placed(labels, handler)), depth, lasti)
            for start, end, handler, depth, lasti in attempts
        ],
    )
    result.name = result.qualname = name
    result.filename = filename
    result.argcount = argument_count
    result.first_lineno = 1
    result.flags = CompilerFlags.OPTIMIZED | CompilerFlags.NEWLOCALS
    frame = result.to_code(stacksize=stack_size, compute_exception_stack_depths=False)
    return frame.replace(co_code=whole, co_linetable=b"".join(locations))


def _placed(labels: list[Position | None], label: int) -> Position:
    position = labels[label]
    assert position is not None, "a label that is jumped to was never placed"
    return position


def _shifts(jumps: list[Jump], targets: list[Position]) -> list[int]:
    """Return by how many bytes EXTENDED_ARGs shift what comes after so many jumps.

    Jumps that are too short grow until none is; since longer jumps never bring others nearer, this ends with the least
    lengths (Szymanski, "Assembling code for machines with span-dependent instructions", 1978).
    """
    lengths = [0] * len(jumps)
    while True:
        shifts = [0, *accumulate(lengths)]
        grown = False
        for index, ((_, end, _, _), (offset, before)) in enumerate(zip(jumps, targets, strict=True)):
            distance = abs(offset + shifts[before] - end - shifts[index + 1]) // 2
            if distance > 0xFF:
                needed = 2 * ((distance.bit_length() - 1) // 8)
                if needed > lengths[index]:
                    lengths[index] = needed
                    grown = True
        if not grown:
            return shifts


def _with_jumps(code: bytearray, jumps: list[Jump], targets: list[Position], shifts: list[int]) -> bytes:
    pieces: list[bytes | bytearray] = []
    done = 0
    for index, ((start, end, name, _), (offset, before)) in enumerate(zip(jumps, targets, strict=True)):
        distance = (offset + shifts[before] - end - shifts[index + 1]) // 2
        assert (distance < 0) is ("BACKWARD" in name), f"{name} goes the other way"
        piece = assembled(name, abs(distance))
        assert len(piece) == end - start + shifts[index + 1] - shifts[index], f"{name} has not the length planned"
        pieces.append(code[done:start])
        pieces.append(piece)
        done = end
    pieces.append(code[done:])
    return b"".join(pieces)
