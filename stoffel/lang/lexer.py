"""Tokens of StoffelLang: indentation becomes Indent and Dedent, operators are taken greedily."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from stoffel.isa.scalars import type_of_suffix
from stoffel.lang.diagnostics import SYNTAX, Failure, error
from stoffel.lang.source import INDENT, Position, Source

KEYWORDS: Final = frozenset(
    (
        *("var", "def", "main", "builtin", "type", "object", "enum", "if", "else", "elif", "while", "for", "in"),
        *("break", "continue", "pass", "return", "secret", "discard", "import", "as"),
        *("and", "or", "xor", "not", "shl", "shr", "mod"),
    )
)
OPERATORS: Final = frozenset(
    ("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "..", "+=", "-=", "*=", "/=", "%=")
)
"""Operators made of other characters than letters."""
LITERALS: Final = {"True": ("bool", True), "False": ("bool", False), "None": ("none", None)}
ESCAPES: Final = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}
LITERAL_LIMIT: Final = 1 << 128
"""Integer literals are below this number; what fits which type is the checker's business."""


class Token(NamedTuple):
    """One token; *kind* is a class of words or the punctuation itself, *value* what it says."""

    kind: str
    value: Any
    line: int
    column: int


_NAMES: Final = {
    "newline": "end of line",
    "indent": "indentation",
    "dedent": "end of the block",
    "eof": "end of the file",
    "none": "'None'",
}


def describe(token: Token) -> str:
    """Return what diagnostics call *token*."""
    kind, value = token.kind, token.value
    if kind in _NAMES:
        return _NAMES[kind]
    if kind == "string":
        return "a string"
    if kind in ("int", "float"):
        return "a number"
    return f"'{value if kind in ('name', 'keyword', 'operator', 'bool') else kind}'"


_SUFFIXES: Final = "|".join(sorted(type_of_suffix, key=len, reverse=True))
TOKEN: Final = re.compile(
    rf"""
    (?P<space>[ \t]+)
  | (?P<newline>\n)
  | (?P<comment>\#[^\n]*)
  | (?P<float>[0-9][0-9_]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9][0-9_]*[eE][+-]?[0-9]+|\.[0-9]+)
  | (?P<int>0[xX][0-9a-fA-F_]*|0[bB][01_]*|0[oO][0-7_]*|[0-9][0-9_]*)(?P<suffix>(?:{_SUFFIXES})(?!\w))?
  | (?P<word>[^\W\d]\w*)
  | (?P<string>"(?:[^"\\\n]|\\[^\n])*")
  | (?P<pragma>\{{\.(?![0-9])|\.\}})
  | (?P<punctuation>->|==|\.\.|[()\[\]{{}},:.=])
  | (?P<operator>-=|-[-+*/%<&|^!~?:.]*|[+*/%<>&|^!~?][-+*/%=<>&|^!~?:.]*)
    """,
    re.VERBOSE,
)
_BASES: Final = {"0x": 16, "0b": 2, "0o": 8}
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_OPENERS: Final = frozenset("([{")
_CLOSERS: Final = frozenset(")]}")


