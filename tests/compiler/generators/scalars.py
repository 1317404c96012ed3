"""Statements on numbers, strings and registers of changing kind; nothing is nested in them."""

from __future__ import annotations

from typing import Any

from stoffel.isa.table import OperandKind

from .body import Body
from .vocabulary import (
    ANYTHING,
    ARRAYS,
    BINARY,
    BOOLEANS,
    CLOSURES,
    COMPARE,
    FLOATING,
    FLOATS,
    INTEGERS,
    OBJECTS,
    PLAIN,
    SCRATCH,
    STRINGS,
    TEMPORARY,
    UNARY,
)


def arithmetic(body: Body, nesting: int) -> None:
    chooser = body.chooser
    target = chooser.choice(INTEGERS)
    left = chooser.choice(INTEGERS)
    if body.odds(1, 8):
        name = chooser.choice(UNARY)
        body.emit(name, target, left)
        return
    name = chooser.choice(BINARY)
    right = body.load(body.small()) if body.odds(3, 4) else chooser.choice(INTEGERS)
    if body.odds(1, 12):
        left, right = right, left
    if name in ("SHL", "SHR") and right not in TEMPORARY:
        right = body.load(body.small())
    body.emit(name, target, left, right)
    if name in ("MUL", "SHL", "NOT") and body.odds(3, 4):
        body.emit("AND", target, target, body.load(body.kind(15)))


def accumulate(body: Body, nesting: int) -> None:
    target = body.chooser.choice(INTEGERS)
    name = body.chooser.choice(("ADD", "SUB"))
    body.emit(name, target, target, body.load(body.small()))


def counted(body: Body, nesting: int) -> None:
    """Use a loop's own counter, whose range the compiler knows."""
    if not body.loops:
        return arithmetic(body, nesting)
    target = body.chooser.choice(ANYTHING)
    counter = body.chooser.choice(body.loops)
    name = body.chooser.choice([name for name in BINARY if name not in ("SHL", "SHR")])
    body.emit(name, target, counter, body.load(body.chooser.randrange(5) + 1))
    return None


def floating(body: Body, nesting: int) -> None:
    chooser = body.chooser
    name = chooser.choice(BINARY[:5])
    left, right = chooser.choice(FLOATING), chooser.choice(FLOATING)
    if body.odds(1, 3):
        right = body.load(chooser.choice(FLOATS))
    elif body.odds(1, 5):
        right = body.load(chooser.randrange(4))  # I64 and Float mix
    body.emit(name, chooser.choice(FLOATING), left, right)


def text(body: Body, nesting: int) -> None:
    chooser = body.chooser
    target = chooser.choice(ANYTHING)
    choice = chooser.randrange(6)
    if choice == 5:
        body.call("to_string", chooser.choice((*INTEGERS, *FLOATING)))
        body.emit("LDI", TEMPORARY[0], chooser.choice((*STRINGS, "1", "5")))
        body.call("contains", SCRATCH, TEMPORARY[0])
        body.emit("MOV", BOOLEANS[0], SCRATCH)
    elif choice == 0:
        body.emit("LDI", target, chooser.choice(STRINGS))
    elif choice == 1:
        body.call("to_string", chooser.choice((*INTEGERS, *FLOATING)))
        body.emit("MOV", target, SCRATCH)
    elif choice == 2:
        body.call("type", chooser.choice((*INTEGERS, *FLOATING, *ANYTHING, *ARRAYS)))
        body.emit("MOV", target, SCRATCH)
    else:
        body.emit("LDI", TEMPORARY[0], chooser.choice(STRINGS))
        source = chooser.choice(ANYTHING)
        if not body.odds(1, 8):
            body.call("to_string", chooser.choice((*INTEGERS, *FLOATING, *BOOLEANS)))
            source = SCRATCH
            if body.odds(1, 2):
                body.call("type", ANYTHING[1])
        operands = (source, TEMPORARY[0]) if choice == 3 else (TEMPORARY[0], source)
        body.emit("ADD", target, *operands)


