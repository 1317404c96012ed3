"""The kernels of one machine: running what there is for a call or a loop, and dropping what does not pay.

What becomes a kernel is in `choice.py`, how far each has come in `candidates.py`, how code objects call them in
`bridge.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stoffel.jit.kernels.bridge import Bridge
from stoffel.jit.kernels.candidates import Candidate, Candidates, ordinary
from stoffel.jit.kernels.choice import Choice
from stoffel.jit.kernels.outcomes import KernelLeft, Mismatch
from stoffel.jit.kernels.running import Kernels
from stoffel.jit.policy import thresholds
from stoffel.model.code import Code
from stoffel.model.values import Operand, Value
from stoffel.runtime.frames import ActivationRecord

if TYPE_CHECKING:
    from stoffel.jit.attention import Attention
    from stoffel.jit.code_cache import Units
    from stoffel.jit.exits import Exits
    from stoffel.jit.statistics import Statistics
    from stoffel.jit.store.kernel_cache import Cache
    from stoffel.runtime.state import VMState


class Owner(Protocol):
    """What the kernels of a machine ask of its compiled tier, whose code objects they call and are called by."""

    @property
    def state(self) -> VMState: ...
    @property
    def units(self) -> Units: ...
    @property
    def statistics(self) -> Statistics: ...
    @property
    def attention(self) -> Attention: ...
    @property
    def exits(self) -> Exits: ...


class KernelTier:
    """The kernels of one machine. *eager* makes everything that qualifies a kernel at once."""

    def __init__(self, tier: Owner, store: Cache, *, eager: bool) -> None:
        units = tier.units
        self.state = tier.state
        self.kernels = Kernels(tier.state, tier.statistics)
        self.state.lending = self.kernels.lending
        self.kernels.every = tier.attention.every
        self.choice = Choice(units, lambda code: self.bridge.call_wanted(code), eager=eager)
        self.candidates = Candidates(
            units, self.choice, store, tier.attention, lambda code: self.bridge.call_made(code)
        )
        self.bridge = Bridge(units, self.candidates, self._run, tier.exits.leave_kernel)

    # What the next run of the same program may learn from

    def recall(self, kernels: Sequence[tuple[str, int | None]]) -> None:
        """Want what :meth:`chosen` has returned in an earlier run of the program."""
        found = [(self.state.functions.get(name), entry) for name, entry in kernels]
        self.choice.recall([(code, entry) for code, entry in found if type(code) is Code])

    def chosen(self) -> tuple[tuple[str, int | None], ...]:
        """Return which kernels have run or were made: function, and where it is taken over, None for calls."""
        return tuple(dict.fromkeys((code.name, entry) for code, entry in self.candidates.chosen()))

    def missed(self) -> tuple[tuple[str, int | None], ...]:
        """The same for those that were wanted while none was made, and were not in the cache."""
        return tuple((code.name, entry) for code, entry in self.choice.missed)

    def renew_after_fork(self) -> None:
        """Have new locks, and a new thread if there is something to do, in a forked process."""
        self.kernels.lending.renew_after_fork()
        self.candidates.builder.renew_after_fork()

    def forget_all(self) -> None:
        """Have all kernels made anew: a name may mean something else. What is being made is not taken."""
        self.candidates.forget_all()
        self.bridge.forget_all()
        self.choice.missed.clear()

    def sample(self, records: list[ActivationRecord], ticks: int) -> None:
        """Take what is finished; if the clock has ticked (*ticks* is not 0) want a kernel of what is running."""
        self.candidates.collect()
        if ticks:
            if ticks > thresholds.TICKS_BEFORE_LARGE:
                self.candidates.admit_large()
            self.choice.sample(records, ticks)

    # Running

    def call(
        self, callee: Code, key: tuple[type, ...], arguments: list[Value], room: int
    ) -> Operand | KernelLeft | None:
        """Run a call by the interpreter as a kernel; raises Mismatch if there is none for it."""
        key = ordinary(key)
        candidate = self.candidates.calls.get((callee, key))
        if candidate is None:
            if not self.choice.is_wanted(callee, None):
                raise Mismatch
            candidate = self.candidates.for_call(callee, key)
        return self._run(candidate, arguments, room, None)

    def enter(self, record: ActivationRecord, entry: int, values: list[Value], room: int) -> Operand | KernelLeft:
        """Take over a record at a loop head as a kernel; raises Mismatch if there is none for it."""
        code = record.code
        if record.stack:
            raise Mismatch
        if entry == 0:
            self.choice.starts[code] += 1
        read = self.candidates.read.get((code, entry))
        if read is None:
            if not self.choice.is_wanted(code, entry):
                raise Mismatch
            read = self.candidates.read[code, entry] = self.candidates.preparation.places_read(code, entry)
        closure = record.closure
        if closure is not None:
            if closure.shape[1] != tuple([name for name, _ in record.upvalues]):
                raise Mismatch
            read = [*read, *range(len(values), len(values) + 1 + len(record.upvalues))]
            values = [*values, closure, *[value for _, value in record.upvalues]]
        key = code, entry, ordinary(tuple([type(values[place]) for place in read]))
        candidate = self.candidates.entries.get(key)
        if candidate is None:
            candidate = self.candidates.entries[key] = Candidate((code, entry))
        return self._run(candidate, values, room, record)

    def _run(
        self,
        candidate: Candidate,
        values: Sequence[Value],
        room: int,
        outer: ActivationRecord | None,
    ) -> Operand | KernelLeft:
        if self.kernels.lending.is_held:
            raise Mismatch
        for kernel in candidate.kernels:
            if room < kernel.depth:
                raise Mismatch
            if kernel.expects is not None and kernel.expects != ordinary(tuple(map(type, values))):
                continue
            try:
                result = self.kernels.run(kernel, values, room, outer)
            except Mismatch:
                if kernel.mismatches >= thresholds.MISMATCHES * (1 + kernel.entries):
                    self.candidates.drop(candidate, kernel, "it is called with arrays of other types too often")
                continue
            if kernel.work < -thresholds.MOST_WORK_LOST and not self.kernels.every:
                self.candidates.drop(candidate, kernel, "it is left in the middle of too many calls")
                return result
            least = thresholds.LEAST_WORK_IF_EAGER if self.choice.eager else thresholds.LEAST_WORK
            if (
                kernel.entries % thresholds.TRIAL == 0
                and kernel.work < kernel.entries * least
                and not self.kernels.every
            ):
                average = max(kernel.work // kernel.entries, 0)
                self.candidates.drop(candidate, kernel, f"its runs are too short: {average} instructions on average")
            return result
        made = self.candidates.make(candidate, values)
        if made is None or room < made.depth:
            raise Mismatch
        return self.kernels.run(made, values, room, outer)
