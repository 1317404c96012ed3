"""Stops a program at one instruction and looks around, as a debugger would.

Prints:

    stopped in fact at 5: SUB r2, r1, r2
      main at 2
      fact at 7, n = 3, registers [3, 3, 2]
      fact at 7, n = 2, registers [2, 2, 1]
      fact at 5, n = 1, registers [1, 1, 1]
    result 6
"""

from __future__ import annotations

import stoffel
from stoffel import HookContext, diagnostic, events

PROGRAM = """
function main()
    LDI     r1, 3
    PUSHARG r1
    CALL    fact
    RET     r0
end

function fact(n)
    LDI     r1, 0
    CMP     r0, r1
    JMPEQ   one
    MOV     r1, r0
    LDI     r2, 1
    SUB     r2, r1, r2
    PUSHARG r2
    CALL    fact
    MUL     r0, r0, r1
    RET     r0
one:
    LDI     r0, 1
    RET     r0
end
"""


def stop_at(machine: stoffel.VirtualMachine, function: str, instruction: int, depth: int) -> None:
    """Show the frames when *function* reaches *instruction* with *depth* calls in progress, once."""

    def reached(event: events.BeforeInstructionExecute, context: HookContext) -> None:
        if context.cursor != (function, instruction) or context.call_depth != depth:
            return
        machine.unregister_hook(hook)
        print(f"stopped in {function} at {instruction}: {' '.join(str(event.instruction).split())}")
        for frame in context.frames:
            place = f"  {frame.function} at {frame.next_instruction - 1}"
            parameters = [f"{name} = {diagnostic(value)}" for name, value in frame.locals.items()]
            registers = f"registers [{', '.join(map(diagnostic, frame.registers))}]" if parameters else ""
            print(", ".join(filter(None, [place, *parameters, registers])))

    hook = machine.register_hook(events.BeforeInstructionExecute, reached)


def main() -> None:
    machine = stoffel.VirtualMachine()
    machine.load(stoffel.assemble(PROGRAM))
    stop_at(machine, "fact", 5, depth=4)
    print("result", diagnostic(machine.execute("main")))


if __name__ == "__main__":
    main()
