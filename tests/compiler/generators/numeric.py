"""Programs for kernels: typed registers, arrays of one kind in loops, recursion, and now and then what does not fit.

Every register holds values of one kind in the whole function, so that most loops and calls qualify. A few statements
break that in mid-loop: an element of another kind, a key out of range, an overflow, a call that only the interpreter
makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stoffel.isa.program import Function, Program

from .body import Body, Grammar
from .choosing import Chooser
from .programs import Case
from .vocabulary import ACTIONS, BRANCHES, COMPARE, FLOATS, JUMP, KINDS, SCRATCH, TEMPORARY

NUMBERS: Final = (1, 2, 3)
INDEX: Final = 4
FLOATING: Final = (5, 6)
TRUTH: Final = 7
ELEMENT: Final = 8
ROWS: Final = (9, 10)
TABLE: Final = 11
BOOK: Final = 12
FIRST, SECOND = TEMPORARY
ELEMENTS: Final = (int, int, int, float, float, bool, *KINDS)
"""Kinds of elements: what arrays of a program hold."""


class NumericBody(Body):
    """A function of such a program: ``element`` is the kind of what its arrays hold."""

    element: type = int
    passes: str = ""
    """Name of the function that it may call, as ``name(row, element)``."""

    def item(self) -> None:
        """Put some element into its register."""
        if self.element is self.kind and self.odds(1, 2):
            self.emit("MOV", ELEMENT, self.chooser.choice(NUMBERS))
        elif self.element is float:
            if self.odds(1, 2):
                self.emit("MOV", ELEMENT, self.chooser.choice(FLOATING))
            else:
                self.emit("LDI", ELEMENT, self.chooser.choice(FLOATS))
        elif self.element is bool:
            if self.odds(1, 2):
                self.emit("MOV", ELEMENT, TRUTH)
            else:
                self.emit("LDI", ELEMENT, bool(self.chooser.randrange(2)))
        else:
            self.emit("LDI", ELEMENT, self.integer(self.element))

    def index(self, array: int, skip: str) -> None:
        """Put the index of an element of *array* into its register, or jump to *skip* if there is none."""
        self.call(self.chooser.choice(("len", "array_length")), array)
        self.emit(COMPARE, SCRATCH, self.load_at(FIRST, 0))
        self.emit("JMPEQ", skip)
        self.emit("MOD", INDEX, self.chooser.choice(self.loops), SCRATCH)
        if self.odds(1, 3):
            self.emit("SUB", INDEX, INDEX, SCRATCH)  # counted from the end
        elif self.odds(1, 40):
            self.emit("SUB", INDEX, SCRATCH, self.load(self.chooser.randrange(2)))  # the end itself, perhaps

    def unless_longer(self, array: int, most: int, skip: str) -> None:
        self.call("len", array)
        self.emit(COMPARE, SCRATCH, self.load_at(FIRST, most))
        self.emit("JMPGT", skip)


def arithmetic(body: Body, nesting: int) -> None:
    chooser = body.chooser
    name = chooser.choice(("ADD", "ADD", "SUB", "MUL", "DIV", "MOD", "AND", "OR", "XOR", "SHL", "SHR"))
    target, left = chooser.choice(NUMBERS), chooser.choice(NUMBERS)
    right = body.load(body.small()) if body.odds(2, 3) else chooser.choice(NUMBERS)
    if name in ("DIV", "MOD", "SHL", "SHR") and not body.odds(1, 12):
        right = body.load(body.kind(1 + chooser.randrange(5)))
    if body.odds(1, 15):
        body.emit("NOT", target, left)
    else:
        body.emit(name, target, left, right)
    if name in ("ADD", "SUB", "MUL", "SHL") and not body.odds(1, 8):
        body.emit("MOD", target, target, body.load(body.kind((7, 31, 100)[chooser.randrange(3)])))


def floating(body: Body, nesting: int) -> None:
    chooser = body.chooser
    left, right = chooser.choice(FLOATING), chooser.choice(FLOATING)
    if body.odds(1, 3):
        right = body.load(chooser.choice(FLOATS))
    elif body.odds(1, 3) and body.kind is int:
        left, right = (chooser.choice(NUMBERS), right) if body.odds(1, 2) else (left, chooser.choice(NUMBERS))
        if left == right:
            right = chooser.choice(FLOATING)
    name = chooser.choice(("ADD", "ADD", "SUB", "MUL", "MUL", "DIV", "MOD"))
    body.emit(name, chooser.choice(FLOATING), left if left not in NUMBERS or right in FLOATING else right, right)


def compare(body: Body) -> None:
    chooser = body.chooser
    choice = chooser.randrange(12)
    if choice < 4:
        body.emit(COMPARE, chooser.choice(NUMBERS), body.load(body.small()))
    elif choice < 6:
        body.emit(COMPARE, chooser.choice(body.loops), body.load(chooser.randrange(12)))
    elif choice < 8:
        body.emit(COMPARE, chooser.choice(FLOATING), chooser.choice((*FLOATING, *NUMBERS)))
    elif choice == 8:
        body.emit(COMPARE, chooser.choice(NUMBERS), chooser.choice((*FLOATING, INDEX, *body.loops)))
    elif choice == 9:
        body.emit(COMPARE, TRUTH, body.load(bool(chooser.randrange(2))))
    elif choice == 10:
        body.call("type", chooser.choice((*NUMBERS, *FLOATING, TRUTH, *ROWS, TABLE)))
        body.emit(COMPARE, SCRATCH, body.load(chooser.choice(("int64", "float", "list", "boolean", "int8"))))
    else:
        body.emit(COMPARE, INDEX, chooser.choice(body.loops))


def branch(body: Body, nesting: int) -> None:
    otherwise, end = body.fresh(), body.fresh()
    compare(body)
    if body.odds(1, 12):
        for name in ("JMPLT", "JMPEQ", "JMPGT")[body.chooser.randrange(2) :]:
            body.emit(name, otherwise)
    else:
        body.emit(body.chooser.choice(BRANCHES), otherwise)
    body.statements(1 + body.chooser.randrange(2), nesting - 1)
    body.emit(JUMP, end)
    body.place(otherwise)
    if body.odds(1, 2):
        body.statements(1, nesting - 1)
    body.place(end)


def truth(body: Body, nesting: int) -> None:
    first, last = body.fresh(), body.fresh()
    compare(body)
    body.emit(body.chooser.choice(BRANCHES), first)
    body.emit("LDI", SECOND, True)
    body.emit(JUMP, last)
    body.place(first)
    body.emit("LDI", SECOND, False)
    body.place(last)
    if body.odds(1, 4):
        body.emit("NOT", SECOND, SECOND)
    body.emit(body.chooser.choice(("AND", "OR", "XOR", "OR")), TRUTH, TRUTH, SECOND)


def push(body: Body, nesting: int) -> None:
    assert isinstance(body, NumericBody)
    skip = body.fresh()
    row = body.chooser.choice(ROWS)
    body.unless_longer(row, 60, skip)
    body.item()
    body.call(body.chooser.choice(("append", "array_push")), row, ELEMENT)
    body.place(skip)


def read(body: Body, nesting: int) -> None:
    assert isinstance(body, NumericBody)
    skip = body.fresh()
    row = body.chooser.choice(ROWS)
    body.index(row, skip)
    extra = [INDEX] if body.odds(1, 20) else []
    body.call("get_field", row, INDEX, *extra)
    body.emit("MOV", ELEMENT, SCRATCH)
    if body.element is body.kind and body.odds(1, 2):
        body.emit("MOV", body.chooser.choice(NUMBERS), SCRATCH)
    elif body.element is float and body.odds(1, 2):
        body.emit("MOV", body.chooser.choice(FLOATING), SCRATCH)
    elif body.element is bool and body.odds(1, 2):
        body.emit("MOV", TRUTH, SCRATCH)
    body.place(skip)


def write(body: Body, nesting: int) -> None:
    assert isinstance(body, NumericBody)
    skip = body.fresh()
    row = body.chooser.choice(ROWS)
    if body.odds(1, 4):
        body.call("len", row)
        body.emit("MOV", INDEX, SCRATCH)
        body.emit(COMPARE, SCRATCH, body.load(50))
        body.emit("JMPGT", skip)
    else:
        body.index(row, skip)
    body.item()
    extra = [INDEX] if body.odds(1, 20) else []
    body.call("set_field", row, INDEX, ELEMENT, *extra)
    body.place(skip)


def bold(body: Body, nesting: int) -> None:
    """Read or write at an index that may be far off: an error, a gap."""
    assert isinstance(body, NumericBody)
    if not body.odds(1, 4):
        return read(body, nesting)
    key = body.load_at(INDEX, (0, 1, -1, 3, -2, 31, 40, 2)[body.chooser.randrange(8)])
    if body.odds(1, 2):
        body.call("get_field", body.chooser.choice((*ROWS, TABLE)), key)
        body.emit("MOV", SECOND, SCRATCH)
    else:
        body.item()
        body.call("set_field", body.chooser.choice(ROWS), key, ELEMENT)
    return None


def misfit(body: Body, nesting: int) -> None:
    """Store something of another kind: the array is no array of numbers of one kind any more."""
    if not body.odds(1, 6):
        return push(body, nesting)
    skip = body.fresh()
    body.emit(COMPARE, body.chooser.choice(body.loops), body.load_at(FIRST, 3 + body.chooser.randrange(8)))
    body.emit("JMPNEQ", skip)
    body.emit("LDI", SECOND, body.value())
    body.call("array_push", body.chooser.choice((*ROWS, TABLE)), SECOND)
    body.place(skip)
    return None


def fresh_row(body: Body, nesting: int) -> None:
    chooser = body.chooser
    if body.odds(1, 3):
        body.emit("MOV", ROWS[0], ROWS[1])
        return
    capacity = [body.load_at(FIRST, chooser.randrange(5) if not body.odds(1, 30) else -1)] if body.odds(1, 3) else []
    body.call("create_array", *capacity)
    body.emit("MOV", chooser.choice(ROWS), SCRATCH)
    if body.odds(1, 2):
        push(body, nesting)


def multiple(body: Body, nesting: int) -> None:
    skip = body.fresh()
    source = body.chooser.choice((*ROWS, TABLE))
    body.unless_longer(source, 20, skip)
    if body.odds(1, 3):
        body.call("copy", source)
    else:
        body.call("array_repeat", source, body.load_at(FIRST, (1, 2, 0, 3, -1)[body.chooser.randrange(5)]))
    body.emit("MOV", TABLE if source == TABLE else body.chooser.choice(ROWS), SCRATCH)
    body.place(skip)


def rows(body: Body, nesting: int) -> None:
    """Work on arrays of arrays: rows stored, replaced, read; the same row in two places."""
    assert isinstance(body, NumericBody)
    skip = body.fresh()
    table, row = (TABLE, body.chooser.choice(ROWS)) if not body.odds(1, 4) else (BOOK, TABLE)
    choice = body.chooser.randrange(6)
    if choice < 2:
        body.unless_longer(table, 12, skip)
        body.call(body.chooser.choice(("append", "array_push")), table, row)
    else:
        body.index(table, skip)
        if choice == 2:
            body.call("set_field", table, INDEX, row)
        elif choice == 3:
            body.call("get_or_create_array_field", table, INDEX)
            body.emit("MOV", row, SCRATCH)
        else:
            body.call("get_field", table, INDEX)
            body.emit("MOV", row, SCRATCH)
            if choice == 4 and table == TABLE:
                body.unless_longer(row, 60, skip)
                body.item()
                body.call("array_push", row, ELEMENT)
    body.place(skip)


def record(body: Body, nesting: int) -> None:
    """Make an object, write and read its fields; now and then it is seen from outside."""
    chooser = body.chooser
    made = body.counter
    body.counter += 1
    body.call("create_object")
    body.emit("MOV", made, SCRATCH)
    held = [chooser.choice((*NUMBERS, *FLOATING, TRUTH, ROWS[0])) for _ in range(1 + chooser.randrange(3))]
    for number, register in enumerate(held):
        body.call("set_field", made, body.load_at(FIRST, f"key{number}"), register)
    if body.odds(1, 3):
        branch(body, 1)
    if body.odds(1, 4):
        body.call("set_field", made, body.load_at(FIRST, "key0"), held[0])
    number = chooser.randrange(len(held))
    body.call("get_field", made, body.load_at(FIRST, f"key{number}"))
    body.emit("MOV", held[number], SCRATCH)
    if body.odds(1, 4):
        body.emit("MOV", SECOND, made)


def calls(body: Body, nesting: int) -> None:
    assert isinstance(body, NumericBody)
    if body.passes:
        body.call(body.passes, body.chooser.choice(ROWS), body.chooser.choice(NUMBERS), body.load_at(FIRST, 4))
        body.emit("MOV", body.chooser.choice(NUMBERS), SCRATCH)
    else:
        arithmetic(body, nesting)


def spilled(body: Body, nesting: int) -> None:
    choice = body.chooser.randrange(3)
    if choice == 0:
        body.emit("STS", 0, body.chooser.choice(NUMBERS))
        arithmetic(body, nesting)
        body.emit("LDS", body.chooser.choice(NUMBERS), 0)
    elif choice == 1:
        body.emit("PUSHARG", body.chooser.choice(NUMBERS))
        body.emit("PUSHARG", TRUTH)
        body.emit("LD", body.chooser.choice(NUMBERS), -1)
        body.emit("LD", SECOND, 0)
        body.emit("LDI", FIRST, "no number")
        body.emit("PUSHARG", FIRST)
        body.emit("LDI", SCRATCH, 0)
        # The stack is emptied by a call that ignores what it does not need.
        body.emit("CALL", "create_array" if body.kind is not bool else "len")
    else:
        body.emit("STS", 1, body.chooser.choice(FLOATING))
        body.emit("LDS", FLOATING[0], 1)


def assertion(body: Body, nesting: int) -> None:
    chooser = body.chooser
    body.emit(COMPARE, chooser.choice(body.loops), body.load_at(FIRST, 20 if not body.odds(1, 8) else 6))
    good, end = body.fresh(), body.fresh()
    body.emit("LDI", SECOND, True)
    body.emit("JMPLT", good)
    body.emit("LDI", SECOND, False)
    body.place(good)
    body.emit("LDI", FIRST, "too late")
    body.call("assert", *[SECOND, FIRST, TRUTH][: 1 + chooser.randrange(3)])
    body.place(end)


def several(body: Body, nesting: int) -> None:
    """A register that holds values of different types, by the way that was taken, and is only passed on."""
    otherwise, end = body.fresh(), body.fresh()
    compare(body)
    body.emit(body.chooser.choice(BRANCHES), otherwise)
    body.emit("LDI", SECOND, body.value())
    body.emit(JUMP, end)
    body.place(otherwise)
    body.emit("MOV", SECOND, body.chooser.choice((*NUMBERS, *FLOATING, TRUTH, *ROWS)))
    body.place(end)
    body.emit("STS", 2, SECOND)


def outside(body: Body, nesting: int) -> None:
    """Call what only the interpreter calls, most often once in a loop."""
    skip = body.fresh()
    body.emit(COMPARE, body.chooser.choice(body.loops), body.load_at(FIRST, body.chooser.randrange(12)))
    body.emit("JMPNEQ", skip)
    if body.odds(1, 4):
        body.call("print", body.chooser.choice((*NUMBERS, *FLOATING, *ROWS, TABLE)))
    else:
        body.call("act", body.chooser.choice((*NUMBERS, *ROWS, TABLE)))
    body.place(skip)


def early(body: Body, nesting: int) -> None:
    skip = body.fresh()
    body.emit(COMPARE, body.chooser.choice(body.loops), body.load_at(FIRST, 8))
    body.emit("JMPLT", skip)
    body.emit("RET", body.chooser.choice((*NUMBERS, *NUMBERS, FLOATING[0], ROWS[0], SECOND)))
    body.place(skip)


def loop(body: Body, nesting: int) -> None:
    rounds = (6, 12, 25, 3)[body.chooser.randrange(4)]
    if body.times * rounds * 30 > body.budget:
        return arithmetic(body, nesting)
    with body.counting(rounds):
        body.statements(1 + body.chooser.randrange(4), nesting - 1)
    return None


_WEIGHTS: Final[tuple[tuple[Callable[[Body, int], None], int], ...]] = (
    (arithmetic, 6),
    (floating, 4),
    (truth, 2),
    (push, 4),
    (read, 5),
    (write, 4),
    (bold, 1),
    (misfit, 1),
    (fresh_row, 2),
    (multiple, 2),
    (rows, 6),
    (record, 2),
    (calls, 3),
    (spilled, 1),
    (assertion, 1),
    (several, 1),
    (outside, 1),
    (early, 1),
)
_LEAVES: Final = [statement for statement, weight in _WEIGHTS for _ in range(weight)]
GRAMMAR: Final = Grammar(_LEAVES, _LEAVES + [branch] * 5 + [loop] * 4)


def _start(body: NumericBody, given: int) -> None:
    """Give all registers but the first *given* of NUMBERS their first values."""
    for register in NUMBERS:
        if register >= given:
            body.emit("LDI", register, body.small())
    body.emit("LDI", INDEX, 0)
    for register in FLOATING:
        body.emit("LDI", register, body.chooser.choice(FLOATS[:9]))
    body.emit("LDI", TRUTH, bool(body.chooser.randrange(2)))
    body.item()
    for register in (*ROWS, TABLE, BOOK):
        if given and register == ROWS[0]:
            continue
        body.call("create_array")
        body.emit("MOV", register, SCRATCH)
        for _ in range(body.chooser.randrange(3) // (1 if register in ROWS else 2)):
            if register in ROWS:
                body.item()
            elif register == TABLE and not body.odds(1, 2):
                body.emit("MOV", ELEMENT, ROWS[body.chooser.randrange(2)])
            else:
                continue
            body.call("array_push", register, ELEMENT)
    body.item()


def _recursive(chooser: Chooser, kind: type, element: type, passes: str) -> Function:
    """Return ``walk(row, number, depth)``, which calls itself and works on the row."""
    body = NumericBody(chooser, GRAMMAR, [], "walk", 500, kind)
    body.kind, body.element, body.passes = kind, element, passes
    body.parameters = 3
    counter = body.counter
    body.counter += 1
    body.emit("MOV", counter, 2)
    body.emit("MOV", ROWS[0], 0)
    body.loops.append(counter)
    stop = body.fresh()
    body.emit(COMPARE, counter, body.load_at(FIRST, 0))
    body.emit("JMPEQ", stop)
    _start(body, 2)
    for _ in range(1 + chooser.randrange(2)):
        body.statements(1 + chooser.randrange(3), 0)
        body.emit("SUB", SECOND, counter, body.load_at(FIRST, 1))
        body.call("walk", ROWS[0], NUMBERS[0], SECOND)
        body.emit("MOV", NUMBERS[1], SCRATCH)
    body.statements(1, 0)
    body.emit("RET", chooser.choice(NUMBERS))
    body.place(stop)
    body.emit("RET", 1)
    return body.finished()


def _helper(chooser: Chooser, kind: type, element: type) -> Function:
    """Return ``work(row, number, rounds)``: a loop over the row."""
    body = NumericBody(chooser, GRAMMAR, [], "work", 600, kind)
    body.kind, body.element = kind, element
    body.parameters = 3
    body.emit("MOV", ROWS[0], 0)
    _start(body, 2)
    with body.counting(3 + chooser.randrange(6)):
        body.statements(1 + chooser.randrange(3), 1)
    body.emit("RET", chooser.choice(NUMBERS))
    return body.finished()


def make_numeric_case(chooser: Chooser) -> Case:
    """Return a case drawn from *chooser*."""
    kind = int if chooser.randrange(2) else chooser.choice(KINDS)
    element = kind if chooser.randrange(2) else chooser.choice(ELEMENTS)
    functions: list[Function] = []
    passes = ""
    if chooser.randrange(4) == 3:
        functions.append(_helper(chooser, kind, element))
        passes = "work"
    if chooser.randrange(4) == 3:
        functions.append(_recursive(chooser, kind, element, passes if chooser.randrange(2) else ""))
        passes = "walk"
    main = NumericBody(chooser, GRAMMAR, [], "main", 6000, kind)
    main.kind, main.element, main.passes = kind, element, passes
    main.parameters = 1
    _start(main, 0)
    for _ in range((1, 1, 2)[chooser.randrange(3)]):
        if chooser.randrange(2):
            # Compiled code is left for the hooks; the loop is then taken over by a kernel, with what was made so far.
            main.call("act")
            main.call("act")
        with main.counting((12, 30, 7)[chooser.randrange(3)]):
            main.statements(3 + chooser.randrange(4), chooser.randrange(2) + 1)
    main.call("create_array")
    main.emit("MOV", FIRST, SCRATCH)
    for register in range(1, TEMPORARY[0]):
        main.call("array_push", FIRST, register)
    main.emit("RET", FIRST)
    plan = {chooser.randrange(6): chooser.choice(ACTIONS) for _ in range(chooser.randrange(5))}
    if chooser.randrange(3):
        plan |= {0: "enable", 1: "disable", 2: "enable", 3: "disable"}
    depth = (None, None, None, None, 2, 4)[chooser.randrange(6)]
    arguments: tuple[Any, ...] = (main.small(),)
    return Case(Program([*functions, main.finished()]), arguments, plan, depth, chooser.randrange(20) == 19, 60)
