"""From checked functions to instructions: the meaning of the reference compiler without optimisation.

Evaluation is strictly left to right, and every operation on lists, dictionaries and objects is a call of a builtin. The
machine's own compilers are the optimiser; what is written here is what they take best: a condition is compared and
jumped on where it stands, a constant is loaded where it is used, and a result is written to where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stoffel.errors import Diagnostic
from stoffel.lang import typed_tree as typed
from stoffel.lang.adaptation import misfit
from stoffel.lang.diagnostics import SEMANTIC, error
from stoffel.lang.expression_checker import COMPARISONS
from stoffel.lang.registers import Step
from stoffel.lang.scopes import ObjectDefinition
from stoffel.lang.types import BOOL, CLASS_OF, FIX32, KIND_OF, VOID, Type, fits, underlying

_OPERATIONS: Final = {
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
_WHEN_TRUE: Final = {
    "==": ("JMPEQ",),
    "!=": ("JMPNEQ",),
    "<": ("JMPLT",),
    ">": ("JMPGT",),
    "<=": ("JMPLT", "JMPEQ"),
    ">=": ("JMPGT", "JMPEQ"),
}
"""The jumps that together are taken when a comparison holds."""
_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_ON_LISTS: Final = {"+": "array_concat", "*": "array_repeat", "==": "array_equals", "!=": "array_equals"}
_MOST_DEFAULT_DEPTH: Final = 100


def machine_value(constant: typed.Constant) -> Any:
    """Return the value of the machine that *constant* stands for."""
    value = constant.value
    if type(value) is int:
        return CLASS_OF.get(constant.type.name, int)(value)
    return value


def is_bool(expression: typed.Expression) -> bool:
    """True if the value is a Bool whatever unconverted values may have come from elsewhere."""
    if isinstance(expression, typed.Constant):
        return isinstance(expression.value, bool)
    if isinstance(expression, typed.UnaryOperation):
        return expression.operator == "not" and is_bool(expression.operand)
    return isinstance(expression, typed.Operation) and (
        expression.operator in COMPARISONS or expression.operator == "in"
    )


class FunctionWriter:
    """Writes one function."""

    def __init__(self, objects: dict[str, ObjectDefinition], problems: list[Diagnostic]) -> None:
        self.objects = objects
        self.problems = problems
        self.steps: list[Step] = []
        self.labels: dict[int, int] = {}
        self.label_count = 0
        self.latest_label = 0
        self.count = 0
        self.secrets: set[int] = set()
        self.variables: dict[typed.Local, int] = {}
        self.upvalues: dict[str, None] = {}
        self.line = 0
        self.loops: list[tuple[int, int]] = []
        self.writers: dict[type, Callable[[Any, int | None], int]] = {
            typed.Constant: self.write_constant,
            typed.Read: self.write_read,
            typed.UnaryOperation: self.write_unary,
            typed.Operation: self.write_operation,
            typed.ListDisplay: self.write_list,
            typed.DictDisplay: self.write_dict,
            typed.NewObject: self.write_object,
            typed.Invocation: self.write_invocation,
            typed.Element: self.write_element,
            typed.Member: self.write_member,
            typed.Sequence: self.write_sequence,
            typed.Unusable: self.write_unusable,
        }
        self.statement_writers: dict[type, Callable[[Any], None]] = {
            typed.Declaration: self.declaration,
            typed.Assignment: self.assignment,
            typed.Evaluation: self.evaluation,
            typed.Return: self.give_back,
            typed.If: self.choose,
            typed.While: self.repeat,
            typed.ForRange: self.for_range,
            typed.ForEach: self.for_each,
            typed.Break: self.leave,
            typed.Continue: self.go_on,
        }

    # Steps

    def register(self, of: Type | None = None) -> int:
        self.count += 1
        if of is not None and of.kind == "secret":
            self.secrets.add(self.count)
        return self.count

    def emit(self, name: str, target: int | None, *sources: int, value: Any = None) -> None:
        self.steps.append(Step(name, target, sources, value, self.line, len(self.loops)))

    def new_label(self) -> int:
        self.label_count += 1
        return self.label_count

    def put_label(self, label: int) -> None:
        self.labels[label] = self.latest_label = len(self.steps)

    def load(self, value: Any, target: int | None = None) -> int:
        found = self.register() if target is None else target
        self.emit("LDI", found, value=value)
        return found

    def call(self, name: str, *arguments: int, target: int | None = None) -> None:
        for argument in arguments:
            self.emit("PUSHARG", None, argument)
        self.emit("CALL", target, value=name)

    def result_of(self, name: str, *arguments: int, target: int | None = None) -> int:
        found = self.register() if target is None else target
        self.call(name, *arguments, target=found)
        return found

    def problem(self, code: str, message: str, where: Any, help: str = "") -> None:  # noqa: A002
        self.problems.append(error(code, message, where, help))

    # Expressions

    def value(self, expression: typed.Expression, target: int | None = None) -> int:
        """Write *expression*; return the register of its value, which is *target* if there is one."""
        line, self.line = self.line, expression.position.line or self.line
        found = self.writers[type(expression)](expression, target)
        self.line = line
        return found

    def write_constant(self, constant: typed.Constant, target: int | None) -> int:
        value = constant.value
        if type(value) is int and constant.type.kind == "integer" and not fits(value, constant.type):
            self.problems.append(misfit(value, constant.type, constant.position))
            return self.load(0, target)
        return self.load(machine_value(constant), target)

    def write_read(self, read: typed.Read, target: int | None) -> int:
        found = self.variable(read.variable)
        if target is None:
            return found
        self.emit("MOV", target, found)
        return target

    def variable(self, local: typed.Local) -> int:
        found = self.variables.get(local)
        if found is None:
            found = self.variables[local] = self.register(local.type)
        return found

    def parameter(self, local: typed.Local) -> int:
        """Return the register in which a parameter arrives; write its move to where it belongs."""
        found = self.variable(local)
        if found not in self.secrets:
            return found
        arrived = self.register()
        self.into_secret(found, arrived)
        return arrived

    def write_unusable(self, unusable: typed.Unusable, target: int | None) -> int:
        self.problem(SEMANTIC, unusable.message, unusable.position, unusable.help)
        return self.register() if target is None else target

    def write_unary(self, unary: typed.UnaryOperation, target: int | None) -> int:
        operand = self.value(unary.operand)
        if unary.operator == "not":
            found = self.register(unary.type) if target is None else target
            self.emit("NOT", found, operand)
            return found
        of = underlying(unary.operand.type)
        zero = self.load(0.0 if of.kind == "real" else CLASS_OF.get(of.name, int)(0))
        found = self.register(unary.type) if target is None else target
        self.emit("SUB", found, zero, operand)
        return found

    def write_operation(self, operation: typed.Operation, target: int | None) -> int:
        """Write a chain of operations that leans to the left without recursion along it."""
        pending: list[typed.Operation] = []
        node: typed.Expression = operation
        while isinstance(node, typed.Operation):
            pending.append(node)
            node = node.left
        left = self.value(node)
        while pending:
            one = pending.pop()
            self.line = one.position.line or self.line
            left = self.write_binary(one, left, None if pending else target)
        return left

    def write_binary(self, operation: typed.Operation, left: int, target: int | None) -> int:
        operator = operation.operator
        right = self.value(operation.right)
        if operator == "in":
            return self.result_of("contains", right, left, target=target)
        if operation.on_lists:
            first, second = (right, left) if operation.left.type.kind == "integer" else (left, right)
            found = self.result_of(_ON_LISTS[operator], first, second, target=target)
            if operator == "!=":
                self.emit("NOT", found, found)
            return found
        if operator == "..":
            self.problem(
                SEMANTIC,
                "Unsupported binary operator: ..",
                operation.position,
                "Supported operators are: +, -, *, /, ==, !=, <, <=, >, >=",
            )
            return left
        found = self.register(operation.type) if target is None else target
        if operator in COMPARISONS:
            holds, end = self.new_label(), self.new_label()
            self.emit("CMP", None, left, right)
            for jump in _WHEN_TRUE[operator]:
                self.emit(jump, None, value=holds)
            self.load(False, found)
            self.emit("JMP", None, value=end)
            self.put_label(holds)
            self.load(True, found)
            self.put_label(end)
        elif operator == "mod":
            rest, sum_ = self.register(), self.register()
            self.emit("MOD", rest, left, right)
            self.emit("ADD", sum_, rest, right)
            self.emit("MOD", found, sum_, right)
        else:
            self.emit(_OPERATIONS[operator], found, left, right)
        return found

    def write_list(self, display: typed.ListDisplay, target: int | None) -> int:
        found = self.result_of("create_array", self.load(len(display.elements)))
        for element in display.elements:
            self.call("array_push", found, self.value(element))
        return self.into(found, target)

    def into(self, found: int, target: int | None) -> int:
        if target is None:
            return found
        self.emit("MOV", target, found)
        return target

    def write_dict(self, display: typed.DictDisplay, target: int | None) -> int:
        found = self.result_of("create_object")
        for key, value in display.pairs:
            place = self.value(key)
            self.call("set_field", found, place, self.value(value))
        return self.into(found, target)

    def write_object(self, new: typed.NewObject, target: int | None) -> int:
        found = self.result_of("create_object")
        for name, value in new.fields:
            content = self.value(value)
            self.call("set_field", found, self.load(name), content)
        return self.into(found, target)

    def write_invocation(self, call: typed.Invocation, target: int | None) -> int:
        arguments = []
        for at, argument in enumerate(call.arguments):
            made = at == 0 and call.makes_inner_list
            arguments.append(self.changed_base(argument) if made else self.value(argument))
        if call.upvalue:
            self.upvalues[call.upvalue] = None
        if call.type == VOID:
            self.call(call.target, *arguments)
            return self.load(None, target)
        found = self.register() if target is None else target
        self.call(call.target, *arguments, target=found)
        return found

    def write_element(self, element: typed.Element, target: int | None) -> int:
        base = self.value(element.base)
        return self.result_of("get_field", base, self.value(element.key), target=target)

    def write_member(self, member: typed.Member, target: int | None) -> int:
        base = self.value(member.base)
        return self.result_of("get_field", base, self.load(member.name), target=target)

    def write_sequence(self, sequence: typed.Sequence, target: int | None) -> int:
        self.body(sequence.statements)
        if sequence.value is None:
            return self.load(None, target)
        return self.value(sequence.value, target)

    # Conditions

    def jump_unless(self, condition: typed.Expression, label: int) -> None:
        """Write a jump to *label* that is taken if *condition* does not hold."""
        self.jump(condition, label, False)

    def jump(self, condition: typed.Expression, label: int, sense: bool) -> None:
        self.line = condition.position.line or self.line
        while isinstance(condition, typed.UnaryOperation) and is_bool(condition):
            condition, sense = condition.operand, not sense
        if isinstance(condition, typed.Constant) and isinstance(condition.value, bool):
            if condition.value is sense:
                self.emit("JMP", None, value=label)
            return
        if (
            isinstance(condition, typed.Operation)
            and condition.operator in COMPARISONS
            and not condition.on_lists
            and condition.type == BOOL
        ):
            left = self.value(condition.left)
            right = self.value(condition.right)
            self.emit("CMP", None, left, right)
            self.jump_when(condition.operator if sense else _OPPOSITE[condition.operator], label)
            return
        found = self.value(condition)
        self.emit("CMP", None, found, self.load(False))
        self.emit("JMPNEQ" if sense else "JMPEQ", None, value=label)

    def jump_when(self, operator: str, label: int) -> None:
        """Write a jump to *label* that is taken if the last comparison was *operator*: two instructions at most.

        What would take two conditional jumps is one that leads past a plain one: a step less where it is not taken.
        """
        jumps = _WHEN_TRUE[operator]
        if len(jumps) == 1:
            self.emit(jumps[0], None, value=label)
            return
        past = self.new_label()
        self.emit(_WHEN_TRUE[_OPPOSITE[operator]][0], None, value=past)
        self.emit("JMP", None, value=label)
        self.put_label(past)

    # Statements

    def body(self, statements: typed.Body) -> None:
        for statement in statements:
            self.line = statement.position.line or self.line
            self.statement_writers[type(statement)](statement)

    def declaration(self, declaration: typed.Declaration) -> None:
        register = self.variable(declaration.variable)
        of = declaration.default
        if declaration.value is None:
            self.default(of, register)
        else:
            self.store(declaration.value, register, of)

    def store(self, value: typed.Expression, register: int, of: Type) -> None:
        """Write *value* into the register of a variable of the type *of*."""
        if register not in self.secrets:
            self.value(value, register)
        elif isinstance(value, typed.Constant) and value.value is not None:
            self.share_of(machine_value(value), underlying(of), register)
        else:
            self.into_secret(register, self.value(value))

    def into_secret(self, target: int, source: int) -> None:
        """Write the move of a value into a secret register, which makes a share of a clear one.

        That takes an MPC engine. Without one the program ends here, with the text of the machine for arithmetic on
        shares, on machines too that have no secret registers.
        """
        if source in self.secrets:
            self.emit("MOV", target, source)
            return
        ready = self.new_label()
        self.emit("CMP", None, self.result_of("Mpc.is_ready"), self.load(False))
        self.emit("JMPNEQ", None, value=ready)
        share = self.result_of("create_object")
        self.call("set_field", share, self.load("__type"), self.load("Share"))
        self.emit("ADD", self.register(), share, share)
        self.put_label(ready)
        self.emit("MOV", target, source)

    def share_of(self, value: Any, of: Type, register: int) -> None:
        """Write the share of a constant."""
        if of.kind == "real":
            sizes = (32, 16) if of == FIX32 else (64, 16)
            share = self.result_of("Share.from_clear_fixed", *map(self.load, (float(value), *sizes)))
            self.into_secret(register, share)
            return
        kind = KIND_OF.get(of.name)
        name = "Share.from_clear_int" if kind is None or kind.signed else "Share.from_clear_uint"
        share = self.result_of(name, self.load(int(value)), self.load(1 if kind is None else kind.bits))
        self.into_secret(register, share)

    def default(self, of: Type, register: int | None, depth: int = 0) -> int:
        """Write what a variable of the type *of* begins with."""
        if of.kind == "list":
            return self.result_of("create_array", target=register)
        definition = self.objects.get(of.name) if of.kind == "object" else None
        if definition is not None and depth < _MOST_DEFAULT_DEPTH:
            found = self.result_of("create_object")
            for name, field in definition.fields.items():
                if name in definition.own and field.kind in ("list", "object"):
                    if field.kind == "object" and field.name not in self.objects:
                        continue
                    content = self.default(field, None, depth + 1)
                    self.call("set_field", found, self.load(name), content)
            return self.into(found, register)
        if of.kind == "secret":
            inner = underlying(of)
            zero: Any = {"real": 0.0, "bool": False, "integer": 0}.get(inner.kind)
            found = self.register(of) if register is None else register
            self.into_secret(found, self.load(zero))
            return found
        return self.load(None, register)

    def assignment(self, assignment: typed.Assignment) -> None:
        target = assignment.target
        if isinstance(target, typed.Read):
            self.store(assignment.value, self.variable(target.variable), target.variable.type)
        elif isinstance(target, typed.Member):
            base = self.value(target.base)
            content = self.value(assignment.value)
            self.call("set_field", base, self.load(target.name), content)
        elif isinstance(target, typed.Element):
            base = self.changed_base(target.base)
            index = self.value(target.key)
            self.call("set_field", base, index, self.value(assignment.value))
        else:
            self.value(target)

    def changed_base(self, base: typed.Expression) -> int:
        """Write the list or object that is about to change; a list in a list is made if it is not there."""
        if isinstance(base, typed.Element) and base.type.kind == "list":
            outer = self.changed_base(base.base)
            return self.result_of("get_or_create_array_field", outer, self.value(base.key))
        return self.value(base)

    def evaluation(self, evaluation: typed.Evaluation) -> None:
        value = evaluation.value
        if isinstance(value, typed.Invocation):
            arguments = len(self.steps)
            self.value(value)
            if value.type == VOID and self.steps[-1].name == "LDI" and len(self.steps) > arguments:
                self.steps.pop()  # nobody asks for the Unit of a call without a result
        elif isinstance(value, typed.Sequence) and value.value is None:
            self.body(value.statements)
        elif not isinstance(value, typed.Read) and not (isinstance(value, typed.Constant) and value.value is None):
            self.value(value)

    def give_back(self, statement: typed.Return) -> None:
        found = self.load(None) if statement.value is None else self.value(statement.value)
        self.emit("RET", None, found)

    def choose(self, statement: typed.If) -> None:
        end = self.new_label()
        last = len(statement.branches) - 1
        for at, (condition, body) in enumerate(statement.branches):
            is_last = at == last and statement.otherwise is None
            following = end if is_last else self.new_label()
            self.jump_unless(condition, following)
            self.body(body)
            if not is_last:
                self.emit("JMP", None, value=end)
                self.put_label(following)
        self.body(statement.otherwise or ())
        self.put_label(end)

    def repeat(self, statement: typed.While) -> None:
        again, end = self.new_label(), self.new_label()
        self.put_label(again)
        self.loops.append((again, end))
        self.jump_unless(statement.condition, end)
        inside = len(self.steps)
        settled = self.settles_flag(statement.condition)
        self.body(statement.body)
        self.settle_flag(inside, settled)
        self.emit("JMP", None, value=again)
        self.loops.pop()
        self.put_label(end)

    @staticmethod
    def settles_flag(condition: typed.Expression) -> bool:
        """True if the compare flag is the same whenever *condition* holds."""
        operator = condition.operator if isinstance(condition, typed.Operation) else ""
        return operator not in ("<=", ">=", "!=")

    def settle_flag(self, inside: int, settled: bool) -> None:
        """Write a comparison of a constant with itself at the end of a loop's body, which begins at step *inside*.

        The compare flag of a record can be seen where a loop goes back. Compiled code would have to keep the outcome of
        the last comparison for that; after this one it is known.
        """
        steps = self.steps
        if settled and all(step.name != "CMP" for step in steps[inside:]):
            return
        constant = self.loaded_constant(max(inside, self.latest_label))
        if constant is None:
            constant = self.load(False)
        self.emit("CMP", None, constant, constant)

    def loaded_constant(self, first: int) -> int | None:
        """Return a register that holds an integer or a Bool for sure, loaded at step *first* or after it."""
        written: set[int | None] = set()
        for step in reversed(self.steps[first:]):
            target: int | None = step.target
            if step.name == "LDI" and target not in written and isinstance(step.value, int):
                return target
            written.add(target)
        return None

    def for_range(self, statement: typed.ForRange) -> None:
        variable = self.variable(statement.variable)
        start = self.value(statement.start)
        stop = self.value(statement.stop)
        self.emit("MOV", variable, start)
        self.counted(variable, stop, statement.body, None)

    def for_each(self, statement: typed.ForEach) -> None:
        variable = self.variable(statement.variable)
        iterable = self.value(statement.iterable)
        length = self.result_of("array_length", iterable)
        counter = self.load(0)

        def element() -> None:
            self.call("get_field", iterable, counter, target=variable)

        self.counted(counter, length, statement.body, element)

    def counted(self, counter: int, stop: int, body: typed.Body, begin: Callable[[], None] | None) -> None:
        """Write a loop while *counter* is below *stop*; *begin* writes what each turn begins with."""
        again, following, end = self.new_label(), self.new_label(), self.new_label()
        line = self.line
        self.put_label(again)
        self.loops.append((following, end))
        self.emit("CMP", None, counter, stop)
        self.jump_when(">=", end)
        if begin is not None:
            begin()
        inside = len(self.steps)
        self.body(body)
        self.line = line
        self.put_label(following)
        self.emit("ADD", counter, counter, self.load(1))
        self.settle_flag(inside, True)
        self.emit("JMP", None, value=again)
        self.loops.pop()
        self.put_label(end)

    def leave(self, _: typed.Break) -> None:
        if not self.loops:
            self.problem(SEMANTIC, "'break' outside of a loop", None)
            return
        self.emit("JMP", None, value=self.loops[-1][1])

    def go_on(self, _: typed.Continue) -> None:
        if not self.loops:
            self.problem(SEMANTIC, "'continue' outside of a loop", None)
            return
        self.emit("JMP", None, value=self.loops[-1][0])
