"""Calls: which function is meant, which argument belongs to which parameter, and what generic signatures become."""

from __future__ import annotations

from typing import Final, NamedTuple

from stoffel.errors import Diagnostic
from stoffel.lang import builtins, syntax
from stoffel.lang import typed_tree as typed
from stoffel.lang.adaptation import adapt, check_value, narrows
from stoffel.lang.builtins import Signature
from stoffel.lang.diagnostics import SEMANTIC, TYPE, Failure, closest, did_you_mean, error
from stoffel.lang.expression_checker import METHOD_ADVICE, ExpressionChecker
from stoffel.lang.scopes import UserFunction
from stoffel.lang.source import Position
from stoffel.lang.types import (
    INT64,
    KIND_OF,
    SHARE,
    STRING,
    UNKNOWN,
    Type,
    has_parameter,
    is_hidden,
    list_of,
    partly,
    substitute,
    underlying,
)

ARGUMENT_HELP: Final = "Use matching signedness and width at the call site or in the function signature"
_INNER_LISTS: Final = frozenset(("append", "extend", "insert"))
"""Functions that make the list that their first argument names, if it is not there."""
_UPVALUES: Final = frozenset(("get_upvalue", "set_upvalue"))
RANDOM: Final = "Share.random"
NO_RANDOM_TYPE: Final = "Share.random() requires an expected secret integer type"


class Callee(NamedTuple):
    """What a call calls: its signature, the name in messages, and the name that the machine calls."""

    signature: Signature
    shown: str
    target: str


