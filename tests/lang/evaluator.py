"""The language once more: a tree-walking evaluator, the reference that compiled programs are compared with.

It walks what the checker makes of a source and knows neither instructions nor registers. Lists are Python lists,
dictionaries and objects Python dicts, scalars the machine's own; what an arithmetic operation means is the model's
function. Calls nest on Python's stack, so programs must not recurse deeply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stoffel import diagnostic, display
from stoffel.errors import VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.lang import typed_tree as tree
from stoffel.lang.checker import Checked
from stoffel.lang.expression_parser import SLICE_END
from stoffel.lang.modules import Loader
from stoffel.lang.source import Source
from stoffel.lang.types import CLASS_OF, underlying
from stoffel.model.operations import OPERATIONS
from stoffel.model.values import Array, Closure, Object, key_of

OPERATORS = {
    "+": "ADD",
    "-": "SUB",
    "*": "MUL",
    "/": "DIV",
    "%": "MOD",
    "and": "AND",
    "or": "OR",
    "xor": "XOR",
    "shl": "SHL",
    "shr": "SHR",
}
ORDER = {"<": (-1,), ">": (1,), "<=": (-1, 0), ">=": (1, 0), "==": (0,), "!=": (-1, 1)}
TYPE_NAMES = {float: "float", bool: "boolean", str: "string", list: "array", dict: "object", type(None): "nil"}


class Failed(Exception):
    """The program fails with this text, on this line."""


class _Jump(Exception):
    pass


class _Break(_Jump):
    pass


class _Continue(_Jump):
    pass


class _Return(_Jump):
    def __init__(self, value: Any) -> None:
        self.value = value


class Frame:
    """A call: its parameters as passed, its upvalues, its variables."""

    def __init__(self, parameters: dict[str, Any], upvalues: dict[str, Any], closure: Bound | None) -> None:
        self.parameters = parameters
        self.upvalues = upvalues
        self.closure = closure
        self.variables: dict[tree.Local, Any] = {}


class Bound:
    """A closure."""

    def __init__(self, function: str, upvalues: dict[str, Any]) -> None:
        self.function = function
        self.upvalues = upvalues


def as_machine(value: Any) -> Any:
    """Return *value* as the machine has it, for its text form."""
    if isinstance(value, list):
        return Array(1, [as_machine(item) for item in value])
    if isinstance(value, dict):
        made = Object(1)
        made.fields.update({key: as_machine(content) for key, content in value.items()})
        return made
    return Closure(value.function, ()) if isinstance(value, Bound) else value


def equal(left: Any, right: Any) -> bool:
    """Deep equality of values: equal types and contents."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


