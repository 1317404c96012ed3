"""Types of expressions: every rule of the language about one operator, literal, index or field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stoffel.errors import Diagnostic
from stoffel.lang import syntax
from stoffel.lang import typed_tree as typed
from stoffel.lang.adaptation import (
    LOGIC,
    adapt,
    adapt_constant,
    is_adaptable,
    is_untyped,
    passes_context,
)
from stoffel.lang.diagnostics import SEMANTIC, TYPE, Failure, did_you_mean, error
from stoffel.lang.scopes import Scopes, Symbol
from stoffel.lang.source import Position
from stoffel.lang.types import (
    BOOL,
    FLOAT,
    INT64,
    INTEGERS,
    NONE,
    SHARE,
    STRING,
    UNKNOWN,
    Type,
    compatible,
    dict_of,
    has_parameter,
    is_hidden,
    is_numeric,
    is_primitive,
    is_unsigned,
    list_of,
    secret,
    underlying,
)

COMPARISONS: Final = frozenset(("==", "!=", "<", "<=", ">", ">="))
SHIFTS: Final = frozenset(("shl", "shr"))
INTEGER_TYPE: Final = {"i": "int", "u": "uint"}
METHOD_ADVICE: Final = {
    "get": "arr[index]",
    "set": "arr[index] = value",
    "open": "Share.open(value) or value.reveal()",
    "pop": "array_pop(arr)",
}
"""Methods that other languages have, and what to write instead."""
_WITHOUT_METHODS: Final = frozenset(("list", "integer", "real", "string", "bool"))


def suffix_type(suffix: str | None) -> Type:
    """Return the type of an integer literal with *suffix*."""
    return INT64 if suffix is None else INTEGERS[INTEGER_TYPE[suffix[0]] + suffix[1:]]


class ExpressionChecker(Scopes):
    """The part of the checker that finds the types of expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = 0
        self.expression_checks: dict[type, Callable[[Any, Type | None], typed.Expression]] = {
            syntax.IntegerLiteral: self.check_integer,
            syntax.FloatLiteral: lambda e, _: typed.Constant(e.position, FLOAT, e.value, ""),
            syntax.StringLiteral: lambda e, _: typed.Constant(e.position, STRING, e.value, ""),
            syntax.BoolLiteral: lambda e, _: typed.Constant(e.position, BOOL, e.value, ""),
            syntax.NoneLiteral: lambda e, _: typed.Constant(e.position, NONE, None, ""),
            syntax.Name: self.check_name,
            syntax.QualifiedName: self.check_qualified_name,
            syntax.Unary: self.check_unary,
            syntax.Binary: self.check_binary,
            syntax.ListLiteral: self.check_list,
            syntax.DictLiteral: self.check_dict,
            syntax.Field: self.check_field,
            syntax.Index: self.check_index,
        }

    def check(self, expression: syntax.Expression, wanted: Type | None = None) -> typed.Expression:
        """Return *expression* with its type, constants taking that of the context *wanted*. Raises Failure."""
        return self.expression_checks[type(expression)](expression, wanted)

    def check_integer(self, literal: syntax.IntegerLiteral, _: Type | None) -> typed.Expression:
        form = "untyped" if literal.suffix is None else "suffixed"
        return typed.Constant(literal.position, suffix_type(literal.suffix), literal.value, form)

    def check_name(self, name: syntax.Name, _: Type | None) -> typed.Expression:
        symbol = self.lookup(name.name)
        if symbol is None:
            if name.name in METHOD_ADVICE:
                advice = f"Stoffel-Lang uses functions instead of methods. Use {METHOD_ADVICE[name.name]} instead"
                raise Failure(error(SEMANTIC, f"'{name.name}' is not a valid function name", name.position, advice))
            raise Failure(
                error(
                    SEMANTIC,
                    f"Use of undeclared identifier '{name.name}'",
                    name.position,
                    did_you_mean(name.name, self.visible_names()),
                )
            )
        return self.value_of(name.name, symbol, name.position)

    def value_of(self, name: str, symbol: Symbol, where: Position) -> typed.Expression:
        local = symbol.local
        if local is not None and local.owner == self.owner:
            return typed.Read(where, local.type, local)
        if symbol.kind == "variable":
            if local is None:
                message, advice = f"'{name}' is a variable of a module; only functions can be used", ""
            else:
                message = f"'{name}' is a global variable; functions cannot use globals"
                advice = "Pass it as an argument"
        elif symbol.kind == "function":
            message = f"'{name}' is a function, not a value"
            advice = f'Call it, or use create_closure("{name}")'
        else:
            message, advice = f"'{name}' is a type, not a value", ""
        return typed.Unusable(where, self.symbol_type(name, symbol), message, advice)

    def check_qualified_name(self, name: syntax.QualifiedName, _: Type | None) -> typed.Expression:
        return self.check_field(
            syntax.Field(name.position, syntax.Name(name.position, name.qualifier), name.name), None
        )

    def check_unary(self, unary: syntax.Unary, wanted: Type | None) -> typed.Expression:
        minus = unary.operator == "-"
        context = None if wanted is None else underlying(wanted)
        if context is not None:
            passes = is_numeric(context) and not is_unsigned(context) if minus else is_primitive(context)
            context = context if passes else None
        operand = self.check(unary.operand, context)
        of = operand.type
        plain = underlying(of)
        if not minus:
            if context is not None:
                operand = adapt_constant(operand, context)
                of = operand.type
                plain = underlying(of)
            if plain.kind not in ("bool", "integer", "unknown"):
                raise Failure(
                    error(TYPE, f"Unary 'not' requires a bool or integer operand, found '{of}'", unary.position)
                )
            if of.kind == "secret" and plain.kind == "integer":
                message = "Bitwise 'not' is not supported on secret integers (only secret bool)"
                raise Failure(error(SEMANTIC, message, unary.position))
            return typed.UnaryOperation(unary.position, of, "not", operand)
        if plain.kind not in ("integer", "real", "unknown") and of != SHARE:
            raise Failure(error(TYPE, f"Unary '-' requires a numeric operand, found '{of}'", unary.position))
        if is_unsigned(plain):
            raise Failure(error(TYPE, f"Unary '-' requires a signed numeric operand, found '{of}'", unary.position))
        if isinstance(operand, typed.Constant) and operand.form:
            assert isinstance(operand.value, int)
            operand = operand._replace(position=unary.position, value=-operand.value)
            return operand if context is None else adapt_constant(operand, context)
        if context is not None:
            operand = adapt_constant(operand, context)
            if isinstance(operand, typed.Constant) and isinstance(operand.value, float):
                return operand._replace(position=unary.position, value=-operand.value)
        return typed.UnaryOperation(unary.position, operand.type, "-", operand)

    def check_binary(self, binary: syntax.Binary, wanted: Type | None) -> typed.Expression:
        """Check a chain of operations that leans to the left without recursion: sums may be long."""
        pending: list[tuple[syntax.Binary, Type | None]] = []
        node: syntax.Expression = binary
        while isinstance(node, syntax.Binary):
            context = None if wanted is None else underlying(wanted)
            wanted = context if context is not None and passes_context(node.operator, context) else None
            pending.append((node, wanted))
            node = node.left
        left = self.check(node, wanted)
        for one, context in reversed(pending):
            right = self.check(one.right, context)
            if context is not None:
                left, right = adapt_constant(left, context), adapt_constant(right, context)
            left = self.operation(one, left, right)
        return left

    def operation(self, node: syntax.Binary, left: typed.Expression, right: typed.Expression) -> typed.Expression:
        operator = node.operator
        if operator in COMPARISONS:
            return self.comparison(node, left, right)
        if operator in LOGIC:
            found = self.logic(node, left.type, right.type)
        elif operator in SHIFTS:
            found = self.shift(node, left.type, right.type)
        elif operator == "in":
            found = self.membership(node, left.type, right.type)
        elif operator == "..":
            found = UNKNOWN
        else:
            return self.arithmetic(node, left, right)
        return typed.Operation(node.position, found, operator, left, right, False)

    def comparison(self, node: syntax.Binary, left: typed.Expression, right: typed.Expression) -> typed.Expression:
        a, b = underlying(left.type), underlying(right.type)
        found = secret(BOOL) if "secret" in (left.type.kind, right.type.kind) else BOOL
        if node.operator in ("==", "!=") and a.kind == b.kind == "list":
            if not compatible(a.arguments[0], b.arguments[0]):
                raise Failure(
                    error(
                        TYPE,
                        f"Cannot compare lists with incompatible element types '{a.arguments[0]}' and "
                        f"'{b.arguments[0]}'",
                        node.position,
                    )
                )
            return typed.Operation(node.position, found, node.operator, left, right, True)
        kinds = {"real" if is_numeric(one) else one.kind for one in (a, b)}
        if "unknown" not in kinds and (len(kinds) > 1 or not kinds <= {"real", "bool", "string"}):
            raise Failure(
                error(
                    TYPE,
                    f"Operands to '{node.operator}' must be numeric (ints or float), or matching bool/string values, "
                    f"found '{left.type}' and '{right.type}'",
                    right.position if is_numeric(a) else left.position,
                    "Cast or adjust operand types to be comparable",
                )
            )
        return typed.Operation(node.position, found, node.operator, left, right, False)

    def logic(self, node: syntax.Binary, left: Type, right: Type) -> Type:
        a, b = underlying(left), underlying(right)
        hidden = "secret" in (left.kind, right.kind)
        if a.kind == b.kind == "integer":
            if a != b:
                message = f"Bitwise '{node.operator}' requires matching integer types, found '{left}' and '{right}'"
                raise Failure(error(TYPE, message, node.position))
            if hidden:
                message = f"Bitwise '{node.operator}' is not supported on secret integers (only secret bool)"
                raise Failure(error(SEMANTIC, message, node.position))
            return a
        if not {a.kind, b.kind} <= {"bool", "unknown"}:
            message = (
                f"Operands to '{node.operator}' must both be bool (or matching integers for bitwise use), "
                f"found '{left}' and '{right}'"
            )
            raise Failure(error(TYPE, message, node.position))
        return secret(BOOL) if hidden else BOOL

    def shift(self, node: syntax.Binary, left: Type, right: Type) -> Type:
        a, b = underlying(left), underlying(right)
        if not a.kind == b.kind == "integer" and "unknown" not in (a.kind, b.kind):
            message = f"Operands to '{node.operator}' must be integers, found '{left}' and '{right}'"
            raise Failure(error(TYPE, message, node.position))
        if "secret" in (left.kind, right.kind):
            raise Failure(error(SEMANTIC, f"'{node.operator}' is not supported on secret values", node.position))
        if a != b and "unknown" not in (a.kind, b.kind):
            message = f"'{node.operator}' requires matching integer types, found '{left}' and '{right}'"
            raise Failure(error(TYPE, message, node.position))
        return left

    def membership(self, node: syntax.Binary, left: Type, right: Type) -> Type:
        if underlying(right).kind not in ("list", "dict", "string", "unknown"):
            message = f"Right side of 'in' must be a list, dict, or string, found '{right}'"
            raise Failure(error(TYPE, message, node.position))
        if "secret" in (left.kind, right.kind):
            raise Failure(error(SEMANTIC, "'in' is not supported on secret values", node.position))
        return BOOL

    def arithmetic(self, node: syntax.Binary, left: typed.Expression, right: typed.Expression) -> typed.Expression:
        operator = node.operator
        on_lists = False
        found: Type | None = None
        if is_untyped(left) and is_numeric(underlying(right.type)):
            left = adapt_constant(left, right.type)
        elif is_untyped(right) and is_numeric(underlying(left.type)):
            right = adapt_constant(right, left.type)
        a, b = underlying(left.type), underlying(right.type)
        if operator == "+" and a.kind == b.kind == "string":
            found = STRING
        elif operator == "+" and a.kind == b.kind == "list":
            if not compatible(a.arguments[0], b.arguments[0]):
                message = (
                    f"Cannot concatenate lists with incompatible element types '{a.arguments[0]}' and "
                    f"'{b.arguments[0]}'"
                )
                raise Failure(error(TYPE, message, node.position))
            found, on_lists = left.type, True
        elif operator == "*" and {a.kind, b.kind} == {"list", "integer"}:
            found, on_lists = (left.type if a.kind == "list" else right.type), True
        elif "unknown" in (a.kind, b.kind):
            found = UNKNOWN
        elif SHARE in (a, b):
            found = SHARE
        elif a == b and (is_numeric(a) or (a == BOOL and "secret" in (left.type.kind, right.type.kind))):
            found = a
        elif a.kind == b.kind == "real" and FLOAT in (a, b):
            found = b if a == FLOAT else a
        elif {a.kind, b.kind} == {"integer", "real"} and INT64 in (a, b):
            found = a if a.kind == "real" else b
        if found is None:
            raise Failure(self.unfit_operands(node, left.type, right.type))
        if "secret" in (left.type.kind, right.type.kind) and not on_lists and found != UNKNOWN:
            found = found if found == SHARE else secret(found)
        return typed.Operation(node.position, found, operator, left, right, on_lists)

    def unfit_operands(self, node: syntax.Binary, left: Type, right: Type) -> Diagnostic:
        a, b = underlying(left), underlying(right)
        if not (is_numeric(a) and is_numeric(b)):
            message = f"Operands to '{node.operator}' must be numeric, found '{left}' and '{right}'"
            return error(TYPE, message, node.position)
        advice = (
            "Give both operands the same width, e.g. with literal suffixes like 10i32"
            if a.kind == b.kind == "integer"
            else "Convert the integer operand explicitly or use matching numeric types"
        )
        message = f"Arithmetic '{node.operator}' requires matching numeric types, found '{left}' and '{right}'"
        return error(TYPE, message, node.position, advice)

    def check_list(self, literal: syntax.ListLiteral, wanted: Type | None) -> typed.Expression:
        inner = wanted.arguments[0] if wanted is not None and wanted.kind == "list" else None
        elements = [self.part(element, inner) for element in literal.elements]
        known = [element for element in elements if element.type != UNKNOWN]
        decider = next((one for one in known if not is_untyped(one)), known[0] if known else None)
        if decider is None:
            return typed.ListDisplay(literal.position, list_of(UNKNOWN), tuple(elements))
        for at, element in enumerate(elements):
            elements[at] = self.fit_part(
                element,
                decider,
                "List elements",
                "Use a single element type, or model mixed data with an object",
            )
        return typed.ListDisplay(literal.position, list_of(decider.type), tuple(elements))

    def part(self, part: syntax.Expression, wanted: Type | None) -> typed.Expression:
        """Check an element of a literal; constants become reals where those are wanted."""
        found = self.check(part, wanted)
        if wanted is not None and underlying(wanted).kind == "real" and is_adaptable(found, wanted):
            return adapt(found, wanted)
        return found

    def fit_part(self, part: typed.Expression, decider: typed.Expression, what: str, advice: str) -> typed.Expression:
        """Return *part* adapted to the type of the part that decides. Raises Failure if it does not fit."""
        if part is decider or part.type == UNKNOWN or (is_untyped(part) and is_untyped(decider)):
            return part
        if not has_parameter(decider.type):
            part = adapt(part, decider.type)
        if not compatible(part.type, decider.type):
            message = f"{what} must share one type: expected '{decider.type}', found '{part.type}'"
            raise Failure(error(TYPE, message, part.position, advice))
        return part

    def check_dict(self, literal: syntax.DictLiteral, wanted: Type | None) -> typed.Expression:
        wanted_key, wanted_value = wanted.arguments if wanted is not None and wanted.kind == "dict" else (None, None)
        pairs: list[tuple[typed.Expression, typed.Expression]] = []
        first: tuple[typed.Expression, typed.Expression] | None = None
        for written_key, written_value in literal.pairs:
            key = self.part(written_key, wanted_key)
            value = self.part(written_value, wanted_value)
            if first is not None:
                key = self.fit_part(key, first[0], "Dict keys", "")
                value = self.fit_part(value, first[1], "Dict values", "")
            elif UNKNOWN not in (key.type, value.type):
                first = key, value
            pairs.append((key, value))
        found = dict_of(UNKNOWN, UNKNOWN) if first is None else dict_of(first[0].type, first[1].type)
        return typed.DictDisplay(literal.position, found, tuple(pairs))

    def check_index(self, node: syntax.Index, _: Type | None) -> typed.Expression:
        base = self.check(node.base)
        index = self.check(node.key)
        if is_hidden(index.type):
            raise Failure(error(SEMANTIC, "Cannot index with a secret value", index.position))
        of = underlying(base.type)
        found = UNKNOWN
        if of.kind in ("list", "string"):
            if index.type.kind not in ("integer", "unknown"):
                raise Failure(error(TYPE, f"Index must be an integer, found '{index.type}'", index.position))
            found = of.arguments[0] if of.kind == "list" else STRING
        elif of.kind == "dict":
            key, found = of.arguments
            if is_untyped(index) and is_adaptable(index, key):
                index = adapt(index, key)
            if not compatible(index.type, key):
                raise Failure(error(TYPE, f"Dict key must be '{key}', found '{index.type}'", index.position))
        return typed.Element(node.position, found, base, index)

    def check_field(self, node: syntax.Field, _: Type | None) -> typed.Expression:
        if isinstance(node.base, syntax.Name):
            qualifier = node.base.name
            if qualifier in self.enums:
                members = self.enums[qualifier]
                if node.name not in members:
                    message = f"Enum '{qualifier}' has no member '{node.name}'"
                    raise Failure(error(SEMANTIC, message, node.position, did_you_mean(node.name, members)))
                return typed.Constant(node.position, INT64, members[node.name], "")
            symbol = self.qualified.get(qualifier, {}).get(node.name)
            if symbol is not None:
                return self.value_of(f"{qualifier}.{node.name}", symbol, node.position)
        base = self.check(node.base)
        of = underlying(base.type)
        if of.kind in _WITHOUT_METHODS and node.name in METHOD_ADVICE:
            advice = f"Use {METHOD_ADVICE[node.name]} instead"
            raise Failure(
                error(SEMANTIC, f"Method '.{node.name}' is not supported on this type", node.position, advice)
            )
        found = UNKNOWN
        if of.kind == "object" and of.name in self.objects:
            fields = self.objects[of.name].fields
            if node.name not in fields:
                message = f"Unknown field '{node.name}' for object '{of.name}'"
                raise Failure(error(SEMANTIC, message, node.position, did_you_mean(node.name, fields)))
            found = fields[node.name]
        return typed.Member(node.position, found, base, node.name)
