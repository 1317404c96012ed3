"""Plain text tables and number formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table: the first column to the left, the others to the right."""
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        first, *rest = (
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def significant(number: float, digits: int = 3) -> str:
    """Return *number* with so many significant digits, never in exponent notation."""
    if not math.isfinite(number):
        return str(number)
    if number == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    return f"{number:.{decimals}f}"


def milliseconds(seconds: float) -> str:
    """Return seconds as milliseconds, three significant digits."""
    return significant(seconds * 1e3)


def geometric_mean(numbers: Sequence[float]) -> float:
    """Return the geometric mean of at least one positive number."""
    return math.exp(math.fsum(map(math.log, numbers)) / len(numbers))
