"""Faults in limits, interrupts, conversions, storage and runs on an event loop."""

from __future__ import annotations

from typing import Final

from .faults import Fault

BUDGET: Final = "stoffel/runtime/budget.py"
METERING: Final = "stoffel/runtime/metering.py"
STATE: Final = "stoffel/runtime/state.py"
COSTS: Final = "stoffel/model/builtins/costs.py"
FOREIGN: Final = "stoffel/model/foreign.py"
STORAGE: Final = "stoffel/runtime/storage.py"
CONVERSION: Final = "stoffel/embedding/conversion.py"
PIECES: Final = "stoffel/runtime/builtins/pieces.py"
ASYNC: Final = "stoffel/embedding/asynchronous.py"

LIMIT_FAULTS: Final = (
    Fault(
        "a limit of one instruction less",
        BUDGET,
        "return around if own is None else min(own, around)\n\n    def end",
        "return around if own is None else min(own, around) - 1\n\n    def end",
    ),
    Fault("an allocation more than allowed", BUDGET, "budget.allocated + units > most", "budget.allocated > most"),
    Fault("a string may be one longer", BUDGET, "if length > self.string:", "if length > self.string + 1:"),
    Fault(
        "an array may be one longer",
        BUDGET,
        "if elements > 0 and before + elements > most:",
        "if elements > 1 and before + elements > most:",
    ),
    Fault("output without line ends", BUDGET, "size = utf8(line) + 1", "size = utf8(line)"),
    Fault("lines are not counted", BUDGET, "self.lines += 1", "pass"),
    Fault("storage is not limited", BUDGET, "if size > self.storage:", "if False:"),
    Fault("an inner run is free", BUDGET, "_take(self.outer.ticks, self._granted() - self.left)", "pass"),
    Fault("what is reachable is never counted", BUDGET, "if live > self.memory:", "if False:"),
    Fault(
        "bytes are characters",
        COSTS,
        "return len(string) if string.isascii() else len(string.encode())",
        "return len(string)",
    ),
    Fault("range costs nothing", COSTS, "return max(0, -((int(start) - int(stop)) // int(stride)))", "return 0"),
    Fault("a stack may be one longer", METERING, "if len(stack) >= budget.stack:", "if len(stack) > budget.stack:"),
    Fault("strings are joined for nothing", METERING, "_budget(frame).join(x, y)", "pass"),
    Fault("records cost nothing", METERING, "budget.record(callee)", "pass"),
    Fault(
        "a function that ends on its last tick fails",
        METERING,
        "if not budget.left and len(frame.cursor.__reduce__()) == 3:",
        "if not budget.left:",
    ),
    Fault(
        "a limit can be swallowed",
        STATE,
        "return self.stopped is not None or self.pausing > 0",
        "return self.pausing > 0",
    ),
    Fault(
        "a limit becomes another error",
        FOREIGN,
        "if isinstance(error, Exception) and state.stopped is not None:",
        "if False:",
    ),
    Fault("a lack of memory is another error", FOREIGN, "if isinstance(error, MemoryError):", "if False:"),
    Fault("the store is for everybody", STORAGE, "os.O_RDWR, 0o600", "os.O_RDWR, 0o644"),
    Fault(
        "another program's database is used",
        STORAGE,
        "if found and _NAME not in found and not self.adopt:",
        "if False:",
    ),
    Fault(
        "equal elements change places",
        PIECES,
        "mine = bisect_right(left, items[other - 1], first, mine)",
        "mine = bisect_left(left, items[other - 1], first, mine)",
    ),
    Fault(
        "a long search ends early", PIECES, "            start = end\n            look_up()", "            return -1"
    ),
    Fault(
        "long lists are converted in part",
        CONVERSION,
        "for start in range(0, len(items), PIECE):",
        "for start in range(0, min(len(items), PIECE), PIECE):",
    ),
    Fault("a result that was waited for is lost", ASYNC, "top.registers[0] = result", "pass"),
    Fault("a slice forgets the limits", ASYNC, "self.budget = state.budget", "pass"),
)
