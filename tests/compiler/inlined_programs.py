"""Programs in which calls are inlined, by what they are about: text, and the arguments of ``main``."""

from __future__ import annotations

from typing import Any

from tests.machines import SUM


def counting(functions: str, body: str, *, setup: str = "", result: str = "r3") -> str:
    """Return *functions* and a ``main(n)`` that does *setup*, then *body* while r1 counts from 0 to n.

    r2 is 1, r3 begins as 0, r4 is n. It returns the register *result*.
    """
    return f"""{functions}function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 0
    MOV     r4, r0
{setup}again:
{body}    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     {result}
end
"""


PROGRAMS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "arguments change and the caller's registers stay": (
        """
function change(a, b)
    CALL    act
    ADD     r0, r0, r1
    ADD     r2, r0, r0
    MOV     r1, r2
    CALL    act
    RET     r1
end
function main(n)
    LDI     r1, 3
    LDI     r2, 0
    LDI     r3, 1
    MOV     r4, r0
again:
    PUSHARG r1
    PUSHARG r2
    CALL    change
    MOV     r1, r0
    ADD     r2, r2, r3
    CMP     r2, r4
    JMPLT   again
    RET     r1
end
""",
        (6,),
    ),
    "the caller's flag survives, the function begins with its own": (
        """
function equal(a)
    JMPEQ   same
    LDI     r0, 100
    RET     r0
same:
    PUSHARG r0
    CALL    act
    LDI     r1, 5
    CMP     r0, r1
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 0
    MOV     r4, r0
again:
    PUSHARG r1
    CMP     r1, r4
    CALL    equal
    JMPLT   less
    ADD     r3, r3, r0
less:
    ADD     r3, r3, r2
    ADD     r1, r1, r2
    LDI     r5, 12
    CMP     r1, r5
    JMPLT   again
    RET     r3
end
""",
        (6,),
    ),
    "registers begin as Unit each time": (
        counting(
            """\
function fresh(a)
    MOV     r3, r2
    MOV     r2, r0
    PUSHARG r3
    PUSHARG r2
    CALL    act
    RET     r3
end
""",
            """\
    PUSHARG r1
    CALL    fresh
    PUSHARG r0
    CALL    print
""",
            result="r0",
        ),
        (4,),
    ),
    "calls within each other": (
        counting(
            """\
function inner(a)
    PUSHARG r0
    CALL    act
    LDI     r1, 3
    MOD     r0, r0, r1
    RET     r0
end
function middle(a, b)
    PUSHARG r1
    CALL    inner
    MOV     r2, r0
    PUSHARG r0
    CALL    inner
    ADD     r0, r0, r2
end
""",
            """\
    PUSHARG r1
    PUSHARG r4
    CALL    middle
    ADD     r3, r3, r0
""",
        ),
        (5,),
    ),
    "an argument stack that the function leaves behind": (
        counting(
            """\
function leaves(a)
    PUSHARG r0
    PUSHARG r0
    LD      r1, sp-1
    RET     r1
end
""",
            """\
    PUSHARG r1
    CALL    leaves
    PUSHARG r0
    CALL    act
""",
            result="r0",
        ),
        (5,),
    ),
    "an error in the function": (
        """
function ratio(a, b)
    CALL    act
    DIV     r0, r0, r1
    RET     r0
end
function middle(a)
    LDI     r1, 100
    PUSHARG r1
    PUSHARG r0
    CALL    ratio
    RET     r0
end
function main(n)
    LDI     r2, 1
again:
    MOV     r1, r0
    SUB     r3, r1, r2
    MOV     r4, r3
    PUSHARG r3
    CALL    middle
    MOV     r0, r4
    JMP     again
end
""",
        (5,),
    ),
    "kinds that were not guessed": (
        """
function twice(a)
    ADD     r0, r0, r0
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r5, 1.5
    MOV     r4, r0
again:
    MOV     r6, r1
    LDI     r7, 3
    CMP     r1, r7
    JMPLT   call
    MOV     r6, r5
call:
    PUSHARG r6
    CALL    twice
    PUSHARG r0
    CALL    print
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r0
end
""",
        (8,),
    ),
    "small integers": (
        """
function step(a, b)
    ADD     r2, r0, r1
    CMP     r2, r1
    JMPGT   more
    PUSHARG r2
    CALL    act
more:
    RET     r2
end
function main(n)
    LDI     r1, 0u8
    LDI     r2, 1u8
    LDI     r3, 0
    LDI     r4, 1
again:
    PUSHARG r1
    PUSHARG r2
    CALL    step
    MOV     r1, r0
    ADD     r3, r3, r4
    CMP     r3, r5
    JMP     check
check:
    LDI     r6, 300
    CMP     r3, r6
    JMPLT   again
    RET     r1
end
""",
        (0,),
    ),
    "a closure of its own state": (
        """
function bump(by)
    MOV     r1, r0
    LDI     r2, "count"
    PUSHARG r2
    CALL    get_upvalue
    ADD     r3, r0, r1
    PUSHARG r2
    PUSHARG r3
    CALL    set_upvalue
    PUSHARG r3
    CALL    act
    RET     r3
end
function make(count)
    LDI     r1, "bump"
    LDI     r2, "count"
    PUSHARG r1
    PUSHARG r2
    CALL    create_closure
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
    PUSHARG r2
    CALL    make
    MOV     r3, r0
again:
    PUSHARG r3
    PUSHARG r1
    CALL    call_closure
    MOV     r5, r0
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    PUSHARG r3
    CALL    act
    RET     r5
end
""",
        (8,),
    ),
    "closures of several functions": (
        """
function one(a)
    LDI     r1, "x"
    PUSHARG r1
    CALL    get_upvalue
    ADD     r0, r0, r1
end
function two(a)
    LDI     r1, "x"
    PUSHARG r1
    CALL    get_upvalue
    RET     r0
end
function make(x, name)
    LDI     r2, "x"
    PUSHARG r1
    PUSHARG r2
    CALL    create_closure
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
    LDI     r6, "two"
again:
    PUSHARG r1
    PUSHARG r6
    CALL    make
    MOV     r3, r0
    PUSHARG r3
    PUSHARG r1
    CALL    call_closure
    PUSHARG r0
    CALL    act
    ADD     r1, r1, r2
    LDI     r7, 5
    CMP     r1, r7
    JMPLT   again
    LDI     r6, "one"
    CMP     r1, r4
    JMPLT   again
    RET     r5
end
""",
        (8,),
    ),
    "a closure made and called in the function": (
        counting(
            """\
function add(a)
    LDI     r1, "b"
    PUSHARG r1
    CALL    get_upvalue
    MOV     r1, r0
    CALL    act
    RET     r1
end
function apply(a, b)
    ADD     r1, r1, r0
    LDI     r2, "add"
    LDI     r3, "b"
    PUSHARG r2
    PUSHARG r3
    CALL    create_closure
    PUSHARG r0
    PUSHARG r1
    CALL    call_closure
    RET     r0
end
""",
            """\
    PUSHARG r1
    PUSHARG r4
    CALL    apply
    ADD     r6, r6, r0
""",
            setup="""\
    LDI     r6, 0
""",
            result="r6",
        ),
        (6,),
    ),
    "fields of objects": (
        counting(
            """\
function area(o)
    LDI     r1, "w"
    LDI     r2, "h"
    PUSHARG r0
    PUSHARG r1
    MOV     r3, r0
    CALL    get_field
    MOV     r1, r0
    PUSHARG r3
    PUSHARG r2
    CALL    get_field
    MUL     r0, r0, r1
    RET     r0
end
function grow(o, by)
    LDI     r2, "w"
    MOV     r3, r0
    PUSHARG r3
    PUSHARG r2
    CALL    get_field
    ADD     r4, r0, r1
    PUSHARG r3
    PUSHARG r2
    PUSHARG r4
    CALL    set_field
    RET     r3
end
""",
            """\
    PUSHARG r5
    PUSHARG r6
    CALL    get_field
    MOV     r8, r0
    PUSHARG r5
    PUSHARG r1
    CALL    grow
    PUSHARG r5
    CALL    area
    ADD     r8, r8, r0
    PUSHARG r5
    PUSHARG r6
    CALL    get_field
    ADD     r8, r8, r0
    PUSHARG r8
    CALL    act
""",
            setup="""\
    CALL    create_object
    MOV     r5, r0
    LDI     r6, "w"
    LDI     r7, "h"
    PUSHARG r5
    PUSHARG r6
    PUSHARG r2
    CALL    set_field
    PUSHARG r5
    PUSHARG r7
    PUSHARG r4
    CALL    set_field
""",
            result="r8",
        ),
        (6,),
    ),
    "a condition that the function returns": (
        counting(
            """\
function even(a)
    LDI     r1, 2
    MOD     r1, r0, r1
    LDI     r2, 0
    CMP     r1, r2
    JMPEQ   yes
    LDI     r1, false
    RET     r1
yes:
    LDI     r1, true
    RET     r1
end
""",
            """\
    PUSHARG r1
    CALL    even
    MOV     r5, r0
    LDI     r6, false
    CMP     r5, r6
    JMPEQ   next
    ADD     r3, r3, r1
next:
    CALL    act
""",
        ),
        (7,),
    ),
    "calls of others in the function": (
        counting(
            SUM.replace("    RET r1", "    CALL act\n    RET r1")
            + """\
function around(a, b)
    CMP     r0, r1
    PUSHARG r0
    CALL    sum
    JMPLT   less
    ADD     r0, r0, r1
less:
    RET     r0
end
""",
            """\
    LDI     r5, 3
    PUSHARG r1
    PUSHARG r5
    CALL    around
    ADD     r3, r3, r0
""",
        ),
        (6,),
    ),
}
