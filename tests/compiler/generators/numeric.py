"""Programs for kernels: typed registers, arrays of one kind in loops, recursion, and now and then what does not fit.

Every register holds values of one kind in the whole function, so that most loops and calls qualify. A few statements
break that in mid-loop: an element of another kind, a key out of range, an overflow, a call that only the interpreter
makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.program import Program

from .body import Body, Grammar
from .choosing import Chooser
from .numeric_body import BOOK, ELEMENT, FIRST, FLOATING, INDEX, NUMBERS, ROWS, SECOND, TABLE, TRUTH, NumericBody
from .numeric_scalars import arithmetic, assertion, branch, early, floating, loop, several, spilled, truth
from .numeric_tables import bold, fresh_row, misfit, multiple, push, read, record, rows, write
from .programs import Case
from .vocabulary import ACTIONS, COMPARE, FLOATS, KINDS, SCRATCH, TEMPORARY

ELEMENTS: Final = (int, int, int, float, float, bool, *KINDS)
"""Kinds of elements: what arrays of a program hold."""


def calls(body: Body, nesting: int) -> None:
    assert isinstance(body, NumericBody)
    if body.passes:
        body.call(body.passes, body.chooser.choice(ROWS), body.chooser.choice(NUMBERS), body.load_at(FIRST, 4))
        body.emit("MOV", body.chooser.choice(NUMBERS), SCRATCH)
    else:
        arithmetic(body, nesting)


def outside(body: Body, nesting: int) -> None:
    """Call what only the interpreter calls, most often once in a loop."""
    skip = body.fresh()
    body.emit(COMPARE, body.chooser.choice(body.loops), body.load_at(FIRST, body.chooser.randrange(12)))
    body.emit("JMPNEQ", skip)
    if body.odds(1, 4):
        # It captures a parameter that every function has: of its caller, or of one around.
        body.call("captured", body.chooser.choice(NUMBERS))
        body.emit("MOV", body.chooser.choice(NUMBERS), SCRATCH)
    elif body.odds(1, 4):
        body.call("print", body.chooser.choice((*NUMBERS, *FLOATING, *ROWS, TABLE)))
    else:
        body.call("act", body.chooser.choice((*NUMBERS, *ROWS, TABLE)))
    body.place(skip)


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


def _captured(kind: type) -> Function:
    """Return ``captured(n)``, which captures what the first parameter of a caller was."""
    body = [
        Instruction("MOV", 1, 0),
        Instruction("LDI", 2, "p0"),
        Instruction("PUSHARG", 2),
        Instruction("CALL", "get_upvalue"),
        Instruction("LDI", 3, kind(1)),
        Instruction("XOR", 0, 1, 3),
        Instruction("RET", 0),
    ]
    return Function("captured", body, parameters=["n"], upvalues=["p0"])


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
    return Case(
        Program([*functions, main.finished(), _captured(kind)]), arguments, plan, depth, chooser.randrange(20) == 19, 60
    )
