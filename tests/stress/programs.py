"""The work under stress, in one file that child processes can load: functions of every tier, with known results."""

from __future__ import annotations

from typing import Any

from stoffel import VirtualMachine, assemble

MODES = ("off", "no-kernels", "always", "auto", "kernels")
TEXT = """
function work(n: int64) -> int64
    MOV r4, r0
    LDI r1, 0
    LDI r2, 0
    LDI r5, 1
    LDI r6, 1000003
again:
    ADD r2, r2, r1
    MOD r2, r2, r6
    ADD r1, r1, r5
    CMP r1, r4
    JMPLT again
    RET r2
end
function down(n)
    LDI r1, 0
    CMP r0, r1
    JMPEQ end
    LDI r1, 1
    SUB r0, r0, r1
    PUSHARG r0
    CALL down
    ADD r0, r0, r1
end:
    RET r0
end
function fill(list, n)
    MOV r5, r0
    MOV r6, r1
    LDI r1, 0
    LDI r2, 1
again:
    PUSHARG r5
    PUSHARG r1
    CALL append
    ADD r1, r1, r2
    CMP r1, r6
    JMPLT again
    RET r1
end
function back(n)
    PUSHARG r0
    CALL again
    RET r0
end
"""
PROGRAM = assemble(TEXT)


def made(mode: Any) -> VirtualMachine:
    """Return a machine with the functions."""
    machine = VirtualMachine(jit=mode, cache="off")
    machine.register_foreign_function("again", lambda context: context[0] and context.call("back", context[0] - 1))
    machine.load(PROGRAM)
    return machine


def run(machine: VirtualMachine) -> bool:
    """Run a little of everything; return whether all results are right."""
    array = machine.create_array([1])
    right = machine.execute("work", 3000) == 498488 and machine.execute("down", 1000) == 1000
    right = right and machine.execute("fill", array, 500) == 500 and machine.length(array) == 501
    return right and machine.execute("back", 5) == 0
