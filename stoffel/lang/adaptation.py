"""Fitting a checked expression to the type that its place asks for, and telling where it does not fit.

A constant takes the type of its place; of everything else only the type that the checker goes on with changes. No
value is converted at run time: the language widens without an instruction, and so do we.
"""

from __future__ import annotations

from stoffel.errors import Diagnostic
from stoffel.lang.diagnostics import TYPE, Failure, error
from stoffel.lang.source import Position
from stoffel.lang.typed_tree import Constant, DictDisplay, Expression, ListDisplay, Operation, UnaryOperation
from stoffel.lang.types import (
    BOOL,
    KIND_OF,
    SHARE,
    UNKNOWN,
    Type,
    adapted,
    compatible,
    fits,
    is_numeric,
    is_primitive,
    is_unsigned,
    underlying,
    widens,
)

ARITHMETIC = frozenset(("+", "-", "*", "/", "%", "mod"))
LOGIC = frozenset(("and", "or", "xor"))


def passes_context(operator: str, wanted: Type) -> bool:
    """True if the operands of *operator* take the type *wanted* of the whole."""
    if operator in ARITHMETIC and is_numeric(wanted):
        return True
    return (operator == "+" and wanted.kind == "string") or (operator in LOGIC and wanted == BOOL)


def is_integer_constant(expression: Expression) -> bool:
    """True for an integer that stands in the source, with a suffix or without."""
    return isinstance(expression, Constant) and bool(expression.form)


def is_untyped(expression: Expression) -> bool:
    """True for an integer that stands in the source without a suffix."""
    return isinstance(expression, Constant) and expression.form == "untyped"


def adapt_constant(expression: Expression, target: Type) -> Expression:
    """Return *expression* as a constant of *target* if it is one that can be; anything else unchanged."""
    if not isinstance(expression, Constant):
        return expression
    target = underlying(target)
    value = expression.value
    if expression.form and type(value) is int:
        if target == BOOL and value in (0, 1):
            return expression._replace(type=target, value=bool(value), form="")
        if target.kind == "real":
            return expression._replace(type=target, value=_real(value), form="")
        if target.kind == "integer" and expression.form == "untyped":
            return expression._replace(type=target, form="suffixed")
    elif type(value) is float and target.kind == "real":
        return expression._replace(type=target)
    return expression


