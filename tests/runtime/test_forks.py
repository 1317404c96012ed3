"""Forked processes: machines that were warm before work there as well, and what cannot work is refused."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from stoffel import ForeignContext, VirtualMachine, VMError, forks
from stoffel.jit.kernels.builder import _short_turns
from stoffel.jit.policy import thresholds
from stoffel.jit.policy.warmup import WarmUp
from tests.machines import SUM, loaded

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SECONDS = 20
"""After these a child counts as hanging."""


def in_child(work: Callable[[], object]) -> None:
    """Do *work* in a forked process, which must end as it should, also in its normal way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


def check(machine: VirtualMachine) -> None:
    assert machine.execute("sum", 2000) == 1999000


@pytest.mark.parametrize("mode", ["off", "auto", "always", "kernels", "no-kernels"])
def test_a_machine_works_in_a_child_before_and_after_it_was_warm(mode: Any) -> None:
    machine = loaded(VirtualMachine(jit=mode, cache="off"), SUM)
    in_child(lambda: check(machine))
    check(machine)
    in_child(lambda: check(machine))
    check(machine)


def test_kernels_are_made_in_a_child_beside_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.001,))
    machine = loaded(VirtualMachine(jit="auto", cache="off"), SUM)
    while isinstance(machine.state.tier, WarmUp):
        machine.execute("sum", 20_000)

    def work() -> None:
        until = time.monotonic() + SECONDS
        while not machine.jit_statistics()["functions"].get("sum", {}).get("kernels"):
            assert time.monotonic() < until
            machine.execute("sum", 20_000)

    in_child(work)


@pytest.mark.parametrize("mode", ["off", "always"])
def test_the_run_that_forks_goes_on_in_both(mode: Any) -> None:
    machine = VirtualMachine(jit=mode, cache="off")
    parent = os.getpid()
    children: list[int] = []

    def fork(context: ForeignContext) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            children.append(os.fork())
        return 7

    machine.register_foreign_function("fork", fork)
    loaded(machine, "function main()\n CALL fork\n ADD r0, r0, r0\n RET r0\nend\n" + SUM)
    result = machine.execute("main")
    if os.getpid() != parent:
        os._exit(0 if result == 14 and machine.execute("sum", 100) == 4950 else 1)
    assert result == 14
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0


def test_a_machine_that_another_thread_was_running_is_refused_in_the_child() -> None:
    machine = VirtualMachine()
    other = machine.clone()
    inside, end = threading.Event(), threading.Event()

    def wait(context: ForeignContext) -> None:
        inside.set()
        end.wait()

    machine.register_foreign_function("wait", wait)
    loaded(machine, "function main()\n CALL wait\nend\n" + SUM)
    loaded(other, SUM)
    thread = threading.Thread(target=lambda: machine.execute("main"))
    thread.start()
    assert inside.wait(SECONDS)

    def work() -> None:
        with pytest.raises(VMError, match="was running in another thread when the process was forked"):
            machine.execute("sum", 3)
        with pytest.raises(VMError, match="was running in another thread when the process was forked"):
            machine.clone()
        check(other)
        check(loaded(VirtualMachine(jit="always", cache="off"), SUM))

    try:
        in_child(work)
    finally:
        end.set()
        thread.join()
    check(machine)


def test_forking_waits_for_steps_that_must_not_be_cut() -> None:
    begun, ended = threading.Event(), []

    def work() -> None:
        with forks.step():
            begun.set()
            time.sleep(0.2)
            ended.append(None)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    in_child(lambda: os._exit(0 if ended and not forks.was_cut() else 1))
    thread.join()


def test_a_step_that_does_not_end_costs_the_child_its_kernels_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "LONGEST_WAIT", 0.01)
    begun, end = threading.Event(), threading.Event()

    def step() -> None:
        with forks.step():
            begun.set()
            end.wait()

    def work() -> None:
        assert forks.was_cut()
        machine = loaded(VirtualMachine(jit="kernels", cache="off"), SUM)
        check(machine)
        refusal = machine.jit_statistics()["functions"]["sum"]["kernel_refusal"]
        assert refusal == "the process was forked while LLVM was at work"

    thread = threading.Thread(target=step)
    thread.start()
    begun.wait()
    try:
        in_child(work)
    finally:
        end.set()
        thread.join()
    assert not forks.was_cut()


def test_the_switch_interval_is_as_usual_in_a_child() -> None:
    usual = sys.getswitchinterval()
    with _short_turns:
        in_child(lambda: os._exit(0 if abs(sys.getswitchinterval() - usual) < 1e-5 else 1))
    assert abs(sys.getswitchinterval() - usual) < 1e-5


def test_local_storage_is_opened_anew_in_a_child(tmp_path: Any) -> None:
    machine = loaded(
        VirtualMachine(storage=str(tmp_path / "store.db")),
        """
function keep(n)
    MOV r5, r0
    LDI r1, "k"
    PUSHARG r1
    PUSHARG r5
    CALL LocalStorage.store
end
function kept()
    LDI r1, "k"
    PUSHARG r1
    CALL LocalStorage.load
    RET r0
end
""",
    )
    machine.execute("keep", 1)

    def work() -> None:
        assert machine.execute("kept") == 1
        machine.execute("keep", 2)

    in_child(work)
    assert machine.execute("kept") == 2
