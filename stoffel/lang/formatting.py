"""One layout for sources: spaces, blank lines and comments, nothing else. Lines are never broken or joined.

A formatted source has the same tokens as before, which is checked, and formatting it again changes nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from stoffel.errors import Diagnostic
from stoffel.lang import builtins
from stoffel.lang.lexer import KEYWORDS, LITERALS, OPERATORS, TOKEN, Token, tokenize
from stoffel.lang.parser import parse
from stoffel.lang.source import INDENT, Source

_OPENERS: Final = frozenset("([{")
_CLOSERS: Final = frozenset(")]}")
_STATEMENT_WORDS: Final = frozenset(("match", "case", "assert"))
"""Names that begin a statement: a bracket behind them is no call."""
_DEFINITIONS: Final = frozenset(("def", "object", "enum"))
_TIGHT: Final = frozenset((".", ".."))


class FormatError(ValueError):
    """A source cannot be formatted because it has syntax errors: *diagnostics*."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(str(diagnostics[0]))
        self.diagnostics = diagnostics


class _Piece(NamedTuple):
    """A token as it is written; *kind* is ``"operand"``, ``"word"`` (a keyword), ``"comment"`` or the mark itself."""

    kind: str
    text: str


class _Line(NamedTuple):
    """A line of the source: how far it is indented, its pieces, and the brackets that are open where it begins."""

    indent: int
    pieces: list[_Piece]
    depth: int


def format_source(source: Source) -> str:
    """Return the text of *source* in the one layout.

    Raises FormatError if it has syntax errors, Failure if there is something in it that is no token.
    """
    tokens = tokenize(source)
    _, errors = parse(source, tokens, builtins.OBJECTS)
    if errors:
        raise FormatError(errors)
    text = "\n".join(_laid_out(_lines(source.text))) + "\n"
    again = tokenize(Source(text, source.path, source.file))
    assert _meaning(again) == _meaning(tokens), "formatting has changed the tokens"
    return text


def _meaning(tokens: list[Token]) -> list[tuple[str, object]]:
    return [(token.kind, token.value) for token in tokens]


def _lines(text: str) -> list[_Line]:
    lines: list[_Line] = []
    depth = 0
    for line in text.split("\n"):
        before = depth
        pieces: list[_Piece] = []
        position = 0
        while position < len(line):
            found = TOKEN.match(line, position)
            assert found is not None, "the lexer has seen the text"
            kind, piece = found.lastgroup, found.group()
            position = found.end()
            if kind == "space":
                continue
            if kind == "comment":
                pieces.append(_Piece("comment", piece))
            elif kind == "word":
                is_word = piece in KEYWORDS and piece not in LITERALS
                pieces.append(_Piece("word" if is_word else "operand", piece))
            elif kind in ("int", "suffix", "float", "string"):
                pieces.append(_Piece("operand", piece))
            elif kind == "operator":
                if piece[-1] == "." and piece[:-1] in OPERATORS and "0" <= line[position : position + 1] <= "9":
                    piece = piece[:-1]  # the point belongs to the number
                    position -= 1
                pieces += _operators(piece, line[position : position + 1])
            else:
                if piece in _OPENERS:
                    depth += 1
                elif piece in _CLOSERS:
                    depth = max(0, depth - 1)
                pieces.append(_Piece(piece, piece))
        lines.append(_Line(len(line) - len(line.lstrip(" ")), pieces, before))
    return lines


def _operators(text: str, following: str) -> list[_Piece]:
    """Return the operators in *text*, as the lexer splits them."""
    if len(text) > 1 and text[-1] == "-" and (following.isalnum() or following in ("_", "(")) and following:
        return [_Piece(text[:-1], text[:-1]), _Piece("-", "-")]
    return [_Piece(text, text)]


