"""Counts what a program does, with two hooks: instructions by function, and calls by target.

Prints:

    3417 instructions
      74.2% is_prime
      25.8% main
    100 calls of is_prime
    25 calls of append
    1 calls of create_array
    1 calls of len
"""

from __future__ import annotations

from collections import Counter

import stoffel
from stoffel import HookContext, events

PROGRAM = """
; The number of primes below 100, found by trial division.
function main()
    CALL    create_array
    MOV     r7, r0
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 100
again:
    PUSHARG r1
    CALL    is_prime
    LDI     r4, false
    CMP     r0, r4
    JMPEQ   next
    PUSHARG r7
    PUSHARG r1
    CALL    append
next:
    ADD     r1, r1, r2
    CMP     r1, r3
    JMPLT   again
    PUSHARG r7
    CALL    len
    RET     r0
end

function is_prime(n)
    LDI     r1, 2
    LDI     r2, 1
    LDI     r5, 0
    LDI     r6, false
    CMP     r0, r1
    JMPLT   no
try:
    MUL     r3, r1, r1
    CMP     r3, r0
    JMPGT   yes
    MOD     r4, r0, r1
    CMP     r4, r5
    JMPEQ   no
    ADD     r1, r1, r2
    JMP     try
yes:
    NOT     r6, r6
no:
    RET     r6
end
"""


def main() -> None:
    machine = stoffel.VirtualMachine()
    machine.load(stoffel.assemble(PROGRAM))
    instructions: Counter[str] = Counter()
    calls: Counter[str] = Counter()

    def count_instruction(_event: events.BeforeInstructionExecute, context: HookContext) -> None:
        instructions[context.function_name] += 1

    def count_call(event: events.BeforeFunctionCall, _context: HookContext) -> None:
        calls[event.target.name] += 1

    machine.register_hook(events.BeforeInstructionExecute, count_instruction)
    machine.register_hook(events.BeforeFunctionCall, count_call)
    machine.execute("main")

    total = instructions.total()
    print(f"{total} instructions")
    for name, count in instructions.most_common():
        print(f"  {100 * count / total:.1f}% {name}")
    for name, count in calls.most_common():
        print(f"{count} calls of {name}")


if __name__ == "__main__":
    main()