class Evaluator:
    """Evaluates one checked program."""

    def __init__(self, checked: Checked, inner: list[tree.Function]) -> None:
        self.functions = {one.name: one for one in (*checked.functions, *inner)}
        self.objects = checked.exports.objects
        self.checked = checked
        self.frames: list[Frame] = []
        self.output: list[str] = []
        self.line = 0

    def main(self) -> Any:
        name = self.checked.entry
        if name is not None:
            return self.call(self.functions[name], [])
        self.frames.append(Frame({}, {}, None))
        try:
            self.body(self.checked.top_level)
        finally:
            self.frames.pop()
        return None

    def fail(self, text: str) -> Failed:
        return Failed(text, self.line)

    # Calls

    def call(self, function: tree.Function, arguments: list[Any], closure: Bound | None = None) -> Any:
        parameters = {local.name: value for local, value in zip(function.parameters, arguments, strict=True)}
        names = upvalue_names(function)
        if closure is not None:
            upvalues = dict(closure.upvalues)
        else:
            upvalues = {name: self.captured(name) for name in names}
        frame = Frame(parameters, upvalues, closure)
        frame.variables.update(zip(function.parameters, arguments, strict=True))
        line = self.line
        self.frames.append(frame)
        try:
            self.body(function.body)
        except _Return as result:
            self.line = line
            return result.value
        finally:
            self.frames.pop()
        self.line = line
        return None

    def captured(self, name: str) -> Any:
        for frame in reversed(self.frames):
            if name in frame.parameters:
                return frame.parameters[name]
            if name in frame.upvalues:
                return frame.upvalues[name]
        raise self.fail(f"Could not find upvalue {name} when calling function")

    def invoke(self, target: str, arguments: list[Any]) -> Any:
        function = self.functions.get(target)
        if function is not None:
            return self.call(function, arguments)
        handler: Callable[..., Any] = getattr(self, f"do_{target}")
        return handler(*arguments)

    def foreign(self, name: str, text: str) -> Failed:
        return self.fail(f"Foreign function {name} failed: {text}")

    def do_print(self, *values: Any) -> None:
        self.output.append(" ".join(display(as_machine(value)) for value in values) + "\n")

    def do_to_string(self, value: Any) -> str:
        return display(as_machine(value))

    def do_type(self, value: Any) -> str:
        kind = INTEGER_KINDS.get(type(value))
        return kind.type_name if kind else TYPE_NAMES.get(type(value), "function")

    def do_assert(self, condition: Any, message: Any = "assertion failed") -> None:
        if not condition:
            raise self.foreign("assert", message)

    def do_len(self, value: Any) -> int:
        return len(value)

    def do_range(self, start: int, stop: int, step: int = 1) -> list[int]:
        return list(range(start, stop, step))

    def do_slice(self, value: Any, start: int, stop: int, step: int = 1) -> Any:
        ends = [None if bound == SLICE_END else bound for bound in (start, stop)]
        return value[ends[0] : ends[1] : step]

    def do_contains(self, container: Any, value: Any) -> bool:
        if isinstance(container, list):
            return any(equal(item, value) for item in container)
        return (key_of(value) if isinstance(container, dict) else value) in container

    def do_append(self, array: list[Any], value: Any) -> None:
        array.append(value)

    def do_extend(self, array: list[Any], values: list[Any]) -> None:
        array.extend(list(values))

    def do_insert(self, array: list[Any], index: int, value: Any) -> None:
        array.insert(index, value)

    def do_copy(self, array: list[Any]) -> list[Any]:
        return list(array)

    def do_count(self, array: list[Any], value: Any) -> int:
        return sum(equal(item, value) for item in array)

    def do_index(self, array: list[Any], value: Any) -> int:
        for at, item in enumerate(array):
            if equal(item, value):
                return at
        raise self.foreign("index", "value is not in list")

    def do_remove(self, array: list[Any], value: Any) -> None:
        for at, item in enumerate(array):
            if equal(item, value):
                del array[at]
                return
        raise self.foreign("remove", "value is not in list")

    def do_pop(self, array: list[Any], index: int = -1) -> Any:
        if not array:
            raise self.foreign("pop", "pop from empty list")
        if not -len(array) <= index < len(array):
            raise self.foreign("pop", "list index out of range")
        return array.pop(index)

    def do_delete(self, array: list[Any], index: int) -> None:
        if not -len(array) <= index < len(array):
            raise self.foreign("delete", "list index out of range")
        del array[index]

    def do_clear(self, array: list[Any]) -> None:
        array.clear()

    def do_reverse(self, array: list[Any]) -> None:
        array.reverse()

    def do_sort(self, array: list[Any]) -> None:
        array.sort()

    def do_create_closure(self, function: str, *names: str) -> Bound:
        return Bound(function, {name: self.captured(name) for name in names})

    def do_call_closure(self, closure: Bound, *arguments: Any) -> Any:
        return self.call(self.functions[closure.function], list(arguments), closure)

    def do_get_upvalue(self, name: str) -> Any:
        return self.frames[-1].upvalues[name]

    def do_set_upvalue(self, name: str, value: Any) -> None:
        frame = self.frames[-1]
        frame.upvalues[name] = value
        if frame.closure is not None:
            frame.closure.upvalues[name] = value

    # Expressions

    def value(self, node: tree.Expression) -> Any:
        self.line = node.position.line or self.line
        found = getattr(self, f"on_{type(node).__name__}")(node)
        self.line = node.position.line or self.line
        return found

    def on_Constant(self, node: tree.Constant) -> Any:
        value = node.value
        return CLASS_OF.get(node.type.name, int)(value) if type(value) is int else value

    def on_Read(self, node: tree.Read) -> Any:
        return self.frames[-1].variables.get(node.variable)

    def operate(self, name: str, *operands: Any) -> Any:
        try:
            return OPERATIONS[name](*map(as_machine, operands))
        except VMError as error:
            raise self.fail(str(error)) from None

    def on_UnaryOperation(self, node: tree.UnaryOperation) -> Any:
        operand = self.value(node.operand)
        if node.operator == "not":
            return self.operate("NOT", operand)
        of = underlying(node.operand.type)
        return self.operate("SUB", 0.0 if of.kind == "real" else CLASS_OF.get(of.name, int)(0), operand)

    def on_Operation(self, node: tree.Operation) -> Any:
        left = self.value(node.left)
        right = self.value(node.right)
        self.line = node.position.line or self.line
        operator = node.operator
        if operator == "in":
            return self.do_contains(right, left)
        if node.on_lists:
            if operator in ("==", "!="):
                return equal(left, right) == (operator == "==")
            if operator == "+":
                return [*left, *right]
            items, times = (left, right) if isinstance(left, list) else (right, left)
            return items * max(0, times)
        if operator in ORDER:
            return self.operate("CMP", left, right) in ORDER[operator]
        if operator == "mod":
            rest = self.operate("MOD", left, right)
            return self.operate("MOD", self.operate("ADD", rest, right), right)
        return self.operate(OPERATORS[operator], left, right)

    def on_ListDisplay(self, node: tree.ListDisplay) -> Any:
        return [self.value(element) for element in node.elements]

    def on_DictDisplay(self, node: tree.DictDisplay) -> Any:
        found = {}
        for key, value in node.pairs:
            place = key_of(self.value(key))
            found[place] = self.value(value)
        return found

    def on_NewObject(self, node: tree.NewObject) -> Any:
        return {name: self.value(content) for name, content in node.fields}

    def on_Invocation(self, node: tree.Invocation) -> Any:
        arguments = []
        for at, argument in enumerate(node.arguments):
            made = at == 0 and node.makes_inner_list
            arguments.append(self.made(argument) if made else self.value(argument))
        self.line = node.position.line or self.line
        return self.invoke(node.target, arguments)

    def element(self, base: Any, index: Any) -> Any:
        if isinstance(base, dict):
            return base.get(key_of(index))
        if not isinstance(base, list | str):
            return None
        if not -len(base) <= index < len(base):
            kind = "string" if isinstance(base, str) else "array"
            raise self.foreign("get_field", f"{kind} index {index} out of range (length {len(base)})")
        return base[index]

    def on_Element(self, node: tree.Element) -> Any:
        base = self.value(node.base)
        index = self.value(node.key)
        self.line = node.position.line or self.line
        return self.element(base, index)

    def on_Member(self, node: tree.Member) -> Any:
        return self.element(self.value(node.base), node.name)

    def on_Sequence(self, node: tree.Sequence) -> Any:
        self.body(node.statements)
        return None if node.value is None else self.value(node.value)

    # Statements

    def body(self, body: tree.Body) -> None:
        for statement in body:
            self.line = statement.position.line or self.line
            getattr(self, f"on_{type(statement).__name__}")(statement)

    def on_Declaration(self, node: tree.Declaration) -> None:
        value = self.default(node.default) if node.value is None else self.value(node.value)
        self.frames[-1].variables[node.variable] = value

    def default(self, of: Any) -> Any:
        if of.kind == "list":
            return []
        if of.kind == "object" and of.name in self.objects:
            definition = self.objects[of.name]
            return {
                name: self.default(field)
                for name, field in definition.fields.items()
                if name in definition.own and (field.kind == "list" or field.name in self.objects)
            }
        return None

    def on_Assignment(self, node: tree.Assignment) -> None:
        target = node.target
        if isinstance(target, tree.Read):
            self.frames[-1].variables[target.variable] = self.value(node.value)
        elif isinstance(target, tree.Member):
            base = self.value(target.base)
            base[target.name] = self.value(node.value)
        else:
            assert isinstance(target, tree.Element)
            base = self.made(target.base)
            index = self.value(target.key)
            value = self.value(node.value)
            self.line = node.position.line
            if isinstance(base, dict):
                base[key_of(index)] = value
            elif -len(base) <= index < len(base):
                base[index] = value
            else:
                assert index == len(base), "the generated programs write no gaps"
                base.append(value)

    def made(self, node: tree.Expression) -> Any:
        """Evaluate a list that is about to change, made if it is not there."""
        if not (isinstance(node, tree.Element) and node.type.kind == "list"):
            return self.value(node)
        outer = self.made(node.base)
        index = self.value(node.key)
        if isinstance(outer, dict):
            return outer.setdefault(key_of(index), [])
        if index == len(outer):
            outer.append([])
        return self.element(outer, index)

    def on_Evaluation(self, node: tree.Evaluation) -> None:
        self.value(node.value)

    def on_Return(self, node: tree.Return) -> None:
        raise _Return(None if node.value is None else self.value(node.value))

    def on_If(self, node: tree.If) -> None:
        for condition, body in node.branches:
            if self.value(condition):
                return self.body(body)
        return self.body(node.otherwise or ())

    def turn(self, body: tree.Body) -> bool:
        """Run a loop's body once; False if the loop ends."""
        try:
            self.body(body)
        except _Continue:
            return True
        except _Break:
            return False
        return True

    def on_While(self, node: tree.While) -> None:
        while self.value(node.condition):
            if not self.turn(node.body):
                return

    def on_ForRange(self, node: tree.ForRange) -> None:
        variables = self.frames[-1].variables
        start = self.value(node.start)
        stop = self.value(node.stop)
        variables[node.variable] = start
        while True:
            if isinstance(node.stop, tree.Read):
                stop = variables[node.stop.variable]
            if self.operate("CMP", variables[node.variable], stop) >= 0 or not self.turn(node.body):
                return
            self.line = node.position.line
            variables[node.variable] = self.operate("ADD", variables[node.variable], 1)

    def on_ForEach(self, node: tree.ForEach) -> None:
        variables = self.frames[-1].variables
        items = self.value(node.iterable)
        for at in range(len(items)):
            if isinstance(node.iterable, tree.Read):
                items = variables[node.iterable.variable]
            self.line = node.position.line
            variables[node.variable] = self.element(items, at)
            if not self.turn(node.body):
                return

    def on_Break(self, _: tree.Break) -> None:
        raise _Break

    def on_Continue(self, _: tree.Continue) -> None:
        raise _Continue


def upvalue_names(function: tree.Function) -> list[str]:
    """Return the upvalues that a function names, in the order of the text."""
    found: dict[str, None] = {}

    def visit(node: Any) -> None:
        if isinstance(node, tree.Invocation):
            for argument in node.arguments:
                visit(argument)
            if node.upvalue:
                found[node.upvalue] = None
        elif isinstance(node, tuple):
            for part in node:
                visit(part)

    visit(function.body)
    return list(found)


def evaluate(source: str, path: str = "") -> dict[str, Any]:
    """Return what a program comes to: its result or its error with the line, and what it printed."""
    loader = Loader()
    checked = loader.load(Source(source, path, "main.stfl"))
    assert not loader.errors, loader.errors
    inner = [one for module in loader.modules.values() for one in module.checked.functions]
    evaluator = Evaluator(checked, inner)
    found: dict[str, Any] = {}
    try:
        found["result"] = diagnostic(as_machine(evaluator.main()))
    except Failed as failure:
        found["error"], found["line"] = failure.args
    found["output"] = "".join(evaluator.output)
    return found
