"""Conditions on what a run does: ``r1 > 5 and function == "main"``, in the syntax of Python's expressions.

A text is parsed by Python and then checked: names, literals, comparisons, ``and``, ``or``, ``not`` and arithmetic on
numbers are all that may occur, and nothing of it is executed by Python.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

LONGEST: Final = 1000
"""Characters of a condition."""

Names = Mapping[str, Any]
"""Values by name: of registers, variables, and of what the event tells."""

_COMPARISONS: Final[dict[type, Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_WORDS: Final = {"true": True, "false": False, "unit": None, "nil": None}
_LARGEST: Final = 1 << 80
"""Integers beyond this are no value of any machine: what would grow further is no value either."""


class _MissingError(Exception):
    """A name has no value here, or an operation none: the condition does not hold."""


class Condition:
    """A condition that has been checked. Raises ValueError, with a sentence, for a text that is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise ValueError(f"a condition has at most {LONGEST} characters, this has {len(text)}")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
            self.names = frozenset(_checked(tree))
        except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
            raise ValueError(f"'{text}' is no condition: {_reason(error)}") from None
        self._tree = tree

    def holds(self, names: Names) -> bool:
        """Return whether it is true of *names*; a name without a value, and values that do not compare, are false."""
        try:
            return bool(_value(self._tree, names))
        except _MissingError:
            return False


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg} at character {error.offset or 1}"
    return str(error) if isinstance(error, ValueError) and str(error) else "it is nested too deeply"


def _checked(node: ast.expr) -> Iterator[str]:
    """Yield the names in *node*; raise ValueError for anything that may not occur."""
    if isinstance(node, ast.Name):
        if node.id not in _WORDS:
            yield node.id
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, int | float | str | None):
            raise ValueError(f"{ast.unparse(node)} is no value of a machine")
    elif isinstance(node, ast.BoolOp):
        for part in node.values:
            yield from _checked(part)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield from _checked(node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield from _checked(node.left)
        yield from _checked(node.right)
    elif isinstance(node, ast.Compare):
        for part in (node.left, *node.comparators):
            yield from _checked(part)
        for sign in node.ops:
            if not isinstance(sign, ast.Eq | ast.NotEq | ast.In | ast.NotIn) and type(sign) not in _COMPARISONS:
                raise ValueError("'is' compares nothing here: write ==")
    else:
        raise ValueError(
            f"'{ast.unparse(node)}' may not occur: names, values, comparisons, and, or, not, + - * / % may"
        )


def _value(node: ast.expr, names: Names) -> Any:
    if isinstance(node, ast.Name):
        if node.id in names:
            return names[node.id]
        if node.id in _WORDS:
            return _WORDS[node.id]
        raise _MissingError
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BoolOp):
        # A part that has no value is false, not the whole.
        parts = (_holds(part, names) for part in node.values)
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.Not):
            return not _holds(node.operand, names)
        return -_number(_value(node.operand, names))
    if isinstance(node, ast.BinOp):
        return _result(_ARITHMETIC[type(node.op)], _value(node.left, names), _value(node.right, names))
    assert isinstance(node, ast.Compare)
    left = _value(node.left, names)
    for sign, part in zip(node.ops, node.comparators, strict=True):
        right = _value(part, names)
        if not _compare(sign, left, right):
            return False
        left = right
    return True


def _holds(node: ast.expr, names: Names) -> bool:
    try:
        return bool(_value(node, names))
    except _MissingError:
        return False


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _MissingError
    # Integers of any width count as integers: what a condition works out does not wrap around or overflow.
    return int(value) if isinstance(value, int) else value


def _result(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> int | float:
    try:
        result: int | float = operation(_number(left), _number(right))
    except (ZeroDivisionError, OverflowError):
        raise _MissingError from None
    if isinstance(result, int) and abs(result) > _LARGEST:
        raise _MissingError
    return result


def _compare(sign: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(sign, ast.In | ast.NotIn):
        if not isinstance(left, str) or not isinstance(right, str):
            raise _MissingError
        return (left in right) is isinstance(sign, ast.In)
    if isinstance(sign, ast.Eq | ast.NotEq):
        # As in the machine, true is not 1.
        same = isinstance(left, bool) == isinstance(right, bool) and left == right
        return bool(same) is isinstance(sign, ast.Eq)
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARISONS[type(sign)](left, right)
    return _COMPARISONS[type(sign)](_number(left), _number(right))
