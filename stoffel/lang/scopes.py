"""Names: scopes, what a name stands for, and the types that are written in a source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from stoffel.errors import Diagnostic
from stoffel.lang import builtins
from stoffel.lang.builtins import Signature
from stoffel.lang.diagnostics import SEMANTIC, TYPE, Failure, did_you_mean, error
from stoffel.lang.source import NOWHERE, Position
from stoffel.lang.syntax import Expression, TypeName
from stoffel.lang.typed_tree import Local
from stoffel.lang.types import (
    FLOAT,
    KNOWN_VALUES,
    NAMED,
    NO_VALUES,
    OPAQUE,
    UNKNOWN,
    Type,
    list_of,
    secret,
)


class UserFunction(Signature):
    """The signature of a function of a program, with what only those have: defaults, and where it stands."""

    __slots__ = ("defaults", "position")

    def __init__(
        self,
        name: str,
        parameters: tuple[tuple[str, Type], ...],
        result: Type,
        target: str,
        defaults: tuple[Expression | None, ...],
        position: Position,
        *,
        variadic: bool,
    ) -> None:
        required = sum(default is None for default in defaults) - variadic
        super().__init__(name, parameters, required, result, target, variadic=variadic)
        self.defaults = defaults
        self.position = position


class Symbol(NamedTuple):
    """What a name stands for: *kind* is ``"variable"``, ``"function"``, ``"type"`` or ``"object"`` (a builtin one)."""

    kind: str
    type: Type
    position: Position
    local: Local | None = None
    function: Signature | None = None


class ObjectDefinition(NamedTuple):
    """An object type: all its fields, and which of them it declares itself."""

    fields: dict[str, Type]
    own: frozenset[str]


class Exports(NamedTuple):
    """What a module gives to those that import it."""

    symbols: dict[str, Symbol]
    objects: dict[str, ObjectDefinition]
    enums: dict[str, dict[str, int]]


def _library_symbol(name: str) -> Symbol | None:
    function = builtins.signature(name)
    if function is not None:
        return Symbol("function", function.result, NOWHERE, function=function)
    if name in builtins.OBJECTS:
        return Symbol("object", Type("object", name), NOWHERE)
    if name in OPAQUE:
        return Symbol("type", Type("object", name), NOWHERE)
    if name in NAMED and name not in NO_VALUES:
        return Symbol("type", NAMED[name], NOWHERE)
    return None


SECRET_FLOAT: Final = (
    "secret float64 is not supported by the current MPC protocol",
    "Use 'secret fix64' for MPC fixed-point values; the pinned mpc-protocols crate exposes SecretFixedPoint but no "
    "SecretFloat type.",
)


class Scopes:
    """The names of one file while it is checked."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Symbol]] = [{}]
        self.objects: dict[str, ObjectDefinition] = {}
        self.enums: dict[str, dict[str, int]] = {}
        self.functions: dict[str, UserFunction] = {}
        self.qualified: dict[str, dict[str, Symbol]] = {}
        self.type_parameters: tuple[str, ...] = ()
        self.errors: list[Diagnostic] = []
        self.redeclarations: list[Diagnostic] = []

    def lookup(self, name: str) -> Symbol | None:
        """Return what *name* stands for here, None if nothing."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return _library_symbol(name)

    def declare(self, name: str, symbol: Symbol) -> None:
        """Enter a name into the innermost scope; one that is there already is noted, and stays what it is."""
        scope = self.scopes[-1]
        before = scope.get(name)
        if before is None and len(self.scopes) == 1:
            library = _library_symbol(name)
            before = library if library is not None and library.kind != "function" else None
        if before is None:
            scope[name] = symbol
            return
        self.redeclarations.append(
            error(
                SEMANTIC,
                f"Symbol '{name}' already declared in this scope",
                symbol.position,
                f"Original declaration was here: {before.position}",
            )
        )

    def visible_names(self) -> Iterator[str]:
        """Yield every name that could be meant."""
        for scope in self.scopes:
            yield from scope
        yield from (*builtins.FUNCTIONS, *builtins.OBJECTS, *OPAQUE)
        yield from (name for name in NAMED if name not in NO_VALUES)

    def visible_functions(self) -> Iterator[str]:
        """Yield every name of a function that could be meant."""
        for scope in self.scopes:
            yield from (name for name, symbol in scope.items() if symbol.kind == "function")
        yield from (*builtins.FUNCTIONS, *builtins.METHODS)

    def symbol_type(self, name: str, symbol: Symbol) -> Type:
        """Return the type that the name has as a value."""
        if symbol.kind == "type" and symbol.position is NOWHERE and name not in KNOWN_VALUES and name not in OPAQUE:
            return UNKNOWN
        return symbol.type

    def resolve(self, written: TypeName, where: Position | None = None) -> Type:
        """Return the type that *written* stands for. Raises Failure at *where*, else at the type itself."""
        place = where or written.position
        name = written.name
        if written.arguments:
            arguments = tuple([self.resolve_inner(inner, place) for inner in written.arguments])
            if name == "list":
                return list_of(arguments[0])
            if name == "dict":
                return Type("dict", "dict", arguments)
            if name == "secret":
                if arguments[0] == FLOAT:
                    raise Failure(error(TYPE, SECRET_FLOAT[0], place, SECRET_FLOAT[1]))
                return secret(arguments[0])
            self.plain_type(name, place)
            return Type("generic", name, arguments)
        return self.plain_type(name, place)

    def resolve_inner(self, written: TypeName, place: Position | None) -> Type:
        """Return the type of a part; an error in it has the place of the whole."""
        if written.position is not None and place is None:
            written = written._replace(position=None)
        return self.resolve(written, place)

    def plain_type(self, name: str, place: Position | None) -> Type:
        if name in NAMED and name != "None":
            return NAMED[name]
        if name in self.type_parameters:
            return Type("parameter", name)
        symbol = self.lookup(name)
        if symbol is None:
            raise Failure(error(TYPE, f"Undefined type '{name}'", place, did_you_mean(name, self.visible_names())))
        if symbol.kind == "function":
            advice = (
                f"'{name}' is defined as a function. To use a custom type, define it with 'type' or 'object' "
                "(type aliases not yet supported)"
            )
            raise Failure(error(TYPE, f"'{name}' is a function, not a type", place, advice))
        if symbol.kind == "variable":
            advice = "Variable names cannot be used as types"
            raise Failure(error(TYPE, f"'{name}' is a variable, not a type", place, advice))
        return symbol.type
