"""Statements with jumps: materialised conditions, branches, counted loops, early returns, the argument stack."""

from __future__ import annotations

from .body import Body
from .scalars import arithmetic
from .vocabulary import ANYTHING, BOOLEANS, BRANCHES, COMPARE, FLOATING, INTEGERS, JUMP, TEMPORARY, UNARY


def compare(body: Body) -> None:
    chooser = body.chooser
    choice = chooser.randrange(10)
    if choice < 5:
        right = body.load(body.small()) if body.odds(1, 2) else chooser.choice(INTEGERS)
        body.emit(COMPARE, chooser.choice(INTEGERS), right)
    elif choice < 7:
        body.emit(COMPARE, chooser.choice(FLOATING), chooser.choice(FLOATING))
    elif choice == 7:
        body.emit(COMPARE, chooser.choice(ANYTHING), body.load(body.value()))
    elif choice == 8 and body.loops:
        body.emit(COMPARE, chooser.choice(body.loops), body.load(chooser.randrange(6)))
    else:
        body.emit(COMPARE, BOOLEANS[0], body.load(bool(chooser.randrange(2))))


def condition(body: Body, target: int) -> None:
    """Materialise a comparison as the StoffelLang compiler does."""
    first, last = body.fresh(), body.fresh()
    outcome = bool(body.chooser.randrange(2))
    compare(body)
    body.emit(body.chooser.choice(BRANCHES), first)
    body.emit("LDI", target, outcome)
    body.emit(JUMP, last)
    body.place(first)
    body.emit("LDI", target, not outcome)
    body.place(last)


def branch(body: Body, nesting: int, *, calls: bool = True) -> None:
    otherwise, end = body.fresh(), body.fresh()
    choice = body.chooser.randrange(4)
    if choice == 0:
        compare(body)
        body.emit(body.chooser.choice(BRANCHES), otherwise)
    elif choice == 1:
        # The flag as it is: of an earlier comparison, or equal at the start.
        body.emit(body.chooser.choice(BRANCHES), otherwise)
    else:
        target = BOOLEANS[0]
        condition(body, target)
        other = body.load(False)
        body.emit(COMPARE, target, other)
        body.emit(body.chooser.choice(("JMPEQ", "JMPEQ", "JMPNEQ")), otherwise)
    if calls:
        body.statements(1 + body.chooser.randrange(3), nesting - 1)
    else:
        arithmetic(body, 0)
    body.emit(JUMP, end)
    body.place(otherwise)
    if calls and body.odds(1, 2):
        body.statements(1 + body.chooser.randrange(2), nesting - 1)
    body.place(end)


def early(body: Body, nesting: int) -> None:
    """Return early, on a condition."""
    skip = body.fresh()
    compare(body)
    body.emit(body.chooser.choice(BRANCHES), skip)
    body.emit("RET", body.chooser.choice(INTEGERS))
    body.place(skip)


def loop(body: Body, nesting: int) -> None:
    chooser = body.chooser
    rounds = (3, 5, 9, 2, 17, 30)[chooser.randrange(6)]
    while rounds > 2 and body.times * rounds * 12 > body.budget:
        rounds //= 2
    if body.times * rounds * 8 > body.budget:
        return arithmetic(body, nesting)
    counter, bound = body.counter, body.counter + 1
    body.counter += 2
    start, again, end = body.fresh(), body.fresh(), body.fresh()
    size = 1 + chooser.randrange(5)
    if body.odds(1, 4):
        # The test comes last.
        body.emit("LDI", counter, 0)
        body.emit("LDI", bound, rounds)
        body.place(start)
        with body.repeated(rounds):
            body.loops.append(counter)
            body.statements(size, nesting - 1)
            body.loops.pop()
            body.emit("ADD", counter, counter, body.load(1))
            body.emit(COMPARE, counter, bound)
            body.emit("JMPLT", start)
        body.place(again)
        body.place(end)
        return None
    body.emit("LDI", counter, 0)
    body.emit("LDI", bound, rounds)
    body.place(start)
    with body.repeated(rounds):
        choice = chooser.randrange(3)
        body.emit(COMPARE, counter, bound)
        if choice == 0:
            body.emit("JMPGT", end)
            body.emit("JMPEQ", end)
        elif choice == 1:
            flag, over, out = TEMPORARY[1], body.fresh(), body.fresh()
            body.emit("JMPLT", over)
            body.emit("LDI", flag, False)
            body.emit(JUMP, out)
            body.place(over)
            body.emit("LDI", flag, True)
            body.place(out)
            body.emit("LDI", TEMPORARY[0], False)
            body.emit(COMPARE, flag, TEMPORARY[0])
            body.emit("JMPEQ", end)
        else:
            body.emit("JMPEQ", end)
        body.loops.append(counter)
        body.statements(size, nesting - 1)
        if body.odds(1, 6):
            compare(body)
            body.emit(chooser.choice(BRANCHES), end)
            body.statements(1, 0)
        if body.odds(1, 6):
            compare(body)
            body.emit(chooser.choice(BRANCHES), again)
            body.statements(1, 0)
        body.loops.pop()
        body.place(again)
        body.emit("ADD", counter, counter, body.load(1))
        if body.odds(1, 3):
            body.emit("MOV", TEMPORARY[0], bound)
        body.emit(JUMP, start)
    body.place(end)
    if body.odds(1, 2):
        body.emit("LDI", body.chooser.choice(TEMPORARY), None)
    return None


def logic(body: Body, nesting: int) -> None:
    if body.odds(1, 4):
        body.emit(body.chooser.choice(UNARY), BOOLEANS[0], BOOLEANS[0])
        return
    condition(body, body.chooser.choice(TEMPORARY[:1]))
    body.emit(body.chooser.choice(("AND", "OR", "XOR")), BOOLEANS[0], BOOLEANS[0], TEMPORARY[0])


def assertion(body: Body, nesting: int) -> None:
    if body.odds(1, 3):
        condition(body, BOOLEANS[0])
        body.call("assert", BOOLEANS[0])


def stack(body: Body, nesting: int) -> None:
    """Read the argument stack; then a call takes what is on it."""
    chooser = body.chooser
    count = 1 + chooser.randrange(3)
    for _ in range(count):
        body.emit("PUSHARG", chooser.choice((*INTEGERS, *ANYTHING)))
    for _ in range(chooser.randrange(3)):
        offset = -chooser.randrange(count) if not body.odds(1, 12) else -3
        body.emit("LD", chooser.choice(ANYTHING), offset)
    if body.odds(1, 5) and nesting:
        # Something happens while the stack is not empty.
        branch(body, nesting - 1, calls=False)
    body.emit("CALL", chooser.choice(("print", "act", "create_object")))


def residue(body: Body, nesting: int) -> None:
    """Seldom :func:`uneven`: where that is, the function is mostly left to the interpreter."""
    if body.odds(1, 6):
        uneven(body, nesting)


def uneven(body: Body, nesting: int) -> None:
    """Push on one of two ways only: the stack has no static shape where they meet."""
    skip = body.fresh()
    body.emit(COMPARE, *(body.chooser.choice(body.loops or INTEGERS) for _ in range(2)))
    body.emit(body.chooser.choice(BRANCHES), skip)
    body.emit("PUSHARG", body.chooser.choice(INTEGERS))
    body.place(skip)
    if not body.odds(1, 3):
        body.emit("CALL", "print")
