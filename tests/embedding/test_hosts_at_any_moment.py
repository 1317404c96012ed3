"""Hosts touch a machine while its code runs, from other threads and from signal handlers: they wait, or are told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stoffel import VirtualMachine, VMError
from stoffel.jit.kernels.outcomes import Mismatch
from tests.machines import loaded
from tests.ways import ALL_WAYS, Way

APPENDING = """
function main(a, n)
    MOV     r9, r1
    MOV     r5, r0
    LDI     r1, 0
    LDI     r2, 1
again:
    PUSHARG r5
    PUSHARG r1
    CALL    append
    ADD     r1, r1, r2
    CMP     r1, r9
    JMPLT   again
    RET     r1
end
"""
ADDING = """
function small(n)
    ADD     r0, r0, r0
    RET     r0
end
function grow(a)
    LDI     r1, 7
    PUSHARG r0
    PUSHARG r1
    CALL    append
end
function main(a, n)
    MOV     r5, r0
    MOV     r9, r1
    LDI     r1, 0
    LDI     r2, 1
    LDI     r8, 0
    LDI     r7, 0
again:
    PUSHARG r5
    PUSHARG r7
    CALL    get_field
    ADD     r8, r8, r0
    PUSHARG r8
    CALL    type
    ADD     r1, r1, r2
    CMP     r1, r9
    JMPLT   again
    RET     r8
end
"""
KERNEL = ADDING.replace("PUSHARG r8\n    CALL    type", "NOP")
every_way = pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)


@contextmanager
def alarms(handler: Callable[[], object], seconds: float = 0.002) -> Iterator[None]:
    """Have *handler* called now and then in a signal handler."""
    before = signal.signal(signal.SIGALRM, lambda *_: handler())
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("mode", ["off", "auto", "always", "kernels"])
def test_another_thread_changes_the_arrays_on_which_a_run_works(mode: Any) -> None:
    machine = loaded(VirtualMachine(jit=mode, cache="off"), APPENDING)
    array = machine.create_array([1] * 10)
    stop = threading.Event()
    failures: list[BaseException] = []
    pushed: list[int] = []

    def other() -> None:
        while not stop.is_set():
            try:
                machine.set(array, 3, "x" if len(pushed) % 2 else 4)
                machine.push(array, 5)
                assert machine.get(array, 0) == 1
                pushed.append(5)
            except BaseException as error:
                failures.append(error)
                return

    thread = threading.Thread(target=other)
    thread.start()
    try:
        for _ in range(30):
            before = machine.length(array), len(pushed)
            assert machine.execute("main", array, 3000) == 3000
            # Nothing is lost: neither what the run has appended nor what the other thread has pushed.
            assert machine.length(array) - before[0] - 3000 >= len(pushed) - before[1] - 1
    finally:
        stop.set()
        thread.join()
    assert failures == []
    assert machine.length(array) == 10 + 30 * 3000 + len(pushed)


@every_way
def test_a_signal_handler_runs_functions_of_the_machine_and_looks_at_it(way: Way) -> None:
    machine = loaded(way.machine(cache="off"), ADDING)
    array = machine.create_array([1])
    seen: list[Any] = []
    busy: list[None] = []

    def handler() -> None:
        if not busy:
            busy.append(None)
            names = [record.function for record in machine.state.frames]
            where = machine.state.current_instruction
            seen.append((machine.execute("small", 21), names in ([], ["main"]), where is None or where[0] == "main"))
            busy.clear()

    with alarms(handler):
        while len(seen) < 30:
            assert machine.execute("main", array, 200 if way.forced else 2000) == (200 if way.forced else 2000)
    assert set(seen) == {(42, True, True)}


def test_a_signal_handler_registers_functions_in_the_middle_of_compiling() -> None:
    machine = VirtualMachine(jit="always", cache="off")
    count = [0]

    def handler() -> None:
        count[0] += 1
        machine.register_method(f"T{count[0]}", "method", "type", lambda context: None)

    with alarms(handler):
        while count[0] < 30:
            machine = loaded(VirtualMachine(jit="always", cache="off"), ADDING)
            assert machine.execute("main", machine.create_array([1]), 20) == 20


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")
def test_what_a_kernel_has_in_its_hands_is_refused_to_the_signal_handler_that_interrupts_it() -> None:
    machine = loaded(VirtualMachine(jit="kernels", cache="off"), KERNEL)
    array = machine.create_array([1])
    other = machine.create_array([2])
    calls: list[Callable[[], Any]] = [
        lambda: machine.push(array, 5),
        lambda: machine.get(array, 0),
        lambda: machine.set(array, 0, 2),
        lambda: machine.execute("grow", array),
    ]
    told: list[str] = []
    fine: list[Any] = []

    def handler() -> None:
        lending = machine.state.lending
        if lending is None or not lending._runs or len(told) >= 40:
            return
        fine.append((machine.length(other), machine.execute("small", 2)))
        for call in calls:
            try:
                told.append(str(call()))
            except VMError as error:
                told.append(str(error))

    with alarms(handler, 0.003):
        while len(told) < 40:
            assert machine.execute("main", array, 10_000_000) == 10_000_000
    text = "The table is in use by compiled code that a signal handler has interrupted"
    assert {item.rpartition(": ")[2] for item in told} == {text}
    assert set(fine) == {(1, 4)}
    assert machine.elements(array) == [1]
    machine.push(array, 5)
    assert machine.execute("main", array, 100) == 100


def test_no_kernel_begins_while_a_host_holds_tables() -> None:
    machine = loaded(VirtualMachine(jit="kernels", cache="off"), KERNEL)
    array = machine.create_array([1])
    assert machine.execute("main", array, 100) == 100
    lending = machine.state.lending
    assert lending is not None
    kernels = machine.jit_statistics()["functions"]["main"]["kernels"]
    with lending:
        with pytest.raises(Mismatch):
            lending.begin(object())  # type: ignore[arg-type]
        assert machine.execute("main", array, 100) == 100
    assert machine.jit_statistics()["functions"]["main"]["kernels"] == kernels
    assert machine.execute("main", array, 100) == 100
    assert machine.jit_statistics()["functions"]["main"]["kernels"] != kernels
