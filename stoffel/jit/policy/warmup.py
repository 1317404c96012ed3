"""What stands for the compiled tier while nothing is hot: loading the translator costs more than a short program."""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING, Final, cast

from stoffel.compiler.cpython.versions import why_not
from stoffel.jit.policy import thresholds
from stoffel.jit.statistics import Statistics
from stoffel.model.code import HEAT_OF_CALL, UNWATCHED, Code
from stoffel.runtime.tier import NoTier
from stoffel.threads import load_ahead

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from stoffel.jit.code_tier import CompiledTier
    from stoffel.jit.policy.run_history import Outcome
    from stoffel.model.values import Value
    from stoffel.runtime.frames import ActivationRecord, RunState
    from stoffel.runtime.state import VMState


class WarmUp(NoTier):
    """Counts like the compiled tier, and gives way to it when a function is hot enough; arguments as there."""

    loading: Final = None

    def __init__(
        self, state: VMState, threshold: float, kernels: str = "", cache: str | os.PathLike[str] | None = None
    ) -> None:
        self.state = state
        self.counts_heat = True
        self.threshold = threshold
        self.kernels_wanted = kernels
        self.cache = cache
        self.statistics = Statistics()
        self._counted: list[Code] = []
        self._limit = int(threshold * thresholds.HEAT_OF_LOADING)
        self._step = min(self._limit, thresholds.HEAT_OF_RECALL)
        self._heat = 0
        self._next_look = self._step
        self._remember: Callable[[], Outcome | None] | None = None
        self._considers = False

    def load(self, *, from_start: bool = False) -> CompiledTier:
        """Make the compiled tier, give it to the machine and return it.

        *from_start* is for runs that are known to gain by compiling: it waits less for each function, too.
        """
        began = thread_time()
        load_ahead("stoffel.compiler", "stoffel.jit")
        from stoffel.jit.code_tier import CompiledTier
        from stoffel.jit.kernels import perf_map

        made: type[CompiledTier] = CompiledTier
        if why_not() is not None:
            from stoffel.jit.kernel_only_tier import KernelOnlyTier

            made = KernelOnlyTier
        threshold = self.threshold * (thresholds.HASTE if from_start else 1)
        tier = made(self.state, threshold, self.kernels_wanted, self.cache, self.statistics)
        tier.from_start = from_start
        tier.loading = began, thread_time()
        if perf_map.is_wanted():
            perf_map.activate()
        self.state.tier = tier
        for code in self._counted:
            # From now on the length of a function decides; some are in their loops, and not called again.
            code.hot = UNWATCHED
            tier.is_hot(code)
        if self.state.attention:
            tier.ask_attention()
        return tier

    def recall(self, remember: Callable[[], Outcome | None]) -> None:
        """Ask *remember*, once the program has run for a while, what it has come to before, and prepare for that."""
        self._remember = remember

    @property
    def every(self) -> int:
        """As in the compiled tier."""
        return 0

    @every.setter
    def every(self, count: int) -> None:
        self.load().every = count

    def call(
        self, frame: ActivationRecord, callee: Code, arguments: list[Value], upvalues: list[tuple[str, Value]]
    ) -> bool | None:
        """Count a call; run it compiled if the program has run for long enough."""
        heat = len(callee.function.instructions) + HEAT_OF_CALL
        self._heat += heat
        callee.heat += heat
        if callee.hot >= UNWATCHED:
            self._count_loops(callee)
        else:
            callee.hot += heat
        if self._heat < self._next_look:
            return None
        tier = self._consider()
        return None if tier is None else tier.call(frame, callee, arguments, upvalues)

    def called_by_host(self, callee: Code, arguments: list[Value]) -> None:
        """Count a call by the host."""
        heat = len(callee.function.instructions) + thresholds.HEAT_OF_HOST_CALL
        self._heat += heat
        callee.heat += heat
        if callee.hot >= UNWATCHED:
            self._count_loops(callee)
        else:
            callee.hot += heat
        if self._heat >= self._next_look and (tier := self._consider()) is not None:
            tier.called_by_host(callee, arguments)

    def closure_called(self, callee: Code) -> None:
        """Count the call of a closure."""
        self.statistics.called(callee)
        self._heat += len(callee.function.instructions) + HEAT_OF_CALL

    def enter(self, frame: ActivationRecord) -> bool:
        """Go on with the current record in compiled code if the program has run for long enough."""
        code = frame.code
        if code.hot >= UNWATCHED:
            self._count_loops(code)
        elif code.heat >= code.hot:
            self._heat += code.heat - code.hot + self._step
            code.hot = code.heat + self._step
        if self._heat < self._next_look:
            return False
        tier = self._consider()
        return tier is not None and tier.enter(frame)

    def _consider(self) -> CompiledTier | None:
        """Load the compiled tier and return it if the program has run for long enough, or has paid for it before."""
        if self._considers:
            # A signal handler has interrupted it.
            return None
        self._considers = True
        try:
            return self._load_if_it_pays()
        finally:
            self._considers = False

    def _load_if_it_pays(self) -> CompiledTier | None:
        if self._remember is not None:
            known, self._remember = self._remember(), None
            if known is not None and known.paid:
                tier = self.load(from_start=True)
                tier.prepare(known)
                return tier
            if known is not None:
                self._limit *= thresholds.PATIENCE
        self._next_look = self._limit
        return self.load() if self._heat >= self._limit else None

    def _count_loops(self, code: Code) -> None:
        """Have the loops of *code* noticed now and then: their heat is added to that of the calls."""
        code.hot = code.heat + self._step
        self._counted.append(code)


def tier_of(state: RunState) -> CompiledTier | WarmUp:
    """Return the compiled tier of a machine: a :class:`.Tier` to the layers below, all of its methods from here up."""
    return cast("CompiledTier | WarmUp", state.tier)


def outcome_of(tier: CompiledTier | WarmUp, began: float, known: Outcome | None = None) -> Outcome | None:
    """Return what is known after a run that *began* at this ``time.thread_time``; *known* is what was known before.

    None stands for a run that is too short for compiling to matter.
    """
    from stoffel.jit.policy.run_history import Outcome

    total = thread_time() - began
    before = known or Outcome()
    if tier.loading is None:
        return before._replace(interpreted=total) if known is not None or total >= thresholds.WORTH_TRYING else None
    kernels = before.kernels if tier.kernels is None else tier.kernels.chosen()
    at, after = tier.loading
    compiling = tier.statistics.compile_seconds()
    if tier.kernels is not None and thread_time() - max(began, after) - compiling > thresholds.LONG_ENOUGH:
        kernels = tuple(dict.fromkeys((*kernels, *tier.kernels.missed())))
    if tier.from_start or at <= began:
        return Outcome(before.interpreted, total, kernels)
    # Compiled code is not slower than the interpreter, or the next run, which compiles from its start, finds it out.
    interpreted = total - (after - at) - compiling
    return Outcome(max(interpreted, before.interpreted or 0.0), before.compiled, kernels)
