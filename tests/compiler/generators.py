"""Executable programs for differential tests: every construct that the compiled tier treats in a way of its own.

A program is made by drawing from anything that has the two methods of :class:`Chooser`: ``random.Random`` where speed
matters, hypothesis' choices where shrinking does. Programs always end: loops count up to constant bounds in registers
that nothing else writes, functions call only earlier ones or themselves with a counter that falls, and the work of a
whole program is kept under a budget. Strings and arrays grow by constant amounts only, so that no program is large.

Instructions come from the instruction table; operators that are added to it are generated without a change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from hypothesis import strategies as st

from stoffel.isa.program import Function, Instruction, Program
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.isa.table import ROWS, Flow, OperandKind

Item = TypeVar("Item")

BUDGET: Final = 3000
"""Instructions that a run may execute, about."""

BINARY: Final = tuple(
    row.name
    for row in ROWS
    if row.operation and [o.kind for o in row.operands] == [OperandKind.TARGET, OperandKind.SOURCE, OperandKind.SOURCE]
)
UNARY: Final = tuple(
    row.name
    for row in ROWS
    if row.operation and [o.kind for o in row.operands] == [OperandKind.TARGET, OperandKind.SOURCE]
)
COMPARE: Final = next(row.name for row in ROWS if row.operation and row.operands[0].kind is OperandKind.SOURCE)
BRANCHES: Final = tuple(row.name for row in ROWS if row.is_branch)
JUMP: Final = next(row.name for row in ROWS if row.flow is Flow.JUMP and not row.is_branch)
PLAIN: Final = tuple(row for row in ROWS if row.flow is Flow.NEXT and row.name not in ("PUSHARG", "ADD"))
"""Rows that a wild instruction may be of: those that neither jump nor grow anything."""

KINDS: Final = tuple(INTEGER_KINDS)
"""Classes of the integer widths."""
FLOATS: Final = (
    0.0,
    -0.0,
    1.5,
    -2.25,
    0.5,
    3.0,
    1e308,
    -1e308,
    5e-324,
    float("inf"),
    float("-inf"),
    float("nan"),
    1e16,
)
STRINGS: Final = ("", "a", "b", "x1", "é", "__type", "p0", "key")
ACTIONS: Final = ("enable", "disable", "register", "unregister", "look", "call", "fail", "count", "value")
"""What the foreign function ``act`` does at the calls that a case plans."""

# Registers by what they hold. Strings are only ever in X, so that a sum of two others cannot double a string.
SCRATCH: Final = 0
INTEGERS: Final = (1, 2, 3)
FLOATING: Final = (4, 5)
ANYTHING: Final = (6, 7)
ARRAYS: Final = (8,)
OBJECTS: Final = (9,)
CLOSURES: Final = (10, 11)
BOOLEANS: Final = (12,)
TEMPORARY: Final = (13, 14)
FIRST_COUNTER: Final = 15


class Chooser(Protocol):
    """Where decisions come from."""

    def randrange(self, stop: int, /) -> int: ...

    def choice(self, items: Sequence[Item], /) -> Item: ...


class Case(NamedTuple):
    """A program and how it is run.

    *plan* maps the number of a call of ``act`` to what it does; *depth* is the machine's ``max_call_depth`` (None: its
    default); *hooked* says whether a hook exists and is enabled from the start.
    """

    program: Program
    arguments: tuple[Any, ...]
    plan: Mapping[int, str]
    depth: int | None = None
    hooked: bool = False

    def listing(self) -> str:
        """Return the case as text, for people."""
        from stoffel.isa.disassembler import disassemble

        return (
            f"; main{self.arguments!r}, plan {dict(self.plan)!r}, depth {self.depth}, hooked {self.hooked}\n"
            f"{disassemble(self.program)}"
        )


class Callee(NamedTuple):
    """A function that later ones may call: name, parameters, upvalue names, what it returns, and its cost."""

    name: str
    parameters: int
    upvalues: tuple[str, ...]
    integer: bool
    cost: int
    bumps: bool = False


class Body:
    """One function while it is being made."""

    def __init__(self, chooser: Chooser, callees: list[Callee], name: str, budget: int, kind: type = int) -> None:
        self.chooser = chooser
        self.callees = callees
        self.name = name
        self.budget = budget
        self.code: list[Instruction] = []
        self.labels: dict[str, int] = {}
        self.counter = FIRST_COUNTER
        self.times = 1
        self.cost = 0
        self.loops: list[int] = []
        self.kind = kind if chooser.randrange(8) < 7 else chooser.choice(KINDS)
        self.upvalues: tuple[str, ...] = ()
        self.parameters = 0

    def odds(self, wanted: int, of: int) -> bool:
        """Return True in *wanted* of *of* cases; shrinks to False."""
        return self.chooser.randrange(of) >= of - wanted

    def emit(self, name: str, *operands: Any) -> None:
        self.cost += self.times
        self.code.append(Instruction(name, *operands))

    def label(self) -> str:
        return f"l{len(self.labels)}_{len(self.code)}"

    def place(self, label: str) -> None:
        self.labels[label] = len(self.code)

    def reserve(self, label: str) -> str:
        self.labels[label] = 0
        return label

    def fresh(self) -> str:
        return self.reserve(f"l{len(self.labels)}")

    def call(self, name: str, *registers: int) -> None:
        for register in registers:
            self.emit("PUSHARG", register)
        self.emit("CALL", name)

    def load(self, value: Any) -> int:
        register = self.chooser.choice(TEMPORARY)
        self.emit("LDI", register, value)
        return register

    # Values

    def small(self, cls: type | None = None) -> Any:
        cls = cls or self.kind
        return (cls)((1, 2, 3, 0, 5, 7)[self.chooser.randrange(6)])

    def integer(self, cls: type | None = None) -> Any:
        cls = cls or self.kind
        kind = INTEGER_KINDS[cls]
        choice = self.chooser.randrange(10)
        if choice == 9:
            return cls(kind.minimum)
        if choice == 8:
            return cls(kind.maximum)
        if choice == 7:
            return cls(kind.maximum - 1)
        return self.small(cls)

    def value(self) -> Any:
        choice = self.chooser.randrange(6)
        if choice == 0:
            return self.small()
        if choice == 1:
            return self.chooser.choice(STRINGS)
        if choice == 2:
            return self.chooser.choice(FLOATS)
        if choice == 3:
            return bool(self.chooser.randrange(2))
        if choice == 4:
            return None
        return self.integer(self.chooser.choice(KINDS))

    def key(self) -> Any:
        choice = self.chooser.randrange(16)
        if choice < 6:
            return self.chooser.randrange(4)
        if choice < 8:
            return -1 - self.chooser.randrange(3)
        if choice < 12:
            return self.chooser.choice(STRINGS)
        if choice == 12:
            return 4 + self.chooser.randrange(40)
        return self.value()

    # Statements

    def statements(self, count: int, nesting: int) -> None:
        for _ in range(count):
            if self.cost > self.budget:
                return
            self.statement(nesting)

    def statement(self, nesting: int) -> None:
        choices = _STATEMENTS if nesting > 0 else _LEAVES
        choices[self.chooser.randrange(len(choices))](self, nesting)

    def arithmetic(self, nesting: int) -> None:
        chooser = self.chooser
        target = chooser.choice(INTEGERS)
        left = chooser.choice(INTEGERS)
        if self.odds(1, 8):
            name = chooser.choice(UNARY)
            self.emit(name, target, left)
            return
        name = chooser.choice(BINARY)
        right = self.load(self.small()) if self.odds(3, 4) else chooser.choice(INTEGERS)
        if self.odds(1, 12):
            left, right = right, left
        if name in ("SHL", "SHR") and right not in TEMPORARY:
            right = self.load(self.small())
        self.emit(name, target, left, right)
        if name in ("MUL", "SHL", "NOT") and self.odds(3, 4):
            self.emit("AND", target, target, self.load(self.kind(15)))

    def accumulate(self, nesting: int) -> None:
        target = self.chooser.choice(INTEGERS)
        name = self.chooser.choice(("ADD", "SUB"))
        self.emit(name, target, target, self.load(self.small()))

    def count(self, nesting: int) -> None:
        """Use a loop's own counter, whose range the compiler knows."""
        if not self.loops:
            return self.arithmetic(nesting)
        target = self.chooser.choice(ANYTHING)
        counter = self.chooser.choice(self.loops)
        name = self.chooser.choice([name for name in BINARY if name not in ("SHL", "SHR")])
        self.emit(name, target, counter, self.load(self.chooser.randrange(5) + 1))
        return None

    def floating(self, nesting: int) -> None:
        chooser = self.chooser
        name = chooser.choice(BINARY[:5])
        left, right = chooser.choice(FLOATING), chooser.choice(FLOATING)
        if self.odds(1, 3):
            right = self.load(chooser.choice(FLOATS))
        elif self.odds(1, 5):
            right = self.load(chooser.randrange(4))  # I64 and Float mix
        self.emit(name, chooser.choice(FLOATING), left, right)

    def logic(self, nesting: int) -> None:
        if self.odds(1, 4):
            self.emit(self.chooser.choice(UNARY), BOOLEANS[0], BOOLEANS[0])
            return
        self.condition(self.chooser.choice(TEMPORARY[:1]))
        self.emit(self.chooser.choice(("AND", "OR", "XOR")), BOOLEANS[0], BOOLEANS[0], TEMPORARY[0])

    def text(self, nesting: int) -> None:
        chooser = self.chooser
        target = chooser.choice(ANYTHING)
        choice = chooser.randrange(6)
        if choice == 5:
            self.call("to_string", chooser.choice((*INTEGERS, *FLOATING)))
            self.emit("LDI", TEMPORARY[0], chooser.choice((*STRINGS, "1", "5")))
            self.call("contains", SCRATCH, TEMPORARY[0])
            self.emit("MOV", BOOLEANS[0], SCRATCH)
        elif choice == 0:
            self.emit("LDI", target, chooser.choice(STRINGS))
        elif choice == 1:
            self.call("to_string", chooser.choice((*INTEGERS, *FLOATING)))
            self.emit("MOV", target, SCRATCH)
        elif choice == 2:
            self.call("type", chooser.choice((*INTEGERS, *FLOATING, *ANYTHING, *ARRAYS)))
            self.emit("MOV", target, SCRATCH)
        else:
            self.emit("LDI", TEMPORARY[0], chooser.choice(STRINGS))
            source = chooser.choice(ANYTHING)
            if not self.odds(1, 8):
                self.call("to_string", chooser.choice((*INTEGERS, *FLOATING, *BOOLEANS)))
                source = SCRATCH
                if self.odds(1, 2):
                    self.call("type", ANYTHING[1])
            operands = (source, TEMPORARY[0]) if choice == 3 else (TEMPORARY[0], source)
            self.emit("ADD", target, *operands)

    def length(self, nesting: int) -> None:
        name = self.chooser.choice(("len", "array_length"))
        if self.odds(1, 3):
            self.call("to_string", self.chooser.choice((*INTEGERS, *FLOATING)))
            self.call(name, SCRATCH)
        else:
            self.call(name, self.chooser.choice((*ARRAYS, *ANYTHING)) if self.odds(1, 8) else ARRAYS[0])
        self.emit("MOV", self.chooser.choice(ANYTHING), SCRATCH)

    def move(self, nesting: int) -> None:
        chooser = self.chooser
        choice = chooser.randrange(6)
        if choice == 0:
            register = chooser.choice((*INTEGERS, *ANYTHING))
            self.emit("MOV", register, register)
        elif choice == 1:
            self.emit("MOV", chooser.choice(ANYTHING), chooser.choice((*INTEGERS, *FLOATING, *ARRAYS, *CLOSURES)))
        elif choice == 2:
            self.emit("MOV", chooser.choice(INTEGERS), chooser.choice(INTEGERS))
        elif choice == 3:
            self.emit("LDI", chooser.choice(INTEGERS), self.integer())
        elif choice == 4:
            self.emit("NOP")
        else:
            self.emit("LDI", chooser.choice(ANYTHING), self.value())

    def turn(self, nesting: int) -> None:
        """Change the kind of a register, in a loop at one of its rounds only, so that a guess fails in the middle."""
        chooser = self.chooser
        register = chooser.choice(ANYTHING)
        if self.odds(1, 2):
            register = chooser.choice((*INTEGERS, *FLOATING))
        if self.odds(1, 12):
            register = chooser.choice((*ARRAYS, *OBJECTS, *BOOLEANS))
        value = self.value()
        if register in INTEGERS and self.odds(1, 2):
            value = chooser.choice(FLOATS[:6])
        if isinstance(value, str) and register not in ANYTHING:
            value = self.chooser.choice(FLOATS)
        if not self.loops:
            if self.odds(1, 3):
                self.emit("LDI", register, value)
            return
        skip = self.fresh()
        self.emit(COMPARE, self.chooser.choice(self.loops), self.load(self.chooser.randrange(8)))
        self.emit("JMPNEQ", skip)
        self.emit("LDI", register, value)
        self.place(skip)

    def mixed(self, nesting: int) -> None:
        """Arithmetic on a register of unknown kind; the result is no string, because the other operand is none."""
        chooser = self.chooser
        if not self.odds(1, 4):
            return self.count(nesting)
        operands = [chooser.choice(ANYTHING), chooser.choice((*INTEGERS, *FLOATING))]
        if self.odds(1, 2):
            operands.reverse()
        self.emit(chooser.choice(BINARY), chooser.choice((*INTEGERS, *ANYTHING, *FLOATING)), *operands)
        return None

    def wild(self, nesting: int) -> None:
        """Emit any instruction that does not jump, on any registers: often an error."""
        row = self.chooser.choice(PLAIN)
        operands: list[Any] = []
        for operand in row.operands:
            if operand.kind is OperandKind.TARGET:
                operands.append(self.chooser.choice(ANYTHING))
            elif operand.kind is OperandKind.SOURCE:
                operands.append(self.chooser.choice((*INTEGERS, *FLOATING, *ANYTHING, *ARRAYS, *OBJECTS, *CLOSURES)))
            elif operand.kind is OperandKind.SLOT:
                operands.append(self.chooser.randrange(3))
            elif operand.kind is OperandKind.OFFSET:
                operands.append(self.chooser.randrange(4) - 2)
            else:
                operands.append(self.value())
        self.emit(row.name, *operands)

    def spill(self, nesting: int) -> None:
        chooser = self.chooser
        slot = chooser.randrange(3)
        if self.odds(1, 2):
            self.emit("STS", slot, chooser.choice((*INTEGERS, *ANYTHING, *CLOSURES, *ARRAYS)))
        elif self.odds(1, 3):
            self.emit("LDS", chooser.choice(CLOSURES), slot)
        else:
            self.emit("LDS", chooser.choice(ANYTHING), slot)

    def stack(self, nesting: int) -> None:
        """Read the argument stack; then a call takes what is on it."""
        chooser = self.chooser
        count = 1 + chooser.randrange(3)
        for _ in range(count):
            self.emit("PUSHARG", chooser.choice((*INTEGERS, *ANYTHING)))
        for _ in range(chooser.randrange(3)):
            offset = -chooser.randrange(count) if not self.odds(1, 12) else -3
            self.emit("LD", chooser.choice(ANYTHING), offset)
        if self.odds(1, 5) and nesting:
            # Something happens while the stack is not empty.
            self.branch(nesting - 1, calls=False)
        self.emit("CALL", chooser.choice(("print", "act", "create_object")))

    def residue(self, nesting: int) -> None:
        """Push on one of two ways only: the stack has no static shape where they meet."""
        if not self.odds(1, 6):
            return
        skip = self.fresh()
        self.emit(COMPARE, *(self.chooser.choice(self.loops or INTEGERS) for _ in range(2)))
        self.emit(self.chooser.choice(BRANCHES), skip)
        self.emit("PUSHARG", self.chooser.choice(INTEGERS))
        self.place(skip)
        self.emit("CALL", "print")

    # Conditions and loops

    def compare(self) -> None:
        chooser = self.chooser
        choice = chooser.randrange(10)
        if choice < 5:
            right = self.load(self.small()) if self.odds(1, 2) else chooser.choice(INTEGERS)
            self.emit(COMPARE, chooser.choice(INTEGERS), right)
        elif choice < 7:
            self.emit(COMPARE, chooser.choice(FLOATING), chooser.choice(FLOATING))
        elif choice == 7:
            self.emit(COMPARE, chooser.choice(ANYTHING), self.load(self.value()))
        elif choice == 8 and self.loops:
            self.emit(COMPARE, chooser.choice(self.loops), self.load(chooser.randrange(6)))
        else:
            self.emit(COMPARE, BOOLEANS[0], self.load(bool(chooser.randrange(2))))

    def condition(self, target: int) -> None:
        """Materialise a comparison as the StoffelLang compiler does."""
        first, last = self.fresh(), self.fresh()
        outcome = bool(self.chooser.randrange(2))
        self.compare()
        self.emit(self.chooser.choice(BRANCHES), first)
        self.emit("LDI", target, outcome)
        self.emit(JUMP, last)
        self.place(first)
        self.emit("LDI", target, not outcome)
        self.place(last)

    def branch(self, nesting: int, *, calls: bool = True) -> None:
        otherwise, end = self.fresh(), self.fresh()
        choice = self.chooser.randrange(4)
        if choice == 0:
            self.compare()
            self.emit(self.chooser.choice(BRANCHES), otherwise)
        elif choice == 1:
            # The flag as it is: of an earlier comparison, or equal at the start.
            self.emit(self.chooser.choice(BRANCHES), otherwise)
        else:
            target = BOOLEANS[0]
            self.condition(target)
            other = self.load(False)
            self.emit(COMPARE, target, other)
            self.emit(self.chooser.choice(("JMPEQ", "JMPEQ", "JMPNEQ")), otherwise)
        if calls:
            self.statements(1 + self.chooser.randrange(3), nesting - 1)
        else:
            self.arithmetic(0)
        self.emit(JUMP, end)
        self.place(otherwise)
        if calls and self.odds(1, 2):
            self.statements(1 + self.chooser.randrange(2), nesting - 1)
        self.place(end)

    def early(self, nesting: int) -> None:
        """Return early, on a condition."""
        skip = self.fresh()
        self.compare()
        self.emit(self.chooser.choice(BRANCHES), skip)
        self.emit("RET", self.chooser.choice(INTEGERS))
        self.place(skip)

    @contextmanager
    def _repeated(self, times: int) -> Iterator[None]:
        self.times *= times
        yield
        self.times //= times

    def loop(self, nesting: int) -> None:
        chooser = self.chooser
        rounds = (3, 5, 9, 2, 17, 30)[chooser.randrange(6)]
        while rounds > 2 and self.times * rounds * 12 > self.budget:
            rounds //= 2
        if self.times * rounds * 8 > self.budget:
            return self.arithmetic(nesting)
        counter, bound = self.counter, self.counter + 1
        self.counter += 2
        start, again, end = self.fresh(), self.fresh(), self.fresh()
        size = 1 + chooser.randrange(5)
        if self.odds(1, 4):
            # The test comes last.
            self.emit("LDI", counter, 0)
            self.emit("LDI", bound, rounds)
            self.place(start)
            with self._repeated(rounds):
                self.loops.append(counter)
                self.statements(size, nesting - 1)
                self.loops.pop()
                self.emit("ADD", counter, counter, self.load(1))
                self.emit(COMPARE, counter, bound)
                self.emit("JMPLT", start)
            self.place(again)
            self.place(end)
            return None
        self.emit("LDI", counter, 0)
        self.emit("LDI", bound, rounds)
        self.place(start)
        with self._repeated(rounds):
            choice = chooser.randrange(3)
            self.emit(COMPARE, counter, bound)
            if choice == 0:
                self.emit("JMPGT", end)
                self.emit("JMPEQ", end)
            elif choice == 1:
                flag, over, out = TEMPORARY[1], self.fresh(), self.fresh()
                self.emit("JMPLT", over)
                self.emit("LDI", flag, False)
                self.emit(JUMP, out)
                self.place(over)
                self.emit("LDI", flag, True)
                self.place(out)
                self.emit("LDI", TEMPORARY[0], False)
                self.emit(COMPARE, flag, TEMPORARY[0])
                self.emit("JMPEQ", end)
            else:
                self.emit("JMPEQ", end)
            self.loops.append(counter)
            self.statements(size, nesting - 1)
            if self.odds(1, 6):
                self.compare()
                self.emit(chooser.choice(BRANCHES), end)
                self.statements(1, 0)
            if self.odds(1, 6):
                self.compare()
                self.emit(chooser.choice(BRANCHES), again)
                self.statements(1, 0)
            self.loops.pop()
            self.place(again)
            self.emit("ADD", counter, counter, self.load(1))
            if self.odds(1, 3):
                self.emit("MOV", TEMPORARY[0], bound)
            self.emit(JUMP, start)
        self.place(end)
        if self.odds(1, 2):
            self.emit("LDI", self.chooser.choice(TEMPORARY), None)
        return None

    # Tables

    def array(self, nesting: int) -> None:
        chooser = self.chooser
        array = ARRAYS[0]
        choice = chooser.randrange(12)
        if not self.loops or self.odds(1, 8):
            self.call("create_array")
            self.emit("MOV", array, SCRATCH)
            for _ in range(1 + chooser.randrange(4)):
                self.call("array_push", array, chooser.choice((*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING)))
        value = chooser.choice((*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING))
        if choice < 3:
            self.call(chooser.choice(("append", "array_push")), array, value)
        elif choice < 5:
            self.call("set_field", array, self.load(self.key()), value)
        elif choice < 7:
            self.call("get_field", array, self.load(self.key()))
            self.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
        elif choice < 9 and self.loops:
            if not self.odds(1, 4):
                self.call("append", array, value)
            self.call("get_field", array, chooser.choice(self.loops))
            self.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
        elif choice == 9 and self.loops:
            self.call("set_field", array, chooser.choice(self.loops), value)
        elif choice == 10:
            self.call("create_array", *([self.load(self.key())] if self.odds(1, 3) else []))
            self.emit("MOV", array, SCRATCH)
        else:
            name = chooser.choice(("copy", "reverse", "pop", "contains", "count", "slice", "get_or_create_array_field"))
            extra = {"contains": 1, "count": 1, "slice": 2, "get_or_create_array_field": 1}.get(name, 0)
            key = self.load(chooser.randrange(3)) if extra else 0
            self.call(name, array, *[key] * extra)
            self.emit("MOV", chooser.choice(ANYTHING), SCRATCH)

    def object(self, nesting: int) -> None:
        chooser = self.chooser
        target = OBJECTS[0]
        choice = chooser.randrange(8)
        key = self.load(self.key())
        if choice < 3:
            self.call("set_field", target, key, chooser.choice((*INTEGERS, *ANYTHING, *FLOATING)))
        elif choice < 6:
            self.call("get_field", target, key)
            self.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
        elif choice == 6:
            self.call("create_object")
            self.emit("MOV", target, SCRATCH)
        else:
            self.call("contains", target, key)
            self.emit("MOV", BOOLEANS[0], SCRATCH)

    def table(self, nesting: int) -> None:
        """Access a register of unknown kind as a table."""
        source = self.chooser.choice((*ANYTHING, *ARRAYS, *OBJECTS))
        key = self.load(self.key())
        if self.odds(1, 4):
            self.call("set_field", source, key, self.chooser.choice(INTEGERS))
        else:
            self.call("get_field", source, key)
            self.emit("MOV", self.chooser.choice(ANYTHING), SCRATCH)

    # Calls

    def calls(self, nesting: int) -> None:
        candidates = [item for item in self.callees if item.cost * self.times + self.cost < self.budget]
        if not candidates:
            return self.accumulate(nesting)
        callee = self.chooser.choice(candidates)
        arguments: list[int] = []
        for position in range(callee.parameters):
            if position == 0:
                # Parameter 0 is moved to X or a counter, the others stay where strings must not be.
                choices: tuple[int, ...] = (*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING, *ARRAYS, *self.loops)
            else:
                choices = (*INTEGERS, *INTEGERS, *FLOATING, *BOOLEANS)
            arguments.append(self.chooser.choice(choices))
        if self.odds(1, 40):
            arguments = arguments[1:] if self.odds(1, 2) else [*arguments, INTEGERS[0]]
        self.cost += callee.cost * self.times
        self.call(callee.name, *arguments)
        self.take(callee)
        return None

    def take(self, callee: Callee | None) -> None:
        if callee is not None and callee.integer and self.odds(2, 3):
            self.emit("MOV", self.chooser.choice(INTEGERS), SCRATCH)
        else:
            self.emit("MOV", self.chooser.choice(ANYTHING), SCRATCH)

    def closure(self, nesting: int) -> None:
        chooser = self.chooser
        choice = chooser.randrange(10)
        closure = chooser.choice(CLOSURES)
        if choice == 9:
            return self.bumps(closure)
        candidates = [item for item in self.callees if item.cost * self.times + self.cost < self.budget]
        if choice < 2 or not candidates:
            self.create_closure(closure)
        elif choice < 6:
            # Whatever the closure is of, it costs at most as much as the most expensive function.
            most = max(candidates, key=lambda item: item.cost)
            if any(item.cost > most.cost for item in self.callees):
                return self.accumulate(nesting)
            self.cost += most.cost * self.times
            count = chooser.choice(candidates).parameters
            if not self.odds(1, 4):
                count = self.create_closure(closure)
            arguments = [chooser.choice((*INTEGERS, *FLOATING)) for _ in range(count)]
            self.call("call_closure", closure, *arguments)
            self.take(None)
        elif choice == 6:
            self.call(chooser.choice(("append", "array_push")), ARRAYS[0], closure)
        elif choice == 7:
            self.emit("STS", chooser.randrange(3), closure)
        else:
            self.emit("MOV", *(chooser.choice(CLOSURES) for _ in range(2)))
        return None

    def bumps(self, closure: int) -> None:
        """Call a closure that changes its upvalues, in a loop, under several names."""
        chooser = self.chooser
        callees = [item for item in self.callees if item.bumps]
        rounds = 2 + chooser.randrange(7)
        if not callees or self.times * rounds * 40 > self.budget:
            return self.accumulate(0)
        callee = chooser.choice(callees)
        names = callee.upvalues if not self.odds(1, 12) else (*callee.upvalues, callee.upvalues[0])
        for index, name in enumerate((callee.name, *names)):
            register = TEMPORARY[index % 2]
            self.emit("LDI", register, name)
            self.emit("PUSHARG", register)
        self.emit("CALL", "create_closure")
        self.emit("MOV", closure, SCRATCH)
        counter, bound = self.counter, self.counter + 1
        self.counter += 2
        start, end = self.fresh(), self.fresh()
        copies = chooser.randrange(8)
        other = CLOSURES[0] if closure == CLOSURES[1] else CLOSURES[1]
        if copies == 0:
            self.emit("MOV", other, closure)
        elif copies == 1:
            self.emit("STS", 0, closure)
        elif copies == 2:
            self.call("append", ARRAYS[0], closure)
        self.emit("LDI", counter, 0)
        self.emit("LDI", bound, rounds)
        self.place(start)
        with self._repeated(rounds):
            self.emit(COMPARE, counter, bound)
            self.emit("JMPEQ", end)
            arguments = [chooser.choice((*INTEGERS, counter)) for _ in range(callee.parameters)]
            self.cost += callee.cost * self.times
            self.call("call_closure", closure, *arguments)
            self.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
            happens = chooser.randrange(10)
            self.loops.append(counter)
            if happens == 0:
                self.call("act", closure)
            elif happens == 1:
                self.emit("MOV", other, closure)
            elif happens == 2:
                self.emit("LDS", other, 0)
            elif happens == 3:
                self.emit("STS", 0, closure)
            elif happens == 4:
                self.call("call_closure", other, *arguments)
            elif happens == 5:
                self.turn(0)
            elif happens == 6:
                self.act(0)
            self.loops.pop()
            self.emit("LDI", TEMPORARY[0], 1)
            self.emit("ADD", counter, counter, TEMPORARY[0])
            self.emit(JUMP, start)
        self.place(end)
        return None

    def create_closure(self, closure: int) -> int:
        """Put a new closure into a register; return how many arguments it takes."""
        chooser = self.chooser
        callee = chooser.choice(self.callees) if self.callees and not self.odds(1, 40) else None
        name = callee.name if callee is not None else "nowhere"
        names = [chooser.choice(("p0", "p1", "u0")) for _ in range(chooser.randrange(3))]
        if callee is not None and callee.upvalues and not self.odds(1, 6):
            names = [*callee.upvalues]
        elif not self.odds(1, 40):
            names = [item for item in names if (item == "u0" and self.upvalues) or item < f"p{self.parameters}"]
        self.emit("LDI", TEMPORARY[0], name)
        self.emit("PUSHARG", TEMPORARY[0])
        for item in names:
            self.emit("LDI", TEMPORARY[0], item)
            self.emit("PUSHARG", TEMPORARY[0])
        self.emit("CALL", "create_closure")
        self.emit("MOV", closure, SCRATCH)
        if self.odds(1, 3):
            self.emit("MOV", chooser.choice(CLOSURES), closure)
        return callee.parameters if callee is not None else 0

    def upvalue(self, nesting: int) -> None:
        chooser = self.chooser
        name = chooser.choice(self.upvalues or ("p0",)) if not self.odds(1, 20) else "p1"
        if not self.upvalues and not self.odds(1, 8):
            return self.closure(nesting)
        if self.odds(1, 2):
            self.call("get_upvalue", self.load(name))
            self.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
        else:
            value = chooser.choice((*INTEGERS, *FLOATING))
            self.call("set_upvalue", self.load(name), value)
        return None

    def act(self, nesting: int) -> None:
        if self.odds(1, 2):
            # The flag of a comparison just made is among what has to be rebuilt.
            self.emit(COMPARE, self.chooser.choice(INTEGERS), self.load(self.small()))
        self.call("act", *[self.chooser.choice((*INTEGERS, *ANYTHING)) for _ in range(self.chooser.randrange(3))])
        if self.odds(1, 2):
            self.emit("MOV", self.chooser.choice(ANYTHING), SCRATCH)

    def output(self, nesting: int) -> None:
        self.call("print", self.chooser.choice((*INTEGERS, *FLOATING, *ANYTHING, *ARRAYS, *OBJECTS, *BOOLEANS)))

    def assertion(self, nesting: int) -> None:
        if self.odds(1, 3):
            self.condition(BOOLEANS[0])
            self.call("assert", BOOLEANS[0])

    # Whole functions

    def start(self) -> None:
        """Give registers their first values; some stay Unit."""
        chooser = self.chooser
        if self.parameters:
            self.emit("MOV", ANYTHING[0], 0)
        for register in INTEGERS[max(self.parameters - 1, 0) :]:
            if not self.odds(1, 30):
                self.emit("LDI", register, self.small() if not self.odds(1, 8) else self.integer())
        for register in FLOATING:
            if not self.odds(1, 12):
                self.emit("LDI", register, chooser.choice(FLOATS))
        for register in ANYTHING[1:] if self.parameters else ANYTHING:
            if self.odds(3, 4):
                self.emit("LDI", register, self.value())
        if not self.odds(1, 20):
            self.emit("LDI", BOOLEANS[0], bool(chooser.randrange(2)))
        if self.odds(19, 20):
            self.call("create_array")
            self.emit("MOV", ARRAYS[0], SCRATCH)
            for _ in range(chooser.randrange(4)):
                self.call("array_push", ARRAYS[0], chooser.choice((*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING)))
        if self.odds(19, 20):
            self.call("create_object")
            self.emit("MOV", OBJECTS[0], SCRATCH)
        if self.callees and self.odds(9, 10):
            for closure in CLOSURES:
                self.create_closure(closure)

    def end(self, integer: bool) -> None:
        choice = self.chooser.randrange(8)
        if integer:
            self.emit("RET", self.chooser.choice(INTEGERS))
        elif choice == 0 and not self.callees:
            return
        elif choice < 5:
            self.emit("RET", self.chooser.choice((*INTEGERS, *FLOATING, *ANYTHING)))
        elif choice < 7:
            self.emit("RET", self.chooser.choice((*ARRAYS, *OBJECTS, *CLOSURES)))

    def recursive(self, width: int) -> None:
        """Call itself with a falling counter before and after other statements."""
        counter = self.counter
        self.counter += 1
        stop = self.fresh()
        self.emit("MOV", counter, 0)
        self.emit(COMPARE, counter, self.load(0))
        self.emit("JMPEQ", stop)
        self.emit("JMPLT", stop)
        for register in INTEGERS[max(self.parameters - 1, 0) :]:
            self.emit("LDI", register, self.small())
        for _ in range(width):
            self.statements(self.chooser.randrange(3), 0)
            self.emit("SUB", TEMPORARY[1], counter, self.load_at(TEMPORARY[0], 1))
            self.call(self.name, TEMPORARY[1], *INTEGERS[: self.parameters - 1])
            self.emit("MOV", self.chooser.choice(ANYTHING), SCRATCH)
            self.mixed(0)
        self.statements(1 + self.chooser.randrange(2), 0)
        self.emit("RET", self.chooser.choice((*INTEGERS, ANYTHING[0], counter)))
        self.place(stop)
        self.emit("RET", self.load(self.small()))

    def load_at(self, register: int, value: Any) -> int:
        self.emit("LDI", register, value)
        return register

    def finished(self) -> Function:
        return Function(
            self.name,
            self.code,
            parameters=[f"p{index}" for index in range(self.parameters)],
            upvalues=self.upvalues,
            registers=self.counter,
            labels=self.labels,
        )


