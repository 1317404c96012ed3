"""The clock that has compiled code look at what is hot."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.kernels import MODERATE
from stoffel.jit.code_tier import CompiledTier
from stoffel.jit.policy import thresholds
from stoffel.jit.policy.sampling_clock import Clock
from stoffel.jit.policy.thresholds import LONGEST_REST, TICKS_BEFORE_LARGE
from stoffel.jit.policy.thresholds import LOOKS_BETWEEN_TICKS as LOOKS
from stoffel.jit.store import files
from tests.machines import SUM_BY_CALL, loaded, sampler


class Tier:
    """What the clock asks of a tier; *working* tells for each look whether a program runs then."""

    def __init__(self, working: list[bool]) -> None:
        self.working = working
        self.ticks: list[int] = []
        self.state = SimpleNamespace(records=[])

    @property
    def is_suspended(self) -> bool:
        return self.working.pop(0)

    def tick(self, ticks: int) -> None:
        self.ticks.append(ticks)


def clock_of(tier: Tier, rests: list[float]) -> Clock:
    """Return a clock whose waiting takes no time; it ends when the tier has no more looks to tell."""
    clock = Clock(tier)  # type: ignore[arg-type]

    def wait(seconds: float) -> bool:
        rests.append(seconds)
        if not tier.working:
            clock._tier = lambda: None  # type: ignore[assignment, return-value]
        return False

    clock.wait = wait  # type: ignore[assignment, method-assign]
    return clock


def test_the_clock_ticks_after_each_interval_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.4, 0.8))
    rests: list[float] = []
    tier = Tier([True] * (3 * LOOKS))
    clock_of(tier, rests).run()
    assert tier.ticks == [1, 2, 3]
    assert rests[: 3 * LOOKS] == [0.4 / LOOKS] * LOOKS + [0.8 / LOOKS] * (2 * LOOKS)


def test_time_in_which_nothing_runs_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.4,))
    tier = Tier([True] * (LOOKS - 1) + [False] * 50)
    clock_of(tier, []).run()
    assert tier.ticks == []


def test_an_idle_machine_is_looked_at_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.4,))
    rests: list[float] = []
    clock_of(Tier([False] * (LOOKS + 6) + [True, True]), rests).run()
    assert rests == [0.1] * (LOOKS + 1) + [0.2, 0.4, 0.8, LONGEST_REST, LONGEST_REST, LONGEST_REST, 0.1, 0.1]


def test_pauses_between_short_runs_put_a_tick_off_by_no_more_than_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.4,))
    rests: list[float] = []
    tier = Tier([False, False, True] * LOOKS)
    clock_of(tier, rests).run()
    assert (tier.ticks, rests) == ([1], [0.1] * (3 * LOOKS + 1))


def test_the_clock_of_a_machine_that_is_gone_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.4,))
    clock = Clock(Tier([]))  # type: ignore[arg-type]  # nobody else holds it
    clock.wait = lambda seconds: False  # type: ignore[method-assign, assignment, misc]
    clock.run()
    assert not clock.is_alive()


def kernels_of_sum(machine: VirtualMachine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = machine.jit_statistics()["functions"]["sum"].get("kernels", [])
    return found


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, int | None], VirtualMachine]:
    """Return what calls a function until a kernel from *entry* has run, on a machine of its own with one cache."""
    monkeypatch.setattr(thresholds, "TICKS", (0.001,))

    def run(function: str, entry: int | None) -> VirtualMachine:
        machine = loaded(VirtualMachine(jit="always", cache=tmp_path), SUM_BY_CALL)
        for _ in range(2000):
            assert machine.execute(function, 100_000) == 4999950000
            if any(kernel["entry"] == entry and kernel["runs"] for kernel in kernels_of_sum(machine)):
                return machine
        raise AssertionError(machine.jit_statistics())

    return run


@pytest.mark.parametrize(("function", "entry"), [("main", None), ("sum", 0)])
def test_what_is_called_again_and_again_becomes_a_kernel_from_the_start_of_a_call(
    function: str, entry: int | None, sampled: Callable[[str, int | None], VirtualMachine]
) -> None:
    sampled(function, entry)


def test_what_the_cache_has_is_not_asked_for_again_if_it_is_of_no_use(
    sampled: Callable[[str, int | None], VirtualMachine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sampled("sum", 0)
    for entry in tmp_path.glob("**/*.kernel"):
        entry.write_bytes(b"damaged")
    monkeypatch.setattr(files, "remove", lambda path: None)  # as where the directory is not to be written to
    assert not any(kernel["cached"] for kernel in kernels_of_sum(sampled("sum", 0)))


def test_a_loop_that_was_wanted_only_if_the_cache_has_it_is_not_made_later() -> None:
    """Meanwhile it has turned out that the function is called again and again: the whole of it is wanted."""
    machine = loaded(VirtualMachine(jit="always", cache="off"), SUM_BY_CALL)
    sample = sampler(machine, "sum", 5)
    tier = machine.state.tier
    assert isinstance(tier, CompiledTier)
    assert tier.kernels is not None
    sample(1)
    for _ in range(3):
        assert machine.execute("sum", 50) == 1225
    assert kernels_of_sum(machine) == []
    sample(2)
    for _ in range(2000):
        assert machine.execute("sum", 50) == 1225
        if kernels_of_sum(machine):
            break
        time.sleep(0.01)
    for _ in range(20):
        assert machine.execute("sum", 50) == 1225
    assert {kernel["entry"] for kernel in kernels_of_sum(machine)} == {0}
    assert tier.kernels.candidates.jobs == {}


@pytest.mark.parametrize(
    ("size", "callee"), [(MODERATE + 1, 0), (MODERATE - 100, 200)], ids=["one function", "with what it calls"]
)
def test_a_large_kernel_is_made_when_a_run_has_gone_on_for_long(size: int, callee: int) -> None:
    text = f"""
function part(x)
{chr(10).join(["    XOR r0, r0, r0"] * max(callee, 1))}
    RET r0
end

function sum(n)
    LDI r1, 0
    LDI r2, 1
    LDI r3, 0
    MOV r4, r0
again:
    CMP r1, r4
    JMPEQ done
    PUSHARG r1
    CALL part
    ADD r3, r3, r1
    ADD r1, r1, r2
{chr(10).join(["    XOR r5, r1, r3"] * (size - 13))}
    JMP again
done:
    RET r3
end
"""
    machine = loaded(VirtualMachine(jit="always", cache="off"), text)
    sample = sampler(machine, "sum", 9)
    tier = machine.state.tier
    assert isinstance(tier, CompiledTier)
    assert tier.kernels is not None
    for ticks in range(1, TICKS_BEFORE_LARGE + 1):
        sample(ticks)
        for _ in range(3):
            assert machine.execute("sum", 20) == 190
        assert tier.kernels.candidates.jobs == {}
    sample(TICKS_BEFORE_LARGE + 1)
    for _ in range(2000):
        assert machine.execute("sum", 20) == 190
        if any(kernel["runs"] for kernel in kernels_of_sum(machine)):
            break
        time.sleep(0.01)
    else:
        raise AssertionError(machine.jit_statistics())
