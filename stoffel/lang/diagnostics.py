"""Diagnostics: what is wrong in a source, where, and what to do; their form as text and as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from stoffel.errors import Diagnostic
from stoffel.lang.source import NOWHERE, Position

SYNTAX: Final = "E001"
TYPE: Final = "E101"
SEMANTIC: Final = "E201"
INTERNAL: Final = "E901"

CONTEXT_LINES: Final = 2
"""Source lines that are shown before and after the one that a diagnostic is about."""
MOST_SHOWN: Final = 100
"""Diagnostics that are printed; of more only the number is told."""
_WIDEST: Final = 300
"""Characters of a source line that are shown at most."""
_COLOURS: Final[Mapping[str, str]] = {"error": "\033[1;31m", "warning": "\033[1;33m", "mark": "\033[1;34m"}
_BOLD: Final = "\033[1m"
_PLAIN: Final = "\033[0m"


class Failure(Exception):  # noqa: N818 - it is caught by the phase that raised it and never seen outside
    """A diagnostic on its way to whoever collects them; it ends the statement that is looked at."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def error(code: str, message: str, where: Position | None = None, help: str = "") -> Diagnostic:  # noqa: A002
    """Return an error at *where*, which None leaves without a place."""
    place = NOWHERE if where is None else where
    severity = "fatal" if code == INTERNAL else "error"
    return Diagnostic(severity, code, message, place.file if place.line else "", place.line, place.column, help)


def render(diagnostics: Iterable[Diagnostic], lines_of: Mapping[str, list[str]], *, colour: bool = False) -> list[str]:
    """Return diagnostics as lines for people: message, place, the source around it with a caret, help.

    *lines_of* has the lines of each source by the name that positions call it.
    """
    found = list(diagnostics)
    shown: list[str] = []
    for one in found[:MOST_SHOWN]:
        shown += [*_one(one, lines_of.get(one.file, []), colour), ""]
    if len(found) > MOST_SHOWN:
        shown += [f"... and {len(found) - MOST_SHOWN} more", ""]
    errors = sum(one.severity != "warning" for one in found)
    if errors:
        number = "error" if errors == 1 else f"{errors} errors"
        shown.append(f"error: aborting due to {'previous ' if errors == 1 else ''}{number}")
    return shown


def _one(one: Diagnostic, lines: list[str], colour: bool) -> list[str]:
    kind = "warning" if one.severity == "warning" else "error"
    start, bold, mark, plain = (_COLOURS[kind], _BOLD, _COLOURS["mark"], _PLAIN) if colour else ("", "", "", "")
    text = f"internal compiler error: {one.message}" if one.code == INTERNAL else one.message
    shown = [f"{start}{kind}[{one.code}]{plain}{bold}: {_printable(text)}{plain}"]
    if one.line:
        shown.append(f"{mark}  -->{plain} {_printable(one.file)}:{one.line}:{one.column}")
    if 0 < one.line <= len(lines):
        first = max(1, one.line - CONTEXT_LINES)
        last = min(len(lines), one.line + CONTEXT_LINES)
        gutter = len(str(last))
        shown.append(f"{' ' * gutter} {mark}|{plain}")
        for number in range(first, last + 1):
            line = _printable(lines[number - 1][:_WIDEST])
            shown.append(f"{mark}{number:>{gutter}} |{plain} {line}".rstrip())
            if number == one.line and one.column <= _WIDEST:
                shown.append(f"{' ' * gutter} {mark}|{plain} {' ' * (one.column - 1)}{start}^{plain}")
        shown.append(f"{' ' * gutter} {mark}|{plain}")
    if one.help:
        shown.append(f"{bold}help{plain}: {_printable(one.help)}")
    return shown


def _printable(text: str) -> str:
    """Return *text* without control characters, which a terminal would obey; each stays one character wide."""
    return (
        text if text.isprintable() else "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in text)
    )


def closest(word: str, names: Iterable[str]) -> str | None:
    """Return the name nearest to *word* by Levenshtein's distance, None if none is near; the first of equals wins.

    Near is 2 steps, or two fifths of the bytes of *word* if that is more.
    """
    best: str | None = None
    allowed = max(2, len(word.encode()) * 2 // 5)
    for name in sorted(names):
        if name != word and abs(len(name) - len(word)) <= allowed and (steps := _distance(word, name)) <= allowed:
            best, allowed = name, steps - 1
    return best


def _distance(left: str, right: str) -> int:
    """Return Levenshtein's distance, by the row-wise algorithm of Wagner and Fischer."""
    row = list(range(len(right) + 1))
    for above, a in enumerate(left, 1):
        corner, row[0] = row[0], above
        for i, b in enumerate(right, 1):
            corner, row[i] = row[i], min(row[i] + 1, row[i - 1] + 1, corner + (a != b))
    return row[-1]


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return the help that names what is nearest to *word*, empty if nothing is near."""
    best = closest(word, names)
    return f"Did you mean '{best}'?" if best else ""
