"""Random programs in StoffelLang that are well typed and end: every statement, width and kind of value.

Types are left out where the compiler finds them, and literals carry a suffix only where nothing else says their width.
Some programs fail on purpose: by overflow, a division by zero, an index, an assertion.
"""

from __future__ import annotations

from tests.compiler.generators.choosing import Chooser

WIDTHS = ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")
LIMITS = {"int64": 1 << 20, "int32": 9000, "int16": 99, "int8": 11, "uint64": 1 << 20, "uint32": 9000, "uint16": 99}
SCALARS = (*WIDTHS, "float", "bool", "string")
WORDS = ("a", "bc", "", "x y", '\\"q', "zz", "#", "{}")
SUFFIX = {name: name[0] + name.lstrip("uint") for name in WIDTHS}


class Source:
    """One program while it is made."""

    def __init__(self, chooser: Chooser) -> None:
        self.chooser = chooser
        self.lines: list[str] = []
        self.depth = 0
        self.scopes: list[dict[str, str]] = []
        self.fixed: set[str] = set()
        self.functions: list[tuple[str, list[str], str, str]] = []
        self.count = 0
        self.loops = 0
        self.budget = 0
        self.result = ""
        self.used: set[str] = set()

    # Choices

    def one_in(self, number: int) -> bool:
        return self.chooser.randrange(number) == 0

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def write(self, line: str) -> None:
        self.lines.append("  " * self.depth + line)

    def scalar(self) -> str:
        return self.chooser.choice(("int64", *SCALARS, "float", "int64"))

    def type(self) -> str:
        kind = self.chooser.randrange(8)
        if kind == 0:
            return f"list[{self.scalar()}]"
        if kind == 1:
            return "P"
        if kind == 2:
            return f"dict[string, {self.chooser.choice(('int64', 'float', 'string'))}]"
        if kind == 3:
            return "list[list[int64]]"
        return self.scalar()

    def visible(self, wanted: str) -> list[str]:
        return [name for scope in self.scopes for name, of in scope.items() if of == wanted]

    # Expressions: text of the type *wanted*. *free* says that nothing around gives an untyped literal its type.

    def literal(self, wanted: str, free: bool) -> str:
        if wanted in WIDTHS:
            limit = LIMITS.get(wanted, 20)
            value = self.chooser.randrange(limit if self.one_in(5) else 8)
            suffix = SUFFIX[wanted] if (free and wanted != "int64") or self.one_in(6) else ""
            form = self.chooser.choice((str(value), hex(value), f"{value:_}", str(value)))
            return f"{form}{suffix}"
        if wanted == "float":
            return f"{self.chooser.randrange(40)}.{self.chooser.choice(('0', '5', '25'))}"
        if wanted == "bool":
            return self.chooser.choice(("True", "False"))
        return f'"{self.chooser.choice(WORDS)}"'

    def expression(self, wanted: str, depth: int = 3, free: bool = True) -> str:
        """Return an expression of a type."""
        names = self.visible(wanted)
        if wanted.startswith(("list", "dict")) or wanted == "P":
            return self.table(wanted, depth)
        if depth <= 0 or self.one_in(4):
            return self.chooser.choice(names) if names and not self.one_in(3) else self.literal(wanted, free)
        kind = self.chooser.randrange(12)
        if kind == 0 and names:
            return self.chooser.choice(names)
        if kind == 1:
            found = self.call(wanted, depth)
            if found:
                return found
        if kind == 2:
            return self.read(wanted, depth)
        if kind == 3 and wanted == "int64":
            return self.measure(depth)
        if wanted == "bool":
            return self.condition(depth)
        if wanted == "string":
            if self.one_in(3):
                of = self.scalar()
                self.used.add("to_string")
                inner = self.expression(of, depth - 1)
                return f"{inner}.to_string()" if of == "string" and self.one_in(2) else f"to_string({inner})"
            return f"({self.expression('string', depth - 1)} + {self.expression('string', depth - 1)})"
        return self.arithmetic(wanted, depth, free)

    def arithmetic(self, wanted: str, depth: int, free: bool) -> str:
        left = self.expression(wanted, depth - 1)
        operators = ["+", "-", "*", "+"] + (["/", "%"] if self.one_in(3) else [])
        if wanted in WIDTHS:
            operators += ["and", "or", "xor", "shl", "shr", "mod"] if self.one_in(2) else []
        operator = self.chooser.choice(operators)
        strict = operator in ("and", "or", "xor", "shl", "shr")
        if operator in ("/", "%", "mod") and not self.one_in(12):
            right = "2.5" if wanted == "float" else f"{1 + self.chooser.randrange(9)}{SUFFIX[wanted]}"
        elif operator in ("shl", "shr"):
            right = f"{self.chooser.randrange(4)}{SUFFIX[wanted]}"
        elif operator == "*" and wanted in WIDTHS and not self.one_in(20):
            right = f"{self.chooser.randrange(3)}{SUFFIX[wanted]}"
        else:
            right = self.expression(wanted, depth - 1, strict)
        self.used.add(operator)
        if wanted[0] == "i" and self.one_in(9):
            self.used.add("negation")
            return f"(-{left} {operator} {right})"
        if wanted in WIDTHS and self.one_in(15):
            self.used.add("complement")
            return f"(not {left} {operator} {right})"
        if wanted == "float" and self.one_in(6):
            self.used.add("integer in float")
            return f"({left} * {self.expression('int64', depth - 1)})"
        return f"({left} {operator} {right})"

    def condition(self, depth: int) -> str:
        kind = self.chooser.randrange(8)
        if kind == 0:
            self.used.add("not")
            return f"(not {self.expression('bool', depth - 1)})"
        if kind == 1:
            operator = self.chooser.choice(("and", "or", "xor"))
            return f"({self.expression('bool', depth - 1)} {operator} {self.expression('bool', depth - 1)})"
        if kind == 2:
            self.used.add("in")
            of = self.scalar()
            if of in ("int64", "string", "bool"):
                return f"({self.expression(of, depth - 1)} in {self.expression(f'list[{of}]', depth - 1)})"
            return f"({self.literal('string', True)} in {self.expression('string', depth - 1)})"
        if kind == 3:
            self.used.add("list ==")
            of = f"list[{self.chooser.choice(('int64', 'string'))}]"
            operator = self.chooser.choice(("==", "!="))
            return f"({self.expression(of, depth - 1)} {operator} {self.expression(of, depth - 1)})"
        of = self.chooser.choice(("int64", *WIDTHS, "float", "string"))
        operator = self.chooser.choice(("<", "<=", ">", ">=", "==", "!="))
        self.used.add(f"compare {operator}")
        return f"({self.expression(of, depth - 1)} {operator} {self.expression(of, depth - 1)})"

    def measure(self, depth: int) -> str:
        of = self.chooser.choice(("string", "list[int64]", "list[float]"))
        self.used.add("len")
        inner = self.expression(of, depth - 1)
        return f"len({inner})" if self.one_in(2) else f"({inner}).len()"

    def read(self, wanted: str, depth: int) -> str:
        """Return something out of a table."""
        lists = self.visible(f"list[{wanted}]")
        if lists:
            name = self.chooser.choice(lists)
            kind = self.chooser.randrange(6)
            if kind == 0:
                self.used.add("pop")
                return f"{name}.pop()" if self.one_in(8) else f"({name} + [{self.literal(wanted, True)}]).pop()"
            if kind == 1 and self.one_in(9):
                return f"{name}[{self.expression('int64', depth - 1)}]"
            self.used.add("element")
            return f"({name} + [{self.literal(wanted, True)}])[{self.chooser.choice(('0', '-1'))}]"
        dicts = self.visible(f"dict[string, {wanted}]")
        if dicts:
            self.used.add("entry")
            return f'{self.chooser.choice(dicts)}["k"]'
        objects = self.visible("P")
        if objects and wanted in ("int64", "float", "string"):
            self.used.add("field")
            field = {"int64": "n", "float": "f", "string": "s"}[wanted]
            return f"{self.chooser.choice(objects)}.{field}"
        if wanted == "string":
            self.used.add("slice")
            return f"{self.expression('string', 1)}[{self.chooser.choice(('1:', ':2', '::2', ':-1', '::-1'))}]"
        if wanted == "int64":
            self.used.add("enum")
            return self.chooser.choice(("Color.Red", "Color.Green", "Color.Blue"))
        return self.literal(wanted, True)

    def table(self, wanted: str, depth: int) -> str:
        names = self.visible(wanted)
        if names and self.one_in(2):
            name = self.chooser.choice(names)
            if wanted == "list[int64]" and self.one_in(3):
                self.used.add("slice")
                return f"{name}[{self.chooser.choice(('1:', ':2', '::-1'))}]"
            return name
        if wanted == "P":
            parts = [f"n: {self.expression('int64', depth - 1, False)}", f"f: {self.expression('float', depth - 1)}"]
            parts += [f"s: {self.expression('string', depth - 1)}", "xs: [1, 2]"]
            if self.one_in(2):
                parts.reverse()
            return f"P({', '.join(parts)})"
        if wanted.startswith("dict"):
            of = wanted[len("dict[string, ") : -1]
            return f'{{"k": {self.expression(of, depth - 1)}, "{self.fresh("k")}": {self.expression(of, depth - 1)}}}'
        of = wanted[len("list[") : -1]
        kind = self.chooser.randrange(6)
        if depth > 0 and kind == 0:
            self.used.add("list +")
            return f"({self.table(wanted, depth - 1)} + {self.table(wanted, depth - 1)})"
        if depth > 0 and kind == 1:
            self.used.add("list *")
            return f"({self.table(wanted, depth - 1)} * {self.chooser.randrange(3)})"
        if kind == 2 and wanted == "list[int64]":
            self.used.add("range")
            return f"range({self.chooser.randrange(3)}, {self.chooser.randrange(6)})"
        elements = [self.expression(of, depth - 1) for _ in range(1 + self.chooser.randrange(3))]
        return f"[{', '.join(elements)}]"

    def call(self, wanted: str, depth: int) -> str:
        fitting = [one for one in self.functions if one[2] == wanted]
        if not fitting:
            return ""
        name, parameters, _, form = self.chooser.choice(fitting)
        self.used.add(f"call of {form}")
        values = [self.expression(of, depth - 1) for of in parameters]
        if form == "default" and self.one_in(2):
            values.pop()
        elif form == "variadic":
            values += [self.expression(parameters[-1], depth - 1) for _ in range(self.chooser.randrange(3))]
        elif form == "named" and len(values) > 1:
            values = [f"p{at}: {value}" for at, value in enumerate(values)]
            values.reverse()
        elif values and self.one_in(3) and form != "named":
            self.used.add("method call")
            return f"({values[0]}).{name}({', '.join(values[1:])})"
        return f"{name}({', '.join(values)})"

    # Statements

    def block(self, size: int) -> None:
        self.depth += 1
        for _ in range(size):
            self.statement()
        self.depth -= 1

    def declare(self, name: str, of: str) -> None:
        self.scopes[-1][name] = of

    def hide_after(self, size: int) -> None:
        """Write a block whose variables are not used behind it: it may not have run."""
        self.scopes.append({})
        self.block(size)
        self.scopes.pop()

    def statement(self) -> None:
        self.budget -= 1
        size = 1 + self.chooser.randrange(3)
        kind = self.chooser.randrange(18) if self.budget > 0 else self.chooser.randrange(5)
        if self.depth > 4:
            kind = self.chooser.randrange(6)
        if kind <= 1:
            self.variable()
        elif kind <= 3:
            self.assign()
        elif kind == 4:
            values = [self.expression(self.scalar(), 2) for _ in range(1 + self.chooser.randrange(3))]
            self.write(f"print({', '.join(values)})")
        elif kind == 5:
            self.change()
        elif kind <= 7:
            self.used.add("if")
            self.write(f"if {self.expression('bool')}:")
            self.hide_after(size)
            if self.one_in(3):
                self.write(f"elif {self.expression('bool')}:")
                self.hide_after(size)
            if self.one_in(2):
                self.write("else:")
                self.hide_after(size)
        elif kind == 8:
            self.count_up(size)
        elif kind == 9:
            self.used.add("for range")
            name = self.fresh("i")
            stop = self.chooser.choice(("4", "6", f"({self.expression('int64', 1)} % 5)"))
            self.write(f"for {name} in {self.chooser.randrange(3)}..{stop}:")
            self.loop(name, "int64", size)
        elif kind == 10:
            of = self.chooser.choice(("int64", "string", "float", "uint8"))
            self.used.add("for each")
            name = self.fresh("e")
            items = self.expression("string" if of == "string" and self.one_in(2) else f"list[{of}]", 1)
            self.write(f"for {name} in {items}:")
            self.loop(name, of, size)
        elif kind == 11:
            self.used.add("match")
            of = self.chooser.choice(("int64", "string"))
            self.write(f"match {self.expression(of, 2)}:")
            self.depth += 1
            for _ in range(size):
                self.write(f"case {self.expression(of, 1)}:")
                self.hide_after(1)
            if self.one_in(2):
                self.write("case _:")
                self.hide_after(1)
            self.depth -= 1
        elif kind == 12:
            self.used.add("assert")
            check = self.expression("bool", 2) if self.one_in(12) else "1 == 1"
            self.write(f'assert {check}, {self.expression("string", 1)} + "!"')
        elif kind == 13 and self.loops:
            word = self.chooser.choice(("break", "continue"))
            self.used.add(word)
            self.write(f"if {self.expression('bool', 2)}:")
            self.depth += 1
            self.write(word)
            self.depth -= 1
        elif kind == 14 and self.result:
            self.used.add("early return")
            self.write(f"if {self.expression('bool', 2)}:")
            self.depth += 1
            self.write(f"return {self.expression(self.result, 2, False)}")
            self.depth -= 1
        elif kind == 15:
            self.comprehension()
        elif kind == 16:
            self.used.add("f-string")
            names = [name for scope in self.scopes for name, of in scope.items() if of in SCALARS]
            hole = self.chooser.choice(names) if names else "zero"
            self.write(f'print(f"v {{{hole}}} {{{{}}}}")' if names else "pass")
        else:
            self.closure()

    def variable(self) -> None:
        of = self.type()
        name = self.fresh("v")
        value = self.expression(of)
        if self.one_in(2) or of == "P":
            self.write(f"var {name}: {of} = {value}")
        else:
            self.used.add("inference")
            self.write(f"var {name} = {value}")
        self.declare(name, of)

    def assign(self) -> None:
        targets = [
            (name, of)
            for scope in self.scopes
            for name, of in scope.items()
            if name not in self.fixed and of in SCALARS
        ]
        if not targets:
            self.variable()
            return
        name, of = self.chooser.choice(targets)
        if of in (*WIDTHS, "float") and self.one_in(2):
            self.used.add("op=")
            self.write(f"{name} {self.chooser.choice(('+=', '-=', '+='))} {self.expression(of, 1, False)}")
        elif of == "string" and self.loops:
            self.write(f"{name} = {self.literal(of, False)}")  # one that is made of itself would double each time
        else:
            self.write(f"{name} = {self.expression(of, 3, False)}")

    def change(self) -> None:
        """Write a statement that changes a table."""
        tables = [
            (name, of)
            for scope in self.scopes
            for name, of in scope.items()
            if name not in self.fixed and of not in SCALARS
        ]
        if not tables:
            self.variable()
            return
        name, of = self.chooser.choice(tables)
        if of == "P":
            self.used.add("field change")
            self.write(f"{name}.n += {self.expression('int64', 1)}")
            if self.one_in(2):
                self.write(f"{name}.xs.append({self.expression('int64', 1)})")
        elif of.startswith("dict"):
            self.used.add("entry change")
            self.write(f'{name}["k"] = {self.expression(of[len("dict[string, ") : -1], 2)}')
        elif of == "list[list[int64]]":
            self.used.add("inner list made")
            self.write(f"{name}[len({name})].append({self.expression('int64', 1)})")
        else:
            element = of[len("list[") : -1]
            kind = self.chooser.randrange(7)
            if kind == 0:
                self.write(f"append({name}, {self.expression(element, 2, False)})")
            elif kind == 1:
                self.write(f"{name}.insert({self.chooser.randrange(3)}, {self.literal(element, False)})")
            elif kind == 2 and element != "bool":
                self.write(f"{name}.sort()")
            elif kind == 3:
                self.write(f"{name}.reverse()")
            elif kind == 4:
                self.write(f"{name}.extend([{self.literal(element, False)}].copy())")
            elif kind == 5:
                self.write(f"{name}[len({name})] = {self.expression(element, 1, False)}")
            else:
                self.write(f"if len({name}) > 0:")
                self.depth += 1
                self.write(self.chooser.choice((f"{name}[0] = {self.literal(element, False)}", f"{name}.delete(0)")))
                self.depth -= 1
            self.used.add(f"list change {kind}")

    def count_up(self, size: int) -> None:
        self.used.add("while")
        name = self.fresh("w")
        self.write(f"var {name} = 0")
        self.fixed.add(name)
        self.declare(name, "int64")
        self.write(f"while {name} {self.chooser.choice(('< 4', '<= 3', '!= 5'))}:")
        self.depth += 1
        self.write(f"{name} += 1")
        self.depth -= 1
        self.loops += 1
        self.hide_after(size)
        self.loops -= 1

    def loop(self, name: str, of: str, size: int) -> None:
        self.scopes.append({name: of})
        self.fixed.add(name)
        self.loops += 1
        self.block(size)
        self.loops -= 1
        self.scopes.pop()

    def comprehension(self) -> None:
        self.used.add("comprehension")
        name, item = self.fresh("v"), self.fresh("c")
        items = self.expression("list[int64]", 1)
        self.scopes.append({item: "int64"})
        self.fixed.add(item)
        element = self.expression("int64", 2)
        condition = f" if {self.expression('bool', 1)}" if self.one_in(2) else ""
        self.scopes.pop()
        self.write(f"var {name}: list[int64] = [{element} for {item} in {items}{condition}]")
        self.declare(name, "list[int64]")

    def closure(self) -> None:
        self.used.add("closure")
        name = self.fresh("v")
        self.write(f"var {name}: int64 = counted({self.expression('int64', 1, False)})")
        self.declare(name, "int64")

    # Programs

    def function(self) -> None:
        self.scopes = [{}]
        self.budget = 5
        name = self.fresh("f")
        form = self.chooser.choice(("plain", "default", "variadic", "named", "plain", "generic"))
        result = self.scalar()
        parameters = [self.type() for _ in range(1 + self.chooser.randrange(3))]
        if form == "default":
            parameters.append("int64")
        if form == "generic":
            of = self.scalar()
            self.write(f"def {name}[T](p0: T, p1: list[T]) -> T:")
            self.write("  if len(p1) > 1:")
            self.write("    return p1[1]")
            self.write("  return p0")
            self.write("")
            self.functions.append((name, [of, f"list[{of}]"], of, form))
            return
        texts = [f"p{at}: {of}" for at, of in enumerate(parameters)]
        if form == "default":
            texts[-1] += " = 7"
        if form == "variadic":
            parameters[-1] = self.scalar()
            texts[-1] = f"*p{len(parameters) - 1}: {parameters[-1]}"
        for at, of in enumerate(parameters):
            last = form == "variadic" and at == len(parameters) - 1
            self.scopes[0][f"p{at}"] = f"list[{of}]" if last else of
        self.write(f"def {name}({', '.join(texts)}) -> {result}:")
        self.result = result
        self.block(1 + self.chooser.randrange(3))
        self.write(f"  return {self.expression(result, 2, False)}")
        self.write("")
        self.result = ""
        self.functions.append((name, parameters, result, form))

    def program(self) -> str:
        self.lines = PRELUDE.splitlines()
        for _ in range(self.chooser.randrange(4)):
            self.function()
        self.scopes = [{}]
        self.budget = 14
        result = self.scalar()
        top = self.one_in(8)
        if top:
            self.used.add("top level")
            self.depth = -1
        else:
            self.write(f"def main() -> {result}:")
            self.result = result
        self.block(2 + self.chooser.randrange(7))
        if not top:
            self.write(f"  return {self.expression(result, 2, False)}")
        return "\n".join(self.lines) + "\n"


PRELUDE = """\
object Base:
  n: int64

object P(Base):
  f: float
  s: string
  xs: list[int64]

enum Color:
  Red
  Green = 7
  Blue

def step(by: int64) -> int64:
  var total: int64 = get_upvalue("start")
  set_upvalue("start", total + by)
  return total + by

def counted(start: int64) -> int64:
  var counter = create_closure_with_upvalue("step", "start")
  var first: int64 = call_closure_with_arg(counter, 2)
  var second: int64 = call_closure_with_arg(counter, 3)
  return first + second

"""


def make(chooser: Chooser) -> tuple[str, set[str]]:
    """Return a program and what it uses."""
    source = Source(chooser)
    text = source.program()
    return text, source.used
