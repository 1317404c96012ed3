"""Parsing expressions and types: precedence climbing over the tokens."""

from __future__ import annotations

import re
from typing import Final

from stoffel.lang.diagnostics import Failure
from stoffel.lang.lexer import Token, describe
from stoffel.lang.source import Position
from stoffel.lang.syntax import (
    Argument,
    Binary,
    Block,
    BoolLiteral,
    Call,
    DictLiteral,
    Expression,
    ExpressionStatement,
    Field,
    FloatLiteral,
    For,
    If,
    Index,
    IntegerLiteral,
    ListLiteral,
    Name,
    NoneLiteral,
    QualifiedName,
    Statement,
    StringLiteral,
    TypeName,
    Unary,
    Variable,
)
from stoffel.lang.token_stream import TokenStream

LEVELS: Final = {
    "or": 1, "xor": 1,
    "and": 2,
    "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3,
    "..": 4,
    "+": 5, "-": 5,
    "*": 6, "/": 6, "%": 6, "mod": 6, "shl": 6, "shr": 6,
}  # fmt: skip
"""Binary operators by how tightly they bind; all of them are left-associative."""
PREFIX_LEVEL: Final = 6
RANGE_LEVEL: Final = 4
SLICE_END: Final = (1 << 63) - 1
"""The start or stop that a slice has where none is written."""

_BOOLEAN: Final = {"&&": "and", "||": "or"}
_HOLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_LAMBDA: Final = (
    "'lambda' is not supported: StoffelLang has no anonymous functions",
    "Define a named function with 'def' and pass its name to create_closure",
)
_OPERAND_HELP: Final = "An expression can be a literal, identifier, function call, or use operators like +, -, *, /"


