"""A profile whose every second is known: the machine's own functions take samples, with a clock that is set by hand."""

from __future__ import annotations

from typing import Any

import stoffel
from stoffel.embedding import vm
from stoffel.profiling.profile import Profile
from stoffel.profiling.sampler import Sampler

PROGRAM = """
function leaf(n: int64) -> int64
    PUSHARG r0
    CALL take
    RET r0
end
function twice(n: int64) -> int64
    MOV     r2, r0
    LDI     r3, 1
    LDI     r4, 0
again:
    PUSHARG r2
    CALL    leaf
    PUSHARG r2
    CALL    take
    ADD     r4, r4, r3
    LDI     r5, 2
    CMP     r4, r5
    JMPLT   again
    RET     r2
end
function main(n: int64) -> int64
    PUSHARG r0
    CALL    twice
    RET     r0
end
"""
"""``main(n)`` takes four samples: from ``leaf`` and ``twice`` by turns."""


class Clock:
    """A thread clock that goes on by so many seconds each time that it is read."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.now = 0.0

    def read(self, thread: int) -> float:
        self.now += self.step
        return self.now


def sampled(jit: Any = "off", text: str = PROGRAM, step: float = 0.5, **arguments: Any) -> Profile:
    """Return the profile of ``main(3)`` in which each call of ``take`` is one sample of *step* seconds."""
    machine = stoffel.VirtualMachine(jit=jit, cache="off")
    sampler = Sampler(machine.state, vm._RUNS)
    sampler._clock = Clock(step)  # type: ignore[assignment]
    sampler._last = None

    def take(value: int) -> int:
        if sampler._last is None:
            sampler.take()
        sampler.take()
        return value

    machine.register_foreign_function("take", take)
    machine.load(stoffel.assemble(text))
    machine.execute("main", 3)
    assert sampler.failed == 0
    profile = Profile(machine.state, sampler.stacks, 100)
    profile.statistics = machine.jit_statistics()
    return profile
