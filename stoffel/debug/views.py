"""What is shown of a stopped run: calls, registers, listings, tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from stoffel.debug.expressions import variables
from stoffel.debug.places import line_at
from stoffel.errors import VMError, escaped
from stoffel.model import tables
from stoffel.model.text import diagnostic
from stoffel.model.values import Array, Closure, Object

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord

ENTRIES: Final = 20
"""Entries of a table that are shown."""
LONGEST: Final = 200
"""Characters of a value that are shown."""
CALLS: Final = 50
"""Calls of a stack that are shown."""


def position(record: ActivationRecord) -> int:
    """Return the index of the instruction that *record* is at."""
    return max(record.next_instruction - 1, 0)


def shown(value: Any) -> str:
    """Return a value in one line, a long one cut."""
    text = escaped(diagnostic(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def entries(value: Any) -> list[tuple[str, Any]]:
    """Return the entries of a table, or the upvalues of a closure, as far as they are shown."""
    if isinstance(value, Object | Array):
        try:
            return [
                (key if type(key) is str else f"[{shown(key)}]", item) for key, item in tables.entries(value, ENTRIES)
            ]
        except VMError:
            return []  # a handle of another machine
    return list(value.upvalues) if type(value) is Closure else []


def printed(value: Any) -> list[str]:
    """Return a value with its entries as lines."""
    lines = [shown(value)]
    found = entries(value)
    lines += [f"  {escaped(name)} = {shown(item)}" for name, item in found]
    if len(found) == ENTRIES:
        lines.append("  ...")
    return lines


def register_names(record: ActivationRecord) -> dict[int, str]:
    """Return what the registers are called besides their numbers: by parameters and variables."""
    return {**dict(enumerate(record.code.parameters)), **variables(record)}


def registers(record: ActivationRecord) -> list[str]:
    """Return the registers as lines."""
    names = register_names(record)
    return [
        f"r{number}{f' {names[number]}' if number in names else ''} = {shown(value)}"
        for number, value in enumerate(record.registers)
    ]


def where(record: ActivationRecord) -> str:
    """Return where a record is, in one line: function, instruction, source."""
    index = position(record)
    instructions = record.code.function.instructions
    text = f"  {instructions[index]}" if index < len(instructions) else ""
    table = record.code.function.line_table
    place = None if table is None else table.place_of(index)
    return f"{escaped(record.code.name)}:{index}{escaped(text)}{f'  {place}' if place else ''}"


def calls(records: list[ActivationRecord], current: int) -> Iterator[str]:
    """Yield the stack, oldest call first as pdb has it, with an arrow at the *current* one (0 is the innermost)."""
    for number in range(min(len(records), CALLS) - 1, -1, -1):
        yield f"{'>' if number == current else ' '} #{number} {where(records[number])}"
    if len(records) > CALLS:
        yield f"  ... {len(records) - CALLS} more calls"


def listing(
    record: ActivationRecord, sources: Mapping[str, list[str]], marked: Mapping[str, frozenset[int]], around: int = 5
) -> Iterator[str]:
    """Yield the source around where a record is, or its instructions where there is none; B marks breakpoints."""
    code = record.code
    here = position(record)
    table = code.function.line_table
    line = line_at(code, here)
    traps = marked.get(code.name, frozenset())
    if table is not None and line is not None and table.file in sources:
        text = sources[table.file]
        lines = {line_at(code, index) for index in traps}
        for number in range(max(line - around, 1), min(line + around, len(text)) + 1):
            mark = ("B" if number in lines else " ") + (">" if number == line else " ")
            yield f"{number:5} {mark} {escaped(text[number - 1])}".rstrip()
        return
    instructions = code.function.instructions
    for index in range(max(here - around, 0), min(here + around + 1, len(instructions))):
        mark = ("B" if index in traps else " ") + (">" if index == here else " ")
        yield f"{index:5} {mark} {escaped(str(instructions[index]))}"
