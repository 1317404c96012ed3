"""What the compiled tier did: counters that ``vm.jit_statistics()`` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from time import perf_counter
from typing import TYPE_CHECKING, Any

from stoffel.jit.events import ALWAYS_TOLD, MOST_PLACES, Exit, JitEvent, line_of, tell

if TYPE_CHECKING:
    from stoffel.compiler.emission.deopt_points import Unit
    from stoffel.compiler.refusal import Refusal
    from stoffel.jit.kernels.runnable import RunnableKernel
    from stoffel.jit.reports import Counters
    from stoffel.model.code import Code


_OF_EXITS = ("reason", "expected", "seen", "cause")


class FunctionStatistics:
    """Counters of one VM function."""

    __slots__ = (
        "calls",
        "code_size",
        "compile_seconds",
        "entries",
        "inlined",
        "kernel_refusal",
        "kernel_seconds",
        "kernel_size",
        "kernels",
        "refusal",
        "units",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.units = 0
        self.compile_seconds = 0.0
        self.code_size = 0
        self.entries = 0
        self.inlined: set[str] = set()
        self.refusal: Refusal | None = None
        self.kernels: list[RunnableKernel] = []
        self.kernel_seconds = 0.0
        self.kernel_size = 0
        self.kernel_refusal: Refusal | None = None

    @property
    def tier(self) -> str:
        """Name of the fastest tier that the function has been in."""
        if self.kernels:
            return "kernel"
        return "interpreter" if self.refusal or not self.units else "code object"


class Statistics:
    """Counters of one machine; ``listeners`` are told what is counted, as events."""

    __slots__ = (
        "_began",
        "_entries",
        "counts_calls",
        "deoptimisations",
        "exits",
        "functions",
        "listeners",
        "load_seconds",
        "pinned",
        "records",
        "runs",
        "unseen",
    )

    def __init__(self) -> None:
        self.functions: dict[str, FunctionStatistics] = {}
        self.deoptimisations: dict[str, int] = {}
        self.exits: Counter[Exit] = Counter()
        self.listeners: list[Callable[[JitEvent], object]] = []
        self._began = perf_counter()
        self._entries: Counter[tuple[str, str, int | None]] = Counter()
        self.load_seconds = 0.0
        """What loading the translator took; the library that it writes with counts for the first translation."""
        self.records = 0
        self.runs = 0
        self.unseen: Callable[[Code, int], bool] | None = None
        """Says of an instruction whether it has never run, while that is recorded (coverage)."""
        self.pinned: Container[Code] = ()
        """Functions that run in the interpreter only, wherever they are called from, while they are debugged."""
        self.counts_calls = False
        """Whether every call is counted. That takes code in every unit, so it is not done unless somebody asks."""

    def _of(self, code: Code) -> FunctionStatistics:
        found = self.functions.get(code.name)
        if found is None:
            found = self.functions[code.name] = FunctionStatistics()
        return found

    def compile_seconds(self) -> float:
        """Return how long the translator and all translations together have taken, in seconds."""
        return self.load_seconds + sum(found.compile_seconds for found in self.functions.values())

    def called(self, code: Code) -> None:
        """Count a call that no unit counts: by the interpreter or the host, or of a kernel."""
        if self.counts_calls:
            self._of(code).calls += 1

    def counter(self, code: Code) -> Callable[[], None]:
        """Return what the units of *code* call at their start."""
        counters = self._of(code)

        def count() -> None:
            counters.calls += 1

        return count

    def compiled(self, code: Code, unit: Unit, seconds: float) -> None:
        """Count a translation."""
        counters = self._of(code)
        counters.units += 1
        counters.compile_seconds += seconds
        counters.code_size += len(unit.code.co_code)
        inlined = sorted({inlined.code.name for inlined in unit.inlined})
        counters.inlined.update(inlined)
        text = f"a code object of {len(unit.code.co_code)} bytes" + (f", with {', '.join(inlined)}" if inlined else "")
        self.tell("compiled", code, unit.entry, text, seconds, size=len(unit.code.co_code), inlined=inlined)

    def tell(
        self, kind: str, code: Code, instruction: int | None, text: str, seconds: float | None = None, **details: Any
    ) -> None:
        """Tell the listeners, if there are any, of something at an instruction of *code*; see JitEvent."""
        if self.listeners:
            line = line_of(code, instruction)
            time = perf_counter() - self._began
            tell(self.listeners, JitEvent(time, kind, code.name, instruction, line, text, seconds, details))

    def entering(self, what: str, code: Code, entry: int | None) -> None:
        """Tell that a run goes on in compiled code, *what* being its sort; of many entries only some are told."""
        key = what, code.name, entry
        times = self._entries[key] = self._entries[key] + 1
        if times <= ALWAYS_TOLD or times & (times - 1) == 0:
            text = what if times == 1 else f"{what}, entry {times}"
            self.tell("entered", code, entry, text, tier=what, times=times)

    def entered(self, code: Code) -> None:
        """Count an entry in mid-loop."""
        self._of(code).entries += 1

    def refused(self, code: Code, refusal: Refusal) -> None:
        """Note why a function is left to the interpreter."""
        self._of(code).refusal = refusal
        self.tell("refused", code, refusal.index, refusal.text(code.name))

    def made_kernel(self, code: Code, kernel: RunnableKernel, seconds: float, size: int) -> None:
        """Count a kernel that was made, or found in the cache; *size* is that of its object code in bytes."""
        counters = self._of(code)
        counters.kernels.append(kernel)
        counters.kernel_seconds += seconds
        counters.kernel_size += size
        text = f"{'from the cache' if kernel.cached else 'built'}, {size} bytes"
        others = kernel.functions[1:]
        text += f", with {', '.join(others)}" if others else ""
        self.tell("kernel", code, kernel.entry, text, seconds, size=size, cached=kernel.cached, functions=others)

    def no_kernel(self, code: Code, refusal: Refusal) -> None:
        """Note why a function has no kernel."""
        self._of(code).kernel_refusal = refusal
        self.tell("no kernel", code, refusal.index, refusal.text(code.name))

    def left(self, found: Exit, records: int) -> None:
        """Count a deoptimisation that rebuilt so many records."""
        self.deoptimisations[found.reason] = self.deoptimisations.get(found.reason, 0) + 1
        self.records += records
        if found in self.exits or len(self.exits) < MOST_PLACES:
            self.exits[found] += 1
        if self.listeners:
            details: dict[str, Any] = {name: value for name, value in found.as_dict().items() if name in _OF_EXITS}
            self.tell("left", found.code, found.instruction, found.explanation, records=records, **details)

    def as_dict(self) -> Counters:
        """Return everything as plain data."""
        return {
            "functions": {
                name: {
                    "tier": counters.tier,
                    "calls": counters.calls if self.counts_calls else None,
                    "units": counters.units,
                    "compile_seconds": counters.compile_seconds,
                    "code_size": counters.code_size,
                    "loop_entries": counters.entries,
                    "inlined": sorted(counters.inlined),
                    "refusal": counters.refusal.text(name) if counters.refusal else None,
                    "refusal_at": counters.refusal.position if counters.refusal else None,
                    "kernels": [kernel.as_dict() for kernel in counters.kernels],
                    "kernel_seconds": counters.kernel_seconds,
                    "kernel_size": counters.kernel_size,
                    "kernel_refusal": counters.kernel_refusal.text(name) if counters.kernel_refusal else None,
                    "kernel_refusal_at": counters.kernel_refusal.position if counters.kernel_refusal else None,
                }
                for name, counters in sorted(self.functions.items())
            },
            "runs": self.runs,
            "deoptimisations": dict(sorted(self.deoptimisations.items())),
            "exits": [{**found.as_dict(), "times": times} for found, times in self.exits.most_common()],
            "records_rebuilt": self.records,
        }
