"""Where compiling has no place: without threads, at the end of the process, when something goes wrong. Runs go on."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from stoffel import VirtualMachine, threads
from stoffel.compiler import pipeline
from stoffel.compiler.kernels.codegen import llvm
from stoffel.jit import mishaps
from stoffel.jit.kernels import async_exceptions
from stoffel.jit.kernels.builder import Builder, Job
from stoffel.jit.policy import thresholds
from stoffel.jit.store.kernel_cache import open_cache
from tests.machines import SUM, SUM_BY_CALL, loaded

ROOT = str(Path(__file__).parents[2])
WORK = """
function work(n: int64) -> int64
    MOV r4, r0
    LDI r1, 0
    LDI r2, 0
    LDI r5, 1
    LDI r6, 1000003
again:
    ADD r2, r2, r1
    MOD r2, r2, r6
    ADD r1, r1, r5
    CMP r1, r4
    JMPLT again
    RET r2
end
"""


def process(script: str, *, before: str = "") -> str:
    """Return what a script prints, which is to end as it should."""
    text = f"import sys\nsys.path.insert(0, {ROOT!r})\nWORK = {WORK!r}\n{script}"
    command = [sys.executable, "-c", text]
    if before:
        command = ["sh", "-c", f'{before}; exec "$0" "$@"', *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("mode", ["auto", "always", "kernels", "no-kernels"])
def test_runs_go_on_where_no_thread_is_to_be_had(
    mode: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.001,))
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (_ for _ in ()).throw(RuntimeError("no thread")))
    machine = loaded(VirtualMachine(jit=mode, cache="off"), SUM)  # type: ignore[arg-type]
    assert [machine.execute("sum", 5000) for _ in range(3)] == [12497500] * 3
    if mode == "kernels":
        assert machine.jit_statistics()["functions"]["sum"]["kernels"]


def test_a_kernel_that_is_to_be_made_beside_the_run_is_refused_without_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (_ for _ in ()).throw(MemoryError))
    done: list[None] = []
    builder = Builder(lambda: done.append(None))
    job = Job("", None, open_cache("off"))
    builder.submit(job)
    assert [*builder.finished] == [job]
    assert done == [None]
    assert str(job.refusal) == "no thread can be started, in which LLVM would work beside the run"


def test_our_threads_have_stacks_of_their_own_size() -> None:
    usual = threading.stack_size(64 << 10)
    seen = []
    try:
        thread = threading.Thread(target=lambda: seen.append(threads.stack_of_thread()))
        assert threads.start(thread)
        thread.join()
        assert threading.stack_size() == 64 << 10
    finally:
        threading.stack_size(usual)
    assert seen[0][0] == 0 or seen[0][1] >= threads.STACK // 2


def test_machine_code_is_made_for_a_thread_with_a_small_stack() -> None:
    text = """
import threading
from stoffel import VirtualMachine, assemble
def work():
    machine = VirtualMachine(jit="kernels", cache="off")
    machine.load(assemble(WORK))
    print(machine.execute("work", 3000), len(machine.jit_statistics()["functions"]["work"]["kernels"]))
threading.stack_size(64 << 10)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    assert process(text) == "498488 1\n"


AT_EXIT = """
import atexit
from stoffel import VirtualMachine, assemble
def last():
    for mode in ("off", "no-kernels", "auto", "always", "kernels"):
        machine = VirtualMachine(jit=mode, cache="off")
        machine.load(assemble(WORK))
        print(machine.execute("work", 100000), flush=True)
atexit.register(last)
"""


def test_programs_run_at_the_end_of_the_process() -> None:
    lines = process(AT_EXIT).splitlines()
    assert len(lines) == 5
    assert len(set(lines)) == 1


def test_programs_run_where_memory_for_threads_is_short() -> None:
    text = """
from stoffel import VirtualMachine, assemble
for mode in ("off", "auto", "kernels"):
    machine = VirtualMachine(jit=mode, cache="off")
    machine.load(assemble(WORK))
    print(machine.execute("work", 300000), flush=True)
"""
    lines = process(text, before="ulimit -s 1000000 -v 900000").splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 1


