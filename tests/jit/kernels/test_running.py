"""Kernels while they run: hooks, limits, Ctrl-C, threads, memory, the cache, and computers without llvmlite."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError
from stoffel.jit.kernels import memory
from stoffel.model.values import new_array
from tests.compiler.kernels.programs import alike, counting, expanded
from tests.limits import time_limit
from tests.machines import SUM_BY_CALL, loaded

ROOT = Path(__file__).parents[3]

FOREVER = counting("LDI r1, 0\nLDI r3, 4611686018427387904\n", "ADD r4, r4, r2")
"""Counts longer than any test waits."""
DOWN = """
function main(n)
LDI r1, 0
CMP r0, r1
JMPEQ end
LDI r1, 1
MOV r2, r0
SUB r0, r0, r1
PUSHARG r0
CALL main
ADD r0, r0, r2
RET r0
end:
LDI r0, 0
RET r0
end
"""
"""The sum of the integers up to n, by recursion."""


def machine(text: str, **options: Any) -> VirtualMachine:
    return loaded(VirtualMachine(jit="kernels", **options), text)


def runs(made: VirtualMachine) -> int:
    functions = made.jit_statistics()["functions"].values()
    return sum(kernel["runs"] for item in functions for kernel in item["kernels"])


def test_a_hook_that_another_thread_enables_sees_a_kernel_from_then_on() -> None:
    made = machine(FOREVER)
    seen: list[Any] = []

    def observe(event: Any, context: Any) -> None:
        record = context.frames[-1]
        seen.append((context.cursor, list(record.registers[:5])))
        if len(seen) == 30:
            raise ValueError("seen enough")

    hook = made.register_hook(stoffel.events.BeforeInstructionExecute, observe)
    made.disable_hook(hook)
    timer = threading.Timer(0.3, made.enable_hook, [hook])
    timer.start()
    with time_limit(60), pytest.raises(VMError):
        made.execute("main")
    assert runs(made) >= 1
    # Without a gap: each turn of the loop adds one to both sums.
    counts = [registers[1] for _, registers in seen]
    assert counts[0] > 1000
    assert counts[-1] - counts[0] in range(4, 8)
    assert all(abs(registers[1] - registers[4]) <= 1 for _, registers in seen)


def test_a_kernel_in_a_thread_sees_a_hook_that_the_main_thread_enables() -> None:
    for seconds in (0.3, 1, 5, 20):  # on a busy computer the hook may come while the kernel is made
        made = machine(FOREVER)
        errors: list[str] = []

        def observe(event: Any, context: Any) -> None:
            raise ValueError("seen")

        def run(made: VirtualMachine, errors: list[str]) -> None:
            try:
                made.execute("main")
            except VMError as error:
                errors.append(str(error))

        hook = made.register_hook(stoffel.events.BeforeInstructionExecute, observe)
        made.disable_hook(hook)
        thread = threading.Thread(target=run, args=(made, errors), daemon=True)
        thread.start()
        thread.join(seconds)
        made.enable_hook(hook)
        thread.join(60)
        assert errors == ["Hook 1 callback failed: seen"]
        if runs(made):
            break
    assert runs(made) >= 1


def test_control_c_ends_a_process_that_runs_a_kernel(tmp_path: Path) -> None:
    program = tmp_path / "forever.stfasm"
    program.write_text(
        'function main()\nLDI r0, "begun"\nPUSHARG r0\nCALL print\nCALL work\nRET r0\nend\n'
        + FOREVER.replace("main", "work")
    )
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from stoffel.cli.main import entry; sys.argv[0] = 'stoffel'; sys.exit(entry())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "--jit=kernels", str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (130, -signal.SIGINT), err


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Return what has KeyboardInterrupt raised in so many seconds.

    The garbage of other tests waits meanwhile: what is raised in a destructor is lost, as Python has it.
    """
    gc.collect()
    gc.disable()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    gc.enable()