class ExpressionParser(TokenStream):
    """The half of the parser that reads expressions and types."""

    def expression(self, minimum: int = 0) -> Expression:
        """Read an expression of the operators that bind tighter than *minimum*."""
        before = self.depth
        self.deeper()
        left = self.operand()
        while True:
            token = self.token
            if token.kind not in ("operator", "keyword"):
                break
            operator: str = token.value
            level = LEVELS.get(operator)
            if level is None:
                if operator in _BOOLEAN:
                    word = _BOOLEAN[operator]
                    raise self.failure(
                        f"Unsupported boolean operator '{operator}'. Use '{word}' instead.",
                        token,
                        f"Stoffel uses Pythonic boolean syntax: replace '{operator}' with '{word}'",
                    )
                break
            if level <= minimum:
                break
            self.advance()
            left = Binary(self.position(token), operator, left, self.expression(level))
        self.depth = before
        return left

    def operand(self) -> Expression:
        token = self.token
        kind = token.kind
        where = self.position(token)
        if kind == "name":
            if token.value == "lambda":
                raise self.failure(_LAMBDA[0], token, _LAMBDA[1])
            self.advance()
            if token.value in ("f", "F") and self.token.kind == "string":
                return self.postfix(self.interpolation(self.advance().value, token))
            return self.postfix(Name(where, token.value))
        if kind == "int":
            self.advance()
            return self.postfix(IntegerLiteral(where, *token.value))
        if kind == "string":
            self.advance()
            return self.postfix(StringLiteral(where, token.value))
        if kind == "float":
            self.advance()
            return self.postfix(FloatLiteral(where, token.value))
        if kind == "bool":
            self.advance()
            return self.postfix(BoolLiteral(where, token.value))
        if kind == "none":
            self.advance()
            return self.postfix(NoneLiteral(where))
        if kind == "(":
            self.advance()
            inner = self.expression()
            self.expect(")", "Expected ')' after parenthesized expression")
            return self.postfix(inner)
        if kind == "[":
            return self.postfix(self.list_literal())
        if kind == "{":
            return self.postfix(self.dict_literal())
        if kind == "operator" and token.value != "-":
            raise self.failure(f"Unexpected prefix operator: {token.value}")
        if kind == "operator" or self.is_keyword("not"):
            self.advance()
            return Unary(where, token.value, self.expression(PREFIX_LEVEL))
        if self.is_keyword("type"):
            self.advance()
            return self.postfix(Name(where, "type"))
        raise self.failure(f"Expected expression, found {describe(token)}", token, _OPERAND_HELP)

    def postfix(self, base: Expression) -> Expression:
        before = self.depth
        while True:
            token = self.token
            where = self.position(token)
            if token.kind == "(":
                self.deeper()
                self.advance()
                base = self.call(base, where)
            elif token.kind == ".":
                self.deeper()
                self.advance()
                base = Field(where, base, self.name("Expected field name after '.'"))
            elif token.kind == "[":
                self.deeper()
                self.advance()
                base = self.index_or_slice(base, where)
            else:
                self.depth = before
                return base

    def call(self, callee: Expression, where: Position) -> Expression:
        """Read arguments; a call through a point becomes one whose first argument is what stands before the point."""
        arguments: list[Argument] = []
        while self.token.kind != ")":
            start = self.token
            name = None
            if start.kind == "name" and self.peek().kind == ":":
                name = start.value
                self.advance()
                self.advance()
            value = self.expression()
            arguments.append(Argument(self.position(start) if name else value.position, name, value))
            if self.token.kind != ")" and not self.accept(","):
                raise self.missing("Expected ',' or ')' after function argument", "Comma")
        self.expect(")", "Expected ')' after function arguments")
        if isinstance(callee, Field):
            base = callee.base
            if isinstance(base, Name) and base.name in self.qualifiers:
                return Call(callee.position, QualifiedName(callee.position, base.name, callee.name), tuple(arguments))
            arguments.insert(0, Argument(base.position, None, base))
            return Call(callee.position, Name(where, callee.name), tuple(arguments))
        return Call(where, callee, tuple(arguments))

    def index_or_slice(self, base: Expression, where: Position) -> Expression:
        bounds: list[Expression] = []
        if self.token.kind != ":":
            index = self.expression()
            if self.token.kind != ":":
                self.expect("]", "Expected ']' after index")
                return Index(where, base, index)
            bounds.append(index)
        else:
            bounds.append(IntegerLiteral(where, SLICE_END, None))
        self.advance()
        bounds.append(IntegerLiteral(where, SLICE_END, None) if self.token.kind in (":", "]") else self.expression())
        if self.accept(":") and self.token.kind != "]":
            bounds.append(self.expression())
        else:
            bounds.append(IntegerLiteral(where, 1, None))
        self.expect("]", "Expected ']' after slice")
        arguments = tuple(Argument(item.position, None, item) for item in (base, *bounds))
        return Call(where, Name(where, "slice"), arguments)

    def list_literal(self) -> Expression:
        where = self.here()
        self.advance()
        elements: list[Expression] = []
        if self.token.kind != "]":
            elements.append(self.expression())
            if self.is_keyword("for"):
                return self.comprehension(elements[0], where)
            while self.accept(","):
                elements.append(self.expression())
            if self.token.kind != "]":
                raise self.missing("Expected ',' or ']' after list element", "Comma")
        self.expect("]", "Expected ']' after list elements")
        return ListLiteral(where, tuple(elements))

    def comprehension(self, element: Expression, where: Position) -> Expression:
        self.advance()
        self.counter += 1
        name = f"__comprehension_{self.counter}"
        variable = self.name("Expected loop variable in comprehension")
        self.expect_in("Expected 'in' in comprehension")
        iterable = self.expression()
        result = Name(where, name)
        adding: Statement = ExpressionStatement(
            where,
            Call(
                where, Name(where, "append"), (Argument(where, None, result), Argument(element.position, None, element))
            ),
        )
        if self.accept_keyword("if"):
            adding = If(where, ((self.expression(), (adding,)),), None)
        self.expect("]", "Expected ']' to close comprehension")
        return Block(
            where,
            (
                Variable(where, name, None, ListLiteral(where, ())),
                For(where, (variable,), iterable, (adding,)),
                ExpressionStatement(where, result),
            ),
        )

    def dict_literal(self) -> Expression:
        where = self.here()
        self.advance()
        pairs: list[tuple[Expression, Expression]] = []
        while self.token.kind != "}" or pairs:
            key = self.expression()
            self.expect(":", "Expected ':' between dict key and value")
            pairs.append((key, self.expression()))
            if self.token.kind == "}":
                break
            if not self.accept(","):
                raise self.missing("Expected ',' or '}' after dict entry", "Comma")
        self.expect("}", "Expected '}' after dict entries")
        return DictLiteral(where, tuple(pairs))

    def interpolation(self, text: str, token: Token) -> Expression:
        """Return the sum of strings that an f-string stands for; everything in it is at the f."""
        where = self.position(token)
        pieces: list[Expression] = []
        plain = ""
        at = 0
        while at < len(text):
            char = text[at]
            if char in "{}" and text[at + 1 : at + 2] == char:
                plain += char
                at += 2
            elif char == "{":
                end = text.find("}", at)
                if end < 0:
                    raise self.failure("Unclosed '{' in f-string", token)
                inside = text[at + 1 : end]
                if not _HOLE.fullmatch(inside.strip(" ")):
                    raise self.failure(
                        f"f-string interpolation '{{{inside}}}' must be a variable or dotted field access",
                        token,
                        "Bind complex expressions to a variable first",
                    )
                if plain:
                    pieces.append(StringLiteral(where, plain))
                    plain = ""
                first, *fields = inside.strip(" ").split(".")
                value: Expression = Name(where, first)
                for name in fields:
                    value = Field(where, value, name)
                pieces.append(Call(where, Name(where, "to_string"), (Argument(where, None, value),)))
                at = end + 1
            elif char == "}":
                raise self.failure("Single '}' in f-string; use '}}' for a literal brace", token)
            else:
                plain += char
                at += 1
        if plain or not pieces:
            pieces.append(StringLiteral(where, plain))
        found = pieces[0]
        for piece in pieces[1:]:
            found = Binary(where, "+", found, piece)
        return found

    def expect_in(self, context: str) -> None:
        if not self.accept_keyword("in"):
            raise self.missing(context, "keyword 'in'")

    def type_name(self) -> TypeName:
        """Read a type."""
        before = self.depth
        self.deeper()
        if self.accept_keyword("secret"):
            found = TypeName(None, "secret", (self.plain_type_name(),))
        else:
            found = self.plain_type_name()
        self.depth = before
        return found

    def plain_type_name(self) -> TypeName:
        token = self.token
        if token.kind != "name":
            raise self.failure(f"Expected type name identifier after 'secret' (if present), found {describe(token)}")
        self.advance()
        name: str = token.value
        where = self.position(token)
        if self.token.kind != "[":
            return TypeName(where, name)
        if name in ("List", "Dict"):
            self.errors.append(
                self.failure(
                    f"Unknown generic type: {name}",
                    token,
                    f"Did you mean '{name.lower()}'? Generic types use lowercase Python spelling",
                ).diagnostic
            )
            name = name.lower()
        self.advance()
        arguments = [self.type_name()]
        if name == "list":
            self.expect("]", "Expected ']' after list element type")
            return TypeName(None, name, tuple(arguments))
        if name == "dict":
            self.expect(",", "Expected ',' between dict key and value types")
            arguments.append(self.type_name())
            self.expect("]", "Expected ']' after dict value type")
        else:
            while self.token.kind != "]":
                self.expect(",", "Expected ',' between type parameters")
                arguments.append(self.type_name())
            self.advance()
        return TypeName(where, name, tuple(arguments))


__all__ = ["ExpressionParser", "Failure"]
