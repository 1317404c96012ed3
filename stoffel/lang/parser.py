"""Parsing statements, by recursive descent, with recovery: an error drops one statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stoffel.errors import Diagnostic
from stoffel.lang.diagnostics import Failure
from stoffel.lang.expression_parser import RANGE_LEVEL, ExpressionParser
from stoffel.lang.lexer import Token, describe
from stoffel.lang.source import Position, Source
from stoffel.lang.syntax import (
    Alias,
    Argument,
    Assignment,
    Binary,
    Block,
    Body,
    Break,
    Call,
    Continue,
    EnumType,
    Expression,
    ExpressionStatement,
    For,
    Function,
    If,
    Import,
    Name,
    NoneLiteral,
    ObjectType,
    Parameter,
    Return,
    Statement,
    TypeName,
    Variable,
    While,
)

_COMPOUND: Final = frozenset(("+=", "-=", "*=", "/=", "%="))
_UNSUPPORTED: Final = "'{}' is not supported in StoffelLang"
_EXCEPTIONS: Final = (
    "'{}' is not supported: StoffelLang has no exception handling",
    "Errors abort execution; validate inputs up front and use return values to signal failure",
)
_NO_SUCH_FORM: Final = (_UNSUPPORTED, "See the language documentation for the supported statement forms")
FOREIGN_WORDS: Final = {
    "let": (
        "The 'let' keyword is no longer supported",
        "Use 'var' for variable declarations (e.g., 'var x = ...')",
    ),
    "proc": ("The 'proc' keyword is no longer supported; use 'def'", "Rewrite: def name(args) -> type:"),
    "try": _EXCEPTIONS,
    "except": _EXCEPTIONS,
    "finally": _EXCEPTIONS,
    "raise": _EXCEPTIONS,
    "with": (
        "'with' statements are not supported",
        "StoffelLang has no context managers; call functions directly",
    ),
    "yield": ("'yield' is not supported: StoffelLang has no generators", "Build and return a list instead"),
    "lambda": (
        "'lambda' is not supported: StoffelLang has no anonymous functions",
        "Define a named function with 'def' and pass its name to create_closure",
    ),
    "del": _NO_SUCH_FORM,
    "global": _NO_SUCH_FORM,
    "nonlocal": _NO_SUCH_FORM,
}
"""Words of other languages at the start of a statement: what is said about them, and what to do."""
_ENDS: Final = frozenset(("newline", "dedent", "eof"))


class Parser(ExpressionParser):
    """The parser of one file."""

    def program(self) -> Body:
        statements: list[Statement] = []
        self.skip_newlines()
        while self.token.kind != "eof":
            if self.token.kind == "dedent":
                self.advance()  # of a block that an error has swallowed
            else:
                self.statement_or_error(statements)
            self.skip_newlines()
        return tuple(statements)

    def statement_or_error(self, statements: list[Statement]) -> None:
        """Read a statement into *statements*; one with an error is noted and passed over, with its block."""
        depth = self.depth
        try:
            statements += self.statement()
        except Failure as failure:
            self.errors.append(failure.diagnostic)
            self.depth = depth
            self.pass_over()

    def pass_over(self) -> None:
        """Go to the end of the line, and past the block below it."""
        while self.token.kind not in _ENDS and self.token.kind != "indent":
            self.advance()
        self.skip_newlines()
        if self.token.kind == "indent":
            level = 0
            while self.token.kind != "eof":
                level += {"indent": 1, "dedent": -1}.get(self.token.kind, 0)
                self.advance()
                if not level:
                    break

    def end(self, what: str) -> None:
        """Check that a statement, *what*, ends here."""
        if self.token.kind not in _ENDS and self.token.kind != ")":
            raise self.failure(f"Expected newline, EOF, or dedent after {what}, found {describe(self.token)}")

    def block(self, after: str = "") -> Body:
        """Read ``:`` with the context *after*, and the indented block; one that is missing is noted and empty."""
        self.expect(":", after)
        return self.indented("Expected newline after ':' before indented block")

    def indented(self, context: str) -> Body:
        self.expect("newline", context)
        self.skip_newlines()
        self.expect("indent", "Expected indentation for block")
        before = self.depth
        self.deeper()
        statements: list[Statement] = []
        self.skip_newlines()
        while self.token.kind not in ("dedent", "eof"):
            self.statement_or_error(statements)
            self.skip_newlines()
        self.expect("dedent", "Expected dedentation to end block")
        self.depth = before
        return tuple(statements)

    def statement(self) -> list[Statement]:
        token = self.token
        kind = token.kind
        if kind == "name":
            word: str = token.value
            if word in FOREIGN_WORDS:
                message, advice = FOREIGN_WORDS[word]
                raise self.failure(message.format(word), token, advice)
            if word == "match" and self.peek().kind != "=":
                return [self.match()]
            if word == "assert":
                return [self.assertion()]
            return [self.simple()]
        if kind == "keyword":
            word = token.value
            if word == "type" and self.peek().kind == "(":
                return [self.simple()]
            if word == "builtin":
                self.builtin()
                return []
            reader = getattr(self, f"read_{word}", None)
            if reader is not None:
                statement: Statement = reader()
                return [statement]
            return [self.simple()]
        raise self.failure(f"Unexpected token at start of statement/declaration: {describe(token)}")

    def simple(self) -> Statement:
        start = self.token
        where = self.position(start)
        target = self.expression()
        token = self.token
        if token.kind == "," and isinstance(target, Name) and self.has_assignment():
            raise self.failure(
                "Tuple unpacking is not supported",
                start,
                "Assign to a single variable instead of multiple comma-separated variables",
            )
        if token.kind == "=":
            self.advance()
            value = self.expression()
            self.end("assignment")
            return Assignment(where, target, value)
        if token.kind == "operator" and token.value in _COMPOUND:
            self.advance()
            value = self.expression()
            self.end("compound assignment")
            return Assignment(where, target, Binary(self.position(token), token.value[0], target, value))
        self.end("expression statement")
        return ExpressionStatement(where, target)

    def has_assignment(self) -> bool:
        """Tell whether there is a ``=`` on the rest of the line."""
        for at in range(self.at, len(self.tokens)):
            if self.tokens[at].kind in _ENDS:
                return False
            if self.tokens[at].kind == "=":
                return True
        return False

    def complete(self, what: str) -> None:
        """Check the end of a statement behind which another may follow in the reference compiler."""
        token = self.token
        if token.kind in ("name", "keyword"):
            self.end(what)
        elif token.kind not in _ENDS and token.kind != ")":
            raise self.failure(f"Unexpected token at start of statement/declaration: {describe(token)}")

    def assertion(self) -> Statement:
        where = self.here()
        self.advance()
        arguments = [self.expression()]
        if self.accept(","):
            arguments.append(self.expression())
        self.complete("assert statement")
        found = tuple(Argument(value.position, None, value) for value in arguments)
        return ExpressionStatement(where, Call(where, Name(where, "assert"), found))

    def match(self) -> Statement:
        where = self.here()
        self.advance()
        self.counter += 1
        subject = f"__match_subject_{self.counter}"
        value = self.expression()
        self.expect(":", "Expected ':' after match subject")
        self.expect("newline", "Expected newline after ':' before match cases")
        self.skip_newlines()
        self.expect("indent", "Expected indented match cases")
        branches: list[tuple[Expression, Body]] = []
        otherwise: Body | None = None
        default: Token | None = None
        self.skip_newlines()
        while self.token.kind not in ("dedent", "eof"):
            token = self.token
            if not (token.kind == "name" and token.value == "case"):
                raise self.failure("Expected 'case' in match block")
            if default is not None:
                raise self.failure("'case _' must be the last case in a match", default)
            self.advance()
            if self.token.kind == "name" and self.token.value == "_" and self.peek().kind == ":":
                default = token
                self.advance()
                otherwise = self.block("Expected ':' after case pattern")
            else:
                pattern = self.expression()
                body = self.block("Expected ':' after case pattern")
                branches.append(
                    (Binary(self.position(token), "==", Name(self.position(token), subject), pattern), body)
                )
            self.skip_newlines()
        if not branches and otherwise is None:
            raise self.failure("match must have at least one case")
        self.expect("dedent", "Expected dedentation to end block")
        chosen: tuple[Statement, ...] = (If(where, tuple(branches), otherwise),) if branches else otherwise or ()
        return ExpressionStatement(where, Block(where, (Variable(where, subject, None, value), *chosen)))

    def read_var(self) -> Statement:
        where = self.here()
        self.advance()
        name = self.name("Expected variable name")
        if self.token.kind == ",":
            raise self.failure(
                "Tuple unpacking is not supported: a declaration binds exactly one variable",
                None,
                "Declare each variable on its own line, e.g. 'var a = 1' then 'var b = 2'",
            )
        annotation = self.type_name() if self.accept(":") else None
        value = self.expression() if self.accept("=") else None
        if annotation is None and value is None:
            raise self.failure(
                "Variable declaration needs either a type annotation or an initial value",
                None,
                "Add a type annotation with ':' or initialize with '='",
            )
        self.end("variable declaration")
        return Variable(where, name, annotation, value)

    def read_def(self) -> Function:
        where = self.here()
        self.advance()
        if self.token.kind == "name" or self.is_keyword("type") or self.is_keyword("main"):
            name = self.advance().value
        else:
            raise self.failure("Expected function name")
        type_parameters: list[str] = []
        if self.accept("["):
            while not self.accept("]"):
                if type_parameters:
                    self.expect(",", "Expected ',' between type parameters")
                type_parameters.append(self.name("Expected generic type parameter name"))
        self.expect("(", "Expected '(' after function name")
        parameters: list[Parameter] = []
        while self.token.kind != ")":
            if parameters:
                self.expect(",", "Expected ',' between parameters")
            parameters.append(self.parameter())
        self.expect(")", "Expected ')' after parameters")
        result = self.result_type()
        words = self.pragma() if self.token.kind == "{." else []
        body: Body | None = None
        if "builtin" not in words:
            body = self.block("Expected ':' after function header")
        elif self.accept(":"):
            body = None
        return Function(where, name, tuple(type_parameters), tuple(parameters), result, "entry" in words, body)

    def parameter(self) -> Parameter:
        is_variadic = False
        if self.token.kind == "operator":
            if self.token.value != "*":
                raise self.failure(
                    f"Expected parameter name, found {describe(self.token)}",
                    None,
                    "Only * may stand before a parameter: it takes all further arguments",
                )
            is_variadic = True
            self.advance()
        where = self.here()
        name = self.name("Expected parameter name")
        annotation = self.type_name() if self.accept(":") else None
        default = self.expression() if self.accept("=") else None
        return Parameter(where, name, annotation, default, is_variadic)

    def result_type(self) -> TypeName | None:
        arrow = self.token
        if not self.accept("->"):
            return None
        if self.token.kind == "(":
            raise self.failure(
                "Tuple return types are not supported",
                arrow,
                "Return a single value. If you need multiple values, consider using a custom type or restructuring "
                "your code.",
            )
        return None if self.accept("none") else self.type_name()

    def pragma(self) -> list[str]:
        self.advance()
        words: list[str] = []
        while self.token.kind != ".}":
            if self.token.kind not in ("name", "keyword"):
                raise self.failure("Expected identifier or keyword for pragma name")
            words.append(self.advance().value)
            if self.accept(":"):
                self.expression()
            if self.token.kind != ".}" and not self.accept("."):
                raise self.failure("Expected '.' separator or '.}' to end pragma")
        self.advance()
        return words

    def read_type(self) -> Statement:
        where = self.here()
        self.advance()
        name = self.name("Expected type alias name after 'type'")
        self.expect("=", "Expected '=' after type alias name")
        target = self.type_name()
        self.end("type alias")
        return Alias(where, name, target)

    def read_object(self) -> Statement:
        where = self.here()
        self.advance()
        name = self.name("Expected object name after 'object'")
        base = None
        if self.accept("("):
            base = self.type_name()
            self.expect(")", "Expected ')' after base object name")
        self.expect(":", "Expected ':' after object header")
        self.skip_newlines()
        if not self.accept("indent"):
            raise self.failure("Expected indented block with field definitions after object header")
        fields: list[tuple[str, TypeName]] = []
        self.skip_newlines()
        while self.token.kind not in ("dedent", "eof"):
            if self.is_keyword("secret"):
                raise self.failure(
                    "The 'secret' descriptor is only valid in type annotations",
                    None,
                    "Use 'field_name: secret <type>' instead",
                )
            field = self.name("Expected field name")
            self.expect(":", "Expected ':' after field name")
            fields.append((field, self.type_name()))
            self.skip_newlines()
        if not fields:
            raise self.failure("Object definition must have at least one field")
        self.expect("dedent", "Expected dedentation to end block")
        return ObjectType(where, name, base, tuple(fields))

    def read_enum(self) -> Statement:
        where = self.here()
        self.advance()
        name = self.name("Expected enum name")
        self.expect(":", "Expected ':' after enum name")
        self.expect("newline", "Expected newline after ':' before enum members")
        self.skip_newlines()
        self.expect("indent", "Expected indented enum members")
        members: list[tuple[str, Expression | None]] = []
        self.skip_newlines()
        while self.token.kind not in ("dedent", "eof"):
            member = self.name("Expected enum member name")
            members.append((member, self.expression() if self.accept("=") else None))
            self.skip_newlines()
        if not members:
            raise self.failure("Enum must declare at least one member")
        self.expect("dedent", "Expected dedentation to end block")
        return EnumType(where, name, tuple(members))

    def builtin(self) -> None:
        """Read a ``builtin`` declaration of the standard library, which says nothing new."""
        self.advance()
        if self.accept_keyword("object"):
            self.name("Expected builtin object name after 'object'")
            self.expect(":", "Expected ':' after builtin object header")
            self.expect("newline", "Expected newline after builtin object header")
            self.skip_newlines()
            self.expect("indent", "Expected indentation for builtin object methods")
            methods = 0
            self.skip_newlines()
            while self.token.kind not in ("dedent", "eof"):
                start = self.token
                if not self.is_keyword("def"):
                    raise self.failure("Expected builtin object method declaration starting with 'def'")
                method = self.read_def()
                if method.body is not None:
                    raise self.failure("Builtin object methods must use the {.builtin.} pragma", start)
                methods += 1
                self.skip_newlines()
            if not methods:
                raise self.failure("Builtin object definition must have at least one method")
            self.expect("dedent", "Expected dedentation to end block")
            return
        if not (self.is_keyword("type") or (self.token.kind == "name" and self.token.value == "opaque")):
            raise self.failure("Expected 'object', 'type', or 'opaque' after 'builtin'")
        self.advance()
        if self.token.kind not in ("name", "none"):
            raise self.failure("Expected builtin type name")
        self.advance()
        if self.accept("="):
            self.type_name()
        self.end("builtin type definition")

    def read_if(self) -> Statement:
        where = self.here()
        self.advance()
        condition = self.expression()
        branches = [(condition, self.block("Expected ':' after if condition"))]
        while self.continues("elif"):
            condition = self.expression()
            branches.append((condition, self.block("Expected ':' after elif condition")))
        otherwise = self.block("Expected ':' after else") if self.continues("else") else None
        return If(where, tuple(branches), otherwise)

    def continues(self, word: str) -> bool:
        """Go past the keyword *word*, blank lines before it included."""
        at = self.at
        while self.tokens[at].kind == "newline":
            at += 1
        token = self.tokens[at]
        if token.kind != "keyword" or token.value != word:
            return False
        self.at = at
        self.advance()
        return True

    def read_while(self) -> Statement:
        where = self.here()
        self.advance()
        condition = self.expression()
        return While(where, condition, self.block("Expected ':' after while condition"))

    def read_for(self) -> Statement:
        where = self.here()
        self.advance()
        names = [self.name("Expected loop variable name")]
        while self.accept(","):
            names.append(self.name("Expected loop variable name"))
        self.expect_in("Expected 'in' in for-loop header")
        iterable = self.expression(RANGE_LEVEL + 1)
        if self.is_operator(".."):
            operator = self.here()
            self.advance()
            iterable = Binary(operator, "..", iterable, self.expression(RANGE_LEVEL))
        return For(where, tuple(names), iterable, self.block("Expected ':' after for-loop header"))

    def read_break(self) -> Statement:
        where = self.position(self.advance())
        self.complete("break statement")
        return Break(where)

    def read_continue(self) -> Statement:
        where = self.position(self.advance())
        self.complete("continue statement")
        return Continue(where)

    def read_pass(self) -> Statement:
        where = self.position(self.advance())
        self.complete("pass statement")
        return ExpressionStatement(where, NoneLiteral(where))

    def read_return(self) -> Statement:
        where = self.position(self.advance())
        value = None if self.token.kind in _ENDS else self.expression()
        self.complete("return statement")
        return Return(where, value)

    def read_discard(self) -> Statement:
        where = self.position(self.advance())
        value = self.expression()
        self.end("discard statement")
        return ExpressionStatement(where, value)

    def read_import(self) -> Statement:
        where = self.position(self.advance())
        quoted = self.token.kind == "string"
        if quoted:
            path: list[str] = [self.advance().value]
        else:
            path = [self.name("Expected module name or quoted path after 'import'")]
            while self.accept("."):
                path.append(self.name("Expected module name after '.'"))
        alias = self.name("Expected alias name after 'as'") if self.accept_keyword("as") else None
        if self.token.kind not in _ENDS and self.token.kind != ")":
            raise self.failure(f"Expected newline after import statement, found {describe(self.token)}")
        return Import(where, tuple(path), quoted, alias)

    def read_main(self) -> Statement:
        raise self.failure(
            "The 'main <name>(...)' entry form is no longer supported", None, "Use 'def main(...)' instead"
        )

    def read_secret(self) -> Statement:
        raise self.failure(
            "The 'secret' descriptor is only valid in type annotations",
            None,
            "Use forms like 'var x: secret int64', 'param: secret int64', or 'field: secret int64'",
        )


def import_qualifiers(tokens: list[Token]) -> set[str]:
    """Return the names before the point of calls of imported functions: aliases and, without one, last parts."""
    found: set[str] = set()
    for at, token in enumerate(tokens):
        if token.kind != "keyword" or token.value != "import":
            continue
        words: list[str] = []
        following = at + 1
        while tokens[following].kind in ("name", "string", "."):
            words.append(tokens[following].value)
            following += 1
        if tokens[following].value == "as" and tokens[following + 1].kind == "name":
            found.add(tokens[following + 1].value)
        elif len(words) == 1:
            found.add(module_name(words[0]))
    return found


def module_name(path: str) -> str:
    """Return the name of the module in the file *path*, or of the module *path*."""
    return path.rpartition("/")[2].removesuffix(".stfl")


def parse(source: Source, tokens: list[Token], objects: Iterable[str]) -> tuple[Body, list[Diagnostic]]:
    """Return the statements of a source and the syntax errors in it; *objects* are the names of builtin objects."""
    parser = Parser(source.file, tokens, {*objects, *import_qualifiers(tokens)})
    return parser.program(), parser.errors


__all__ = ["Parser", "Position", "module_name", "parse"]
