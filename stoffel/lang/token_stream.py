"""What both halves of the parser stand on: a position in the list of tokens, and errors at tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stoffel.errors import Diagnostic
from stoffel.lang.diagnostics import INTERNAL, SYNTAX, Failure, error
from stoffel.lang.lexer import Token, describe
from stoffel.lang.source import Position

NESTING_LIMIT: Final = 300
"""Deepest nesting of brackets, prefix operators, postfix chains and blocks."""

_KIND_NAMES: Final = {
    "name": "identifier",
    ":": "Colon",
    ",": "Comma",
    "(": "LParen",
    ")": "RParen",
    "]": "RBracket",
    "}": "RBrace",
    "=": "Assign",
    "newline": "Newline",
    "indent": "Indent",
    "dedent": "Dedent",
}


class TokenStream:
    """Tokens and the place where reading them has come to."""

    def __init__(self, file: str, tokens: list[Token], qualifiers: Iterable[str]) -> None:
        self.file = file
        self.tokens = tokens
        self.at = 0
        self.token = tokens[0]
        self.depth = 0
        self.counter = 0
        self.qualifiers = frozenset(qualifiers)
        self.errors: list[Diagnostic] = []

    def advance(self) -> Token:
        """Return the token that is read, and go on to the next; the last one stays."""
        token = self.token
        if self.at < len(self.tokens) - 1:
            self.at += 1
            self.token = self.tokens[self.at]
        return token

    def peek(self) -> Token:
        """Return the token behind the one that is read."""
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    def position(self, token: Token) -> Position:
        return Position(self.file, token.line, token.column)

    def here(self) -> Position:
        return Position(self.file, self.token.line, self.token.column)

    def is_keyword(self, word: str) -> bool:
        return self.token.kind == "keyword" and self.token.value == word

    def is_operator(self, mark: str) -> bool:
        return self.token.kind == "operator" and self.token.value == mark

    def accept(self, kind: str) -> bool:
        """Go past a token of *kind* if one is there."""
        if self.token.kind != kind:
            return False
        self.advance()
        return True

    def accept_keyword(self, word: str) -> bool:
        if not self.is_keyword(word):
            return False
        self.advance()
        return True

    def failure(self, message: str, token: Token | None = None, help: str = "") -> Failure:  # noqa: A002
        return Failure(error(SYNTAX, message, self.position(token or self.token), help))

    def missing(self, context: str, wanted: str) -> Failure:
        """Return the failure of a token that is not *wanted*, the word for what is."""
        message = f"{context} Expected {wanted}, found {describe(self.token)}"
        advice = f"Try using the '{wanted[9:-1]}' keyword here" if wanted.startswith("keyword") else ""
        return self.failure(message, None, advice or f"Try adding {wanted} here")

    def expect(self, kind: str, context: str) -> Token:
        """Go past a token of *kind*. Raises Failure if there is another."""
        if self.token.kind != kind:
            raise self.missing(context, _KIND_NAMES[kind])
        return self.advance()

    def name(self, context: str) -> str:
        word: str = self.expect("name", context).value
        return word

    def deeper(self) -> None:
        """Count one level of nesting. Raises Failure beyond the limit."""
        self.depth += 1
        if self.depth > NESTING_LIMIT:
            raise Failure(
                error(INTERNAL, "expression is nested too deeply", self.here(), "Use variables for its parts")
            )

    def skip_newlines(self) -> None:
        while self.token.kind == "newline":
            self.advance()
