"""Places of a program by what people call them: `FUNCTION`, `FUNCTION:INSTRUCTION`, `FILE:LINE`, `LINE`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stoffel.debug.expressions import DebugError
from stoffel.errors import nearest
from stoffel.model.code import Code

Place = tuple[str, int]
"""A function and the index of an instruction."""


def places_of(text: str, codes: Mapping[str, Code], file: str | None) -> list[Place]:
    """Return the places that *text* means, *file* being that of a bare line; raises DebugError if there is none."""
    text = text.strip()
    if text in codes:
        return [_in_function(codes[text], 0)]
    left, colon, right = text.rpartition(":")
    number = int(right) if right.isascii() and right.isdigit() and len(right) < 10 else None
    if not colon:
        if number is not None and text == right:
            if file is None:
                raise DebugError("the program has no lines; name a FUNCTION:INSTRUCTION")
            return places_of_line(codes, file, number)
        raise DebugError(f"there is no function {text}{_meant(text, codes)}")
    if number is None:
        raise DebugError(f"a place is FUNCTION, FUNCTION:INSTRUCTION, FILE:LINE or LINE, not {text}")
    if left in codes:
        return [_in_function(codes[left], number)]
    files = files_of(codes)
    for known in files:
        if known == left or known.replace("\\", "/").endswith(f"/{left}") or left.endswith(f"/{known}"):
            return places_of_line(codes, known, number)
    names = [known.replace("\\", "/").rpartition("/")[2] for known in files]
    raise DebugError(f"there is no function or file {left}{_meant(left, [*codes, *files, *names])}")


def files_of(codes: Mapping[str, Code]) -> list[str]:
    """Return the files that the functions come from."""
    tables = [code.function.line_table for code in codes.values()]
    return list(dict.fromkeys(table.file for table in tables if table is not None))


def places_of_line(codes: Mapping[str, Code], file: str, line: int) -> list[Place]:
    """Return where *line* of *file* begins, or the next one that has instructions, in each function that has it."""
    found: dict[int, list[Place]] = {}
    for name, code in codes.items():
        table = code.function.line_table
        if table is None or table.file != file:
            continue
        first: dict[int, int] = {}
        for index, at in enumerate(table.lines[: len(code.function.instructions)]):
            if at >= line:
                first.setdefault(at, index)
        if first:
            found.setdefault(min(first), []).append((name, first[min(first)]))
    if not found:
        raise DebugError(f"{file} has no instruction at or after line {line}")
    return found[min(found)]


def line_at(code: Code, index: int) -> int | None:
    """Return the line of an instruction, None if it has none."""
    table = code.function.line_table
    return None if table is None else table.line_of(index)


def _in_function(code: Code, index: int) -> Place:
    size = len(code.function.instructions)
    if index >= size:
        raise DebugError(
            f"{code.name} has no instruction {index}: "
            + (f"they are 0 to {size - 1}" if size else "it has none at all")
        )
    return code.name, index


def _meant(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f"; did you mean {close}?" if close else ""
