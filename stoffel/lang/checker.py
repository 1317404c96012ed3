"""The checker: statements and declarations of one file, in the order of the text.

An error ends the statement that it is in, and checking goes on with the next. What only the writing of code could
not do (a function used as a value, say) comes as :class:`~stoffel.lang.typed_tree.Unusable` and is told afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from stoffel.errors import Diagnostic
from stoffel.lang import builtins, syntax
from stoffel.lang import typed_tree as typed
from stoffel.lang.adaptation import adapt, check_value, narrows
from stoffel.lang.call_checker import NO_RANDOM_TYPE, RANDOM, CallChecker
from stoffel.lang.diagnostics import SEMANTIC, TYPE, Failure, error
from stoffel.lang.inference import Inference
from stoffel.lang.scopes import Exports, ObjectDefinition, Symbol, UserFunction
from stoffel.lang.source import Position
from stoffel.lang.types import (
    BOOL,
    INT64,
    STRING,
    UNKNOWN,
    VOID,
    Type,
    fits,
    has_unknown,
    list_of,
    underlying,
)

ENTRY: Final = "main"
_DEFINITIONS: Final = (syntax.Function, syntax.ObjectType, syntax.EnumType, syntax.Alias, syntax.Import)
_LITERALS: Final = (
    syntax.IntegerLiteral,
    syntax.FloatLiteral,
    syntax.StringLiteral,
    syntax.BoolLiteral,
    syntax.NoneLiteral,
)


class Checked(NamedTuple):
    """A file that is checked: the functions to compile, the top-level code, what other files may use, the errors.

    *late* are errors that count only if there are no others.
    """

    functions: tuple[typed.Function, ...]
    top_level: typed.Body
    exports: Exports
    errors: list[Diagnostic]
    late: list[Diagnostic]
    entry: str | None


class Checker(CallChecker):
    """Checks one file. *prefix* stands before the names of its functions in the program."""

    def __init__(self, imports: dict[Position, tuple[str, Exports]], prefix: str = "") -> None:
        super().__init__()
        self.imports = imports
        self.prefix = prefix
        self.imported: dict[str, Symbol] = {}
        self.result: Type | None = None
        self.loops = 0
        self.outer_loops = 0
        self.late: list[Diagnostic] = []
        self.compiled: list[typed.Function] = []
        self.entries: list[syntax.Function] = []
        self.owners = 0
        self.inferred: dict[str, Type] = {}
        self.is_second_try = False
        self.statement_checks: dict[type, Callable[[Any], typed.Statement | None]] = {
            syntax.Variable: self.check_variable,
            syntax.Assignment: self.check_assignment,
            syntax.ExpressionStatement: self.check_expression_statement,
            syntax.Return: self.check_return,
            syntax.If: self.check_if,
            syntax.While: self.check_while,
            syntax.For: self.check_for,
            syntax.Break: self.check_break,
            syntax.Continue: self.check_continue,
            syntax.Function: self.check_function,
            syntax.ObjectType: self.check_object,
            syntax.EnumType: self.check_enum,
            syntax.Alias: self.check_alias,
            syntax.Import: lambda _: None,
        }
        self.expression_checks[syntax.Block] = self.check_block

    def lookup(self, name: str) -> Symbol | None:
        if name in self.imported and not any(name in scope for scope in self.scopes):
            return self.imported[name]
        return super().lookup(name)

    # Whole files

    def run(self, body: syntax.Body) -> Checked:
        """Check the statements of a file."""
        top_level: list[typed.Statement] = []
        for statement in body:
            if isinstance(statement, syntax.Import):
                self.use_module(statement)
            else:
                top_level += self.statement(statement)
        if len(body) == 1 and self.errors and not isinstance(body[0], syntax.ObjectType):
            # A single statement that fails as a whole hides what is declared twice in it.
            self.redeclarations = self.redeclarations if self.compiled or top_level else []
        entry = self.find_entry(body)
        exports = Exports(
            {
                name: symbol._replace(local=None)
                for name, symbol in self.scopes[0].items()
                if name != ENTRY and name not in self.names_from_imports()
            },
            self.objects,
            self.enums,
        )
        errors = self.errors + self.redeclarations
        return Checked(tuple(self.compiled), tuple(top_level), exports, errors, self.late, entry)

    def names_from_imports(self) -> set[str]:
        return {name for _, exports in self.imports.values() for name in exports.symbols}

    def use_module(self, statement: syntax.Import) -> None:
        found = self.imports.get(statement.position)
        if found is None:
            return
        qualifier, exports = found
        if qualifier:
            self.qualified[qualifier] = exports.symbols
        for name, symbol in exports.symbols.items():
            if symbol.kind in ("function", "variable"):
                self.declare(name, symbol._replace(position=statement.position))
                if isinstance(symbol.function, UserFunction):
                    self.functions.setdefault(name, symbol.function)
            else:
                self.imported.setdefault(name, symbol)
        for name, definition in exports.objects.items():
            self.objects.setdefault(name, definition)
        for name, members in exports.enums.items():
            self.enums.setdefault(name, members)

    def find_entry(self, body: syntax.Body) -> str | None:
        """Return the name of the function that the program begins with, None if its top-level code is the entry."""
        code = any(not isinstance(statement, _DEFINITIONS) for statement in body)
        has_main = any(isinstance(one, syntax.Function) and one.name == ENTRY and one.body for one in body)
        problems: list[Diagnostic] = []
        if len(self.entries) > 1:
            where = self.entries[1].position
            advice = "Only one entry function is allowed"
            problems.append(error(SEMANTIC, "Multiple explicit 'main' entries defined", where, advice))
        elif self.entries and has_main:
            message = "Both explicit 'main' and 'def main' entries are defined"
            advice = "Use only one entry point; prefer 'def main(...)'"
            problems.append(error(SEMANTIC, message, None, advice))
        elif code and has_main:
            message, advice = (
                "Cannot mix top-level code with 'def main' entry",
                "Move top-level code into 'def main(...)'",
            )
            problems.append(error(SEMANTIC, message, None, advice))
        elif code and self.entries:
            message = "Cannot mix top-level code with explicit 'main' entry"
            advice = "Move top-level code into the entry function declared with 'main'"
            problems.append(error(SEMANTIC, message, None, advice))
        self.late[:0] = problems
        if has_main:
            return ENTRY
        return self.entries[0].name if self.entries else None

    # Statements

    def statement(self, statement: syntax.Statement) -> list[typed.Statement]:
        """Check a statement; an error in it is noted, and nothing remains of the statement."""
        depth = len(self.scopes)
        try:
            found = self.statement_checks[type(statement)](statement)
        except Failure as failure:
            self.errors.append(failure.diagnostic)
            del self.scopes[depth:]
            return []
        return [] if found is None else [found]

    def body(self, statements: Iterable[syntax.Statement]) -> typed.Body:
        found: list[typed.Statement] = []
        for statement in statements:
            found += self.statement(statement)
        return tuple(found)

    def check_block(self, block: syntax.Block, _: Type | None) -> typed.Expression:
        statements = list(self.body(block.statements))
        value: typed.Expression | None = None
        if statements and isinstance(statements[-1], typed.Evaluation):
            value = statements[-1].value
            statements.pop()
        return typed.Sequence(block.position, VOID if value is None else value.type, tuple(statements), value)

    def check_variable(self, variable: syntax.Variable) -> typed.Statement:
        where = variable.position
        annotation = variable.annotation
        wrong_type: Failure | None = None
        of: Type | None = None
        if annotation is not None:
            try:
                of = self.resolve(annotation)
            except Failure as failure:
                wrong_type = failure
        else:
            of = self.inferred_type(variable.name)
        value: typed.Expression | None = None
        if variable.value is not None:
            self.check_random(variable, of)
            value = self.check(variable.value, of)
        if wrong_type is not None:
            raise wrong_type
        if of is not None and value is not None and value.type != UNKNOWN:
            try:
                text = f"Cannot initialize variable '{variable.name}' of type '{of}' with value of type '{{}}'"
                advice = "Use matching signedness and width for the variable and initializer"
                value = self.fit(value, of, where, text, advice)
            except Failure as failure:
                self.errors.append(failure.diagnostic)
        declared = of if of is not None else value.type if value is not None else UNKNOWN
        local = self.new_local(variable.name, declared, where)
        return typed.Declaration(where, local, value, declared)

    def check_random(self, variable: syntax.Variable, of: Type | None) -> None:
        call = variable.value
        if not (isinstance(call, syntax.Call) and isinstance(call.callee, syntax.QualifiedName)):
            return
        if f"{call.callee.qualifier}.{call.callee.name}" != RANDOM or call.arguments:
            return
        if of is None or of.kind != "secret" or underlying(of).kind != "integer":
            advice = f"Add a type annotation such as 'var s: secret int64 = {RANDOM}()'"
            raise Failure(error(TYPE, NO_RANDOM_TYPE, variable.position, advice))

    def inferred_type(self, name: str) -> Type | None:
        of = self.inferred.get(name)
        if of is None or has_unknown(of):
            return None
        if of.kind == "object":
            symbol = self.lookup(of.name)
            return symbol.type if symbol is not None and symbol.kind in ("type", "object") else None
        return of

    def new_local(self, name: str, of: Type, where: Position) -> typed.Local:
        local = typed.Local(name, of, where, self.owner)
        self.declare(name, Symbol("variable", of, where, local))
        return local

    def fit(self, value: typed.Expression, of: Type, where: Position, text: str, advice: str) -> typed.Expression:
        """Return *value* adapted to the type *of*; *text* is said of integers that do not widen. Raises Failure."""
        found = adapt(value, of)
        if narrows(found, of):
            raise Failure(error(TYPE, text.format(found.type), where, advice))
        check_value(found, of, where)
        return found

    def check_assignment(self, assignment: syntax.Assignment) -> typed.Statement:
        target = self.check(assignment.target)
        of = target.type
        where = assignment.position
        named = {
            syntax.Name: "'{}'",
            syntax.Field: "field '{}'",
            syntax.Index: "indexed value",
        }.get(type(assignment.target))
        if named is None:
            self.late.append(error(SEMANTIC, "Invalid assignment target", where))
        if named is None or of == UNKNOWN:
            return typed.Assignment(where, target, self.check(assignment.value))
        value = self.check(assignment.value, of)
        if value.type != UNKNOWN:
            shown = named.format(getattr(assignment.target, "name", ""))
            text = f"Cannot assign value of type '{{}}' to {shown} of type '{of}'"
            advice = "Use matching signedness and width on both sides of the assignment"
            value = self.fit(value, of, where, text, advice)
        return typed.Assignment(where, target, value)

    def check_expression_statement(self, statement: syntax.ExpressionStatement) -> typed.Statement:
        return typed.Evaluation(statement.position, self.check(statement.value))

    def check_return(self, statement: syntax.Return) -> typed.Statement:
        of = self.result
        value = None if statement.value is None else self.check(statement.value, of)
        if of is None:
            where = statement.position if value is None else value.position
            raise Failure(error(SEMANTIC, "'return' statement outside of function", where))
        if value is None:
            if of not in (VOID, UNKNOWN):
                message = f"Type mismatch. Expected '{of}', found 'void'"
                raise Failure(error(TYPE, message, statement.position))
            return typed.Return(statement.position, None)
        text = f"Cannot return value of type '{{}}' from function returning '{of}'"
        advice = "Return a value whose signedness and width match the function return type"
        return typed.Return(statement.position, self.fit(value, of, value.position, text, advice))

    def check_condition(self, condition: syntax.Expression, word: str) -> typed.Expression:
        found = self.check(condition)
        if found.type.kind == "secret":
            message = f"Branching with secret values isn't supported yet (secret condition in '{word.lower()}')"
            raise Failure(error(SEMANTIC, message, found.position))
        if found.type != BOOL:
            raise Failure(error(TYPE, f"{word}-condition must be of type 'bool'", found.position))
        return found

    def check_if(self, statement: syntax.If) -> typed.Statement:
        branches = [(self.check_condition(condition, "If"), self.body(body)) for condition, body in statement.branches]
        otherwise = None if statement.otherwise is None else self.body(statement.otherwise)
        return typed.If(statement.position, tuple(branches), otherwise)

    def check_while(self, statement: syntax.While) -> typed.Statement:
        condition = self.check_condition(statement.condition, "While")
        return typed.While(statement.position, condition, self.loop_body(statement.body))

    def loop_body(self, body: syntax.Body) -> typed.Body:
        self.loops += 1
        found = self.body(body)
        self.loops -= 1
        return found

    def check_for(self, statement: syntax.For) -> typed.Statement:
        where = statement.position
        if len(statement.names) > 1:
            raise Failure(error(SEMANTIC, "For-loop with multiple variables not supported yet", where))
        iterable = self.check(statement.iterable)
        is_range = isinstance(iterable, typed.Operation) and iterable.operator == ".."
        element = INT64
        if not is_range:
            of = iterable.type
            if of.kind not in ("list", "string"):
                message = f"Cannot iterate over type '{of}'; expected a range (a..b) or a List"
                raise Failure(error(SEMANTIC, message, iterable.position))
            element = of.arguments[0] if of.kind == "list" else STRING
        self.scopes.append({})
        local = self.new_local(statement.names[0], element, where)
        body = self.loop_body(statement.body)
        self.scopes.pop()
        if isinstance(iterable, typed.Operation) and is_range:
            for bound in (iterable.left, iterable.right):
                if bound.type.kind == "secret":
                    message = "Secret values are not supported in for-loop range bounds"
                    self.late.append(error(SEMANTIC, message, bound.position))
            return typed.ForRange(where, local, iterable.left, iterable.right, body)
        return typed.ForEach(where, local, iterable, body)

    def check_break(self, statement: syntax.Break) -> typed.Statement:
        self.check_loop("break")
        return typed.Break(statement.position)

    def check_continue(self, statement: syntax.Continue) -> typed.Statement:
        self.check_loop("continue")
        return typed.Continue(statement.position)

    def check_loop(self, word: str) -> None:
        """Raise Failure outside of loops; a loop around the function is noticed late."""
        problem = error(SEMANTIC, f"'{word}' outside of a loop")
        if not self.loops:
            raise Failure(problem)
        if self.loops <= self.outer_loops:
            self.late.append(problem)

    # Definitions

    def check_object(self, statement: syntax.ObjectType) -> None:
        fields: dict[str, Type] = {}
        if statement.base is not None:
            base = self.resolve(statement.base)
            if base.kind == "object" and base.name in self.objects:
                fields.update(self.objects[base.name].fields)
        own: dict[str, Type] = {}
        for name, written in statement.fields:
            own.pop(name, None)
            own[name] = self.resolve(written)
        self.objects[statement.name] = ObjectDefinition({**fields, **own}, frozenset(own))
        self.declare(statement.name, Symbol("type", Type("object", statement.name), statement.position))

    def check_enum(self, statement: syntax.EnumType) -> None:
        members: dict[str, int] = {}
        following = 0
        for name, written in statement.members:
            value = following
            if written is not None:
                if not isinstance(written, syntax.IntegerLiteral):
                    message = f"Enum member '{name}' must use an integer literal value"
                    raise Failure(error(SEMANTIC, message, statement.position))
                value = written.value
                if not fits(value, INT64):
                    message = f"Enum member '{name}' value does not fit in int64"
                    raise Failure(error(SEMANTIC, message, statement.position))
            if name in members:
                raise Failure(error(SEMANTIC, f"Duplicate enum member '{name}'", statement.position))
            members[name] = value
            following = value + 1 if fits(value + 1, INT64) else value
        self.enums[statement.name] = members
        self.declare(statement.name, Symbol("type", INT64, statement.position))

    def check_alias(self, statement: syntax.Alias) -> None:
        self.declare(statement.name, Symbol("type", self.resolve(statement.target), statement.position))

    def check_function(self, node: syntax.Function) -> None:
        signature = self.signature_of(node)
        if node.body is None:
            return
        if not self.owner and node.name in builtins.RESERVED and not self.prefix:
            message = f"'{node.name}' is a function of the machine and cannot be defined again"
            self.late.append(error(SEMANTIC, message, node.position, "Give it another name"))
        self.functions[node.name] = signature
        self.declare(node.name, Symbol("function", signature.result, node.position, function=signature))
        if node.is_entry and not self.owner:
            self.entries.append(node)
        saved = self.owner, self.result, self.inferred, self.type_parameters, self.outer_loops
        self.outer_loops = self.loops
        self.result = signature.result
        self.type_parameters = ()
        try:
            body, parameters = self.function_body(node, signature)
            if signature.result not in (VOID, UNKNOWN) and not has_errors_since(self, body) and not returns(body[0]):
                raise Failure(
                    error(
                        SEMANTIC,
                        f"Function '{node.name}' declares return type '{signature.result}' but not all paths return "
                        "a value",
                        node.position,
                        "Add a return statement at the end of the function or to every branch",
                    )
                )
        finally:
            self.owner, self.result, self.inferred, self.type_parameters, self.outer_loops = saved
        if self.owner and not self.late:
            advice = f"Move '{node.name}' to the top level of the file"
            self.late.append(error(SEMANTIC, "nested functions are not supported", node.position, advice))
        elif not self.owner:
            types = tuple([of for _, of in signature.parameters])
            self.compiled.append(
                typed.Function(node.position, signature.target, parameters, types, signature.result, body[0])
            )

    def signature_of(self, node: syntax.Function) -> UserFunction:
        """Return the signature of a function. Raises Failure for what is wrong in its header."""
        outer, self.type_parameters = self.type_parameters, node.type_parameters
        try:
            types = [UNKNOWN if one.annotation is None else self.resolve(one.annotation) for one in node.parameters]
            result = VOID if node.result is None else self.resolve(node.result)
        finally:
            self.type_parameters = outer
        last = len(node.parameters) - 1
        for at, one in enumerate(node.parameters):
            if one.is_variadic:
                if at != last:
                    message = "A variadic parameter (*args) must be the last parameter"
                    raise Failure(error(SEMANTIC, message, node.position))
                if one.default is not None:
                    message = "A variadic parameter cannot have a default value"
                    raise Failure(error(SEMANTIC, message, node.position))
                types[at] = list_of(types[at])
        for one in node.parameters:
            if one.default is not None and not isinstance(one.default, _LITERALS):
                where = node.position if one.annotation is None else one.annotation.position
                message = f"Default value for parameter '{one.name}' must be a literal"
                raise Failure(error(SEMANTIC, message, where))
        with_default = False
        for one in node.parameters:
            if one.default is not None:
                with_default = True
            elif with_default and not one.is_variadic:
                message = f"Parameter '{one.name}' without a default follows a parameter with one"
                raise Failure(error(SEMANTIC, message, node.position))
        target = f"{self.prefix}{node.name}"
        return UserFunction(
            node.name,
            tuple([(one.name, of) for one, of in zip(node.parameters, types, strict=True)]),
            result,
            target,
            tuple([one.default for one in node.parameters]),
            node.position,
            variadic=any(one.is_variadic for one in node.parameters),
        )

    def function_body(
        self, node: syntax.Function, signature: UserFunction
    ) -> tuple[tuple[typed.Body, int], tuple[typed.Local, ...]]:
        """Check the body, and once more with a thorough inference if there are errors that it may spare.

        Return the body with the number of errors before it, and the parameters. Raises Failure if the types of
        variables cannot be found.
        """
        before = len(self.errors), len(self.redeclarations), len(self.late)
        depth = len(self.scopes)
        first: Failure | None = None
        found: tuple[typed.Body, tuple[typed.Local, ...]] | None = None
        try:
            found = self.try_body(node, signature, thorough=False)
        except Failure as failure:
            first = failure
        if found is not None and len(self.errors) == before[0]:
            return (found[0], before[0]), found[1]
        noted = self.errors[before[0] :], self.redeclarations[before[1] :], self.late[before[2] :]
        if not self.is_second_try:
            del self.errors[before[0] :], self.redeclarations[before[1] :], self.late[before[2] :], self.scopes[depth:]
            self.is_second_try = True
            try:
                better = self.try_body(node, signature, thorough=True)
                if len(self.errors) == before[0]:
                    return (better[0], before[0]), better[1]
            except Failure:
                pass
            finally:
                self.is_second_try = False
        del self.errors[before[0] :], self.redeclarations[before[1] :], self.late[before[2] :], self.scopes[depth:]
        self.errors += noted[0]
        self.redeclarations += noted[1]
        self.late += noted[2]
        if first is not None or found is None:
            raise first or AssertionError("there is a body or a failure")
        return (found[0], before[0]), found[1]

    def try_body(
        self, node: syntax.Function, signature: UserFunction, *, thorough: bool
    ) -> tuple[typed.Body, tuple[typed.Local, ...]]:
        outer = self.owner
        self.owners += 1
        self.owner = self.owners
        self.scopes.append({})
        try:
            parameters = []
            for one, (name, of) in zip(node.parameters, signature.parameters, strict=True):
                where = (one.annotation.position if one.annotation else None) or one.position
                parameters.append(self.new_local(name, of, where))
            types = dict(signature.parameters)
            self.inferred = Inference(self, node, signature.result, types, thorough).run()
            body = self.body(node.body or ())
        finally:
            self.owner = outer
            self.scopes.pop()
        return body, tuple(parameters)


def has_errors_since(checker: Checker, body: tuple[typed.Body, int]) -> bool:
    """True if errors were noted while *body* was checked."""
    return len(checker.errors) > body[1]


def returns(body: typed.Body) -> bool:
    """True if every path through *body* ends in a return."""
    return any(map(_returns, body))


def _returns(statement: typed.Statement) -> bool:
    if isinstance(statement, typed.Return):
        return True
    if isinstance(statement, typed.If):
        if statement.otherwise is None:
            return False
        return returns(statement.otherwise) and all(returns(body) for _, body in statement.branches)
    if isinstance(statement, typed.While):
        condition = statement.condition
        is_endless = isinstance(condition, typed.Constant) and condition.value is True
        return is_endless and not has_break(statement.body)
    if isinstance(statement, typed.Evaluation) and isinstance(statement.value, typed.Sequence):
        return returns(statement.value.statements)
    return False


def has_break(body: typed.Body) -> bool:
    """True if a break in *body* ends the loop around it."""
    for statement in body:
        if isinstance(statement, typed.Break):
            return True
        if isinstance(statement, typed.If):
            if any(has_break(inner) for _, inner in statement.branches) or has_break(statement.otherwise or ()):
                return True
        elif (
            isinstance(statement, typed.Evaluation)
            and isinstance(statement.value, typed.Sequence)
            and has_break(statement.value.statements)
        ):
            return True
    return False
