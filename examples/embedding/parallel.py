"""One program on four machines at once: each thread has a clone, which shares the code and nothing that changes.

Prints:

    [0, 1, 5, 14, 30, 55, 91, 140, 204, 285]
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import stoffel

PROGRAM = """
function sum_of_squares(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r4, 0
again:
    CMP     r0, r4
    JMPEQ   done
    MUL     r3, r0, r0
    ADD     r1, r1, r3
    SUB     r0, r0, r2
    JMP     again
done:
    RET     r1
end
"""


def main() -> None:
    machine = stoffel.VirtualMachine()
    machine.load(stoffel.assemble(PROGRAM))

    idle: SimpleQueue[stoffel.VirtualMachine] = SimpleQueue()
    for _ in range(4):
        idle.put(machine.clone())

    def run(n: int) -> int:
        mine = idle.get()
        try:
            return mine.execute("sum_of_squares", n)
        finally:
            idle.put(mine)

    with ThreadPoolExecutor(max_workers=4) as pool:
        print(list(pool.map(run, range(10))))


if __name__ == "__main__":
    main()
