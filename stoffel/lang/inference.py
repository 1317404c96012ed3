"""Types of variables without an annotation, from their uses in the whole function.

Constraints are collected over the body in the order of the text, again and again until there is nothing new; the first
constraint of a variable is its type, and every further one must be compatible with it. All declarations of one name in
a function share their constraints.

The *thorough* mode also knows loop variables, enums, aliases and what arithmetic on reals and lists gives. The checker
uses it only where a function has errors otherwise: a program that is fine keeps the types that the reference compiler
finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stoffel.lang import syntax
from stoffel.lang.adaptation import ARITHMETIC, LOGIC
from stoffel.lang.diagnostics import TYPE, Failure, error
from stoffel.lang.expression_checker import COMPARISONS, SHIFTS, suffix_type
from stoffel.lang.source import Position
from stoffel.lang.types import (
    BOOL,
    FLOAT,
    INT64,
    NAMED,
    NONE,
    STRING,
    UNKNOWN,
    VOID,
    Type,
    compatible,
    dict_of,
    has_parameter,
    has_unknown,
    is_hidden,
    list_of,
    secret,
    underlying,
)

if TYPE_CHECKING:
    from stoffel.lang.call_checker import CallChecker

_MOST_ROUNDS: Final = 100
_ARITHMETIC_LIKE: Final = ARITHMETIC | LOGIC | SHIFTS
_CONSTRAINING: Final = _ARITHMETIC_LIKE | COMPARISONS
_LITERALS: Final = {
    syntax.FloatLiteral: FLOAT,
    syntax.StringLiteral: STRING,
    syntax.BoolLiteral: BOOL,
    syntax.NoneLiteral: NONE,
}


class _Constraint(NamedTuple):
    type: Type
    position: Position
    reason: str
    weak: bool


def _is_concrete(of: Type) -> bool:
    return of not in (UNKNOWN, VOID) and not has_parameter(of)


class Inference:
    """The inference of one function."""

    def __init__(
        self, checker: CallChecker, function: syntax.Function, result: Type, parameters: dict[str, Type], thorough: bool
    ) -> None:
        self.checker = checker
        self.result = result
        self.thorough = thorough
        self.known: dict[str, Type] = dict(parameters)
        self.loops: dict[str, Type] = {}
        self.open: dict[str, list[_Constraint]] = {}
        self.declared: dict[str, Position] = {}
        self.settled: dict[str, Type] = {}
        self.found_new = False
        self.types: dict[int, Type] = {}
        self.expected: set[tuple[int, Type, str]] = set()
        self.body = function.body or ()

    def run(self) -> dict[str, Type]:
        """Return the types found, by variable. Raises Failure where two uses contradict each other."""
        self.find_locals(self.body)
        if not self.open:
            return {}
        for _ in range(_MOST_ROUNDS):
            self.settle()
            self.found_new = False
            self.types.clear()
            self.expected.clear()
            self.walk_body(self.body)
            if not self.found_new:
                break
        self.settle()
        return self.settled

    def find_locals(self, body: syntax.Body) -> None:
        """Enter every variable that is declared in *body*, in blocks and in expressions too."""
        pending: list[object] = [body]
        declared: list[syntax.Variable] = []
        while pending:
            node = pending.pop()
            if isinstance(node, syntax.Function | syntax.ObjectType | syntax.EnumType | syntax.TypeName):
                continue
            if isinstance(node, syntax.Variable):
                declared.append(node)
            if isinstance(node, tuple):
                pending += [part for part in reversed(node) if isinstance(part, tuple) and type(part) is not Position]
        for variable in declared:
            name = variable.name
            if name in self.declared:
                continue
            self.declared[name] = variable.position
            if variable.annotation is None:
                self.open[name] = []
            else:
                self.known[name] = self.written(variable.annotation)

    def written(self, annotation: syntax.TypeName) -> Type:
        """Return an annotation as a type, names of the program as they are written."""
        if self.thorough:
            try:
                return self.checker.resolve(annotation)
            except Failure:
                return UNKNOWN
        name = annotation.name
        inner = tuple(map(self.written, annotation.arguments))
        if name in ("list", "dict", "secret"):
            return secret(inner[0]) if name == "secret" else Type(name, name, inner)
        return Type("generic", name, inner) if inner else NAMED.get(name) or Type("object", name)

    def settle(self) -> None:
        self.settled = {}
        for name, constraints in self.open.items():
            if not constraints:
                continue
            if self.thorough:
                constraints = self.without_weak(constraints)
            first = constraints[0]
            for other in constraints[1:]:
                if is_hidden(other.type) and not is_hidden(first.type):
                    first = other
                elif is_hidden(first.type):
                    continue
                elif not compatible(other.type, first.type):
                    raise Failure(
                        error(
                            TYPE,
                            f"Cannot infer a single type for variable '{name}': {first.reason} requires "
                            f"'{first.type}', but {other.reason} requires '{other.type}'",
                            other.position,
                            f"Add an explicit type annotation to '{name}' to choose the intended type; "
                            f"declaration is at {self.declared[name]}",
                        )
                    )
                elif self.thorough and has_unknown(first.type) and not has_unknown(other.type):
                    first = other
            self.settled[name] = first.type

    @staticmethod
    def without_weak(constraints: list[_Constraint]) -> list[_Constraint]:
        """Return the constraints without those that something else than an equal type satisfies too.

        A float literal goes with a fixed-point type, and an int64 with any real in arithmetic and comparisons.
        """
        if any(one.type.kind == "real" and one.type != FLOAT for one in constraints):
            constraints = [one for one in constraints if not one.weak]
        if any(one.type == INT64 for one in constraints):
            constraints = [one for one in constraints if one.type.kind != "real" or " operand of " not in one.reason]
        return constraints

    def constrain(self, name: str, of: Type, position: Position, reason: str, weak: bool) -> None:
        constraints = self.open.get(name)
        if constraints is None or not _is_concrete(of):
            return
        if all(one.type != of or one.reason != reason for one in constraints):
            constraints.append(_Constraint(of, position, reason, weak))
            self.found_new = True

    # What expressions are

    def type_of(self, node: syntax.Expression) -> Type:
        """Return the type of an expression as far as it is known now."""
        spine: list[syntax.Binary] = []
        found = self.types.get(id(node))
        while found is None and isinstance(node, syntax.Binary):
            spine.append(node)
            node = node.left
            found = self.types.get(id(node))
        if found is None:
            found = self.types[id(node)] = self.simple_type(node)
        for binary in reversed(spine):
            found = self.types[id(binary)] = self.operation_type(binary.operator, found, self.type_of(binary.right))
        return found

    def simple_type(self, node: syntax.Expression) -> Type:
        if isinstance(node, syntax.IntegerLiteral):
            return UNKNOWN if node.suffix is None else suffix_type(node.suffix)
        if type(node) in _LITERALS:
            return _LITERALS[type(node)]
        if isinstance(node, syntax.Name):
            return self.name_type(node.name)
        if isinstance(node, syntax.Unary):
            is_bool = node.operator == "not" and not self.thorough
            return BOOL if is_bool else self.type_of(node.operand)
        if isinstance(node, syntax.ListLiteral):
            return list_of(self.first_concrete(node.elements))
        if isinstance(node, syntax.DictLiteral):
            keys = self.first_concrete(tuple([key for key, _ in node.pairs]))
            return dict_of(keys, self.first_concrete(tuple([value for _, value in node.pairs])))
        if isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Name | syntax.QualifiedName):
            signature = self.checker.known_signature(node.callee)
            if signature is not None:
                return signature.result
            if isinstance(node.callee, syntax.Name):
                symbol = self.checker.lookup(node.callee.name)
                if symbol is not None and symbol.kind == "type":
                    return symbol.type
            return UNKNOWN
        if isinstance(node, syntax.Index):
            base = underlying(self.type_of(node.base))
            if base.kind == "string":
                return STRING
            return base.arguments[-1] if base.kind in ("list", "dict") else UNKNOWN
        if isinstance(node, syntax.Field):
            return self.field_type(node)
        return UNKNOWN

    def name_type(self, name: str) -> Type:
        if name in self.open:
            return self.settled.get(name, UNKNOWN)
        if name in self.known:
            return self.known[name]
        if name in self.loops:
            return self.loops[name]
        symbol = self.checker.lookup(name)
        return UNKNOWN if symbol is None else self.checker.symbol_type(name, symbol)

    def field_type(self, node: syntax.Field) -> Type:
        if isinstance(node.base, syntax.Name) and node.base.name in self.checker.enums:
            return INT64
        base = underlying(self.type_of(node.base))
        definition = self.checker.objects.get(base.name) if base.kind == "object" else None
        return UNKNOWN if definition is None else definition.fields.get(node.name, UNKNOWN)

    def first_concrete(self, nodes: tuple[syntax.Expression, ...]) -> Type:
        for node in nodes:
            found = self.type_of(node)
            if _is_concrete(found):
                return found
        return UNKNOWN

    def operation_type(self, operator: str, left: Type, right: Type) -> Type:
        if operator in COMPARISONS or operator == "in":
            return BOOL
        if operator not in _ARITHMETIC_LIKE:
            return UNKNOWN
        if self.thorough and operator in ARITHMETIC:
            for one, other in ((left, right), (right, left)):
                if one.kind == "list" and other.kind in ("list", "integer", "unknown"):
                    return one
                if one.kind == "real" and (other.kind in ("integer", "unknown") or other == FLOAT):
                    return one
        if _is_concrete(left) and (right in (UNKNOWN, left) or (is_hidden(left) and not is_hidden(right))):
            return left
        return right if _is_concrete(right) else UNKNOWN

    # What uses ask for

    def expect(self, node: syntax.Expression, of: Type, position: Position, reason: str, weak: bool = False) -> None:
        """Note that *node* is wanted to be of the type *of*."""
        while True:
            key = (id(node), of, reason)
            if key in self.expected:
                return
            self.expected.add(key)
            if isinstance(node, syntax.Binary) and node.operator in _ARITHMETIC_LIKE:
                self.expect_operands(node, of, reason, weak)
                return
            if not isinstance(node, syntax.Unary):
                break
            node = node.operand
        if isinstance(node, syntax.Name):
            self.constrain(node.name, of, position, reason, weak)
        elif isinstance(node, syntax.ListLiteral) and of.kind == "list":
            for element in node.elements:
                self.expect(element, of.arguments[0], element.position, reason)
        elif isinstance(node, syntax.DictLiteral) and of.kind == "dict":
            for key_node, value in node.pairs:
                self.expect(key_node, of.arguments[0], key_node.position, reason)
                self.expect(value, of.arguments[1], value.position, reason)
        elif isinstance(node, syntax.Call):
            self.expect_arguments(node)

    def expect_operands(self, node: syntax.Binary, of: Type, reason: str, weak: bool) -> None:
        """Pass what is wanted on to the operands, the left side first, but without recursion along it."""
        chain = [node]
        inner = node.left
        while isinstance(inner, syntax.Binary) and inner.operator in _ARITHMETIC_LIKE:
            key = (id(inner), of, reason)
            if key in self.expected:
                break
            self.expected.add(key)
            chain.append(inner)
            inner = inner.left
        else:
            self.expect(inner, of, chain[-1].position, reason, weak)
        for one in reversed(chain):
            self.expect(one.right, of, one.position, reason, weak)

    def expect_arguments(self, call: syntax.Call) -> None:
        if not isinstance(call.callee, syntax.Name | syntax.QualifiedName):
            return
        signature = self.checker.known_signature(call.callee)
        if signature is None:
            return
        types = [of for _, of in signature.parameters]
        if signature.variadic and types and self.thorough:
            types[-1] = types[-1].arguments[0] if types[-1].kind == "list" else UNKNOWN
            types += types[-1:] * len(call.arguments)
        name = call.callee.name
        for at, (argument, of) in enumerate(zip(call.arguments, types, strict=False), 1):
            if argument.name is None:
                self.expect(argument.value, of, argument.value.position, f"argument {at} of '{name}'")

    def operands(self, node: syntax.Binary) -> None:
        if node.operator == "in":
            container = underlying(self.type_of(node.right))
            reason = {
                "list": "membership element type",
                "dict": "membership key type",
                "string": "string membership value",
            }.get(container.kind)
            if reason is not None:
                wanted = STRING if container.kind == "string" else container.arguments[0]
                self.expect(node.left, wanted, node.position, reason)
        elif node.operator in _CONSTRAINING:
            left, right = self.type_of(node.left), self.type_of(node.right)
            for side, of, other, from_ in (
                ("left", left, right, node.left),
                ("right", right, left, node.right),
            ):
                target = node.right if side == "left" else node.left
                if underlying(of).kind in ("integer", "real", "bool", "string") and not is_hidden(other):
                    weak = isinstance(from_, syntax.FloatLiteral)
                    self.expect(target, of, node.position, f"{side} operand of '{node.operator}'", weak)

    def walk(self, node: syntax.Expression) -> None:
        rights: list[syntax.Expression] = []
        while isinstance(node, syntax.Binary):
            self.operands(node)
            rights.append(node.right)
            node = node.left
        self.walk_simple(node)
        while rights:
            self.walk(rights.pop())

    def walk_simple(self, node: syntax.Expression) -> None:
        if isinstance(node, syntax.Unary):
            if node.operator == "not" and not self.thorough:
                self.expect(node.operand, BOOL, node.position, "operand of 'not'")
            self.walk(node.operand)
        elif isinstance(node, syntax.Call):
            self.expect_arguments(node)
            self.walk(node.callee)
            for argument in node.arguments:
                self.walk(argument.value)
        elif isinstance(node, syntax.ListLiteral):
            self.expect_all(node.elements, "list element type")
            for element in node.elements:
                self.walk(element)
        elif isinstance(node, syntax.DictLiteral):
            self.expect_all(tuple([key for key, _ in node.pairs]), "dict key type")
            self.expect_all(tuple([value for _, value in node.pairs]), "dict value type")
            for key, value in node.pairs:
                self.walk(key)
                self.walk(value)
        elif isinstance(node, syntax.Index):
            base = underlying(self.type_of(node.base))
            if base.kind in ("list", "string"):
                self.expect(node.key, INT64, node.key.position, "list/string index")
            elif base.kind == "dict":
                self.expect(node.key, base.arguments[0], node.key.position, "dict key type")
            self.walk(node.base)
            self.walk(node.key)
        elif isinstance(node, syntax.Field):
            self.walk(node.base)
        elif isinstance(node, syntax.Block):
            self.walk_body(node.statements)

    def expect_all(self, nodes: tuple[syntax.Expression, ...], reason: str) -> None:
        of = self.first_concrete(nodes)
        if of != UNKNOWN:
            for node in nodes:
                self.expect(node, of, node.position, reason)

    def walk_body(self, body: syntax.Body) -> None:
        for statement in body:
            self.walk_statement(statement)

    def walk_statement(self, statement: syntax.Statement) -> None:
        if isinstance(statement, syntax.Variable):
            self.walk_variable(statement)
        elif isinstance(statement, syntax.Assignment):
            of = self.type_of(statement.target)
            if _is_concrete(of):
                self.expect(statement.value, of, statement.position, "assignment target")
            of = self.type_of(statement.value)
            if _is_concrete(of):
                self.expect(statement.target, of, statement.position, "assigned value")
            self.walk(statement.target)
            self.walk(statement.value)
        elif isinstance(statement, syntax.ExpressionStatement):
            self.walk(statement.value)
        elif isinstance(statement, syntax.Return):
            if statement.value is not None:
                self.expect(statement.value, underlying(self.result), statement.position, "function return type")
                self.walk(statement.value)
        elif isinstance(statement, syntax.If):
            for condition, body in statement.branches:
                self.expect(condition, BOOL, condition.position, "if condition")
                self.walk(condition)
                self.walk_body(body)
            self.walk_body(statement.otherwise or ())
        elif isinstance(statement, syntax.While):
            self.expect(statement.condition, BOOL, statement.condition.position, "while condition")
            self.walk(statement.condition)
            self.walk_body(statement.body)
        elif isinstance(statement, syntax.For):
            self.walk(statement.iterable)
            if self.thorough:
                of = self.type_of(statement.iterable)
                is_range = isinstance(statement.iterable, syntax.Binary) and statement.iterable.operator == ".."
                element = INT64 if is_range else of.arguments[0] if of.kind == "list" else UNKNOWN
                self.loops[statement.names[0]] = STRING if of.kind == "string" else element
            self.walk_body(statement.body)

    def walk_variable(self, variable: syntax.Variable) -> None:
        value = variable.value
        if value is None:
            return
        name = variable.name
        if variable.annotation is not None:
            self.expect(value, self.written(variable.annotation), value.position, f"initializer for '{name}'")
        else:
            is_open = isinstance(value, syntax.ListLiteral | syntax.DictLiteral) and not value[1]
            of = self.type_of(value)
            if not is_open and _is_concrete(of):
                self.constrain(name, of, variable.position, "initializer", False)
        self.walk(value)
