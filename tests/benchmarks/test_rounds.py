"""Workers and rounds: the protocol, and what becomes of workers that fail."""

from __future__ import annotations

import sys

import pytest

from benchmarks.rounds import Effort, Timing, Worker, WorkerError, measure

EFFORT = Effort(rounds=4, sample=0.0, warm_up=0.0, warm_up_runs=1)

ECHO = """
import sys
for line in sys.stdin:
    n, repetitions = map(int, line.split())
    {before}
    print(0.5 * repetitions, n * n, flush=True)
"""


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_a_worker_answers_with_seconds_of_one_repetition_and_the_result() -> None:
    with Worker("echo", python(ECHO.format(before="pass"))) as worker:
        assert worker.ask(7, 4) == (0.5, "49")


def test_every_worker_has_its_turn_in_each_round(tmp_path) -> None:
    log = tmp_path / "log"
    write = "print({!r}, end='', file=open({!r}, 'a'))"
    workers = [Worker(name, python(ECHO.format(before=write.format(name, str(log))))) for name in "ab"]
    with workers[0], workers[1]:
        found = measure(workers, 3, EFFORT)
    assert log.read_text() == "ab" * 5
    assert found == {name: Timing(0.5, (0.5,) * 4, 1, "9") for name in "ab"}


def test_a_worker_that_dies_gets_a_reason_and_the_others_go_on() -> None:
    dying = Worker("dying", python(ECHO.format(before="raise SystemExit('out of cheese')")))
    with dying, Worker("echo", python(ECHO.format(before="pass"))) as echo:
        found = measure([dying, echo], 3, EFFORT)
    assert found["dying"] == "dying ended: out of cheese"
    assert found["echo"] == Timing(0.5, (0.5,) * 4, 1, "9")


def test_nonsense_is_refused() -> None:
    odd = Worker("odd", python("print('soon', flush=True); input(); input()"))
    with odd, pytest.raises(WorkerError, match="odd answered 'soon'"):
        odd.ask(1)


def test_a_command_that_does_not_exist_is_named() -> None:
    with pytest.raises(WorkerError, match=r"c: cannot run /nowhere/a\.out: No such file"):
        Worker("c", ["/nowhere/a.out"])


def test_best_and_median_are_those_of_the_samples() -> None:
    timing = Timing(9.0, (3.0, 1.0, 7.0), 1, "0")
    assert (timing.best, timing.median) == (1.0, 3.0)
