"""Statements on arrays and objects, with good and bad keys."""

from __future__ import annotations

from .body import Body
from .vocabulary import ANYTHING, ARRAYS, BOOLEANS, FLOATING, INTEGERS, OBJECTS, SCRATCH


def array(body: Body, nesting: int) -> None:
    chooser = body.chooser
    array = ARRAYS[0]
    choice = chooser.randrange(12)
    if not body.loops or body.odds(1, 8):
        body.call("create_array")
        body.emit("MOV", array, SCRATCH)
        for _ in range(1 + chooser.randrange(4)):
            body.call("array_push", array, chooser.choice((*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING)))
    value = chooser.choice((*INTEGERS, *INTEGERS, *FLOATING, *ANYTHING))
    if choice < 3:
        body.call(chooser.choice(("append", "array_push")), array, value)
    elif choice < 5:
        body.call("set_field", array, body.load(body.key()), value)
    elif choice < 7:
        body.call("get_field", array, body.load(body.key()))
        body.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
    elif choice < 9 and body.loops:
        if not body.odds(1, 4):
            body.call("append", array, value)
        body.call("get_field", array, chooser.choice(body.loops))
        body.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
    elif choice == 9 and body.loops:
        body.call("set_field", array, chooser.choice(body.loops), value)
    elif choice == 10:
        body.call("create_array", *([body.load(body.key())] if body.odds(1, 3) else []))
        body.emit("MOV", array, SCRATCH)
    else:
        name = chooser.choice(("copy", "reverse", "pop", "contains", "count", "slice", "get_or_create_array_field"))
        extra = {"contains": 1, "count": 1, "slice": 2, "get_or_create_array_field": 1}.get(name, 0)
        key = body.load(chooser.randrange(3)) if extra else 0
        body.call(name, array, *[key] * extra)
        body.emit("MOV", chooser.choice(ANYTHING), SCRATCH)


def record(body: Body, nesting: int) -> None:
    chooser = body.chooser
    target = OBJECTS[0]
    choice = chooser.randrange(9)
    key = body.load(body.key())
    if choice < 3:
        body.call("set_field", target, key, chooser.choice((*INTEGERS, *ANYTHING, *FLOATING)))
    elif choice < 6:
        body.call("get_field", target, key)
        body.emit("MOV", chooser.choice(ANYTHING), SCRATCH)
    elif choice == 6:
        body.call("create_object")
        body.emit("MOV", target, SCRATCH)
    elif choice == 7:
        body.call("get_or_create_array_field", target, key)
        body.emit("MOV", chooser.choice((*ANYTHING, *ARRAYS)), SCRATCH)
    else:
        body.call("contains", target, key)
        body.emit("MOV", BOOLEANS[0], SCRATCH)


def table(body: Body, nesting: int) -> None:
    """Access a register of unknown kind as a table."""
    source = body.chooser.choice((*ANYTHING, *ARRAYS, *OBJECTS))
    key = body.load(body.key())
    if body.odds(1, 4):
        body.call("set_field", source, key, body.chooser.choice(INTEGERS))
    else:
        body.call("get_field", source, key)
        body.emit("MOV", body.chooser.choice(ANYTHING), SCRATCH)
