"""Statements of programs for kernels: numbers, truth values, branches, spill slots."""

from __future__ import annotations

from .body import Body
from .numeric_body import FIRST, FLOATING, INDEX, NUMBERS, ROWS, SECOND, TABLE, TRUTH
from .vocabulary import BRANCHES, COMPARE, FLOATS, JUMP, SCRATCH


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
