"""What a profile shows: functions, loops, calls and instructions with their time, from the stacks that were seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stoffel.isa.table import Flow
from stoffel.jit.events import line_of
from stoffel.model.code import Code
from stoffel.profiling.stacks import COMPILING, TIERS, Stacks, Tier

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

LISTED: Final = 5000
"""Instructions of a function that are shown one by one, from the first that took time."""


class FunctionTime(NamedTuple):
    """The time of one function, in seconds of processor time.

    ``tier`` is the fastest in which it ran. ``calls`` and ``instructions`` (executed in it, without what it calls) are
    None where they were not counted. ``by_tier`` has the part of ``self_seconds`` of each tier. ``compile_seconds``
    is what its translations took, ``kernel_seconds`` what its kernels took to make, most of it in another thread.
    """

    name: str
    tier: str
    self_seconds: float
    total_seconds: float
    calls: int | None
    instructions: int | None
    by_tier: dict[str, float]
    compile_seconds: float
    kernel_seconds: float


class LoopTime(NamedTuple):
    """The time of one loop: from the instruction *first* to the jump back at *last*; their source lines, if known."""

    function: str
    first: int
    last: int
    self_seconds: float
    total_seconds: float
    first_line: int | None
    last_line: int | None


class LineTime(NamedTuple):
    """The time of one instruction, alone and with what it calls; ``executions`` is None if they were not counted."""

    instruction: int
    line: int | None
    text: str
    self_seconds: float
    total_seconds: float
    executions: int | None


class SourceLine(NamedTuple):
    """The time of one line of a source, alone; ``text`` is the line, empty if the source is not at hand."""

    file: str
    line: int
    text: str
    self_seconds: float


class Times:
    """Where the time of the runs of one machine went, as far as it was seen.

    ``stacks`` are the sampled stacks. ``counts`` are the executions of every instruction by function, None if they were
    not counted, and ``calls`` how often each function was called. ``statistics`` is what ``jit_statistics`` of the
    machine tells.
    """

    def __init__(self, state: VMState, stacks: Stacks, rate: float) -> None:
        self.stacks = stacks
        self.rate = rate
        self.statistics: Mapping[str, Any] = {}
        self.counts: dict[str, list[int]] | None = None
        self.calls: dict[str, int] | None = None
        self.sources: dict[str, str] = {}
        """Texts of sources by the file's name as line tables have it, where somebody has put them here."""
        self._state = state

    @property
    def seconds(self) -> float:
        """Processor time of the machine's thread that was seen in runs of the machine."""
        return sum(self.stacks.seconds)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return sum(self.stacks.samples)

    @property
    def compiling_seconds(self) -> float:
        """The part of ``seconds`` in which the run waited for the compiler."""
        return self._own().get(COMPILING.function, {}).get(COMPILING.tier, 0.0)

    def _own(self) -> dict[str, dict[Tier, float]]:
        found: dict[str, dict[Tier, float]] = {}
        for frame, seconds in zip(self.stacks.frames, self.stacks.seconds, strict=True):
            tiers = found.setdefault(frame.function, {})
            tiers[frame.tier] = tiers.get(frame.tier, 0.0) + seconds
        found.pop("", None)
        return found

    def functions(self) -> list[FunctionTime]:
        """Return all functions that were seen, VM and foreign ones, by falling own time."""
        total: defaultdict[str, float] = defaultdict(float)
        for path, seconds, _ in self.stacks.leaves():
            for name in {self.stacks.frames[node].function for node in path}:
                total[name] += seconds
        own = self._own()
        for name in self.counts or ():
            own.setdefault(name, {})
        compiled = self.statistics.get("functions", {})
        rows = []
        for name, tiers in own.items():
            known = compiled.get(name, {})
            counts = None if self.counts is None else self.counts.get(name)
            if not tiers and not sum(counts or ()):
                continue
            rows.append(
                FunctionTime(
                    name,
                    _fastest({*(tier.name for tier in tiers), known.get("tier", "")}),
                    sum(tiers.values()),
                    total[name],
                    known.get("calls") if self.calls is None else self.calls.get(name),
                    None if counts is None else sum(counts),
                    {tier.name: seconds for tier, seconds in tiers.items() if seconds},
                    known.get("compile_seconds", 0.0),
                    known.get("kernel_seconds", 0.0),
                )
            )
        return sorted(rows, key=lambda row: (-row.self_seconds, -(row.instructions or 0), row.name))

    def loops(self) -> list[LoopTime]:
        """Return the loops that took time, by falling total time.

        A kernel tells only where it was entered: its time is that of the loop there.
        """
        found = []
        totals = {row.name: row.total_seconds for row in self.functions()}
        for name, total in totals.items():
            code = self._code(name)
            if code is None:
                continue
            own, inside = self._places(name)
            for first, last in sorted(_loops_of(code)):
                alone = sum(seconds for index, seconds in own.items() if first <= index <= last)
                whole = sum(seconds for index, seconds in inside.items() if first <= index <= last)
                if whole:
                    # A recursion is in several instructions of the loop at once.
                    lines = [line for index in range(first, last + 1) if (line := line_of(code, index))]
                    ends = (min(lines), max(lines)) if lines else (None, None)
                    found.append(LoopTime(name, first, last, alone, min(whole, total), *ends))
        return sorted(found, key=lambda loop: (-loop.total_seconds, loop.function, loop.first))

    def edges(self) -> list[tuple[str, str, float]]:
        """Return caller, callee and the seconds that the callee took there with all that it called, by falling time."""
        found: defaultdict[tuple[str, str], float] = defaultdict(float)
        frames = self.stacks.frames
        for path, seconds, _ in self.stacks.leaves():
            names = [frames[node].function for node in path]
            for edge in set(pairwise(names)):
                found[edge] += seconds
        return sorted(((*edge, seconds) for edge, seconds in found.items()), key=lambda item: (-item[2], item))

    def lines(self, function: str) -> list[LineTime]:
        """Return the instructions of a VM function with their time, of a very long one :data:`LISTED` of them."""
        code = self._code(function)
        if code is None:
            return []
        own, inside = self._places(function)
        counts = (self.counts or {}).get(function)
        instructions = code.function.instructions
        begin = max(min(inside, default=0) - LISTED // 10, 0) if len(instructions) > LISTED else 0
        return [
            LineTime(
                index,
                line_of(code, index),
                str(instructions[index]),
                own.get(index, 0.0),
                inside.get(index, 0.0),
                None if counts is None else counts[index],
            )
            for index in range(begin, min(len(instructions), begin + LISTED))
        ]

    def exits(self) -> list[tuple[int, str, str]]:
        """Return where compiled code was left: how often, the place, and why, most frequent first."""
        found = []
        for place in self.statistics.get("exits", ()):
            why = place["reason"]
            if place["expected"]:
                why = f"expected {place['expected']}, saw {place['seen']}"
            elif place["cause"]:
                why = f"{why}: {place['cause']}"
            line = f", line {place['line']}" if place["line"] else ""
            found.append((place["times"], f"{place['function']}:{place['instruction']}{line}", why))
        return found

    def source_lines(self) -> list[SourceLine]:
        """Return the lines of sources that took time themselves, by falling time."""
        found: defaultdict[tuple[str, int], float] = defaultdict(float)
        for (node, index), (seconds, _) in self.stacks.places.items():
            file, line = self.place(self.stacks.frames[node].function, index)
            if line:
                found[file, line] += seconds
        texts = {file: text.splitlines() for file, text in self.sources.items()}
        rows = []
        for (file, line), seconds in found.items():
            lines = texts.get(file, [])
            rows.append(SourceLine(file, line, lines[line - 1].strip() if line <= len(lines) else "", seconds))
        return sorted(rows, key=lambda row: (-row.self_seconds, row.file, row.line))

    def _places(self, function: str) -> tuple[dict[int, float], dict[int, float]]:
        """Return the seconds of the instructions of a function, alone and with what they call."""
        own: defaultdict[int, float] = defaultdict(float)
        inside: defaultdict[int, float] = defaultdict(float)
        for (node, index), (seconds, _) in self.stacks.places.items():
            if self.stacks.frames[node].function == function:
                own[index] += seconds
        for (frame, index), seconds in self.stacks.inside.items():
            if frame.function == function:
                inside[index] += seconds
        return own, inside

    def _code(self, name: str) -> Code | None:
        code = self._state.functions.get(name)
        return code if type(code) is Code else None

    def place(self, function: str, index: int = 0) -> tuple[str, int]:
        """Return file and line of the source of an instruction of a VM function; no file and line 0 if unknown."""
        code = self._code(function)
        table = None if code is None else code.function.line_table
        return ("", 0) if table is None else (table.file, table.line_of(index) or 0)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON: times in seconds, instructions by index."""
        frames = list(dict.fromkeys(self.stacks.frames[1:]))
        number = {frame: position for position, frame in enumerate(frames)}
        functions = self.functions()
        return {
            "seconds": self.seconds,
            "samples": self.samples,
            "rate": self.rate,
            "mode": self.statistics.get("mode"),
            "compiling_seconds": self.compiling_seconds,
            "functions": [row._asdict() for row in functions],
            "loops": [loop._asdict() for loop in self.loops()],
            "calls": [{"caller": a, "callee": b, "seconds": seconds} for a, b, seconds in self.edges()],
            "lines": [
                {"function": row.name, **line._asdict()}
                for row in functions
                for line in self.lines(row.name)
                if line.total_seconds or line.executions
            ],
            "source_lines": [line._asdict() for line in self.source_lines()],
            "kernels": [
                {"function": name, **kernel}
                for name, found in self.statistics.get("functions", {}).items()
                for kernel in found["kernels"]
            ],
            "deoptimisations": self.statistics.get("deoptimisations", {}),
            "frames": [{"name": frame.function, "tier": frame.tier.name} for frame in frames],
            "stacks": [
                {
                    "frames": [number[self.stacks.frames[node]] for node in path],
                    "seconds": seconds,
                    "samples": samples,
                }
                for path, seconds, samples in self.stacks.leaves()
            ],
        }


def _fastest(names: set[str]) -> str:
    """Return the fastest of some tiers: the three of VM functions are in the order of their speed."""
    return next((tier.name for tier in reversed(TIERS) if tier.name in names), TIERS[0].name)


def _loops_of(code: Code) -> set[tuple[int, int]]:
    """Return the loops of a function as their first instruction and the last jump back to it."""
    last: dict[int, int] = {}
    labels = code.function.labels
    for index, instruction in enumerate(code.function.instructions):
        if instruction.op.flow is Flow.JUMP:
            target = labels[instruction.operands[0]]
            if target <= index:
                last[target] = index
    return set(last.items())
