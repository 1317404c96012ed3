"""Tokens of text assembly.

The lexer holds one current token and finds the next on demand, so that the first error in a file of any size is
reported without reading what follows it. Every step takes time linear in the characters it passes. A line break and
the blank and comment lines after it are one token.
"""

from __future__ import annotations

import re
from typing import Final

from stoffel.errors import AssemblyError
from stoffel.isa.quoting import ESCAPES, escape
from stoffel.isa.types import Type, TypeSyntaxError, scan_type

WORD: Final = "word"
NUMBER: Final = "number"
STRING: Final = "string"
DIRECTIVE: Final = "directive"
NEWLINE: Final = "newline"
FINISH: Final = "finish"

# Without possessive quantifiers and atomic groups, which early releases of Python 3.11 match wrongly or with a
# SystemError. No alternative can fail after a repetition, so nothing is tried twice all the same; but a repetition of a
# group takes memory for each turn.
_BLANK_LINES: Final = r"(?:[ \t\r]*(?:;[^\n]*)?\n){0,1000}"
_TOKEN: Final = re.compile(
    r"[ \t\r]*(?:;[^\n]*)?"
    rf"(?:(?P<newline>\n{_BLANK_LINES})"
    r"|(?P<number>nan:0[xX]\w*|[+-](?:inf|nan)(?![\w.])"
    r"|[+-]?[0-9][0-9A-Za-z_.]*(?:(?<=[0-9.][eE])[+-](?=[0-9])[0-9A-Za-z_.]*)*)"
    r"|(?P<word>[^\W\d][\w.]*)"
    r"|(?P<directive>\.[^\W\d]\w*)"
    r"|(?P<mark>->|[(),:])"
    r'|(?P<string>")'
    r"|(?P<finish>\Z))"
)
# Rarely needed, so compiled by their first use.
_BLANK: Final = r"[ \t\r]*"
_CODE_POINT: Final = r"\{([0-9A-Fa-f]{1,8})\}"
_SURROGATE: Final = "[\ud800-\udfff]"
# What ends a plain stretch of a string literal: its end, an escape, or a character that must be written as an escape.
_STRING_STOP: Final = re.compile('["\\\\\x00-\x08\x0a-\x1f\x7f]')
_SHOWN: Final = 40


class Lexer:
    """The current token of *source*: its *kind*, *value* and place (*start* and *end*, character offsets).

    *kind* is one of the constants of this module or the punctuation mark itself (``"("``, ``")"``, ``","``, ``":"``,
    ``"->"``). *value* is the text of the token, for a string literal the string meant. Setting *end* and calling
    :meth:`advance` continues from there. *fault* is the offset of the latest error.
    """

    __slots__ = ("source", "path", "kind", "value", "start", "end", "fault")

    def __init__(self, source: str, path: str) -> None:
        self.source = source
        self.path = path
        self.kind = NEWLINE
        self.value = ""
        self.start = 0
        self.end = 0
        self.fault = 0
        stray = None if source.isascii() else re.search(_SURROGATE, source)
        if stray is not None:
            raise self.error(f"the text holds a lone surrogate, {escape(stray.group())}", stray.start())

    def advance(self) -> None:
        """Make the next token the current one. Raises AssemblyError at a character that begins none."""
        match = _TOKEN.match(self.source, self.end)
        if match is None:
            blank = re.compile(_BLANK).match(self.source, self.end)
            assert blank is not None  # it matches the empty text too
            raise self.error(f"unexpected character '{escape(self.source[blank.end()])}'", blank.end())
        kind = match.lastgroup
        assert kind is not None  # each alternative is a named group
        self.start, self.end = match.span(kind)
        if kind == STRING:
            self.kind = STRING
            self.value = self._string()
        else:
            self.value = match.group(kind)
            self.kind = self.value if kind == "mark" else kind
            if kind == NEWLINE and len(self.value) > 1000:
                self._skip_blank_lines()

    def _skip_blank_lines(self) -> None:
        """Set *end* behind all blank and comment lines, which may be more than the pattern takes at once."""
        skip = re.compile(_BLANK_LINES).match
        while (match := skip(self.source, self.end)) is not None and match.end() > self.end:
            self.end = match.end()

    def _string(self) -> str:
        """Return the string whose opening quote is at *start*, and set *end* behind its closing one."""
        source = self.source
        position = self.end
        parts: list[str] = []
        while True:
            stop = _STRING_STOP.search(source, position)
            if stop is None or stop.group() == "\n":
                raise self.error('this string has no closing quote (a line break inside is written "\\n")')
            parts.append(source[position : stop.start()])
            char = stop.group()
            position = stop.end()
            if char == '"':
                self.end = position
                return "".join(parts)
            if char != "\\":
                raise self.error(f"this character must be written as an escape: {escape(char)}", stop.start())
            letter = source[position : position + 1]
            position += 1
            if letter in ESCAPES:
                parts.append(ESCAPES[letter])
            elif letter == "u" and (digits := re.compile(_CODE_POINT).match(source, position)) is not None:
                code = int(digits.group(1), 16)
                if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                    raise self.error(f"\\u{digits.group()} is not a Unicode character", stop.start())
                parts.append(chr(code))
                position = digits.end()
            else:
                known = ", ".join(f"\\{name}" for name in ESCAPES)
                raise self.error(f"unknown escape; expected one of {known} or \\u{{hexadecimal}}", stop.start())

    def type(self) -> Type:
        """Read the type that follows the current token, advance to the token behind it, and return the type.

        Types have a notation of their own, see ``stoffel.isa.types``.
        """
        begin = self.end
        try:
            found, self.end = scan_type(self.source, begin)
        except TypeSyntaxError as error:
            raise self.error(str(error), error.position) from None
        if _has_surrogate(found):
            raise self.error("a name in this type has an escape that is not a Unicode character", begin)
        self.advance()
        return found

    def skip_line(self) -> None:
        """Make the end of the line of the latest error the current token."""
        stop = self.source.find("\n", max(self.fault, self.start))
        self.kind, self.value = NEWLINE, ""
        self.start = self.end = len(self.source) if stop < 0 else stop

    def found(self) -> str:
        """Return the current token in words, for an error."""
        if self.kind == NEWLINE:
            return "the end of the line"
        if self.kind == FINISH:
            return "the end of the file"
        text = self.source[self.start : min(self.end, self.start + _SHOWN)]
        return f"'{escape(text) if self.kind != STRING else text}{'...' if self.end - self.start > _SHOWN else ''}'"

    def expected(self, what: str) -> AssemblyError:
        """Return the error that the current token is not *what*."""
        return self.error(f"expected {what}, found {self.found()}")

    def error(self, message: str, position: int | None = None) -> AssemblyError:
        """Return an error at *position* (an offset; the current token unless given)."""
        self.fault = at = self.start if position is None else position
        line_start = self.source.rfind("\n", 0, at) + 1
        line = self.source.count("\n", 0, at) + 1
        return AssemblyError(message, path=self.path, line=line, column=at - line_start + 1)


def _has_surrogate(found: Type) -> bool:
    return (found.name is not None and re.search(_SURROGATE, found.name) is not None) or any(
        map(_has_surrogate, found.arguments)
    )
