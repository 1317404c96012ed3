"""The syntax tree: what the parser makes of a source and the checker reads. Nothing in it changes.

Named tuples rather than data classes: they are as immutable, made in a third of the time, and neither ``dataclasses``
nor ``inspect``, which it loads, slows the start of a program down.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from stoffel.lang.source import Position


class IntegerLiteral(NamedTuple):
    """A whole number; *suffix* is the width written behind it (``"u8"``), None if its type follows from its use."""

    position: Position
    value: int
    suffix: str | None


class FloatLiteral(NamedTuple):
    """A number with a point or an exponent."""

    position: Position
    value: float


class StringLiteral(NamedTuple):
    """A string, escapes resolved."""

    position: Position
    value: str


class BoolLiteral(NamedTuple):
    """True or False."""

    position: Position
    value: bool


class NoneLiteral(NamedTuple):
    """None."""

    position: Position


class Name(NamedTuple):
    """A variable, function, type or enum by its name."""

    position: Position
    name: str


class QualifiedName(NamedTuple):
    """The callee ``Share.open`` or ``module.function``, at its point."""

    position: Position
    qualifier: str
    name: str


class Unary(NamedTuple):
    """``-operand`` or ``not operand``."""

    position: Position
    operator: str
    operand: Expression


class Binary(NamedTuple):
    """``left operator right``, at the operator."""

    position: Position
    operator: str
    left: Expression
    right: Expression


class ListLiteral(NamedTuple):
    """``[a, b]``."""

    position: Position
    elements: tuple[Expression, ...]


class DictLiteral(NamedTuple):
    """``{k: v}``."""

    position: Position
    pairs: tuple[tuple[Expression, Expression], ...]


class Argument(NamedTuple):
    """An argument of a call, *name* for ``name: value``, else None; at its name, or at its value."""

    position: Position
    name: str | None
    value: Expression


class Call(NamedTuple):
    """A call, at its parenthesis; ``a.f(b)`` is ``f(a, b)`` at the point already."""

    position: Position
    callee: Expression
    arguments: tuple[Argument, ...]


class Field(NamedTuple):
    """``base.name`` that is not called, at the point."""

    position: Position
    base: Expression
    name: str


class Index(NamedTuple):
    """``base[key]``, at the bracket."""

    position: Position
    base: Expression
    key: Expression


class Block(NamedTuple):
    """What a comprehension or a match stands for: statements, the last of which gives its value."""

    position: Position
    statements: tuple[Statement, ...]


class TypeName(NamedTuple):
    """A type: a name, with type arguments or without; ``secret`` and ``list`` are such names too.

    *position* is None where a type has no position of its own (``list[...]`` and ``secret ...``).
    """

    position: Position | None
    name: str
    arguments: tuple[TypeName, ...] = ()


class Variable(NamedTuple):
    """``var name: type = value``, type or value None if it is not there."""

    position: Position
    name: str
    annotation: TypeName | None
    value: Expression | None


class Assignment(NamedTuple):
    """``target = value``; ``target op= x`` has the value ``target op x``."""

    position: Position
    target: Expression
    value: Expression


class ExpressionStatement(NamedTuple):
    """An expression of which only the effects are wanted; ``pass`` is the expression None."""

    position: Position
    value: Expression


class Return(NamedTuple):
    """``return`` with a value or, None, without."""

    position: Position
    value: Expression | None


class If(NamedTuple):
    """``if`` and every ``elif`` with its condition, and the body of ``else``, None if there is none."""

    position: Position
    branches: tuple[tuple[Expression, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...] | None


class While(NamedTuple):
    """``while condition``."""

    position: Position
    condition: Expression
    body: tuple[Statement, ...]


class For(NamedTuple):
    """``for names in iterable``; the iterable of ``a..b`` is a Binary."""

    position: Position
    names: tuple[str, ...]
    iterable: Expression
    body: tuple[Statement, ...]


class Break(NamedTuple):
    """``break``."""

    position: Position


class Continue(NamedTuple):
    """``continue``."""

    position: Position


class Parameter(NamedTuple):
    """A parameter of a function; *position* is that of its name."""

    position: Position
    name: str
    annotation: TypeName | None
    default: Expression | None
    is_variadic: bool


class Function(NamedTuple):
    """``def name[...](...) -> result``; *body* is None for one that the machine provides."""

    position: Position
    name: str
    type_parameters: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    result: TypeName | None
    is_entry: bool
    body: tuple[Statement, ...] | None


class ObjectType(NamedTuple):
    """``object name(base)``: fields with their types."""

    position: Position
    name: str
    base: TypeName | None
    fields: tuple[tuple[str, TypeName], ...]


class EnumType(NamedTuple):
    """``enum name``: members with the values that are written."""

    position: Position
    name: str
    members: tuple[tuple[str, Expression | None], ...]


class Alias(NamedTuple):
    """``type name = type``."""

    position: Position
    name: str
    target: TypeName


class Import(NamedTuple):
    """``import a.b as c`` or ``import "path"``: *path* has the parts of a dotted name or the one quoted path."""

    position: Position
    path: tuple[str, ...]
    is_quoted: bool
    alias: str | None


Expression: TypeAlias = (
    IntegerLiteral
    | FloatLiteral
    | StringLiteral
    | BoolLiteral
    | NoneLiteral
    | Name
    | QualifiedName
    | Unary
    | Binary
    | ListLiteral
    | DictLiteral
    | Call
    | Field
    | Index
    | Block
)
Statement: TypeAlias = (
    Variable
    | Assignment
    | ExpressionStatement
    | Return
    | If
    | While
    | For
    | Break
    | Continue
    | Function
    | ObjectType
    | EnumType
    | Alias
    | Import
)
Body: TypeAlias = tuple[Statement, ...]
