"""Samples: what the time between two of them is counted for."""

from __future__ import annotations

import threading
import time

import pytest

import stoffel
from stoffel.embedding import vm
from stoffel.profiling import sampler as module
from stoffel.profiling.sampler import Sampler, ThreadClock
from tests.profiling.profiles import PROGRAM, Clock, sampled


def test_each_sample_stands_for_the_time_since_the_one_before() -> None:
    profile = sampled()
    assert profile.samples == 4
    assert profile.seconds == 2.0
    names = profile.stacks.frames
    assert {";".join(names[node].marked for node in path): time for path, time, _ in profile.stacks.leaves()} == {
        "main_[i];twice_[i];leaf_[i];take_[f]": 1.0,
        "main_[i];twice_[i];take_[f]": 1.0,
    }


def test_between_two_runs_time_goes_on_and_counts_for_nothing() -> None:
    machine = stoffel.VirtualMachine()
    sampler = Sampler(machine.state, vm._RUNS)
    sampler._clock = Clock(1.0)  # type: ignore[assignment]
    machine.register_foreign_function("take", lambda value: sampler.take())
    machine.load(stoffel.assemble(PROGRAM))
    sampler.take()
    assert sampler._last is None
    machine.execute("main", 3)
    assert sum(sampler.stacks.seconds) == 3.0
    for _ in range(5):
        sampler.take()
    machine.execute("main", 3)
    assert sum(sampler.stacks.seconds) == 7.0


def test_a_stack_that_cannot_be_read_leaves_its_time_to_the_next_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = stoffel.VirtualMachine()
    sampler = Sampler(machine.state, vm._RUNS)
    sampler._clock = Clock(1.0)  # type: ignore[assignment]
    read = sampler._reader.read
    taken = []

    def take(value: int) -> int:
        def fails(frame: object) -> list[object]:
            raise IndexError

        monkeypatch.setattr(sampler._reader, "read", fails if len(taken) == 2 else read)
        taken.append(value)
        sampler.take()
        return value

    machine.register_foreign_function("take", take)
    machine.load(stoffel.assemble(PROGRAM))
    machine.execute("main", 3)
    assert sampler.failed == 1
    assert sum(sampler.stacks.samples) == 2
    assert sum(sampler.stacks.seconds) == 3.0


def test_the_clock_is_that_of_the_thread() -> None:
    ready, enough = threading.Event(), threading.Event()

    def work() -> None:
        while not enough.is_set():
            sum(range(1000))
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    clock = ThreadClock()
    before = clock.read(thread.ident or 0)
    while clock.read(thread.ident or 0) < before + 0.01:
        time.sleep(0.001)
    enough.set()
    thread.join()


def test_without_clocks_of_threads_the_process_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "pthread_getcpuclockid", raising=False)
    clock = ThreadClock()
    before = time.process_time()
    assert clock.read(threading.get_ident()) >= before


def test_a_running_program_is_sampled_whatever_it_does() -> None:
    machine = stoffel.VirtualMachine(jit="auto")
    machine.load(
        stoffel.assemble("function main(n)\nLDI r1, 1\nLDI r2, 0\na: SUB r0, r0, r1\nCMP r0, r2\nJMPNEQ a\nRET r0\nend")
    )
    with machine.profile(rate=1000) as profile:
        while profile.samples < 3:
            machine.execute("main", 100_000)
    assert profile.seconds > 0
    assert {row.name for row in profile.functions()} >= {"main"}
    seen = profile.samples
    machine.execute("main", 100_000)
    assert profile.samples == seen
    assert not any(thread.name == "stoffel profile" for thread in threading.enumerate())


def test_without_a_thread_the_program_runs_and_nothing_is_sampled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.threads, "start", lambda thread: False)
    machine = stoffel.VirtualMachine()
    machine.load(stoffel.assemble("function main()\nLDI r0, 1\nRET r0\nend"))
    with machine.profile() as profile:
        assert machine.execute("main") == 1
    assert profile.samples == 0
    assert "no thread can be started: nothing is sampled" in capsys.readouterr().err


def test_after_a_dear_look_the_sampler_rests() -> None:
    assert module.REST >= 33, "three in a hundred are what a profile may cost"


@pytest.mark.parametrize("rate", [0, -1, 1001, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate of a profile"), stoffel.VirtualMachine().profile(rate=rate):
        pass
