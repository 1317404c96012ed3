"""What compiled code takes of the host's stack: foreign functions find theirs, and limits change in mid-run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel import Closure, ForeignContext, VirtualMachine, VMError, threads
from stoffel.embedding.engine import ModeName
from stoffel.runtime import calls
from stoffel.runtime.host_stack import RECURSION_LIMIT, RecursionLimit
from stoffel.threads import stack_of_thread
from tests.machines import loaded
from tests.ways import ALL_WAYS, Way

DOWN = """
function down(n)
    MOV     r2, r0
    LDI     r1, 0
    CMP     r2, r1
    JMPEQ   end
    LDI     r1, 1
    SUB     r0, r2, r1
    PUSHARG r0
    CALL    down
    ADD     r0, r0, r1
    RET     r0
end:
    CALL    visit
    RET     r0
end
function main(n)
    MOV     r9, r0
    LDI     r5, 0
    LDI     r6, 1
again:
    LDI     r3, 420
    PUSHARG r3
    CALL    down
    ADD     r5, r5, r6
    CMP     r5, r9
    JMPLT   again
    RET     r0
end
"""
"""``main(n)`` calls the foreign function ``visit`` n times below 420 calls."""
COUNTED = """
function f(x)
    MOV     r1, r0
    LDI     r2, 1
    SUB     r1, r1, r2
    CMP     r1, r2
    JMPLT   e
    CALL    visit
    PUSHARG r1
    CALL    f
e:
    RET     r1
end
"""
every_way = pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)


def own_recursion(frames: int) -> int:
    return 1 + own_recursion(frames - 1) if frames else 0


def _depth() -> int:
    depth, frame = 0, sys._getframe(1)
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    return depth


def deeper(frames: int, call: Callable[[], Any]) -> Any:
    return deeper(frames - 1, call) if frames > 0 else call()


@every_way
def test_a_foreign_function_finds_the_frames_that_it_would_find_without_compiled_code(way: Way) -> None:
    machine = loaded(way.machine(cache="off"), DOWN)
    frames = sys.getrecursionlimit() - _depth() - 60
    machine.register_foreign_function("visit", lambda context: own_recursion(frames))
    before = sys.getrecursionlimit()
    assert machine.execute("main", 20 if way.forced else 100) == frames + 420
    assert sys.getrecursionlimit() == before


@every_way
def test_a_chain_of_functions_runs_at_every_depth_of_the_host(way: Way) -> None:
    count = 260
    functions = [f"function f{i}(n)\n PUSHARG r0\n CALL f{i + 1}\n RET r0\nend\n" for i in range(count)]
    machine = loaded(way.machine(cache="off"), "".join(functions) + f"function f{count}(n)\n RET r0\nend")
    here = _depth()
    for depth in range(here + 20, sys.getrecursionlimit() - 120, 100):
        assert deeper(depth - here, lambda: machine.execute("f0", 5)) == 5


@every_way
def test_limits_that_are_lowered_in_mid_run_hold_from_the_next_call_on(way: Way) -> None:
    machine = loaded(way.machine(cache="off"), COUNTED)
    counts: list[None] = []

    def visit(context: ForeignContext) -> None:
        counts.append(None)
        if len(counts) == 3:
            machine.max_call_depth = 5
            machine.call("g")

    machine.register_foreign_function("visit", visit)
    loaded(machine, "function g()\nend")
    with pytest.raises(VMError, match="Call depth exceeds 5") as caught:
        machine.execute("f", 100)
    assert caught.value.stack == (("f", 7),) * 5


LEVELS = """
function f(n: int64) -> int64
    LDI     r1, 0
    CMP     r0, r1
    JMPEQ   end
    LDI     r1, 1
    SUB     r0, r0, r1
    PUSHARG r0
    CALL    f
    ADD     r0, r0, r1
end:
    RET     r0
end
"""


@pytest.mark.parametrize("mode", ["always", "no-kernels"])
def test_deep_recursion_stays_in_compiled_code(mode: ModeName) -> None:
    machine = loaded(VirtualMachine(jit=mode, cache="off"), LEVELS)
    before = sys.getrecursionlimit()
    for _ in range(20 if mode == "always" else 500):
        assert machine.execute("f", 3000) == 3000
    left = machine.jit_statistics()["records_rebuilt"]
    assert machine.execute("f", 3000) == 3000
    assert machine.jit_statistics()["records_rebuilt"] == left
    assert machine.jit_statistics()["functions"]["f"]["tier"] == "code object"
    assert sys.getrecursionlimit() == before


CLOSURES = """
function down(self, n)
    LDI     r2, 0
    CMP     r1, r2
    JMPEQ   end
    LDI     r2, 1
    SUB     r1, r1, r2
    PUSHARG r0
    PUSHARG r0
    PUSHARG r1
    CALL    call_closure
    RET     r0
end:
    RET     r1
