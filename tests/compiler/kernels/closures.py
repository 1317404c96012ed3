"""What the tests of closures share: counters and functions that make and use them."""

from __future__ import annotations

from typing import Any

from .programs import alike, counting

LIBRARY = """
function bump(by)
MOV r2, r0
LDI r1, "n"
r3 = get_upvalue(r1)
ADD r3, r3, r2
_ = set_upvalue(r1, r3)
RET r3
end
function peek()
LDI r1, "n"
r3 = get_upvalue(r1)
RET r3
end
function counter(n)
LDI r1, "bump"
LDI r2, "n"
r3 = create_closure(r1, r2)
RET r3
end
function looker(n)
LDI r1, "peek"
LDI r2, "n"
r3 = create_closure(r1, r2)
RET r3
end
function apply(c, x)
MOV r2, r0
MOV r3, r1
r4 = call_closure(r2, r3)
r5 = call_closure(r2, r3)
ADD r4, r4, r5
RET r4
end
"""
"""Counters that start with any value, and a function that calls one twice."""


def counted(setup: str, body: str, end: str = "RET r9", *, more: str = "", rounds: int = 40, **others: Any) -> Any:
    """Run a counting program with the library as ``alike`` does; a kernel must have run."""
    kernels = alike(counting(setup, body, end, rounds=rounds, more=LIBRARY + more), **others)
    assert kernels
    return kernels