def test_an_exception_of_a_signal_handler_ends_a_kernel_and_the_machine_goes_on_working(
    alarm: Callable[[float], None],
) -> None:
    made = machine(FOREVER)
    small = loaded(made, counting("", "ADD r4, r4, r2", "RET r4").replace("main", "small"))
    for seconds in (0.3, 1, 5, 20):  # on a busy computer the first may come while the kernel is made
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come before the run begins
            alarm(seconds)
            made.execute("main")
        if runs(made):
            break
    assert (runs(made) >= 1, made.state.records, small.execute("small")) == (True, [], 40)


def test_an_exception_of_a_signal_handler_is_not_lost_in_a_kernel_that_ends_before_it_polls(
    alarm: Callable[[float], None],
) -> None:
    made = loaded(VirtualMachine(jit="kernels"), SUM_BY_CALL)

    def again_and_again() -> None:
        for _ in range(2000):
            made.execute("sum", 200_000)

    made.execute("sum", 200_000)
    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come before the first run begins
            alarm(0.005)
            again_and_again()
    assert runs(made) > 20


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it may come in a destructor
def test_a_kernel_whose_making_is_interrupted_is_made_the_next_time(alarm: Callable[[float], None]) -> None:
    """Wherever the interruption comes: while a kernel is made, LLVM is at work in several steps."""
    for number in range(15):
        made = loaded(VirtualMachine(jit="kernels", cache="off"), SUM_BY_CALL)
        with contextlib.suppress(KeyboardInterrupt):
            alarm(0.002 * (number + 1))
            made.execute("sum", 200_000)
        alarm(0)
        made.execute("sum", 200_000)
        assert runs(made) > 0


@pytest.mark.parametrize("depth", [1, 2, 3, 10, 1000])
def test_a_limit_of_calls_holds_in_kernels(depth: int) -> None:
    for count in (depth - 2, depth - 1, depth, depth + 1):
        outcomes = []
        for jit in ("off", "kernels"):
            made = loaded(VirtualMachine(jit=jit), DOWN)
            made.max_call_depth = depth
            try:
                outcomes.append(("result", made.execute("main", count), ()))
            except VMError as error:
                outcomes.append(("error", str(error), error.stack))
        assert outcomes[1] == outcomes[0]


THREE_DEEP = counting(
    "",
    "r4 = two(r4)",
    "RET r4",
    more="function one(n)\nLDI r1, 1\nADD r0, r0, r1\nRET r0\nend\n"
    "function two(n)\nr0 = one(r0)\nr0 = one(r0)\nRET r0\nend\n",
)


def test_calls_without_recursion_keep_to_the_limit_too() -> None:
    for depth in (1, 2, 3, 4):
        alike(THREE_DEEP, depth=depth)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_kernel_that_was_made_before_keeps_to_a_limit_that_is_set_later(depth: int) -> None:
    outcomes = []
    for jit in ("off", "kernels"):
        made = loaded(VirtualMachine(jit=jit), THREE_DEEP)
        assert made.execute("main") == 80
        assert jit == "off" or runs(made) > 0
        made.max_call_depth = depth
        try:
            outcomes.append(("result", made.execute("main"), ()))
        except VMError as error:
            outcomes.append(("error", str(error), error.stack))
    assert outcomes[1] == outcomes[0]


@pytest.mark.parametrize("every", [0, 2])
def test_a_recursion_of_100_000_calls_gives_the_same_result(every: int) -> None:
    made = machine(DOWN)
    made.state.tier.every = every  # type: ignore[union-attr]
    count = 100_000 if not every else 2_000
    with time_limit(120):
        assert made.execute("main", count) == count * (count + 1) // 2
    assert runs(made) >= 1


