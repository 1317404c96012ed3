"""Programs for kernels with closures: counters that are written back, aliased, passed on, chosen, and that escape.

``f0`` and ``f1`` are run as closures over "p0" (an integer) and "p1" (a Float), ``make`` makes them, ``use`` calls what
it is given. Registers hold values of one kind, as in the other programs for kernels, but for a few statements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stoffel.isa.function import Function
from stoffel.isa.program import Program

from .body import Grammar
from .choosing import Chooser
from .numeric_body import BOOK, FIRST, FLOATING, NUMBERS, SECOND, NumericBody
from .numeric_scalars import arithmetic, floating
from .programs import Case
from .vocabulary import ACTIONS, COMPARE, FIRST_COUNTER, FLOATS, KINDS, SCRATCH

CLOSURES: Final = (FIRST_COUNTER, FIRST_COUNTER + 1, FIRST_COUNTER + 2)
GRAMMAR: Final = Grammar([arithmetic, floating], [arithmetic, floating])
ROUNDS: Final = (12, 30, 7)


def _body(chooser: Chooser, name: str, kind: type, parameters: int) -> NumericBody:
    body = NumericBody(chooser, GRAMMAR, [], name, 4000, kind)
    body.kind = kind
    body.parameters = parameters
    body.counter = CLOSURES[-1] + 1
    return body


def _numbers(body: NumericBody) -> None:
    for register in NUMBERS[:2]:
        body.emit("LDI", register, body.small())
    for register in FLOATING:
        body.emit("LDI", register, body.chooser.choice(FLOATS[:9]))


def _bounded(body: NumericBody, register: int) -> None:
    """Keep a number small, most of the time."""
    if not body.odds(1, 12):
        body.emit("MOD", register, register, body.load(body.kind((7, 31, 100)[body.chooser.randrange(3)])))


def _number_or_fault(body: NumericBody) -> int:
    return body.chooser.choice(FLOATING) if body.odds(1, 60) else body.chooser.choice(NUMBERS)


def _get(body: NumericBody) -> None:
    if body.odds(1, 3):
        body.call("get_upvalue", body.load_at(FIRST, "p1"))
        body.emit("MOV", body.chooser.choice(FLOATING), SCRATCH)
    else:
        body.call("get_upvalue", body.load_at(FIRST, "p2" if body.odds(1, 80) else "p0"))
        body.emit("MOV", body.chooser.choice(NUMBERS), SCRATCH)


def _set(body: NumericBody) -> None:
    if body.odds(1, 3):
        body.call("set_upvalue", body.load_at(FIRST, "p1"), body.chooser.choice(FLOATING))
        return
    register = body.chooser.choice(NUMBERS)
    _bounded(body, register)
    body.call("set_upvalue", body.load_at(FIRST, "p0"), _number_or_fault(body) if body.odds(1, 30) else register)


def _call(body: NumericBody) -> None:
    body.call("call_closure", body.chooser.choice(CLOSURES), _number_or_fault(body))
    body.emit("MOV", body.chooser.choice(NUMBERS), SCRATCH)


def _use(body: NumericBody) -> None:
    body.call("use", body.chooser.choice(CLOSURES), body.chooser.choice(NUMBERS), body.chooser.choice(CLOSURES))
    body.emit("MOV", body.chooser.choice(NUMBERS), SCRATCH)


def _make(body: NumericBody) -> None:
    body.call("make", _number_or_fault(body), body.chooser.choice(FLOATING))
    body.emit("MOV", body.chooser.choice(CLOSURES), SCRATCH)


def _alias(body: NumericBody) -> None:
    body.emit("MOV", body.chooser.choice(CLOSURES), body.chooser.choice(CLOSURES))


def _when(body: NumericBody) -> None:
    """Do something with a closure in some rounds only."""
    skip = body.fresh()
    body.emit(COMPARE, body.chooser.choice((*body.loops, *NUMBERS)), body.load(body.kind(body.chooser.randrange(12))))
    body.emit(body.chooser.choice(("JMPEQ", "JMPLT", "JMPNEQ")), skip)
    body.chooser.choice((_alias, _make, _call, _outside))(body)
    body.place(skip)


def _outside(body: NumericBody) -> None:
    body.call("act", body.chooser.choice((*NUMBERS, *CLOSURES)))


def _escape(body: NumericBody) -> None:
    """Let a closure be where only the interpreter looks after it."""
    closure = body.chooser.choice(CLOSURES)
    choice = body.chooser.randrange(6)
    if choice == 0:
        body.emit("STS", 3, closure)
        body.emit("LDS", body.chooser.choice(CLOSURES), 3)
    elif choice == 1:
        body.call("array_push", BOOK, closure)
    elif choice == 2:
        body.call("type", closure)
        body.emit(COMPARE, SCRATCH, body.load("function"))
    elif choice == 3:
        body.emit(COMPARE, closure, body.chooser.choice(CLOSURES))
    elif choice == 4:
        body.emit("MOV", closure, body.chooser.choice(NUMBERS))
    else:
        body.call("make", closure, body.chooser.choice(FLOATING))
        body.emit("MOV", body.chooser.choice(CLOSURES), SCRATCH)


Statement = Callable[[NumericBody], None]


def _weighted(*rows: tuple[Statement, int]) -> list[Statement]:
    return [statement for statement, weight in rows for _ in range(weight)]


def _arithmetic(body: NumericBody) -> None:
    body.chooser.choice((arithmetic, arithmetic, floating))(body, 0)


_INSIDE: Final = _weighted((_get, 6), (_set, 5), (_arithmetic, 4))
_AROUND: Final = _weighted((_call, 6), (_alias, 2), (_make, 1), (_use, 3), (_when, 3), (_arithmetic, 3))


def _work(body: NumericBody) -> None:
    chooser = body.chooser
    for _ in range(2 + chooser.randrange(5)):
        if chooser.randrange(12) == 11:
            skip = body.fresh()
            body.emit(COMPARE, NUMBERS[2], body.load(body.kind(chooser.randrange(12))))
            body.emit("JMPNEQ", skip)
            _outside(body)
            body.place(skip)
        else:
            chooser.choice(_INSIDE)(body)


def _closure_function(chooser: Chooser, name: str, kind: type) -> Function:
    body = _body(chooser, name, kind, 1)
    body.emit("MOV", NUMBERS[2], 0)
    _numbers(body)
    body.loops.append(NUMBERS[2])
    if chooser.randrange(6) == 5:
        # The record of the closure is there when the loop begins: a kernel takes it over.
        body.call("act", NUMBERS[2])
        body.call("act", NUMBERS[2])
        body.emit("LDI", SCRATCH, 0)
        with body.counting(ROUNDS[chooser.randrange(3)]):
            _work(body)
    else:
        _work(body)
    _bounded(body, NUMBERS[0])
    body.emit("RET", chooser.choice((*NUMBERS, *FLOATING)) if chooser.randrange(20) == 19 else NUMBERS[0])
    return body.finished()


def _maker(chooser: Chooser, kind: type) -> Function:
    """Return ``make(p0, p1)``, which makes one of two closures."""
    body = _body(chooser, "make", kind, 2)
    other = body.fresh()
    body.emit("MOV", NUMBERS[0], 0)
    orders = (("p0", "p1"), ("p1", "p0"), ("p0", "p1"), ("p0", "p1", "p0"))
    if chooser.randrange(2):
        body.emit(COMPARE, NUMBERS[0], body.load(kind(chooser.randrange(6))))
        body.emit("JMPEQ", other)
    for last in (False, True):
        names = orders[chooser.randrange(40) // 12]
        loaded = [FIRST, SECOND, *NUMBERS][: 1 + len(names)]
        for register, value in zip(loaded, (f"f{chooser.randrange(2)}", *names), strict=True):
            body.emit("LDI", register, value)
        body.call("create_closure", *loaded)
        body.emit("RET", SCRATCH)
        if not last:
            body.place(other)
    return body.finished()


def _user(chooser: Chooser, kind: type) -> Function:
    """Return ``use(closure, number, other)``, which calls what it is given, and now and then captures it."""
    body = _body(chooser, "use", kind, 3)
    body.emit("MOV", NUMBERS[2], 1)
    body.emit("MOV", CLOSURES[0], 0)
    body.emit("MOV", CLOSURES[1], 2)
    body.emit("MOV", CLOSURES[2], 0)
    _numbers(body)
    body.loops.append(NUMBERS[2])
    for _ in range(1 + chooser.randrange(3)):
        chooser.choice((_call, _call, _alias, _when, _arithmetic))(body)
    if chooser.randrange(4) == 3:
        # The interpreter captures the parameter: the closure as it was when it was given.
        skip = body.fresh()
        body.emit(COMPARE, NUMBERS[2], body.load(kind(chooser.randrange(12))))
        body.emit("JMPNEQ", skip)
        body.call("create_closure", body.load_at(FIRST, "late"), body.load_at(SECOND, "p0"))
        body.emit("MOV", CLOSURES[2], SCRATCH)
        body.call("call_closure", CLOSURES[2])
        body.emit("MOV", NUMBERS[0], SCRATCH)
        body.place(skip)
    body.emit("RET", chooser.choice(NUMBERS[:2]))
    return body.finished()


def _late(chooser: Chooser, kind: type) -> Function:
    """Return ``late()``, which calls the closure that it has captured."""
    body = _body(chooser, "late", kind, 0)
    body.call("get_upvalue", body.load_at(FIRST, "p0"))
    body.emit("MOV", CLOSURES[0], SCRATCH)
    body.call("call_closure", CLOSURES[0], body.load(body.small()))
    body.emit("RET", SCRATCH)
    return body.finished()


def make_closure_case(chooser: Chooser) -> Case:
    """Return a case drawn from *chooser*."""
    kind = int if chooser.randrange(3) else chooser.choice(KINDS)
    functions = [_closure_function(chooser, name, kind) for name in ("f0", "f1")]
    functions += [_maker(chooser, kind), _late(chooser, kind), _user(chooser, kind)]
    main = _body(chooser, "main", kind, 0)
    _numbers(main)
    main.emit("LDI", NUMBERS[2], main.small())
    main.call("create_array")
    main.emit("MOV", BOOK, SCRATCH)
    for closure in CLOSURES:
        if chooser.randrange(6) == 5:
            main.emit("MOV", closure, CLOSURES[0] if closure != CLOSURES[0] else NUMBERS[0])
        else:
            main.call("make", NUMBERS[0], FLOATING[0])
            main.emit("MOV", closure, SCRATCH)
    if chooser.randrange(8) == 7:
        main.emit("STS", 3, chooser.choice(CLOSURES))
    if chooser.randrange(8) == 7:
        main.call("array_push", BOOK, chooser.choice(CLOSURES))
    for _ in range((1, 1, 2)[chooser.randrange(3)]):
        if chooser.randrange(2):
            main.call("act")
            main.call("act")
            main.emit("LDI", SCRATCH, 0)
        with main.counting(ROUNDS[chooser.randrange(3)]):
            for _ in range(2 + chooser.randrange(4)):
                chooser.choice(_AROUND)(main)
            if chooser.randrange(10) == 9:
                _escape(main)
    main.call("create_array")
    main.emit("MOV", FIRST, SCRATCH)
    for register in (*NUMBERS, *FLOATING, BOOK, *CLOSURES):
        main.call("array_push", FIRST, register)
    main.emit("LDS", SECOND, 3)
    main.call("array_push", FIRST, SECOND)
    main.emit("RET", FIRST)
    plan = {chooser.randrange(6): chooser.choice(ACTIONS) for _ in range(chooser.randrange(5))}
    if chooser.randrange(3):
        plan |= {0: "enable", 1: "disable", 2: "enable", 3: "disable"}
    depth = (None, None, None, None, 2, 4)[chooser.randrange(6)]
    return Case(Program([*functions, main.finished()]), (), plan, depth, chooser.randrange(20) == 19, 60)
