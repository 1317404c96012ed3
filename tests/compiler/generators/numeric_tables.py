"""Statements of programs for kernels: arrays of one kind, arrays of arrays, objects."""

from __future__ import annotations

from .body import Body
from .numeric_body import BOOK, ELEMENT, FIRST, FLOATING, INDEX, NUMBERS, ROWS, SECOND, TABLE, TRUTH, NumericBody
from .numeric_scalars import branch
from .vocabulary import COMPARE, SCRATCH


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
