"""The benchmark programs as files: StoffelLang source, compiled at two levels, or text assembly; expected results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stoffel import Program


def read(path: Path) -> Program:
    """Return the program of a ``.stflb`` or ``.stfasm`` file."""
    import stoffel

    if path.suffix == ".stfasm":
        return stoffel.assemble(path.read_text(encoding="utf-8"))
    return stoffel.load(path)