def length(body: Body, nesting: int) -> None:
    name = body.chooser.choice(("len", "array_length"))
    if body.odds(1, 3):
        body.call("to_string", body.chooser.choice((*INTEGERS, *FLOATING)))
        body.call(name, SCRATCH)
    else:
        body.call(name, body.chooser.choice((*ARRAYS, *ANYTHING)) if body.odds(1, 8) else ARRAYS[0])
    body.emit("MOV", body.chooser.choice(ANYTHING), SCRATCH)


def move(body: Body, nesting: int) -> None:
    chooser = body.chooser
    choice = chooser.randrange(6)
    if choice == 0:
        register = chooser.choice((*INTEGERS, *ANYTHING))
        body.emit("MOV", register, register)
    elif choice == 1:
        body.emit("MOV", chooser.choice(ANYTHING), chooser.choice((*INTEGERS, *FLOATING, *ARRAYS, *CLOSURES)))
    elif choice == 2:
        body.emit("MOV", chooser.choice(INTEGERS), chooser.choice(INTEGERS))
    elif choice == 3:
        body.emit("LDI", chooser.choice(INTEGERS), body.integer())
    elif choice == 4:
        body.emit("NOP")
    else:
        body.emit("LDI", chooser.choice(ANYTHING), body.value())


def turn(body: Body, nesting: int) -> None:
    """Change the kind of a register, in a loop at one of its rounds only, so that a guess fails in the middle."""
    chooser = body.chooser
    register = chooser.choice(ANYTHING)
    if body.odds(1, 2):
        register = chooser.choice((*INTEGERS, *FLOATING))
    if body.odds(1, 12):
        register = chooser.choice((*ARRAYS, *OBJECTS, *BOOLEANS))
    value = body.value()
    if register in INTEGERS and body.odds(1, 2):
        value = chooser.choice(FLOATS[:6])
    if isinstance(value, str) and register not in ANYTHING:
        value = body.chooser.choice(FLOATS)
    if not body.loops:
        if body.odds(1, 3):
            body.emit("LDI", register, value)
        return
    skip = body.fresh()
    body.emit(COMPARE, body.chooser.choice(body.loops), body.load(body.chooser.randrange(8)))
    body.emit("JMPNEQ", skip)
    body.emit("LDI", register, value)
    body.place(skip)


def mixed(body: Body, nesting: int) -> None:
    """Arithmetic on a register of unknown kind; the result is no string, because the other operand is none."""
    chooser = body.chooser
    if not body.odds(1, 4):
        return counted(body, nesting)
    operands = [chooser.choice(ANYTHING), chooser.choice((*INTEGERS, *FLOATING))]
    if body.odds(1, 2):
        operands.reverse()
    body.emit(chooser.choice(BINARY), chooser.choice((*INTEGERS, *ANYTHING, *FLOATING)), *operands)
    return None


def wild(body: Body, nesting: int) -> None:
    """Emit any instruction that does not jump, on any registers: often an error."""
    row = body.chooser.choice(PLAIN)
    operands: list[Any] = []
    for operand in row.operands:
        if operand.kind is OperandKind.TARGET:
            operands.append(body.chooser.choice(ANYTHING))
        elif operand.kind is OperandKind.SOURCE:
            operands.append(body.chooser.choice((*INTEGERS, *FLOATING, *ANYTHING, *ARRAYS, *OBJECTS, *CLOSURES)))
        elif operand.kind is OperandKind.SLOT:
            operands.append(body.chooser.randrange(3))
        elif operand.kind is OperandKind.OFFSET:
            operands.append(body.chooser.randrange(4) - 2)
        else:
            operands.append(body.value())
    body.emit(row.name, *operands)


def spill(body: Body, nesting: int) -> None:
    chooser = body.chooser
    slot = chooser.randrange(3)
    if body.odds(1, 2):
        body.emit("STS", slot, chooser.choice((*INTEGERS, *ANYTHING, *CLOSURES, *ARRAYS)))
    elif body.odds(1, 3):
        body.emit("LDS", chooser.choice(CLOSURES), slot)
    else:
        body.emit("LDS", chooser.choice(ANYTHING), slot)
