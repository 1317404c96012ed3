"""What it costs when hooks come on in mid-run, with a stack of so many calls.

A program recurses to a depth, and at the bottom a foreign function enables a hook. The time from there to the first
event is the move of the stack into the interpreter. The callback disables the hook again, and the run goes on; what the
whole run takes longer is given too, for a machine that moves frames one by one. For comparison the same is done with
jit off, where there is nothing to move. As a program, ``python -m benchmarks.sections.deoptimisation MODE DEPTH``
measures one case and prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks import ways
from benchmarks.sections import Options, SkippedError, isolated
from benchmarks.table import milliseconds, table

if TYPE_CHECKING:
    from stoffel import ForeignContext

TITLE: Final = "Cost of leaving compiled code when hooks come on, by depth of the stack of calls"

DEPTHS: Final = (1, 100, 10_000)
RUNS: Final = 7

RECURSION: Final = """
function down(n: int64) -> int64
    .registers 4
    MOV     r1, r0
    LDI     r2, 1
    CMP     r1, r2
    JMPGT   deeper
    CALL    bottom
    MOV     r2, r0
    RET     r2
deeper:
    SUB     r2, r1, r2
    PUSHARG r2
    CALL    down
    MOV     r2, r0
    LDI     r3, 1
    ADD     r2, r2, r3
    RET     r2
end
"""


def one(mode: str, depth: int) -> dict[str, Any]:
    """Return the seconds until the first event, and of the whole run with and without the switch (best of the runs)."""
    import stoffel

    machine = stoffel.VirtualMachine(jit=mode)
    machine.load(stoffel.assemble(RECURSION))
    armed = False
    switched = noticed = 0.0

    def bottom(_context: ForeignContext) -> int:
        nonlocal switched
        if armed:
            machine.enable_hook(hook)
            switched = time.perf_counter()
        return 0

    def notice(_event: object, _context: object) -> None:
        nonlocal noticed
        noticed = time.perf_counter()
        machine.disable_hook(hook)

    machine.register_foreign_function("bottom", bottom)
    hook = machine.register_hook(None, notice)
    machine.disable_hook(hook)
    machine.execute("down", depth)
    moves, plain, switching = [], [], []
    for run in range(2 * RUNS):
        armed = run % 2 == 1
        start = time.perf_counter()
        machine.execute("down", depth)
        (switching if armed else plain).append(time.perf_counter() - start)
        if armed:
            if noticed < switched:
                raise RuntimeError("the hook saw no event")
            moves.append(noticed - switched)
    return {"depth": depth, "move": min(moves), "run": min(plain), "run_with_switch": min(switching)}


def measure(options: Options) -> dict[str, Any]:
    """Measure all depths with jit always and off."""
    if not ways.has_translator():
        raise SkippedError(ways.NO_TRANSLATOR)
    depths = DEPTHS[:2] if options.quick else DEPTHS
    return {mode: [isolated(__name__, mode, str(depth)) for depth in depths] for mode in ("always", "off")}


def lines(data: dict[str, Any]) -> list[str]:
    """Return the table."""
    return table(
        ["jit", "depth", "until the first event ms", "run ms", "run with the switch ms"],
        [
            [mode, str(row["depth"]), *(milliseconds(row[key]) for key in ("move", "run", "run_with_switch"))]
            for mode, rows in data.items()
            for row in rows
        ],
    )


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1], int(sys.argv[2]))))
