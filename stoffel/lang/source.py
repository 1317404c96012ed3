"""Source text and positions in it: every token, tree node and diagnostic says where it stands."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

INDENT: Final = 2
"""Spaces of one level of indentation."""


class Position(NamedTuple):
    """A place in a source: the base name of its file, line and column from 1.

    A column counts characters, except that an identifier counts as many as its bytes in UTF-8. Line 0 stands for
    no position at all.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE: Final = Position("<unknown>", 0, 0)
"""The position of what is declared by the language itself, and of errors about a program as a whole."""


class Source:
    """The text of one file.

    *path* is where it was read from, empty if nowhere; *file* is what positions call it. A byte order mark is left
    out and CRLF line ends become LF.
    """

    __slots__ = ("path", "file", "text")

    def __init__(self, text: str, path: str = "", file: str = "") -> None:
        self.path = path
        self.file = file or os.path.basename(path) or "<source>"  # noqa: PTH119 - pathlib costs start-up time
        text = text.removeprefix("\ufeff")
        self.text = text.replace("\r\n", "\n") if "\r" in text else text

    def lines(self) -> list[str]:
        """Return the lines without their ends."""
        return self.text.split("\n")