_LEAVES: Final = (
    *[Body.arithmetic] * 5,
    *[Body.accumulate] * 5,
    *[Body.count] * 3,
    *[Body.floating] * 2,
    Body.logic,
    *[Body.text] * 2,
    Body.length,
    *[Body.move] * 3,
    *[Body.turn] * 2,
    Body.mixed,
    *[Body.spill] * 2,
    *[Body.array] * 4,
    *[Body.object] * 2,
    Body.table,
    *[Body.calls] * 3,
    *[Body.closure] * 3,
    *[Body.upvalue] * 2,
    *[Body.act] * 4,
    Body.output,
    Body.early,
)
_STATEMENTS: Final = (
    *_LEAVES,
    *[Body.branch] * 6,
    *[Body.loop] * 10,
    *[Body.stack] * 2,
    Body.residue,
    Body.assertion,
    Body.wild,
)


def _bump(chooser: Chooser, callees: list[Callee], kind: type) -> tuple[Function, Callee]:
    """Return a function that reads and writes its upvalues: the body of a closure with state."""
    body = Body(chooser, callees, "bump", 60, kind)
    body.parameters = chooser.randrange(3)
    body.upvalues = (("p0",), ("p0", "p1"), ("p1",))[(0, 0, 0, 1, 2)[chooser.randrange(5)]]
    for register in INTEGERS[max(body.parameters - 1, 0) :]:
        body.emit("LDI", register, body.small())
    for _ in range(1 + chooser.randrange(2)):
        name = chooser.choice(body.upvalues)
        body.call("get_upvalue", body.load(name))
        body.emit("MOV", ANYTHING[0], SCRATCH)
        if not body.odds(1, 6):
            body.emit("ADD", ANYTHING[0], ANYTHING[0], body.load(1) if body.odds(2, 3) else INTEGERS[0])
        if body.odds(1, 8):
            body.statements(1, 0)
        body.call("set_upvalue", body.load(name), ANYTHING[0])
    if body.odds(1, 4):
        body.statements(1, 0)
    if body.odds(1, 6):
        body.call("act")
    body.emit("RET", chooser.choice((ANYTHING[0], INTEGERS[0])))
    return body.finished(), Callee("bump", body.parameters, body.upvalues, False, body.cost + 2, True)


