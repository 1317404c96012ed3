"""What the checker makes of the syntax tree: names are resolved, every expression has its type, nothing is implicit."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from stoffel.lang.source import Position
from stoffel.lang.types import Type


class Local:
    """A variable of a function or of the top level: each declaration makes another one.

    *owner* is the number of the function that it belongs to, 0 for the top level.
    """

    __slots__ = ("name", "owner", "position", "type")

    def __init__(self, name: str, type: Type, position: Position, owner: int) -> None:  # noqa: A002
        self.name = name
        self.type = type
        self.position = position
        self.owner = owner


class Constant(NamedTuple):
    """A constant; *form* is ``"untyped"`` for an integer without a suffix, ``"suffixed"`` for one with, else empty."""

    position: Position
    type: Type
    value: int | float | str | bool | None
    form: str


class Read(NamedTuple):
    """The value of a variable."""

    position: Position
    type: Type
    variable: Local


class UnaryOperation(NamedTuple):
    """``-operand`` or ``not operand``."""

    position: Position
    type: Type
    operator: str
    operand: Expression


class Operation(NamedTuple):
    """A binary operation; *on_lists* says that it is one of lists."""

    position: Position
    type: Type
    operator: str
    left: Expression
    right: Expression
    on_lists: bool


class ListDisplay(NamedTuple):
    """A new list."""

    position: Position
    type: Type
    elements: tuple[Expression, ...]


class DictDisplay(NamedTuple):
    """A new dictionary."""

    position: Position
    type: Type
    pairs: tuple[tuple[Expression, Expression], ...]


class NewObject(NamedTuple):
    """A new object with the fields that are given, in the order in which they are written."""

    position: Position
    type: Type
    fields: tuple[tuple[str, Expression], ...]


class Invocation(NamedTuple):
    """A call of what the machine calls *target*; *makes_inner_list* if its first argument may have to be made first.

    *upvalue* is the upvalue that it names, empty if there is none.
    """

    position: Position
    type: Type
    target: str
    arguments: tuple[Expression, ...]
    makes_inner_list: bool = False
    upvalue: str = ""


class Element(NamedTuple):
    """``base[key]``."""

    position: Position
    type: Type
    base: Expression
    key: Expression


class Member(NamedTuple):
    """``base.name``."""

    position: Position
    type: Type
    base: Expression
    name: str


class Sequence(NamedTuple):
    """Statements and then a value, None for nothing: a comprehension or a match."""

    position: Position
    type: Type
    statements: Body
    value: Expression | None


class Unusable(NamedTuple):
    """What has a type and no value: a function, a type, a variable of another function. Why, and what to do."""

    position: Position
    type: Type
    message: str
    help: str


class Declaration(NamedTuple):
    """A variable begins; without a *value* it takes the default of *default*."""

    position: Position
    variable: Local
    value: Expression | None
    default: Type


class Assignment(NamedTuple):
    """A variable, field or element changes."""

    position: Position
    target: Expression
    value: Expression


class Evaluation(NamedTuple):
    """An expression for its effects."""

    position: Position
    value: Expression


class Return(NamedTuple):
    """The function ends."""

    position: Position
    value: Expression | None


class If(NamedTuple):
    """Branches by their conditions."""

    position: Position
    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None


class While(NamedTuple):
    """A loop while a condition holds."""

    position: Position
    condition: Expression
    body: Body


class ForRange(NamedTuple):
    """A loop over integers from *start* to before *stop*."""

    position: Position
    variable: Local
    start: Expression
    stop: Expression
    body: Body


class ForEach(NamedTuple):
    """A loop over the elements of a list or the characters of a string."""

    position: Position
    variable: Local
    iterable: Expression
    body: Body


class Break(NamedTuple):
    """The loop around ends."""

    position: Position


class Continue(NamedTuple):
    """The next turn of the loop around."""

    position: Position


class Function(NamedTuple):
    """A function that is to be compiled; the entry of top-level code has the position of its first statement."""

    position: Position
    name: str
    parameters: tuple[Local, ...]
    parameter_types: tuple[Type, ...]
    result: Type
    body: Body


Expression: TypeAlias = (
    Constant
    | Read
    | UnaryOperation
    | Operation
    | ListDisplay
    | DictDisplay
    | NewObject
    | Invocation
    | Element
    | Member
    | Sequence
    | Unusable
)
Statement: TypeAlias = (
    Declaration | Assignment | Evaluation | Return | If | While | ForRange | ForEach | Break | Continue
)
Body: TypeAlias = tuple[Statement, ...]
