"""Registers: from code over any number of virtual registers to the sixteen of the machine and its spill slots.

Linear scan over live intervals with holes (Wimmer and Mössenböck, "Optimized Interval Splitting in a Linear Scan
Register Allocator", 2005, without the splitting): liveness is exact, so a value is never overwritten while it may still
be read. Registers that are copied into one another are given the same number where they can be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Any, Final, NamedTuple

CLEAR_REGISTERS: Final = 16
"""Registers below this number hold clear values; those from it on hold secrets."""
_SCRATCH: Final = (14, 15)
"""Registers that are kept free for spilled values where a function needs more than there are."""
_ALL: Final = tuple(range(CLEAR_REGISTERS))
_BUT_SCRATCH: Final = tuple(register for register in _ALL if register not in _SCRATCH)
_LONG: Final = 8
"""Positions beyond which the life of a constant is long: it is loaded at each use where registers are rare."""
_LOOP_WEIGHT: Final = 8
_DEEPEST: Final = 8


class Step(NamedTuple):
    """An instruction over virtual registers: *target* is what it writes, *sources* what it reads.

    *value* is the constant of LDI, the label of a jump, the name of a CALL, whose target is where its result goes.
    *depth* is the number of loops around it.
    """

    name: str
    target: int | None
    sources: tuple[int, ...]
    value: Any
    line: int
    depth: int


class Placed(NamedTuple):
    """An instruction with the operands of the machine, and the line that it comes from."""

    name: str
    operands: tuple[Any, ...]
    line: int


JUMPS: Final = frozenset(("JMP", "JMPEQ", "JMPNEQ", "JMPLT", "JMPGT"))


class _Block(NamedTuple):
    first: int
    last: int
    following: list[int]


def _blocks(steps: list[Step], labels: dict[int, int]) -> list[_Block]:
    """Return the basic blocks in their order; *labels* maps a label to the index of the step it stands before."""
    size = len(steps)
    leaders = {0, *(at for at in labels.values() if at < size)}
    leaders.update(
        at + 1 for at, step in enumerate(steps) if (step.name in JUMPS or step.name == "RET") and at + 1 < size
    )
    starts = sorted(leaders)
    number = {start: at for at, start in enumerate(starts)}
    blocks = []
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else size
        last = steps[end - 1]
        following = [at + 1] if last.name not in ("JMP", "RET") and at + 1 < len(starts) else []
        if last.name in JUMPS:
            following.append(number[labels[last.value]])
        blocks.append(_Block(start, end, following))
    return blocks


def _live_out(steps: list[Step], blocks: list[_Block], parameters: list[int]) -> tuple[list[set[int]], set[int]]:
    """Return what is live at the end of each block, and what is read before it is written in the function."""
    used: list[set[int]] = []
    written: list[set[int]] = []
    for block in blocks:
        reads: set[int] = set()
        writes: set[int] = set()
        for step in steps[block.first : block.last]:
            for source in step.sources:
                if source not in writes:
                    reads.add(source)
            if step.target is not None:
                writes.add(step.target)
        used.append(reads)
        written.append(writes)
    before: list[list[int]] = [[] for _ in blocks]
    for at, block in enumerate(blocks):
        for following in block.following:
            before[following].append(at)
    live_in = [set(reads) for reads in used]
    live_out: list[set[int]] = [set() for _ in blocks]
    pending = list(range(len(blocks)))
    waiting = set(pending)
    while pending:
        at = pending.pop()
        waiting.discard(at)
        out = live_out[at]
        for following in blocks[at].following:
            out |= live_in[following]
        entering = used[at] | (out - written[at])
        if len(entering) != len(live_in[at]):
            live_in[at] = entering
            for previous in before[at]:
                if previous not in waiting:
                    waiting.add(previous)
                    pending.append(previous)
    return live_out, live_in[0] - set(parameters) if blocks else set()


class _Interval:
    """Where one virtual register is live: ranges of positions, half open, in order.

    A step reads at an even position and writes at the odd one behind it.
    """

    __slots__ = ("hints", "ranges", "weight")

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        self.weight = 0
        self.hints: list[int] = []

    def close(self) -> None:
        """Bring the ranges, which were found from the back, in order and join those that touch."""
        found: list[tuple[int, int]] = []
        for start, end in sorted(self.ranges):
            if found and start <= found[-1][1]:
                found[-1] = found[-1][0], max(end, found[-1][1])
            else:
                found.append((start, end))
        self.ranges = found


class _Register:
    """What a register of the machine is taken for."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def is_free(self, ranges: list[tuple[int, int]]) -> bool:
        starts, ends = self.starts, self.ends
        for start, end in ranges:
            at = bisect_left(starts, end)
            if at and ends[at - 1] > start:
                return False
        return True

    def take(self, ranges: list[tuple[int, int]]) -> None:
        for start, end in ranges:
            at = bisect_left(self.starts, start)
            self.starts.insert(at, start)
            self.ends.insert(at, end)


