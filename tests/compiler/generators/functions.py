"""Whole functions: first values, ends, recursion, closures with state, chains."""

from __future__ import annotations

from typing import Any

from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction

from .body import Body, Callee, Grammar
from .calls import create_closure
from .choosing import Chooser
from .scalars import mixed
from .vocabulary import (
    ANYTHING,
    ARRAYS,
    BOOLEANS,
    CLOSURES,
    COMPARE,
    FLOATING,
    FLOATS,
    INTEGERS,
    OBJECTS,
    SCRATCH,
    TEMPORARY,
)


def start(body: Body) -> None:
    """Give registers that the function reads their first values; some stay Unit."""
    chooser = body.chooser
    if body.parameters:
        body.emit("MOV", ANYTHING[0], 0)
    for register in INTEGERS[max(body.parameters - 1, 0) :]:
        if not body.odds(1, 30):
            _set(body, register, body.small() if not body.odds(1, 8) else body.integer())
    for register in FLOATING:
        if not body.odds(1, 12):
            _set(body, register, chooser.choice(FLOATS))
    for register in ANYTHING[1:] if body.parameters else ANYTHING:
        if body.odds(3, 4):
            _set(body, register, body.value())
    if not body.odds(1, 20):
        _set(body, BOOLEANS[0], bool(chooser.randrange(2)))
    if body.odds(19, 20):
        with body.first_value(ARRAYS[0]):
            body.call("create_array")
            body.emit("MOV", ARRAYS[0], SCRATCH)
            for _ in range(chooser.randrange(4)):
                body.call("array_push", ARRAYS[0], chooser.choice((*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING)))
    if body.odds(19, 20):
        with body.first_value(OBJECTS[0]):
            body.call("create_object")
            body.emit("MOV", OBJECTS[0], SCRATCH)
    if body.callees and body.odds(9, 10):
        for closure in CLOSURES:
            with body.first_value(closure):
                create_closure(body, closure)


def _set(body: Body, register: int, value: Any) -> None:
    with body.first_value(register):
        body.emit("LDI", register, value)


def finish(body: Body, integer: bool) -> None:
    choice = body.chooser.randrange(8)
    if integer:
        body.emit("RET", body.chooser.choice(INTEGERS))
    elif choice == 0 and not body.callees:
        return
    elif choice < 5:
        body.emit("RET", body.chooser.choice((*INTEGERS, *FLOATING, *ANYTHING)))
    elif choice < 7:
        body.emit("RET", body.chooser.choice((*ARRAYS, *OBJECTS, *CLOSURES)))


def recursive(body: Body, width: int) -> None:
    """Call itself with a falling counter before and after other statements."""
    counter = body.counter
    body.counter += 1
    stop = body.fresh()
    body.emit("MOV", counter, 0)
    body.emit(COMPARE, counter, body.load(0))
    body.emit("JMPEQ", stop)
    body.emit("JMPLT", stop)
    for register in INTEGERS[max(body.parameters - 1, 0) :]:
        body.emit("LDI", register, body.small())
    for _ in range(width):
        body.statements(body.chooser.randrange(3), 0)
        body.emit("SUB", TEMPORARY[1], counter, body.load_at(TEMPORARY[0], 1))
        body.call(body.name, TEMPORARY[1], *INTEGERS[: body.parameters - 1])
        body.emit("MOV", body.chooser.choice(ANYTHING), SCRATCH)
        mixed(body, 0)
    body.statements(1 + body.chooser.randrange(2), 0)
    body.emit("RET", body.chooser.choice((*INTEGERS, ANYTHING[0], counter)))
    body.place(stop)
    body.emit("RET", body.load(body.small()))


def _bump(body: Body) -> None:
    """Read an upvalue and write it, most often one higher."""
    name = body.chooser.choice(body.upvalues)
    body.call("get_upvalue", body.load(name))
    body.emit("MOV", ANYTHING[0], SCRATCH)
    if not body.odds(1, 6):
        body.emit("ADD", ANYTHING[0], ANYTHING[0], body.load(1) if body.odds(2, 3) else INTEGERS[0])
    if body.odds(1, 8):
        body.statements(1, 0)
    body.call("set_upvalue", body.load(name), ANYTHING[0])


def bumping(chooser: Chooser, grammar: Grammar, kind: type) -> tuple[Function, Callee]:
    """Return a function that reads and writes its upvalues: the body of a closure with state."""
    body = Body(chooser, grammar, [], "bump", 60, kind)
    body.parameters = chooser.randrange(3)
    body.upvalues = (("p0",), ("p0", "p1"), ("p1",))[(0, 0, 0, 1, 2)[chooser.randrange(5)]]
    for register in INTEGERS[max(body.parameters - 1, 0) :]:
        body.emit("LDI", register, body.small())
    if body.odds(1, 3):
        with body.counting(2 + chooser.randrange(3)):
            _bump(body)
    else:
        _bump(body)
    if body.odds(1, 2):
        _bump(body)
    if body.odds(1, 4):
        body.statements(1, 0)
    if body.odds(1, 6):
        body.call("act")
    body.emit("RET", chooser.choice((ANYTHING[0], INTEGERS[0])))
    return body.finished(), Callee("bump", body.parameters, body.upvalues, False, body.cost + 2, True)


def between(chooser: Chooser, grammar: Grammar, callee: Callee, kind: type) -> tuple[Function, Callee]:
    """Return a function that calls *callee* in a loop, which captures from whoever calls this one."""
    body = Body(chooser, grammar, [], "between", 60, kind)
    body.letter = "q"
    body.parameters = chooser.randrange(3)
    for register in INTEGERS[max(body.parameters - 1, 0) :]:
        body.emit("LDI", register, body.small())
    with body.counting(2 + chooser.randrange(3)) as counter:
        arguments = [chooser.choice((*INTEGERS, counter)) for _ in range(callee.parameters)]
        body.cost += callee.cost * body.times
        body.call(callee.name, *arguments)
        body.emit("MOV", ANYTHING[0], SCRATCH)
        if body.odds(1, 3):
            body.statements(1, 0)
    body.emit("RET", chooser.choice((ANYTHING[0], INTEGERS[0])))
    return body.finished(), Callee("between", body.parameters, callee.upvalues, False, body.cost + 2)


def chain(length: int) -> list[Function]:
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