class CallChecker(ExpressionChecker):
    """The part of the checker that is about calls."""

    def __init__(self) -> None:
        super().__init__()
        self.expression_checks[syntax.Call] = self.check_call

    def check_call(self, call: syntax.Call, wanted: Type | None) -> typed.Expression:
        callee = call.callee
        if not isinstance(callee, syntax.Name | syntax.QualifiedName):
            self.check(callee)
            for argument in call.arguments:
                self.check(argument.value)
            raise Failure(error(TYPE, "Expression is not callable", callee.position))
        name = callee.name
        user: Signature | None = None
        if isinstance(callee, syntax.Name):
            symbol = self.lookup(name)
            if symbol is not None and symbol.kind == "type" and name in self.objects:
                return self.check_constructor(call, name, symbol.type)
            user = self.functions.get(name)
        elif callee.qualifier in self.qualified:
            exported = self.qualified[callee.qualifier].get(name)
            user = exported.function if exported is not None else None
        elif f"{callee.qualifier}.{name}" == RANDOM and not call.arguments:
            return self.random_share(call, wanted)
        written = list(call.arguments)
        if isinstance(user, UserFunction):
            written = self.arrange(call, user, written)
        contexts = self.contexts_from_result(callee, wanted, len(written))
        arguments: list[typed.Expression] = []
        for argument, context in zip(written, contexts, strict=True):
            if argument.name is not None:
                message = "Named arguments are only supported for object constructors and user-defined functions"
                raise Failure(error(SEMANTIC, message, argument.position))
            arguments.append(self.check(argument.value, context))
        return self.finish(call, self.resolve_callee(callee, arguments), arguments, wanted)

    def random_share(self, call: syntax.Call, wanted: Type | None) -> typed.Expression:
        inner = None if wanted is None or wanted.kind != "secret" else wanted.arguments[0]
        if wanted is None or inner is None or inner.kind != "integer":
            raise Failure(
                error(
                    TYPE,
                    NO_RANDOM_TYPE,
                    call.position,
                    "Assign it to a typed secret integer before passing it, such as "
                    "'var s: secret int64 = Share.random()'",
                )
            )
        bits = typed.Constant(call.position, INT64, KIND_OF[inner.name].bits, "")
        return typed.Invocation(call.position, wanted, "Share.random_int", (bits,))

    def check_constructor(self, call: syntax.Call, name: str, of: Type) -> typed.Expression:
        fields = self.objects[name].fields
        found: dict[str, typed.Expression] = {}
        for argument in call.arguments:
            field = argument.name
            if field is None:
                message = f"Constructor for '{name}' expects named field arguments"
                raise Failure(error(SEMANTIC, message, argument.position, f"Use {name}(field: value) syntax"))
            if field in found:
                message = f"Duplicate field '{field}' in constructor for '{name}'"
                raise Failure(error(SEMANTIC, message, argument.position))
            if field not in fields:
                message = f"Unknown field '{field}' for object '{name}'"
                raise Failure(error(SEMANTIC, message, argument.position, did_you_mean(field, fields)))
            value = adapt(self.check(argument.value, fields[field]), fields[field])
            check_value(value, fields[field], argument.value.position)
            found[field] = value
        return typed.NewObject(call.position, of, tuple(found.items()))

    def arrange(self, call: syntax.Call, user: UserFunction, written: list[syntax.Argument]) -> list[syntax.Argument]:
        """Return the arguments in the order of the parameters, defaults put in, further ones gathered in a list."""
        parameters = user.parameters
        if user.variadic:
            fixed = len(parameters) - 1
            for argument in written:
                if argument.name is not None:
                    message = f"Named arguments cannot be combined with the variadic function '{user.name}'"
                    raise Failure(error(SEMANTIC, message, call.position))
            if len(written) < fixed:
                message = (
                    f"Function '{user.name}' expects at least {fixed} argument(s), but {len(written)} were provided"
                )
                raise Failure(error(SEMANTIC, message, call.position))
            rest = syntax.ListLiteral(call.position, tuple([argument.value for argument in written[fixed:]]))
            return [*written[:fixed], syntax.Argument(call.position, None, rest)]
        named = any(argument.name is not None for argument in written)
        if not named and (user.required == len(parameters) or len(written) > len(parameters)):
            return written
        names = [name for name, _ in parameters]
        placed: dict[str, syntax.Argument] = {}
        seen_named = False
        for at, argument in enumerate(written):
            if argument.name is not None:
                seen_named = True
                name = argument.name
                if name not in names:
                    message = f"Function '{user.name}' has no parameter named '{name}'"
                    raise Failure(error(SEMANTIC, message, argument.position, did_you_mean(name, names)))
                if name in placed:
                    raise Failure(error(SEMANTIC, f"Argument '{name}' provided more than once", argument.position))
            elif seen_named:
                message = "Positional arguments must come before named arguments"
                raise Failure(error(SEMANTIC, message, argument.position))
            elif at >= len(names):
                message = f"Function '{user.name}' expects {len(names)} argument(s), but more were provided"
                raise Failure(error(SEMANTIC, message, argument.position))
            else:
                name = names[at]
            placed[name] = argument._replace(name=None, position=argument.value.position)
        arranged: list[syntax.Argument] = []
        for name, default in zip(names, user.defaults, strict=True):
            if name in placed:
                arranged.append(placed[name])
            elif default is not None:
                arranged.append(syntax.Argument(default.position, None, default))
            else:
                raise Failure(error(SEMANTIC, f"Missing argument '{name}' in call to '{user.name}'", call.position))
        return arranged

    def contexts_from_result(
        self, callee: syntax.Name | syntax.QualifiedName, wanted: Type | None, count: int
    ) -> list[Type | None]:
        """Return what arguments are wanted to be where the type of the result says what type parameters are."""
        found = self.known_signature(callee) if wanted is not None else None
        bindings: dict[str, Type] = {}
        if wanted is None or found is None or not has_parameter(found.result):
            return [None] * count
        self.bind_result(found.result, wanted, bindings)
        contexts = [
            partly(of, bindings) if has_parameter(of) and not has_parameter(partly(of, bindings)) else None
            for _, of in found.parameters
        ]
        return [*contexts, *([None] * count)][:count]

    def known_signature(self, callee: syntax.Name | syntax.QualifiedName) -> Signature | None:
        """Return the signature of what is called, None where that depends on the arguments or is an error."""
        if isinstance(callee, syntax.QualifiedName):
            if callee.qualifier in self.qualified:
                exported = self.qualified[callee.qualifier].get(callee.name)
                return exported.function if exported is not None else None
            return builtins.signature(f"{callee.qualifier}.{callee.name}")
        symbol = self.lookup(callee.name)
        return symbol.function if symbol is not None else None

    def bind_result(self, declared: Type, wanted: Type, bindings: dict[str, Type]) -> None:
        if declared.kind == "parameter":
            if wanted.kind not in ("unknown", "parameter"):
                bindings.setdefault(declared.name, wanted)
        elif declared.kind == wanted.kind and len(declared.arguments) == len(wanted.arguments):
            for inner, outer in zip(declared.arguments, wanted.arguments, strict=True):
                self.bind_result(inner, outer, bindings)

    def resolve_callee(self, callee: syntax.Name | syntax.QualifiedName, arguments: list[typed.Expression]) -> Callee:
        name = callee.name
        if isinstance(callee, syntax.QualifiedName):
            full = f"{callee.qualifier}.{name}"
            if callee.qualifier in self.qualified:
                exported = self.qualified[callee.qualifier].get(name)
                if exported is None or exported.function is None:
                    known = [f"{callee.qualifier}.{one}" for one in self.qualified[callee.qualifier]]
                    message = f"Use of undeclared identifier '{callee.qualifier}'"
                    raise Failure(error(SEMANTIC, message, callee.position, did_you_mean(full, known)))
                return Callee(exported.function, full, exported.function.target)
            found = builtins.signature(full)
            if found is None:
                message = f"Unknown method '{name}' on builtin object '{callee.qualifier}'"
                methods = [one.partition(".")[2] for one in builtins.METHODS if one.startswith(f"{callee.qualifier}.")]
                raise Failure(error(SEMANTIC, message, callee.position, did_you_mean(name, methods)))
            first = found.parameters[0][1] if found.parameters else UNKNOWN
            receives = first == SHARE or first.name == "AvssShare"
            return Callee(found, name if receives else full, found.target)
        symbol = self.lookup(name)
        if symbol is not None:
            if symbol.function is None:
                raise Failure(error(TYPE, f"'{name}' is not a function", callee.position))
            return Callee(symbol.function, name, symbol.function.target)
        method = builtins.signature(f"Share.{name}")
        if method is not None and arguments and is_hidden(arguments[0].type):
            return Callee(method, name, name)
        if name in METHOD_ADVICE:
            advice = f"Use {METHOD_ADVICE[name]} instead"
            raise Failure(error(SEMANTIC, f"Method '.{name}()' is not supported", callee.position, advice))
        best = closest(name, self.visible_functions())
        raise Failure(
            error(
                SEMANTIC,
                f"Use of undeclared function '{name}'",
                callee.position,
                f"Did you mean '{best}'?" if best else "",
            )
        )

    def finish(
        self, call: syntax.Call, callee: Callee, arguments: list[typed.Expression], wanted: Type | None
    ) -> typed.Expression:
        """Return the call with its arguments fitted to their parameters."""
        signature = callee.signature
        parameters = [of for _, of in signature.parameters]
        if signature.target == "len" and len(arguments) == 1 and arguments[0].type == STRING:
            parameters = [STRING]
        bindings: dict[str, Type] = {}
        if wanted is not None and has_parameter(signature.result):
            self.bind_result(signature.result, wanted, bindings)
        if isinstance(signature, UserFunction):
            required = len(parameters)
        else:
            required = signature.required
            if signature.variadic:
                parameters = parameters[:-1] + [UNKNOWN] * max(0, len(arguments) - len(parameters) + 1)
        if not required <= len(arguments) <= len(parameters):
            raise Failure(self.wrong_number(call.position, callee, required, len(parameters), len(arguments)))
        fitted = [
            self.fit_argument(argument, parameters[at], bindings, at, callee, call.position)
            for at, argument in enumerate(arguments)
        ]
        target = callee.target
        first = fitted[0] if fitted else None
        upvalue = ""
        if target in _UPVALUES and isinstance(first, typed.Constant) and isinstance(first.value, str):
            upvalue = first.value
        return typed.Invocation(
            call.position,
            substitute(signature.result, bindings),
            target,
            tuple(fitted),
            target in _INNER_LISTS and isinstance(first, typed.Element) and first.type.kind == "list",
            upvalue,
        )

    def wrong_number(self, where: Position, callee: Callee, required: int, most: int, given: int) -> Diagnostic:
        if callee.signature.variadic and not isinstance(callee.signature, UserFunction):
            wanted = f"at least {required}"
        else:
            wanted = str(most) if required == most else f"{required} to {most}"
        message = f"Function '{callee.shown}' expects {wanted} argument(s), but {given} were provided"
        return error(SEMANTIC, message, where)

    def fit_argument(
        self,
        argument: typed.Expression,
        declared: Type,
        bindings: dict[str, Type],
        at: int,
        callee: Callee,
        where: Position,
    ) -> typed.Expression:
        place = argument.position or where
        expected = partly(declared, bindings)
        if not has_parameter(expected):
            argument = adapt(argument, expected)
        is_user = isinstance(callee.signature, UserFunction)
        if declared.kind == "secret" and at == 0 and not is_user and not is_hidden(argument.type):
            raise Failure(error(TYPE, f"Expected secret value, found '{argument.type}'", place))
        if not has_parameter(declared) and narrows(argument, expected):
            message = (
                f"Argument {at + 1} to function '{callee.shown}' has type '{argument.type}', but parameter expects "
                f"'{expected}'"
            )
            raise Failure(error(TYPE, message, place, ARGUMENT_HELP))
        self.match(argument, argument.type, declared, bindings, place)
        return argument

    def match(
        self, argument: typed.Expression, source: Type, declared: Type, bindings: dict[str, Type], where: Position
    ) -> None:
        """Match the type of an argument with a declared one, binding type parameters. Raises Failure."""
        if declared.kind == "parameter" and declared.name not in bindings:
            bindings[declared.name] = source
        elif declared.kind in ("list", "dict") and source.kind == declared.kind:
            for inner, outer in zip(source.arguments, declared.arguments, strict=True):
                self.match(argument._replace(type=inner), inner, outer, bindings, where)
        elif declared.kind == "secret":
            if source != SHARE:
                self.match(argument, underlying(source), declared.arguments[0], bindings, where)
        elif source != UNKNOWN:
            kept = argument if argument.type == source else argument._replace(type=source)
            check_value(kept, partly(declared, bindings), where)


__all__ = ["NO_RANDOM_TYPE", "CallChecker", "list_of"]
