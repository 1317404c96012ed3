"""Counts what a program does: the instructions and calls of each function.

Without ``exact`` the program runs as fast as it does otherwise, in every tier, and the profile has seconds instead of
counts (``row.self_seconds``); ``profile.save("profile.html")`` writes a page with a flame graph.

Prints:

    3417 instructions
      74.2% is_prime, called 100 times
      25.8% main, called 1 times
"""

from __future__ import annotations

import stoffel

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
    with machine.profile(exact=True) as profile:
        machine.execute("main")
    rows = [row for row in profile.functions() if row.instructions]
    total = sum(row.instructions for row in rows)
    print(f"{total} instructions")
    for row in rows:
        print(f"  {100 * row.instructions / total:.1f}% {row.name}, called {row.calls} times")


if __name__ == "__main__":
    main()