END = """
import sys, threading, time
from stoffel.jit.kernels import builder
class Slow(builder.Job):
    def __init__(self):
        pass
    def run(self, wanted):
        began.set()
        time.sleep(60)
began = threading.Event()
builder.Builder(lambda: None).submit(Slow())
began.wait()
"""


def test_the_process_ends_while_llvm_works() -> None:
    before = time.monotonic()
    assert process(END) == ""
    # A minute is what the step takes; the bound leaves room for a busy machine.
    assert time.monotonic() - before < 50


def test_the_status_of_the_process_is_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path.insert(0, {ROOT!r})\n{END}\nsys.exit(3)"],
        timeout=120,
        check=False,
    )
    assert done.returncode == 3


def test_what_goes_wrong_in_a_compiler_fails_no_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"__name__": "stoffel.compiler.mistaken", "__builtins__": __builtins__}
    exec("def wrong(*arguments, **named):\n raise ZeroDivisionError('a mistake in the compiler')", names)
    wrong = names["wrong"]

    monkeypatch.setattr(mishaps, "forgiven", True)
    monkeypatch.setattr(pipeline, "translate_call", wrong)
    monkeypatch.setattr(pipeline, "translate_entry", wrong)
    monkeypatch.setattr(llvm, "build", wrong)
    for mode in ("always", "kernels"):
        machine = loaded(VirtualMachine(jit=mode, cache="off"), SUM)  # type: ignore[arg-type]
        assert [machine.execute("sum", 100) for _ in range(3)] == [4950] * 3
        function = machine.jit_statistics()["functions"]["sum"]
        assert "a mistake in the compiler" in (function["kernel_refusal"] or function["refusal"])
    assert capsys.readouterr().err.count("runs as before") <= 1


class Stop(Exception):
    """Sent to a thread."""


@pytest.mark.parametrize("mode", ["off", "no-kernels", "always", "kernels"])
def test_an_exception_that_is_sent_to_a_thread_ends_its_run(mode: Any) -> None:
    machine = loaded(VirtualMachine(jit=mode, cache="off"), WORK)
    assert machine.execute("work", 3000) == 498488
    caught: list[BaseException] = []

    def run() -> None:
        try:
            machine.execute("work", 1 << 62)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not machine.state.runs:
        time.sleep(0.001)
    time.sleep(0.05)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stop))
    thread.join(60)
    assert [type(error) for error in caught] == [Stop]
    assert machine.execute("work", 3000) == 498488


def test_where_the_place_of_such_exceptions_is_not_found_kernels_run_on_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(async_exceptions, "_offset", lambda: None)
    monkeypatch.setattr(async_exceptions, "_here", async_exceptions._Here())
    machine = loaded(VirtualMachine(jit="kernels", cache="off"), WORK)
    assert machine.execute("work", 3000) == 498488


FREED = """
import gc, signal, threading
from stoffel import VirtualMachine, assemble
def made():
    machine = VirtualMachine(jit="kernels", cache="off")
    machine.load(assemble(WORK))
    machine.execute("work", 2000)
    return machine
gc.disable()
machine = made()
machine = None
def interrupt(frame, event, argument):
    name = getattr(argument, "__name__", "")
    if event == "c_return" and name == "acquire" and "llvmlite" in frame.f_code.co_filename:
        sys.setprofile(None)
        signal.raise_signal(signal.SIGINT)
sys.setprofile(interrupt)
try:
    gc.collect()
except KeyboardInterrupt:
    pass
sys.setprofile(None)
thread = threading.Thread(target=made, daemon=True)
thread.start()
thread.join(30)
print("fine" if not thread.is_alive() else "hangs", flush=True)
"""


def test_an_interruption_while_kernels_are_freed_takes_no_lock_away() -> None:
    assert process(FREED) == "fine\n"


def test_what_a_signal_handler_raises_while_something_is_compiled_is_not_taken_for_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def handler(*arguments: object, **named: object) -> None:
        raise TimeoutError("of the host")

    monkeypatch.setattr(mishaps, "forgiven", True)
    monkeypatch.setattr(pipeline, "translate_call", handler)
    machine = loaded(VirtualMachine(jit="always", cache="off"), SUM_BY_CALL)
    with pytest.raises(TimeoutError):
        machine.execute("main", 100)
