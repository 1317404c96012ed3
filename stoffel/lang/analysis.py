"""What an editor asks about a source: where a name is declared and used, what its type is, which names there are.

The checker is asked, with its questions written down; a source with errors is analysed as far as it can be read.
"""

from __future__ import annotations

from typing import NamedTuple

from stoffel.errors import CompileError, Diagnostic
from stoffel.lang import builtins, syntax
from stoffel.lang import typed_tree as typed
from stoffel.lang.builtins import Signature
from stoffel.lang.call_checker import Callee
from stoffel.lang.checker import Checker
from stoffel.lang.compiler import compile_source, room
from stoffel.lang.diagnostics import Failure
from stoffel.lang.lexer import KEYWORDS, LITERALS, TOKEN, Token, tokenize
from stoffel.lang.modules import Loader, Problems
from stoffel.lang.parser import parse
from stoffel.lang.scopes import Exports, Symbol, UserFunction
from stoffel.lang.source import Position, Source
from stoffel.lang.types import VOID, Type

Subject = typed.Local | Signature
"""What a name is about."""


class Occurrence(NamedTuple):
    """A name in the text: *line* and *start* count from 0, in characters; *declares* says that it is declared there."""

    line: int
    start: int
    name: str
    subject: Subject
    declares: bool


class Place(NamedTuple):
    """Where something is declared in another file: its *path*, and the line from 0."""

    path: str
    line: int


class _Recorder(Checker):
    """A checker that writes down what names mean."""

    def __init__(self, imports: dict[Position, tuple[str, Exports]]) -> None:
        super().__init__(imports)
        self.uses: dict[tuple[Position, str], tuple[Subject, bool]] = {}

    def value_of(self, name: str, symbol: Symbol, where: Position) -> typed.Expression:
        subject = symbol.local or symbol.function
        if subject is not None:
            self.uses.setdefault((where, name), (subject, False))
            self.uses[where, name] = subject, self.uses[where, name][1]
        return super().value_of(name, symbol, where)

    def new_local(self, name: str, of: Type, where: Position) -> typed.Local:
        local = super().new_local(name, of, where)
        self.uses[where, name] = local, True
        return local

    def signature_of(self, node: syntax.Function) -> UserFunction:
        signature = super().signature_of(node)
        self.uses[node.position, node.name] = signature, True
        return signature

    def resolve_callee(self, callee: syntax.Name | syntax.QualifiedName, arguments: list[typed.Expression]) -> Callee:
        found = super().resolve_callee(callee, arguments)
        self.uses[callee.position, callee.name] = found.signature, False
        return found


class Analysis:
    """What is known of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: tuple[Diagnostic, ...] = ()
        self.occurrences: list[Occurrence] = []
        self.loader = Loader()
        self.checker: _Recorder | None = None
        try:
            compile_source(source, Loader())
        except CompileError as error:
            self.diagnostics = error.diagnostics
        try:
            tokens = tokenize(source)
        except Failure:
            return
        with room():
            self.record(tokens)

    def record(self, tokens: list[Token]) -> None:
        body, _ = parse(self.source, tokens, builtins.OBJECTS)
        imports: dict[Position, tuple[str, Exports]] = {}
        for statement in body:
            if isinstance(statement, syntax.Import):
                try:
                    imports[statement.position] = self.loader.exports(statement, self.source)
                except Problems:
                    continue  # told by the diagnostics
        self.checker = _Recorder(imports)
        self.checker.run(body)
        places = {(token.line, token.column): at for at, token in enumerate(tokens)}
        columns = _Columns(self.source)
        for (where, name), (subject, declares) in self.checker.uses.items():
            token = _name_token(tokens, places.get((where.line, where.column)), name)
            if token is not None:
                start = columns.character(token.line, token.column)
                self.occurrences.append(Occurrence(token.line - 1, start, name, subject, declares))

    def at(self, line: int, character: int) -> Occurrence | None:
        """Return the name at a place, counted from 0."""
        for one in self.occurrences:
            if one.line == line and one.start <= character <= one.start + len(one.name):
                return one
        return None

    def of(self, subject: Subject) -> list[Occurrence]:
        """Return all places where *subject* is named."""
        return sorted(one for one in self.occurrences if one.subject is subject)

    def declaration(self, subject: Subject) -> Occurrence | Place | None:
        """Return where *subject* is declared; None for the library."""
        for one in self.occurrences:
            if one.declares and one.subject is subject:
                return one
        if isinstance(subject, UserFunction):
            source = self.loader.sources.get(subject.position.file)
            if source is not None:
                return Place(source.path, subject.position.line - 1)
        return None

    def completions(self, before: str) -> list[str]:
        """Return the names that can follow *before*, the text of the line up to the cursor without a begun word."""
        checker = self.checker
        if before.endswith("."):
            qualifier = before[:-1].rpartition(" ")[2].rpartition("(")[2]
            found = [name.partition(".")[2] for name in builtins.METHODS if name.startswith(f"{qualifier}.")]
            if checker is not None and not found:
                members = [*checker.enums.get(qualifier, ()), *checker.qualified.get(qualifier, ())]
                fields = [field for one in checker.objects.values() for field in one.fields]
                found = members or [*fields, *checker.visible_functions()]
            return sorted({name for name in found if "." not in name})
        names = {*KEYWORDS, *LITERALS, *(one.name for one in self.occurrences)}
        names.update(checker.visible_names() if checker is not None else builtins.FUNCTIONS)
        return sorted(name for name in names if not name.startswith("__"))


def described(occurrence: Occurrence) -> str:
    """Return a name with its type, as one declares it."""
    subject = occurrence.subject
    if isinstance(subject, typed.Local):
        return f"{subject.name}: {subject.type}"
    parameters = [
        f"{'*' if subject.variadic and at == len(subject.parameters) - 1 else ''}{name}: {of}"
        for at, (name, of) in enumerate(subject.parameters)
    ]
    result = "" if subject.result == VOID else f" -> {subject.result}"
    return f"def {subject.name}({', '.join(parameters)}){result}"


def _name_token(tokens: list[Token], at: int | None, name: str) -> Token | None:
    """Return the token of *name* that an expression, declaration or call at token *at* is about."""
    if at is None:
        return None
    for index in (at, at - 1, at + 1, at - 2):
        token = tokens[index] if 0 <= index < len(tokens) else None
        if token is not None and token.kind in ("name", "keyword") and token.value == name:
            return token
    return None


class _Columns:
    """From the columns of positions, in which wide identifiers count their bytes, to characters."""

    def __init__(self, source: Source) -> None:
        self.lines = source.lines()

    def character(self, line: int, column: int) -> int:
        """Return the 0-based character at which the token at *column* begins."""
        text = self.lines[line - 1]
        if text.isascii():
            return column - 1
        passed = position = 0
        while position < len(text) and passed < column - 1:
            found = TOKEN.match(text, position)
            end = found.end() if found is not None else position + 1
            piece = text[position:end]
            is_word = found is not None and found.lastgroup == "word"
            passed += len(piece.encode()) if is_word else len(piece)
            position = end
        return position
