"""Expressions over the registers of a stopped function: read by Python's parser, never run by it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from stoffel.errors import StoffelError, VMError, nearest
from stoffel.model import tables
from stoffel.model.operations import OPERATIONS
from stoffel.model.values import Array, Object, same
from stoffel.runtime.frames import ActivationRecord

LONGEST: Final = 1000
"""Characters of an expression."""
_ARITHMETIC: Final[dict[type, str]] = {ast.Add: "ADD", ast.Sub: "SUB", ast.Mult: "MUL", ast.Div: "DIV", ast.Mod: "MOD"}
_ORDER: Final[dict[type, Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "unit": None}


class DebugError(StoffelError):
    """What the debugger cannot do, in one sentence for who asked."""


def parsed(text: str) -> ast.expr:
    """Return the tree of an expression; raises DebugError if it is none."""
    if len(text) > LONGEST:
        raise DebugError(f"an expression has at most {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise DebugError(f"not an expression: {text.strip()}") from None
    return tree


def _check(tree: ast.expr) -> None:
    allowed = (
        *(ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Compare, ast.BoolOp, ast.And, ast.Or),
        *(ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Load, ast.Eq, ast.NotEq, *_ARITHMETIC, *_ORDER),
    )
    for node in ast.walk(tree):
        if not isinstance(node, allowed):
            raise DebugError(
                f"{type(node).__name__} is not part of expressions: they have names, numbers, strings, .field, [index],"
                " + - * / %, comparisons, and, or, not"
            )
        if isinstance(node, ast.Constant) and type(node.value) not in (int, float, str, bool):
            raise DebugError(f"not a value: {node.value!r}")


def names_in(record: ActivationRecord) -> dict[str, Any]:
    """Return what can be named in *record*: upvalues, parameters, variables, registers; the last of one name counts."""
    found: dict[str, Any] = dict(record.upvalues)
    found.update((name, record.registers[position]) for position, name in enumerate(record.code.parameters))
    registers = record.registers
    found.update((name, registers[number]) for number, name in variables(record).items() if number < len(registers))
    found.update((f"r{register}", value) for register, value in enumerate(record.registers))
    return found


def variables(record: ActivationRecord) -> Mapping[int, str]:
    """Return the names of the variables in registers, which only some sources have."""
    table = record.code.function.line_table
    return {} if table is None else table.variables


def evaluate(text: str, record: ActivationRecord) -> Any:
    """Return the value of an expression in *record*; raises DebugError."""
    try:
        return _value(parsed(text), names_in(record))
    except VMError as error:
        raise DebugError(f"{text.strip()}: {error}") from None
    except RecursionError:
        raise DebugError(f"too deep an expression: {text[:40]}") from None


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        if node.id in names:
            return names[node.id]
        if node.id in _WORDS:
            return _WORDS[node.id]
        close = nearest(node.id, names)
        raise DebugError(f"nothing is called {node.id} here{f'; did you mean {close}?' if close else ''}")
    if isinstance(node, ast.Attribute):
        return _entry(_value(node.value, names), node.attr)
    if isinstance(node, ast.Subscript):
        return _entry(_value(node.value, names), _value(node.slice, names))
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, names)
        if isinstance(node.op, ast.Not):
            return not _truth(value)
        return OPERATIONS["SUB"](type(value)(0) if isinstance(value, int | float) else 0, value)
    if isinstance(node, ast.BinOp):
        return OPERATIONS[_ARITHMETIC[type(node.op)]](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.BoolOp):
        wanted = isinstance(node.op, ast.Or)
        return (
            any(_truth(_value(item, names)) for item in node.values)
            if wanted
            else all(_truth(_value(item, names)) for item in node.values)
        )
    assert isinstance(node, ast.Compare)
    left = _value(node.left, names)
    for relation, item in zip(node.ops, node.comparators, strict=True):
        right = _value(item, names)
        if not _holds(relation, left, right):
            return False
        left = right
    return True


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise DebugError("and, or and not take true and false; compare the value with something")
    return value


def _holds(relation: ast.cmpop, left: Any, right: Any) -> bool:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if isinstance(relation, ast.Eq | ast.NotEq):
        equal = (
            left == right if numbers and not (isinstance(left, bool) ^ isinstance(right, bool)) else same(left, right)
        )
        return equal is isinstance(relation, ast.Eq)
    if not (numbers or (type(left) is str and type(right) is str)):
        raise DebugError("only numbers, or strings, are smaller and larger")
    return _ORDER[type(relation)](left, right)


def _entry(table: Any, key: Any) -> Any:
    if isinstance(table, Object):
        found = tables.field(table, key)
    elif isinstance(table, Array):
        found = tables.lookup(table, key)
    else:
        raise DebugError("only objects and arrays have fields and elements")
    if found is tables.ABSENT:
        raise DebugError(f"there is no {key!r} in it")
    return found