class _Lexer:
    def __init__(self, source: Source) -> None:
        self.file = source.file
        self.text = source.text
        self.ascii = source.text.isascii()
        self.tokens: list[Token] = []

    def fail(self, message: str, line: int, column: int, help: str = "") -> Failure:  # noqa: A002
        return Failure(error(SYNTAX, message, Position(self.file, line, column), help))

    def run(self) -> list[Token]:
        text = self.text
        tokens = self.tokens
        match = TOKEN.match
        levels = [0]
        depth = 0
        line = 1
        start = 0  # where the line begins; moved to the left by the bytes that wide characters have too many
        position = self.indentation(0, 1, levels)
        size = len(text)
        while position < size:
            found = match(text, position)
            if found is None:
                raise self.unexpected(position, line, position - start + 1)
            kind = found.lastgroup
            end = found.end()
            column = position - start + 1
            if kind == "word":
                word = found.group()
                if word in KEYWORDS:
                    tokens.append(Token("keyword", word, line, column))
                elif word in LITERALS:
                    tokens.append(Token(*LITERALS[word], line, column))
                else:
                    if not self.ascii and not word.isascii():
                        if not (word[0] == "_" or word[0].isalpha()):
                            raise self.unexpected(position, line, column)
                        start -= len(word.encode()) - len(word)
                    tokens.append(Token("name", word, line, column))
            elif kind == "newline":
                if depth == 0 and tokens and tokens[-1].kind != "newline":
                    tokens.append(Token("newline", None, line, column))
                line += 1
                start = end
                if depth == 0:
                    end = self.indentation(end, line, levels)
            elif kind == "punctuation":
                mark = found.group()
                if mark in ("==", ".."):
                    tokens.append(Token("operator", mark, line, column))
                else:
                    if mark in _OPENERS:
                        depth += 1
                    elif mark in _CLOSERS:
                        depth = max(0, depth - 1)
                    tokens.append(Token(mark, mark, line, column))
            elif kind in ("int", "suffix"):
                tokens.append(Token("int", self.integer(found, line, column), line, column))
            elif kind == "operator":
                end = self.operator(found.group(), end, line, column)
            elif kind == "string":
                tokens.append(Token("string", self.string(found.group(), line, column), line, column))
            elif kind == "float":
                tokens.append(Token("float", float(found.group().replace("_", "")), line, column))
            elif kind == "pragma":
                tokens.append(Token(found.group(), found.group(), line, column))
            position = end
        column = size - start + 1
        if tokens and tokens[-1].kind != "newline" and depth == 0:
            tokens.append(Token("newline", None, line, column))
        tokens += [Token("dedent", None, line, column)] * (len(levels) - 1)
        tokens.append(Token("eof", None, line, column))
        return tokens

    def indentation(self, position: int, line: int, levels: list[int]) -> int:
        """Read the indentation of the line at *position*, write Indent and Dedent; return where the line goes on."""
        text = self.text
        end = position
        while text[end : end + 1] == " ":
            end += 1
        following = text[end : end + 1]
        if following == "\t":
            raise self.fail(
                "Tabs are not allowed for indentation",
                line,
                end - position + 1,
                "Use spaces for indentation instead of tabs",
            )
        if following in ("", "\n", "#"):
            return end
        level = end - position
        if level > levels[-1]:
            if level != levels[-1] + INDENT:
                raise self.fail(
                    f"Invalid indentation. Expected an indent of exactly {INDENT} spaces, found {level - levels[-1]}",
                    line,
                    1,
                    f"Use exactly {INDENT} spaces per indentation level.",
                )
            levels.append(level)
            self.tokens.append(Token("indent", None, line, level + 1))
        while level < levels[-1]:
            levels.pop()
            self.tokens.append(Token("dedent", None, line, level + 1))
        if level != levels[-1]:
            raise self.fail(
                f"Inconsistent dedentation. Expected indent level {levels[-1]}, got {level}",
                line,
                1,
                "Make sure all indentation levels are consistent",
            )
        return end

    def integer(self, found: re.Match[str], line: int, column: int) -> tuple[int, str | None]:
        text = found.group("int")
        base = _BASES.get(text[:2].lower(), 10)
        digits = (text if base == 10 else text[2:]).replace("_", "")
        value = int(digits, base) if digits and len(digits) <= 128 else LITERAL_LIMIT
        if not digits or (value >= LITERAL_LIMIT and digits.strip("0")):
            stripped = digits.lstrip("0")
            value = int(stripped, base) if 0 < len(stripped) <= 128 else LITERAL_LIMIT
        if value >= LITERAL_LIMIT:
            shown = digits if len(digits) <= 200 else f"{digits[:200]}..."
            raise self.fail(f"Integer literal '{shown}' is too large (max 128 bits)", line, column)
        return value, found.group("suffix")

    def string(self, text: str, line: int, column: int) -> str:
        if "\\" not in text:
            return text[1:-1]
        pieces: list[str] = []
        last = 1
        for escape in _ESCAPE.finditer(text, 1, len(text) - 1):
            char = escape.group(1)
            if char not in ESCAPES:
                raise self.fail(
                    f"Invalid escape sequence: \\{char}",
                    line,
                    column + escape.start(),
                    'Valid escape sequences are: \\n, \\t, \\", and \\\\',
                )
            pieces += (text[last : escape.start()], ESCAPES[char])
            last = escape.end()
        return "".join(pieces) + text[last:-1]

    def operator(self, mark: str, end: int, line: int, column: int) -> int:
        """Write the operator *mark*, without a sign or a point that belongs to the operand behind it."""
        if mark not in OPERATORS:
            rest = self.text[end : end + 1]
            if mark[-1] == "." and mark[:-1] in OPERATORS and "0" <= rest <= "9":
                mark, end = mark[:-1], end - 1
            elif mark[-1] == "-" and mark[:-1] in OPERATORS and (rest.isalnum() or rest in ("_", "(")) and rest:
                self.tokens.append(Token("operator", mark[:-1], line, column))
                mark, column = "-", column + len(mark) - 1
        self.tokens.append(Token("operator", mark, line, column))
        return end

    def unexpected(self, position: int, line: int, column: int) -> Failure:
        char = self.text[position]
        if char == '"':
            return self.unterminated(position, line, column)
        if char == "'":
            return self.fail("Single-quoted strings are not supported", line, column, 'Use double quotes: "text"')
        return self.fail(f"Unexpected character: {char}", line, column)

    def unterminated(self, position: int, line: int, column: int) -> Failure:
        """Return the failure of a string that does not end on its line: the first bad escape in it, if there is one."""
        rest = self.text[position:].split("\n", 1)[0]
        try:
            self.string(rest + '"', line, column)
        except Failure as failure:
            if not failure.diagnostic.message.endswith("\\"):
                return failure
        return self.fail("Unterminated string literal", line, column, 'Close the string with " on the same line')


def tokenize(source: Source) -> list[Token]:
    """Return the tokens of *source*, the last of which is ``eof``. Raises Failure at the first error."""
    return _Lexer(source).run()
