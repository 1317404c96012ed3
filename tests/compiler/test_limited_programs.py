"""Generated programs stop at the same instruction in every tier, whatever their limit, and leave the same behind."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoffel import ErrorKind, Limits, VirtualMachine, VMError
from stoffel.runtime.events import BeforeInstructionExecute

from . import oracle
from .generators import Case, cases, make_case
from .oracle import ALWAYS, KERNELS, Way

WAYS = (ALWAYS, KERNELS, Way("every safepoint", "always", 1), Way("auto, warm soon", "auto", threshold=1e-5))


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[[Limits], None]:
    """Have the oracle's machines run within limits."""
    machine_for = oracle.machine_for

    def limit(limits: Limits) -> None:
        def made(case: Case, way: Way, printed: list[str]) -> VirtualMachine:
            machine = machine_for(case, way, printed)
            machine.limits = limits
            return machine

        monkeypatch.setattr(oracle, "machine_for", made)

    return limit


@given(cases(), st.integers(0, 5000))
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_programs_by_hypothesis_stop_alike_in_every_tier(limited, case: Case, count: int) -> None:  # type: ignore[no-untyped-def]
    limited(Limits(instructions=count))
    difference = oracle.compare(case, WAYS)
    assert difference is None, difference.report()


@pytest.mark.parametrize("seed", range(12))
def test_programs_stop_alike_at_every_instruction(limited, seed):  # type: ignore[no-untyped-def]
    case = make_case(random.Random(seed))
    for count in range(40):
        limited(Limits(instructions=count))
        difference = oracle.compare(case, [WAYS[count % len(WAYS)]])
        assert difference is None, difference.report()


@pytest.mark.parametrize("seed", range(12, 24))
@pytest.mark.parametrize(
    "limits", [Limits(allocation=700), Limits(memory=600), Limits(array=3, object=2, string=9, stack=2)]
)
def test_programs_are_limited_alike_in_memory_and_values(limited, seed, limits):  # type: ignore[no-untyped-def]
    limited(limits)
    difference = oracle.compare(make_case(random.Random(seed)), WAYS)
    assert difference is None, difference.report()


@given(cases(), st.integers(0, 300))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_as_many_instructions_run_as_are_allowed(case: Case, count: int) -> None:
    """What counts here is a hook, which knows nothing of limits; builtins of little work cost nothing besides."""
    seen = [0]

    def note(event: object, context: object) -> None:
        seen[0] += 1

    machine = VirtualMachine(output=lambda line: None)
    machine.register_foreign_function("act", lambda context: None)
    machine.load(case.program)
    machine.register_hook(BeforeInstructionExecute, note)
    try:
        machine.execute("main", *case.arguments, limits=Limits(instructions=count, depth=case.depth or 1000))
    except VMError as error:
        if error.kind is ErrorKind.LIMIT:
            assert seen[0] <= count
            assert count - seen[0] <= 40  # the work of builtins
            return
    assert seen[0] <= count