def _real(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def is_adaptable(expression: Expression, target: Type) -> bool:
    """True if *expression* is made of constants that all are constants of *target* too."""
    if isinstance(expression, Constant):
        wanted = underlying(target)
        if expression.form == "untyped" and isinstance(expression.value, int):
            if wanted.kind == "integer":
                return fits(expression.value, wanted)
            return wanted.kind == "real" or (wanted == BOOL and expression.value in (0, 1))
        if expression.form:
            return False
        return expression.type.kind == wanted.kind
    if isinstance(expression, UnaryOperation) and expression.operator == "-":
        inner = expression.operand
        return underlying(target).kind == "real" and isinstance(inner, Constant) and inner.type.kind == "real"
    if isinstance(expression, Operation):
        if expression.on_lists or not passes_context(expression.operator, underlying(target)):
            return False
        return all(is_adaptable(part, target) for part in operands_of(expression))
    if isinstance(expression, ListDisplay) and target.kind == "list":
        return all(is_adaptable(element, target.arguments[0]) for element in expression.elements)
    if isinstance(expression, DictDisplay) and target.kind == "dict":
        key, value = target.arguments
        return all(is_adaptable(k, key) and is_adaptable(v, value) for k, v in expression.pairs)
    return False


def operands_of(operation: Operation) -> list[Expression]:
    """Return the operands of a chain of the same kind of operations, from the right, without recursion to the left."""
    found: list[Expression] = []
    node: Expression = operation
    while isinstance(node, Operation) and node.operator == operation.operator and not node.on_lists:
        found.append(node.right)
        node = node.left
    found.append(node)
    return found


def adapt(expression: Expression, target: Type) -> Expression:
    """Return *expression* with its type, and its constants, adapted to *target*."""
    found = adapt_constant(expression, target)
    if found is not expression:
        return found
    source = underlying(expression.type)
    inner = underlying(target)
    if isinstance(expression, Constant):
        pass
    elif isinstance(expression, UnaryOperation):
        if expression.operator == "-":
            fitting = is_numeric(source) and is_numeric(inner) and not is_unsigned(inner)
        else:
            fitting = is_primitive(source) and is_primitive(inner)
        if fitting and expression.type.kind != "secret":
            operand = adapt_constant(expression.operand, target)
            if isinstance(operand, Constant) and operand.type.kind == "real" and expression.operator == "-":
                return operand._replace(position=expression.position, value=-_number(operand))
            return expression._replace(type=target, operand=operand)
    elif isinstance(expression, Operation):
        operator = expression.operator
        if not expression.on_lists and is_primitive(expression.type) and passes_context(operator, inner):
            return expression._replace(
                type=target,
                left=adapt_constant(expression.left, target),
                right=adapt_constant(expression.right, target),
            )
    elif isinstance(expression, ListDisplay) and target.kind == "list":
        element = target.arguments[0]
        if compatible(expression.type, target) or is_adaptable(expression, target):
            parts = tuple([_adapt_part(part, element) for part in expression.elements])
            return expression._replace(type=target, elements=parts)
    elif (
        isinstance(expression, DictDisplay)
        and target.kind == "dict"
        and (compatible(expression.type, target) or is_adaptable(expression, target))
    ):
        key, value = target.arguments
        pairs = tuple([(_adapt_part(k, key), _adapt_part(v, value)) for k, v in expression.pairs])
        return expression._replace(type=target, pairs=pairs)
    settled = adapted(expression.type, target)
    return expression if settled == expression.type else expression._replace(type=settled)


def _adapt_part(part: Expression, target: Type) -> Expression:
    """Return a part of a list or dictionary with its constants adapted; what is no constant stays."""
    if isinstance(part, Operation | ListDisplay | DictDisplay | UnaryOperation):
        return adapt(part, target) if is_adaptable(part, target) else part
    return adapt_constant(part, target)


def _number(constant: Constant) -> float:
    assert isinstance(constant.value, float)
    return constant.value


def check_value(expression: Expression, target: Type, where: Position | None) -> None:
    """Raise Failure at *where* unless *expression*, which is adapted already, may stand for a *target*."""
    source = expression.type
    if source.kind == "secret" and target.kind not in ("secret", "unknown", "parameter") and target != SHARE:
        raise Failure(
            error(
                TYPE,
                f"Cannot implicitly reveal '{source}' as '{target}'",
                where,
                "Call .reveal() to explicitly reveal a secret value",
            )
        )
    wanted = underlying(target)
    if isinstance(expression, Constant) and expression.form and isinstance(expression.value, int):
        if wanted == BOOL:
            raise Failure(
                error(
                    TYPE,
                    f"Integer literal {expression.value} cannot initialize 'bool' (allowed values are 0 or 1)",
                    where,
                )
            )
        if wanted.kind == "integer":
            if not fits(expression.value, wanted):
                raise Failure(misfit(expression.value, wanted, where))
            return
    if source.kind == "integer" and target.kind == "integer":
        if not widens(source, wanted):
            raise Failure(error(TYPE, f"Cannot implicitly convert from '{source}' to '{target}'", where))
        return
    if not compatible(source, target):
        raise Failure(error(TYPE, f"Type mismatch. Expected '{target}', found '{source}'", where))


def misfit(value: int, target: Type, where: Position | None) -> Diagnostic:
    """Return the error of an integer constant that its type does not have."""
    kind = KIND_OF[target.name]
    return error(
        TYPE,
        f"Integer literal {value} does not fit in '{target}' (allowed range {kind.minimum}..={kind.maximum})",
        where,
    )


def narrows(expression: Expression, target: Type) -> bool:
    """True if *expression* is an integer, no constant, of a width that does not widen to the integer type *target*."""
    source = expression.type
    if source.kind != "integer" or target.kind != "integer" or is_integer_constant(expression):
        return False
    return not widens(source, target)


__all__ = [
    "ARITHMETIC",
    "LOGIC",
    "UNKNOWN",
    "adapt",
    "adapt_constant",
    "check_value",
    "is_adaptable",
    "is_integer_constant",
    "is_untyped",
    "misfit",
    "narrows",
    "passes_context",
]