class Allocation:
    """Registers and spill slots of one function."""

    def __init__(self, steps: list[Step], labels: dict[int, int], parameters: list[int], secrets: set[int]) -> None:
        self.parameters = parameters
        self.secrets = secrets
        self.place: dict[int, int] = {}
        self.slots: dict[int, int] = {}
        self.analyse(steps, labels)
        if self.assign(_ALL):
            return
        constants = self.long_lived_constants()
        if constants:
            self.analyse(*_rematerialised(self.steps, self.labels, constants))
        if not constants or not self.assign(_ALL):
            self.assign(_BUT_SCRATCH)

    def analyse(self, steps: list[Step], labels: dict[int, int]) -> None:
        """Find out where every virtual register is live."""
        blocks = _blocks(steps, labels)
        live_out, unwritten = _live_out(steps, blocks, self.parameters)
        if unwritten:
            # A variable that a path leaves unassigned reads as Unit there.
            first = [Step("LDI", register, (), None, steps[0].line, 0) for register in sorted(unwritten)]
            steps = first + steps
            labels = {label: at + len(first) for label, at in labels.items()}
            blocks = _blocks(steps, labels)
            live_out, _ = _live_out(steps, blocks, self.parameters)
        self.steps = steps
        self.labels = labels
        self.arriving: dict[int, int] = {}
        self.calls = [2 * at + 3 for at, step in enumerate(steps) if step.name == "CALL"]
        self.intervals = self.find_intervals(blocks, live_out)

    def long_lived_constants(self) -> dict[int, Any]:
        """Return the values of the virtual registers that hold one constant all the time, and that for long."""
        written = Counter(step.target for step in self.steps if step.target is not None)
        return {
            step.target: step.value
            for step in self.steps
            if step.name == "LDI" and step.target is not None and written[step.target] == 1
            if sum(end - start for start, end in self.intervals[step.target].ranges) > _LONG
        }

    def find_intervals(self, blocks: list[_Block], live_out: list[set[int]]) -> dict[int, _Interval]:
        found: dict[int, _Interval] = {}

        def interval(register: int) -> _Interval:
            one = found.get(register)
            if one is None:
                one = found[register] = _Interval()
            return one

        for at in range(len(blocks) - 1, -1, -1):
            block = blocks[at]
            end = 2 * block.last + 2
            live = dict.fromkeys(live_out[at], end)
            for index in range(block.last - 1, block.first - 1, -1):
                step = self.steps[index]
                position = 2 * index + 2
                weight = _LOOP_WEIGHT ** min(step.depth, _DEEPEST)
                target = step.target
                if target is not None:
                    one = interval(target)
                    one.ranges.append((position + 1, live.pop(target, position + 2)))
                    one.weight += weight
                    if step.name == "MOV":
                        one.hints.append(step.sources[0])
                        interval(step.sources[0]).hints.append(target)
                    elif step.name == "CALL":
                        one.hints.append(-1)
                for source in step.sources:
                    live.setdefault(source, position + 1)
                    interval(source).weight += weight
            start = 2 * block.first + 2
            for register, until in live.items():
                interval(register).ranges.append((start, until))
        for at, register in enumerate(self.parameters):
            if register in found and any(start == 2 for start, _ in found[register].ranges):
                self.arriving[register] = at
                found[register].ranges.append((1, 3))
                found[register].hints.insert(0, -1 - at)
        for one in found.values():
            one.close()
        return found

    def survives_calls(self, ranges: list[tuple[int, int]]) -> bool:
        """True if no call lies within *ranges*: register 0 may hold the value."""
        calls = self.calls
        for start, end in ranges:
            at = bisect_left(calls, start + 1)
            if at < len(calls) and calls[at] < end:
                return False
        return True

    def assign(self, pool: tuple[int, ...]) -> bool:
        """Give every virtual register a place; False if some had to go to spill slots."""
        registers = {register: _Register() for register in pool}
        hidden: list[_Register] = []
        slots: list[_Register] = []
        self.place.clear()
        self.slots.clear()
        fits = True
        intervals = self.intervals

        def urgency(virtual: int) -> tuple[bool, bool, float]:
            # Parameters stay where they arrive and results where they come, unless registers are rare.
            rare = pool is _BUT_SCRATCH
            return rare or virtual not in self.arriving, rare or -1 not in intervals[virtual].hints, -density(virtual)

        def density(virtual: int) -> float:
            one = intervals[virtual]
            return one.weight / sum(end - start for start, end in one.ranges)

        for virtual in sorted(intervals, key=urgency):
            one = intervals[virtual]
            if virtual in self.secrets:
                self.place[virtual] = CLEAR_REGISTERS + _first_free(hidden, one.ranges)
                continue
            hints = [-1 - hint if hint < 0 else self.place.get(hint, -1) for hint in one.hints]
            for register in (*hints, *pool):
                if (
                    register in registers
                    and registers[register].is_free(one.ranges)
                    and (register != 0 or self.survives_calls(one.ranges))
                ):
                    registers[register].take(one.ranges)
                    self.place[virtual] = register
                    break
            else:
                fits = False
                self.slots[virtual] = _first_free(slots, one.ranges)
        return fits

    # The code

    def code(self) -> tuple[list[Placed], dict[int, int]]:
        """Return the instructions of the machine, and the labels by the index that they stand before."""
        found = self.prologue()
        stands_before: dict[int, list[int]] = {}
        for label, at in self.labels.items():
            stands_before.setdefault(at, []).append(label)
        labels: dict[int, int] = {}
        for at, step in enumerate(self.steps):
            for label in stands_before.get(at, ()):
                labels[label] = len(found)
            self.write(step, found)
        for label in stands_before.get(len(self.steps), ()):
            labels[label] = len(found)
        return found, labels

    def write(self, step: Step, found: list[Placed]) -> None:
        name, target, sources, value, line, _ = step
        place, slots = self.place, self.slots
        if name == "MOV" and target is not None:
            self.move(target, sources[0], line, found)
            return
        operands: list[Any] = []
        for source, scratch in zip(sources, _SCRATCH, strict=False):
            if source in slots:
                found.append(Placed("LDS", (scratch, slots[source]), line))
                operands.append(scratch)
            else:
                operands.append(place[source])
        if name == "CALL":
            found.append(Placed(name, (value,), line))
            if target is not None and target in self.intervals:
                if target in slots:
                    found.append(Placed("STS", (slots[target], 0), line))
                elif place[target] != 0:
                    found.append(Placed("MOV", (place[target], 0), line))
            return
        if name == "LDI" or name in JUMPS:
            operands.append(value)
        if target is None:
            found.append(Placed(name, tuple(operands), line))
        elif target in slots:
            found.append(Placed(name, (_SCRATCH[0], *operands), line))
            found.append(Placed("STS", (slots[target], _SCRATCH[0]), line))
        else:
            found.append(Placed(name, (place[target], *operands), line))

    def move(self, target: int, source: int, line: int, found: list[Placed]) -> None:
        place, slots = self.place, self.slots
        if target in slots:
            register = place.get(source, _SCRATCH[0])
            if source in slots:
                found.append(Placed("LDS", (register, slots[source]), line))
            found.append(Placed("STS", (slots[target], register), line))
        elif source in slots:
            found.append(Placed("LDS", (place[target], slots[source]), line))
        elif place[target] != place[source]:
            found.append(Placed("MOV", (place[target], place[source]), line))

    def prologue(self) -> list[Placed]:
        """Return what brings the parameters from the registers in which they arrive to their places."""
        line = self.steps[0].line if self.steps else 0
        found: list[Placed] = []
        moves: dict[int, int] = {}
        for register, at in self.arriving.items():
            if register in self.slots:
                found.append(Placed("STS", (self.slots[register], at), line))
            elif self.place[register] != at:
                moves[self.place[register]] = at
        taken = {*self.place.values(), *range(len(self.parameters))}
        while moves:
            sources = set(moves.values())
            ready = next((target for target in moves if target not in sources), None)
            if ready is None:
                # A circle: one value steps aside, into a register that nobody has or into a spill slot.
                target, source = next(iter(moves.items()))
                aside = next((register for register in range(CLEAR_REGISTERS) if register not in taken), None)
                if aside is None:
                    slot = 1 + max(self.slots.values(), default=-1)
                    found.append(Placed("STS", (slot, target), line))
                    aside = _Aside(slot)
                else:
                    found.append(Placed("MOV", (aside, target), line))
                moves = {to: aside if from_ == target else from_ for to, from_ in moves.items()}
                continue
            source = moves.pop(ready)
            if isinstance(source, _Aside):
                found.append(Placed("LDS", (ready, int(source)), line))
            else:
                found.append(Placed("MOV", (ready, source), line))
        return found