def test_a_recursion_without_end_fails_as_everywhere() -> None:
    text = DOWN.replace("JMPEQ end", "JMPGT end")
    outcomes = []
    for jit in ("off", "kernels"):
        with pytest.raises(VMError) as caught:
            loaded(VirtualMachine(jit=jit), text).execute("main", -1)
        outcomes.append((str(caught.value), caught.value.kind, len(caught.value.stack)))
    assert outcomes[1] == outcomes[0]


def test_a_thread_with_a_small_stack_is_enough_for_a_deep_recursion() -> None:
    results: list[Any] = []
    made = machine(DOWN)
    before = threading.stack_size(2 << 20)
    try:
        thread = threading.Thread(target=lambda: results.append(made.execute("main", 100_000)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert results == [5000050000]


def test_other_threads_run_while_a_kernel_runs() -> None:
    """The kernel is stopped by a thread that could not count if the interpreter's lock were held."""
    made = machine(FOREVER)
    hook = made.register_hook(None, lambda event, context: 1 / 0)
    made.disable_hook(hook)
    counted = [0]

    def count() -> None:
        while runs_now(made) == 0:
            pass
        for _ in range(100_000):
            counted[0] += 1
        made.enable_hook(hook)

    thread = threading.Thread(target=count)
    thread.start()
    with time_limit(60), pytest.raises(VMError):
        made.execute("main")
    thread.join()
    assert counted == [100_000]


def runs_now(made: VirtualMachine) -> int:
    tier: Any = made.state.tier
    return len(tier.kernels.kernels.running)


def test_machines_in_threads_run_kernels_at_the_same_time() -> None:
    """Each kernel runs until the others have been seen running: none could end if one waited for another."""
    machines = [machine(FOREVER) for _ in range(4)]
    hooks = [made.register_hook(None, lambda event, context: 1 / 0) for made in machines]
    for made, hook in zip(machines, hooks, strict=True):
        made.disable_hook(hook)
    failed: list[str] = []

    def run(made: VirtualMachine) -> None:
        try:
            made.execute("main")
        except VMError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=run, args=[made]) for made in machines]
    with time_limit(60):
        for thread in threads:
            thread.start()
        while not all(map(runs_now, machines)):
            pass
        for made, hook in zip(machines, hooks, strict=True):
            made.enable_hook(hook)
        for thread in threads:
            thread.join()
    assert len(failed) == 4


def test_memory_stays_flat_over_10_000_entries() -> None:
    text = expanded(
        "function work(row, n)\nMOV r2, r0\nLDI r3, 0\nLDI r4, 1\nLDI r5, 40\nagain:\nr8 = create_array()\n"
        "_ = array_push(r8, r3)\nADD r3, r3, r4\nCMP r3, r5\nJMPLT again\n_ = array_push(r2, r1)\nRET r8\nend\n"
    )
    made = machine(text)
    row = new_array(10**6, [1, 2, 3])
    made.execute("work", row, 5)

    def some(count: int) -> int:
        for _ in range(count):
            made.execute("work", new_array(10**6, [1, 2, 3]), 5)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = some(1000)
        last = some(10_000)
    finally:
        tracemalloc.stop()
    assert (last - first < 100_000, runs(made) > 10_000) == (True, True)