def _laid_out(lines: list[_Line]) -> list[str]:
    written: list[str] = []
    code = [line for line in lines if line.pieces and not _is_comment(line) and not line.depth]
    brackets: list[str] = []
    level = base = 0
    opens_block = False
    at = 0
    blank = False
    after_definition = False
    for number, line in enumerate(lines):
        if not line.pieces:
            blank = True
            continue
        is_comment = _is_comment(line)
        if line.depth:
            closers = 0 if line.pieces[0].kind not in _CLOSERS else 1
            indent = base + INDENT * max(1, line.depth) - (INDENT * closers)
        elif is_comment:
            following = code[at].indent if at < len(code) else 0
            highest = max(level + INDENT * opens_block, following)
            indent = min(max(line.indent - line.indent % INDENT, following), highest)
        else:
            indent = base = level = line.indent
            at += 1
        starts = not line.depth and indent == 0 and _begins_definition(lines, number)
        ends = not line.depth and indent == 0 and after_definition and not is_comment
        is_apart = blank or ((starts or ends) and not (starts and is_attached(written)))
        if written and not opens_block and is_apart:
            written.append("")
        written.append(" " * indent + _spaced(line.pieces, brackets))
        blank = False
        if not line.depth and not is_comment:
            after_definition = indent > 0 or line.pieces[0].text in _DEFINITIONS
        last = [piece for piece in line.pieces if piece.kind != "comment"]
        if not is_comment:
            opens_block = bool(last) and last[-1].kind == ":" and not brackets
    return written


def is_attached(written: list[str]) -> bool:
    """True if the last line that is written is a comment at the left edge, which belongs to what follows."""
    return bool(written) and written[-1].startswith("#")


def _is_comment(line: _Line) -> bool:
    return line.pieces[0].kind == "comment"


def _begins_definition(lines: list[_Line], number: int) -> bool:
    """True if the line is a definition, or the first of the comments that stand directly before one."""
    while number < len(lines) and lines[number].pieces and _is_comment(lines[number]) and lines[number].indent == 0:
        number += 1
    if number >= len(lines) or not lines[number].pieces:
        return False
    return lines[number].indent == 0 and lines[number].pieces[0].text in _DEFINITIONS


def _spaced(pieces: list[_Piece], brackets: list[str]) -> str:
    """Return the pieces of a line with the spaces between them; *brackets* are those that are open, and change.

    ``"index"`` stands for a bracket behind an operand, in which a colon is one of a slice.
    """
    written = ""
    before: _Piece | None = None
    is_prefix = False  # the piece before is an operator that belongs to the operand behind it
    for at, piece in enumerate(pieces):
        kind = piece.kind
        gap = 0
        if before is not None:
            gap = 1
            follows_operand = before.kind in ("operand", ")", "]", "}") or (
                before.kind == "word" and before.text in ("type", "main")
            )
            if kind == "comment":
                gap = 2
            elif kind in (",", *_CLOSERS) or before.kind in _OPENERS or kind in _TIGHT or before.kind in _TIGHT:
                gap = 0
            elif kind == ":" or before.kind == ":":
                in_index = bool(brackets) and brackets[-1] == "index"
                gap = 0 if in_index or kind == ":" else 1
            elif is_prefix:
                gap = 1 if piece.text[0] in "-." else 0
            elif kind in ("(", "["):
                is_call = follows_operand and not (at == 1 and before.text in _STATEMENT_WORDS and not brackets)
                gap = 0 if is_call else 1
            elif before.text in ("f", "F") and piece.text[0] == '"':
                gap = 0
        is_prefix = (kind == "-" and _begins_operand(before)) or (
            kind == "*" and before is not None and before.kind in ("(", ",") and "(" in brackets
        )
        if kind in _OPENERS:
            is_index = kind == "[" and before is not None and gap == 0 and before.kind in ("operand", ")", "]", "}")
            brackets.append("index" if is_index else kind)
        elif kind in _CLOSERS and brackets:
            brackets.pop()
        written += " " * gap + piece.text
        before = piece
        if kind == "comment":
            written = written[: -len(piece.text)] + _comment(piece.text)
    return written


def _begins_operand(before: _Piece | None) -> bool:
    """True if what follows *before* begins an operand."""
    if before is None:
        return True
    return before.kind not in ("operand", ")", "]", "}") and before.kind != "comment"


def _comment(text: str) -> str:
    body = text[1:].rstrip()
    return f"# {body}" if body and body[0] not in " #!" else f"#{body}"