class _Aside(int):
    """A spill slot in the place of a register while parameters change places."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Aside) and int(self) == int(other)

    def __hash__(self) -> int:
        return hash(("slot", int(self)))


def _rematerialised(
    steps: list[Step], labels: dict[int, int], constants: dict[int, Any]
) -> tuple[list[Step], dict[int, int]]:
    """Return the code with *constants* loaded at each use instead of once.

    (Briggs, Cooper and Torczon, "Rematerialization", 1992, for values that are constants.)
    """
    fresh = max(register for step in steps for register in (step.target or 0, *step.sources))
    found: list[Step] = []
    numbers: list[int] = []
    for step in steps:
        numbers.append(len(found))
        if step.target in constants:
            continue
        sources = step.sources
        if not constants.keys().isdisjoint(sources):
            replaced: dict[int, int] = {}
            for source in sources:
                if source in constants and source not in replaced:
                    fresh += 1
                    replaced[source] = fresh
                    found.append(Step("LDI", fresh, (), constants[source], step.line, step.depth))
            step = step._replace(sources=tuple([replaced.get(source, source) for source in sources]))
        found.append(step)
    numbers.append(len(found))
    return found, {label: numbers[at] for label, at in labels.items()}


def _first_free(places: list[_Register], ranges: list[tuple[int, int]]) -> int:
    for at, one in enumerate(places):
        if one.is_free(ranges):
            one.take(ranges)
            return at
    places.append(_Register())
    places[-1].take(ranges)
    return len(places) - 1