end
"""


@every_way
def test_closures_recurse_at_every_depth_of_the_host(way: Way) -> None:
    machine = loaded(way.machine(cache="off"), CLOSURES)
    closure = Closure("down")
    here = _depth()
    for depth in range(here + 20, sys.getrecursionlimit() - 120, 100):
        assert deeper(depth - here, lambda: machine.call(closure, closure, 600)) == 0


@every_way
@pytest.mark.parametrize("depth", [3, 399, 400, 401, 402, 799, 801, 1999, 9000, 20000])
def test_the_limit_of_calls_is_exact_at_every_depth(way: Way, depth: int) -> None:
    if way.forced and depth > 2000:
        pytest.skip("takes minutes")
    machine = loaded(way.machine(cache="off"), LEVELS)
    machine.max_call_depth = depth
    for _ in range(3):
        assert machine.execute("f", depth - 1) == depth - 1
        with pytest.raises(VMError, match=f"Call depth exceeds {depth}") as caught:
            machine.execute("f", depth)
        assert caught.value.stack == (("f", 6),) * depth


@every_way
def test_a_recursion_limit_that_is_lowered_in_mid_run_fails_nothing(way: Way) -> None:
    machine = loaded(way.machine(cache="off"), COUNTED)
    before = sys.getrecursionlimit()

    def visit(context: ForeignContext) -> None:
        sys.setrecursionlimit(_depth() + 40)

    machine.register_foreign_function("visit", visit)
    try:
        assert machine.execute("f", 300) == 299
    finally:
        sys.setrecursionlimit(before)


@every_way
def test_the_memory_of_large_frames_is_limited(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "REGISTER_BUDGET", 300 * 30)
    machine = loaded(
        way.machine(cache="off"), COUNTED.replace("LDI", ".registers 300\n LDI", 1).replace("CALL    visit", "NOP")
    )
    assert machine.execute("f", 30) == 29
    with pytest.raises(VMError, match="Call depth exceeds 31 with 300 registers in each frame") as caught:
        machine.execute("f", 100)
    assert caught.value.stack == (("f", 7),) * 31


def test_what_several_runs_take_of_the_recursion_limit_adds_up() -> None:
    before = sys.getrecursionlimit()
    limit = RecursionLimit()
    limit.raise_for("a", 100)
    limit.raise_for("b", 50)
    assert sys.getrecursionlimit() == before + 150
    limit.lower_for("a")
    limit.lower_for("a")
    assert sys.getrecursionlimit() == before + 50
    sys.setrecursionlimit(before + 1000)
    limit.raise_for("c", 7)
    limit.lower_for("b")
    assert sys.getrecursionlimit() == before + 1007
    limit.lower_for("c")
    assert sys.getrecursionlimit() == before + 1000
    sys.setrecursionlimit(before)


def test_the_stack_of_a_thread_is_measured() -> None:
    seen: list[tuple[int, int]] = []
    usual = threading.stack_size(192 << 10)
    try:
        thread = threading.Thread(target=lambda: seen.append(stack_of_thread()))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(usual)
    assert seen[0][0] == 0 or 160 << 10 <= seen[0][1] <= 256 << 10


def test_a_platform_that_does_not_tell_is_taken_to_have_small_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured() -> tuple[int, int]:
        raise AttributeError("pthread_getattr_np")

    monkeypatch.setattr(threads, "_measured", measured)
    monkeypatch.setattr(threads, "_stack", threads._Stack())
    assert stack_of_thread() == (0, threads.LEAST_STACK)


SCRIPT = """
import sys, threading
sys.path.insert(0, {root!r})
from stoffel import Closure, VirtualMachine, VMError, assemble
PROGRAM = assemble('''
function down(n: int64) -> int64
    LDI r1, 0
    CMP r0, r1
    JMPEQ end
    LDI r1, 1
    SUB r0, r0, r1
    PUSHARG r0
    CALL down
    ADD r0, r0, r1
end:
    RET r0
end
function through(self, n)
    LDI r2, 0
    CMP r1, r2
    JMPEQ end
    LDI r2, 1
    SUB r1, r1, r2
    PUSHARG r0
    PUSHARG r0
    PUSHARG r1
    CALL call_closure
    RET r0
end:
    RET r1
end
function back(n)
    PUSHARG r0
    CALL again
    RET r0
end
''')
def work():
    machine = VirtualMachine(jit={mode!r}, cache="off")
    machine.load(PROGRAM)
    machine.register_foreign_function("again", lambda context: context.call("back", context[0]))
    closure = Closure("through")
    for _ in range(2):
        results.append(machine.execute("down", 5000))
        results.append(machine.call(closure, closure, 5000))
        try:
            machine.execute("back", 1)
        except VMError as error:
            results.append(str(error).rpartition(": ")[2].rpartition(" ")[0])
results = []
threading.stack_size({size} << 10)
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(results == [5000, 0, "Re-entry depth exceeds"] * 2)
"""


@pytest.mark.parametrize("bytecode", ["kept", "none"])
@pytest.mark.parametrize("size", [64, 160])
@pytest.mark.parametrize("mode", ["off", "always", "kernels"])
def test_a_thread_with_a_small_stack_is_enough(mode: str, size: int, bytecode: str, tmp_path: Path) -> None:
    script = SCRIPT.format(root=str(Path(__file__).parents[2]), mode=mode, size=size)
    environment = dict(os.environ)
    if bytecode == "none":  # every module is parsed where it is imported
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr[-2000:]


def test_nothing_is_left_of_what_runs_have_taken() -> None:
    assert not RECURSION_LIMIT._raised
    machine = loaded(VirtualMachine(jit="always"), DOWN)
    machine.register_foreign_function("visit", lambda context: 1 / 0)
    with pytest.raises(VMError):
        machine.execute("main", 3)
    assert not RECURSION_LIMIT._raised
