"""Making kernels beside the run: the builder's thread, and how long threads keep the interpreter meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.refusal import TooLarge
from stoffel.jit.kernels.builder import SHORT_TURN, Builder, Job, Preparation, ShortTurns
from stoffel.model.code import Code
from tests.machines import loaded

USUAL = 0.006999


@pytest.fixture(autouse=True)
def usual_turn() -> Iterator[None]:
    """Give the process another interval than the common one, and the old one back."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(USUAL + 5e-7)
    yield
    sys.setswitchinterval(before + 5e-7)


def turn() -> float:
    return round(sys.getswitchinterval(), 6)


def test_turns_are_short_while_somebody_wants_that_and_as_usual_afterwards() -> None:
    turns = ShortTurns()
    seen = []
    with turns:
        seen.append(turn())
        with turns:
            seen.append(turn())
        seen.append(turn())
    assert [*seen, turn()] == [SHORT_TURN, SHORT_TURN, SHORT_TURN, USUAL]


def test_turns_that_are_shorter_already_stay_as_they_are() -> None:
    sys.setswitchinterval(SHORT_TURN / 4)
    with ShortTurns():
        inside = turn()
    assert (inside, turn()) == (SHORT_TURN / 4, SHORT_TURN / 4)


@pytest.mark.parametrize("chosen", [0.02, SHORT_TURN / 4])
def test_what_the_host_sets_meanwhile_stays(chosen: float) -> None:
    with ShortTurns():
        sys.setswitchinterval(chosen)
    assert turn() == chosen


def test_turns_are_as_usual_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), ShortTurns():
        raise ZeroDivisionError
    assert turn() == USUAL


def test_a_builder_works_in_short_turns_and_its_last_job_ends_them() -> None:
    seen = []
    ended = threading.Event()

    class Watching:
        def run(self, wanted: Callable[[], bool]) -> None:
            seen.append((turn(), wanted(), threading.current_thread() is threading.main_thread()))

    builder = Builder(done=ended.set)
    job = cast(Job, cast(Any, Watching()))
    builder.submit(job)
    assert ended.wait(10)
    while threading.active_count() > 1 and turn() != USUAL:
        ended.clear()
        ended.wait(0.01)
    assert (seen, list(builder.finished), turn()) == ([(SHORT_TURN, True, False)], [job], USUAL)


def nested(depth: int) -> str:
    """Return a program with so many loops inside each other, and an array that is read and written in each."""
    lines = [
        "function main(a, n: int64)",
        "MOV r5, r0",
        "MOV r7, r1",
        "LDI r2, 1",
        "LDI r3, 2",
        "LDI r4, 0",
        "LDI r1, 0",
    ]
    for level in range(depth):
        lines += [f"LDI r{10 + level}, 0", f"l{level}:", f"CMP r{10 + level}, r3", f"JMPEQ e{level}"]
        lines += [f"CMP r7, r{10 + level}", f"JMPLT x{level}", "PUSHARG r5", "PUSHARG r4", "CALL get_field"]
        lines += ["ADD r1, r1, r0", "PUSHARG r5", "PUSHARG r4", "PUSHARG r1", "CALL set_field", f"x{level}:"]
    for level in reversed(range(depth)):
        lines += [f"ADD r{10 + level}, r{10 + level}, r2", f"JMP l{level}", f"e{level}:"]
    return "\n".join([*lines, "RET r1", "end"])


def test_what_is_nested_deeper_counts_as_larger() -> None:
    """LLVM's time follows from its IR, in which every way out of a loop keeps what the loops around need."""
    machine = loaded(VirtualMachine(jit="kernels", cache="off"), nested(20))
    code = machine.state.functions["main"]
    assert isinstance(code, Code)
    size = len(code.instructions())
    preparation = Preparation(machine.state.tier.units.environment)  # type: ignore[union-attr]
    with pytest.raises(TooLarge, match="nested as it is, it takes LLVM as long as"):
        preparation.analyse(code, None, ["[int64", "int64"], size)
    assert preparation.analyse(code, None, ["[int64", "int64"], 3 * size).instructions == size