def _chain(length: int) -> list[Function]:
    """Return functions each of which calls the next: too many to look through."""
    last = Function("chain0", [Instruction("RET", 0)], parameters=["p0"])
    links = [
        Function(
            f"chain{index}",
            [Instruction("PUSHARG", 0), Instruction("CALL", f"chain{index - 1}"), Instruction("RET", 0)],
            parameters=["p0"],
        )
        for index in range(1, length)
    ]
    return [last, *links]


def make_case(chooser: Chooser) -> Case:
    """Return a case drawn from *chooser*."""
    callees: list[Callee] = []
    functions: list[Function] = []
    kind = chooser.choice(KINDS) if chooser.randrange(2) else int
    rare = chooser.randrange(250)
    if rare == 249:
        functions += _chain(60)
        callees.append(Callee("chain59", 1, (), False, 200))
    if chooser.randrange(3) == 2:
        function, callee = _bump(chooser, [], kind)
        functions.append(function)
        callees.append(callee)
    for number in range(chooser.randrange(4)):
        name = f"f{number}"
        body = Body(chooser, list(callees), name, 120, kind)
        body.parameters = chooser.randrange(4)
        integer = bool(chooser.randrange(2))
        if chooser.randrange(4) == 3:
            body.upvalues = tuple(dict.fromkeys(chooser.choice(("p0", "u0", "p1")) for _ in range(2)))
        shape = chooser.randrange(10)
        if shape == 9:
            integer = False  # an empty function returns its first argument
        elif shape >= 7 and body.parameters:
            integer = False
            depth = (4, 7, 12)[chooser.randrange(3)]
            width = 1 + chooser.randrange(2) if depth == 4 else 1
            body.recursive(width)
            body.cost *= depth if width == 1 else 2**depth
            # The counter comes from a small constant only.
            functions.append(body.finished())
            starter = Body(chooser, [], f"{name}s", 20)
            starter.parameters = body.parameters
            starter.emit("LDI", 0, depth)
            starter.call(name, *range(body.parameters))
            starter.emit("RET", 0)
            functions.append(starter.finished())
            callees.append(Callee(starter.name, body.parameters, body.upvalues, False, body.cost + 5))
            continue
        else:
            body.start()
            body.statements(1 + chooser.randrange(5), 2)
            body.end(integer)
        if chooser.randrange(60) == 59:
            body.counter = 5000  # declared, more than are translated
        functions.append(body.finished())
        callees.append(Callee(name, body.parameters, body.upvalues, integer, body.cost + 2))
    main = Body(chooser, callees, "main", BUDGET, kind)
    main.parameters = (1, 2, 1, 0)[chooser.randrange(4)]
    main.start()
    main.statements(3 + chooser.randrange(8), 3)
    main.end(False)
    if chooser.randrange(60) == 59:
        main.counter = 5000  # declared, more than are translated
    functions.append(main.finished())
    arguments = [main.value() if chooser.randrange(3) == 2 else main.small() for _ in range(main.parameters)]
    arguments[1:] = [value if not isinstance(value, str) else 1 for value in arguments[1:]]
    plan = {chooser.randrange(16): chooser.choice(ACTIONS) for _ in range(chooser.randrange(9))}
    depth = (None, None, None, None, None, 2, 3, 6)[chooser.randrange(8)]
    return Case(Program(functions), tuple(arguments), plan, depth, chooser.randrange(12) == 11)


class _Drawn:
    """Hypothesis' choices as a :class:`Chooser`; zero is the simplest."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def randrange(self, stop: int, /) -> int:
        return self._draw(st.integers(0, stop - 1))

    def choice(self, items: Sequence[Item], /) -> Item:
        return items[self.randrange(len(items))]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Cases by hypothesis, which shrinks them."""
    return make_case(_Drawn(draw))
