"""The tiers answer whatever a machine asks of its tier, one that compiles nothing too."""

import inspect

import pytest

from stoffel import VirtualMachine
from stoffel.jit.code_tier import CompiledTier
from stoffel.jit.policy.warmup import WarmUp
from stoffel.runtime.frames import Tier
from stoffel.runtime.tier import NoTier
from tests.machines import SUM, loaded


@pytest.mark.parametrize("tier", [NoTier, WarmUp, CompiledTier])
def test_each_tier_answers_all_that_the_runtime_asks(tier: type) -> None:
    asked = {name: member for name, member in vars(Tier).items() if inspect.isfunction(member) and name[0] != "_"}
    assert "enter" in asked
    for name, member in asked.items():
        # Arguments are given by position.
        mine, others = (inspect.signature(one).parameters for one in (getattr(tier, name), member))
        assert len(mine) == len(others), name


def test_a_machine_that_compiles_nothing_tells_and_counts_nothing() -> None:
    machine, other = (loaded(VirtualMachine(jit="off"), SUM) for _ in range(2))
    told: list[object] = []
    machine.on_jit_event(told.append)
    machine.count_calls()
    machine.state.tier.every = 1  # type: ignore[attr-defined]
    assert machine.execute("sum", 100) == other.execute("sum", 100)
    assert (told, machine.jit_statistics()) == ([], {"mode": "off"})
    assert type(machine.state.tier) is type(other.state.tier) is NoTier
    assert not other.state.tier.statistics.counts_calls
