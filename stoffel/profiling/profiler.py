"""Profiling a machine: `with machine.profile() as profile:` starts what looks, and stops it whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import CodeType
from typing import TYPE_CHECKING, Any

from stoffel.profiling.profile import Profile
from stoffel.profiling.sampler import RATE, Sampler

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState


@contextmanager
def profiled(
    state: VMState,
    boundaries: Collection[CodeType],
    statistics: Callable[[], Mapping[str, Any]],
    *,
    exact: bool = False,
    rate: float = RATE,
) -> Iterator[Profile]:
    """Profile the runs of a machine while entered; see ``VirtualMachine.profile``."""
    if not 0 < rate <= 1000:
        raise ValueError(f"the rate of a profile is more than 0 and at most 1000 samples a second, not {rate!r}")
    sampler = Sampler(state, boundaries, rate)
    profile = Profile(state, sampler.stacks, rate)
    with ExitStack() as closing:
        if exact:
            from stoffel.profiling.counting import counted

            steps = closing.enter_context(counted(state))
            profile.counts = {name: found.counts for name, found in steps.items()}
        sampler.start()
        try:
            yield profile
        finally:
            sampler.stop()
            profile.statistics = statistics()
            if exact:
                profile.calls = {name: found.calls for name, found in steps.items()}
