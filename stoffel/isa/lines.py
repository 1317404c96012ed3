"""Line tables: from which line of which source file each instruction of a function comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final


class LineTable:
    """The source of one function's instructions; immutable, and no part of what a ``.stflb`` file holds.

    *file* is the source's name as errors call it. *lines* has a line, counted from 1, for each instruction; 0 stands
    for none, and instructions beyond its end have none. *variables* maps registers to the names of the variables in
    them, where the source has such.
    """

    __slots__ = ("file", "lines", "variables")

    file: str
    lines: Sequence[int]
    variables: Mapping[int, str]

    def __init__(self, file: str, lines: Sequence[int], variables: Mapping[int, str] | None = None) -> None:
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "variables", _NO_VARIABLES if variables is None else variables)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("line tables are immutable")

    def line_of(self, index: int) -> int | None:
        """Return the line of instruction *index*, None if it has none."""
        return (self.lines[index] or None) if 0 <= index < len(self.lines) else None

    def place_of(self, index: int) -> str | None:
        """Return ``file:line`` of instruction *index*, None if it has no line."""
        line = self.line_of(index)
        return None if line is None else f"{self.file}:{line}"

    def __reduce__(self) -> tuple[Any, ...]:
        return LineTable, (self.file, self.lines, dict(self.variables))

    def __repr__(self) -> str:
        return f"<LineTable {self.file}: {len(self.lines)} instructions>"


_NO_VARIABLES: Final[Mapping[int, str]] = {}
