"""Statements that call: functions, closures with their upvalues, the host's foreign function, output."""

from __future__ import annotations

from .body import Body, Callee
from .scalars import accumulate, turn
from .vocabulary import (
    ANYTHING,
    ARRAYS,
    BOOLEANS,
    CLOSURES,
    COMPARE,
    FLOATING,
    INTEGERS,
    OBJECTS,
    SCRATCH,
    TEMPORARY,
)


def calls(body: Body, nesting: int) -> None:
    candidates = [item for item in body.callees if item.cost * body.times + body.cost < body.budget]
    if not body.odds(1, 30):
        visible = body.visible()
        if body.odds(1, 2):
            visible.add("p0")  # most often some caller around has it
        candidates = [item for item in candidates if visible.issuperset(item.upvalues)]
    if not candidates:
        return accumulate(body, nesting)
    capturing = [item for item in candidates if item.upvalues]
    callee = body.chooser.choice(capturing if capturing and body.odds(1, 3) else candidates)
    arguments: list[int] = []
    for position in range(callee.parameters):
        if position == 0:
            # Parameter 0 is moved to X or a counter, the others stay where strings must not be.
            choices: tuple[int, ...] = (*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING, *ARRAYS, CLOSURES[0], *body.loops)
        else:
            choices = (*INTEGERS, *INTEGERS, *FLOATING, *BOOLEANS)
        arguments.append(body.chooser.choice(choices))
    if body.odds(1, 40):
        arguments = arguments[1:] if body.odds(1, 2) else [*arguments, INTEGERS[0]]
    body.cost += callee.cost * body.times
    body.call(callee.name, *arguments)
    take(body, callee)
    return None


def take(body: Body, callee: Callee | None) -> None:
    if callee is not None and callee.integer and body.odds(2, 3):
        body.emit("MOV", body.chooser.choice(INTEGERS), SCRATCH)
    else:
        body.emit("MOV", body.chooser.choice(ANYTHING), SCRATCH)


def closure(body: Body, nesting: int) -> None:
    chooser = body.chooser
    choice = chooser.randrange(10)
    closure = chooser.choice(CLOSURES)
    if choice == 9:
        return bumps(body, closure)
    candidates = [item for item in body.callees if item.cost * body.times + body.cost < body.budget]
    if choice < 2 or not candidates:
        create_closure(body, closure)
    elif choice < 6:
        # Whatever the closure is of, it costs at most as much as the most expensive function.
        most = max(candidates, key=lambda item: item.cost)
        if any(item.cost > most.cost for item in body.callees):
            return accumulate(body, nesting)
        body.cost += most.cost * body.times
        count = chooser.choice(candidates).parameters
        if not body.odds(1, 4):
            count = create_closure(body, closure)
        arguments = [chooser.choice((*INTEGERS, *FLOATING)) for _ in range(count)]
        body.call("call_closure", closure, *arguments)
        take(body, None)
    elif choice == 6:
        body.call(chooser.choice(("append", "array_push")), ARRAYS[0], closure)
    elif choice == 7:
        body.emit("STS", chooser.randrange(3), closure)
    else:
        body.emit("MOV", *(chooser.choice(CLOSURES) for _ in range(2)))
    return None


def bumps(body: Body, closure: int) -> None:
    """Call a closure that changes its upvalues, in a loop, under several names."""
    chooser = body.chooser
    visible = body.visible()
    callees = [item for item in body.callees if item.bumps and visible.issuperset(item.upvalues)]
    rounds = 2 + chooser.randrange(7)
    if not callees or body.times * rounds * 40 > body.budget:
        return accumulate(body, 0)
    callee = chooser.choice(callees)
    names = callee.upvalues if not body.odds(1, 12) else (*callee.upvalues, callee.upvalues[0])
    for index, name in enumerate((callee.name, *names)):
        register = TEMPORARY[index % 2]
        body.emit("LDI", register, name)
        body.emit("PUSHARG", register)
    body.emit("CALL", "create_closure")
    body.emit("MOV", closure, SCRATCH)
    copies = chooser.randrange(8)
    other = CLOSURES[0] if closure == CLOSURES[1] else CLOSURES[1]
    if copies == 0:
        body.emit("MOV", other, closure)
    elif copies == 1:
        body.emit("STS", 0, closure)
    elif copies == 2:
        body.call("append", ARRAYS[0], closure)
    with body.counting(rounds) as counter:
        arguments = [chooser.choice((*INTEGERS, counter)) for _ in range(callee.parameters)]
        body.cost += callee.cost * body.times
        body.call("call_closure", closure, *arguments)
        body.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
        happens = chooser.randrange(10)
        if happens == 0:
            body.call("act", closure)
        elif happens == 1:
            body.emit("MOV", other, closure)
        elif happens == 2:
            body.emit("LDS", other, 0)
        elif happens == 3:
            body.emit("STS", 0, closure)
        elif happens == 4:
            body.call("call_closure", other, *arguments)
        elif happens == 5:
            turn(body, 0)
        elif happens == 6:
            act(body, 0)
    return None


def create_closure(body: Body, closure: int) -> int:
    """Put a new closure into a register; return how many arguments it takes."""
    chooser = body.chooser
    visible = body.visible()
    callees = [item for item in body.callees if visible.issuperset(item.upvalues)]
    if body.odds(1, 30):
        callees = [*body.callees]
    callee = chooser.choice(callees) if callees and not body.odds(1, 60) else None
    name = callee.name if callee is not None else chooser.choice(("type", "nowhere"))
    names = [chooser.choice(("p0", "p1", "u0")) for _ in range(chooser.randrange(3))]
    if callee is not None and callee.upvalues and not body.odds(1, 12):
        names = [*callee.upvalues]
    elif not body.odds(1, 60):
        names = [item for item in names if item in visible]
    body.emit("LDI", TEMPORARY[0], name)
    body.emit("PUSHARG", TEMPORARY[0])
    for item in names:
        body.emit("LDI", TEMPORARY[0], item)
        body.emit("PUSHARG", TEMPORARY[0])
    body.emit("CALL", "create_closure")
    body.emit("MOV", closure, SCRATCH)
    if body.odds(1, 3):
        body.emit("MOV", chooser.choice(CLOSURES), closure)
    return callee.parameters if callee is not None else 0


def upvalue(body: Body, nesting: int) -> None:
    chooser = body.chooser
    name = chooser.choice(body.upvalues or ("p0",)) if not body.odds(1, 20) else "p1"
    if not body.upvalues and not body.odds(1, 8):
        return closure(body, nesting)
    if body.odds(1, 2):
        body.call("get_upvalue", body.load(name))
        body.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
    else:
        value = chooser.choice((*INTEGERS, *FLOATING))
        body.call("set_upvalue", body.load(name), value)
    return None


def act(body: Body, nesting: int) -> None:
    if body.odds(1, 2):
        # The flag of a comparison just made is among what has to be rebuilt.
        body.emit(COMPARE, body.chooser.choice(INTEGERS), body.load(body.small()))
    body.call("act", *[body.chooser.choice((*INTEGERS, *ANYTHING)) for _ in range(body.chooser.randrange(3))])
    if body.odds(1, 2):
        body.emit("MOV", body.chooser.choice(ANYTHING), SCRATCH)


def output(body: Body, nesting: int) -> None:
    body.call("print", body.chooser.choice((*INTEGERS, *FLOATING, *ANYTHING, *ARRAYS, *OBJECTS, *BOOLEANS)))
