"""The tree of sampled stacks: what it keeps, and that it stays small."""

from __future__ import annotations

import tracemalloc

import pytest

from stoffel.profiling import stacks as module
from stoffel.profiling.stacks import CODE_OBJECT, FOREIGN, INTERPRETER, Frame, Place, Stacks

SAMPLES = 360_000
"""In an hour."""
MAIN = Frame("main", INTERPRETER)
WORK = Frame("work", CODE_OBJECT)
SORT = Frame("sort", FOREIGN)


def test_equal_stacks_are_one_and_their_times_add_up() -> None:
    stacks = Stacks()
    stacks.add([(MAIN, 1), (WORK, 2)], 0.5)
    stacks.add([(MAIN, 1), (WORK, 3)], 0.25)
    stacks.add([(MAIN, 1), (WORK, 2), (SORT, 0)], 0.125)
    stacks.add([(MAIN, 4)], 1.0)
    found = {tuple(stacks.frames[node] for node in path): (time, number) for path, time, number in stacks.leaves()}
    assert found == {(MAIN, WORK): (0.75, 2), (MAIN, WORK, SORT): (0.125, 1), (MAIN,): (1.0, 1)}
    assert stacks.totals()[0] == 1.875
    assert {(stacks.frames[node], index): tuple(seen) for (node, index), seen in stacks.places.items()} == {
        (WORK, 2): (0.5, 1),
        (WORK, 3): (0.25, 1),
        (SORT, 0): (0.125, 1),
        (MAIN, 4): (1.0, 1),
    }


def test_an_instruction_that_a_recursion_is_in_twice_counts_once() -> None:
    stacks = Stacks()
    stacks.add([(MAIN, 1), (WORK, 2), (WORK, 2), (WORK, 3)], 0.5)
    assert stacks.inside == {(MAIN, 1): 0.5, (WORK, 2): 0.5, (WORK, 3): 0.5}


def test_the_order_of_time_is_kept() -> None:
    stacks = Stacks()
    for frame, seconds in ((MAIN, 1.0), (MAIN, 2.0), (WORK, 3.0), (MAIN, 4.0)):
        stacks.add([(frame, 0)], seconds)
    assert [stacks.frames[node] for node in stacks.turns] == [MAIN, WORK, MAIN]
    assert stacks.turn_seconds.tolist() == [3.0, 3.0, 4.0]


def test_beyond_the_limit_time_goes_to_the_nearest_call_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NODES", 3)
    stacks = Stacks()
    stacks.add([(MAIN, 1), (WORK, 2)], 1.0)
    stacks.add([(MAIN, 1), (SORT, 0)], 2.0)
    stacks.add([(MAIN, 1), (WORK, 2), (SORT, 0)], 4.0)
    assert [(stacks.frames[path[-1]], time) for path, time, _ in stacks.leaves()] == [(MAIN, 2.0), (WORK, 5.0)]


def test_an_hour_of_samples_takes_less_than_50_megabytes() -> None:
    frames = [Frame(f"function {number}", CODE_OBJECT) for number in range(200)]
    tracemalloc.start()
    try:
        stacks = Stacks()
        state = 1
        for _ in range(SAMPLES // 8):
            stack: list[Place] = []
            for _ in range(6):
                state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
                stack.append((frames[(state >> 33) % 200], (state >> 43) % 5000))
            stacks.add(stack, 0.01)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(stacks.frames) == module.MOST_NODES
    # All that grows on is the order of time.
    assert len(stacks.inside) == len(stacks.places) == module.MOST_PLACES
    assert used + SAMPLES * 16 < 50_000_000