ENDLESS_ARRAYS = """
import resource, sys
from stoffel import VirtualMachine, assemble
machine = VirtualMachine(jit="kernels")
machine.load(assemble(sys.stdin.read()))
result = machine.execute("main")
(function,) = machine.jit_statistics()["functions"].values()
print(len(result.items), sum(kernel["runs"] for kernel in function["kernels"]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_arrays_without_end_are_freed() -> None:
    """A kernel that has allocated its budget leaves, and what nothing refers to is freed.

    In a process of its own: the most memory that one has had is that of all tests before.
    """
    text = counting(
        "LDI r5, 2000\nr9 = create_array()\n_ = array_push(r9, r2)",
        "r10 = array_repeat(r9, r5)",
        "RET r10",
        rounds=60_000,
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS_ARRAYS], input=text, env=environment, capture_output=True, text=True, check=True
    )
    elements, runs_of_kernels, kibibytes = map(int, done.stdout.split())
    assert elements == 2000
    assert runs_of_kernels >= 3
    # 60 000 arrays of 16 kB are 960 MB.
    assert kibibytes < 900_000


def test_arrays_that_grow_without_end_are_freed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an array is made longer by counts like what is allocated anew."""
    monkeypatch.setattr(memory, "BUDGET", 1 << 20)
    text = expanded(
        "function main()\nLDI r3, 0\nLDI r4, 1\nLDI r5, 300\nLDI r6, 1000\nround:\n"
        "r8 = create_array()\nLDI r2, 0\npush:\n_ = array_push(r8, r2)\nADD r2, r2, r4\nCMP r2, r6\nJMPLT push\n"
        "ADD r3, r3, r4\nCMP r3, r5\nJMPLT round\nRET r8\nend\n"
    )
    made = machine(text)
    assert made.execute("main").items == list(range(1000))
    # Together they have 2.4 MB, and room for some more.
    assert 3 <= runs(made) < 10


def test_a_kernel_runs_in_a_forked_child() -> None:
    code = f"""
import os
from stoffel import VirtualMachine, assemble
made = VirtualMachine(jit="kernels")
made.load(assemble({DOWN!r}))
assert made.execute("main", 1000) == 500500
child = os.fork()
if not child:
    os._exit(0 if made.execute("main", 1000) == 500500 else 3)
print(os.waitpid(child, 0)[1], made.execute("main", 1000))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout, done.stderr) == ("0 500500\n", "")


def entries(directory: Path) -> list[Path]:
    return sorted(directory.glob("**/*.kernel"))


def test_kernels_are_kept_and_damaged_ones_made_anew(tmp_path: Path) -> None:
    def cached() -> list[bool]:
        made = machine(DOWN, cache=tmp_path)
        assert made.execute("main", 500) == 125250
        return [kernel["cached"] for kernel in made.jit_statistics()["functions"]["main"]["kernels"]]

    assert set(cached()) == {False}
    assert set(cached()) == {True}
    for entry in entries(tmp_path):
        content = bytearray(entry.read_bytes())
        content[len(content) // 2] ^= 1
        entry.write_bytes(content)
    assert set(cached()) == {False}
    assert set(cached()) == {True}
    for entry in entries(tmp_path):
        entry.write_bytes(b"")
    assert set(cached()) == {False}


def test_a_directory_that_cannot_be_made_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    made = machine(DOWN, cache=tmp_path / "file" / "cache")
    assert (made.execute("main", 500), runs(made) > 0) == (125250, True)


def test_without_llvmlite_all_runs_and_it_is_said_once() -> None:
    code = f"""
import sys
sys.modules["llvmlite"] = None
from stoffel import VirtualMachine, assemble
for _ in range(3):
    made = VirtualMachine(jit="kernels", cache="off")
    made.load(assemble({DOWN!r}))
    print(made.execute("main", 500))
print(made.jit_statistics()["functions"]["main"]["kernel_refusal"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    *results, sentence = done.stdout.splitlines()
    assert results == ["125250"] * 3
    assert "llvmlite" in sentence
    assert done.stderr == f"stoffel: no kernels are made: {sentence}\n"


@pytest.mark.parametrize("jump", ["JMPLT", "JMPGT", "JMPNEQ"])
def test_a_loop_that_begins_with_a_branch_is_entered_with_the_flag_of_the_record(jump: str) -> None:
    first, second = ("r3", "r1") if jump == "JMPGT" else ("r1", "r3")
    kernels = alike(f"""
function main()
LDI r1, 0
LDI r2, 1
LDI r3, 40
CMP {first}, {second}
again:
{jump} more
RET r1
more:
ADD r1, r1, r2
CMP {first}, {second}
JMP again
end
""")
    assert [kernel["runs"] > 0 for kernel in kernels] == [True]
