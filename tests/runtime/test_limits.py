"""Depth, memory and interruption: what a run may use up, and that the machine survives."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import textwrap
import weakref

import pytest

import stoffel
from stoffel import Closure, Function, Instruction, VirtualMachine
from stoffel.runtime import calls
from tests.machines import Make, failure, told

DOWN = """
function down(n)
    LDI r1, 0
    CMP r0, r1
    JMPEQ bottom
    LDI r1, 1
    SUB r2, r0, r1
    PUSHARG r2
    CALL down
    ADD r0, r0, r1
bottom:
    RET r0
end
function forever()
    CALL forever
end
function main()
    CALL forever
end
"""


def test_recursion_100000_deep_works(machine: Make) -> None:
    assert machine(DOWN).execute("down", 100_000) == 100_000


def test_closures_recurse_100000_deep(machine: Make) -> None:
    vm = machine(
        """
        function down(self, n)
            LDI r2, 0
            CMP r1, r2
            JMPEQ bottom
            LDI r2, 1
            SUB r1, r1, r2
            PUSHARG r0
            PUSHARG r0
            PUSHARG r1
            CALL call_closure
            ADD r0, r0, r2
            RET r0
        bottom:
            RET r2
        end
        """
    )
    closure = Closure("down")
    assert vm.call(closure, closure, 100_000) == 100_000


def test_runaway_recursion_ends_at_250000_frames_unless_told_otherwise(machine: Make) -> None:
    vm = machine(DOWN)
    assert vm.max_call_depth == 250_000
    error = failure(vm.execute, "forever")
    assert told(error) == ("Runtime", "Call depth exceeds 250000")
    assert (error.function, error.instruction, len(error.stack)) == ("forever", 0, 250_000)
    assert vm.execute("down", 3) == 3


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_the_limit_counts_frames_the_entry_included(machine: Make, limit: int) -> None:
    vm = machine(DOWN)
    vm.max_call_depth = limit
    assert vm.execute("down", limit - 1) == limit - 1
    error = failure(vm.execute, "down", limit)
    assert told(error) == ("Runtime", f"Call depth exceeds {limit}")
    assert error.stack == (("down", 6),) * limit


def test_the_limit_holds_for_call_closure(machine: Make) -> None:
    vm = machine("function again(self)\n PUSHARG r0\n PUSHARG r0\n CALL call_closure\nend")
    vm.max_call_depth = 100
    closure = Closure("again")
    error = failure(vm.call, closure, closure)
    assert told(error) == ("ForeignFunction", "Foreign function call_closure failed: Call depth exceeds 100")
    assert error.inner_kind == "Runtime"
    assert len(error.stack) == 100


def test_the_limit_holds_through_foreign_functions_that_call_back(machine: Make) -> None:
    vm = machine("function ping()\n CALL pong\nend")
    vm.register_foreign_function("pong", lambda context: context.call("ping"))
    vm.max_call_depth = 10
    error = failure(vm.execute, "ping")
    assert told(error) == ("ForeignFunction", "Foreign function pong failed: " * 10 + "Call depth exceeds 10")
    assert error.stack == (("ping", 0),)
    assert vm.state.frames == []


PING = "function ping()\n CALL pong\nend\nfunction fine()\n LDI r0, 1\nend"


@pytest.mark.parametrize("most", [0, 1, 7, None])
@pytest.mark.parametrize("host", [0, 100_000], ids=["usual limit", "high limit"])
def test_calls_back_and_forth_end_in_an_error_whatever_the_hosts_limit(
    machine: Make, host: int, most: int | None
) -> None:
    vm = machine(PING)
    vm.register_foreign_function("pong", lambda context: context.call("ping"))
    if most is None:
        most = vm.max_reentry
        assert most == 200
    vm.max_reentry = most
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(host, before))
    try:
        for _ in range(2):
            error = failure(vm.execute, "ping")
            text = "Foreign function pong failed: " * (most + 1) + f"Re-entry depth exceeds {most}"
            assert told(error) == ("ForeignFunction", text)
        assert sys.getrecursionlimit() == max(host, before)
    finally:
        sys.setrecursionlimit(before)
    assert vm.state.frames == []
    assert vm.clone().max_reentry == most
    assert vm.execute("fine") == 1


def test_the_hosts_own_frames_between_the_runs_end_at_the_hosts_limit(machine: Make) -> None:
    vm = machine(PING)

    def deeper(context: stoffel.ForeignContext, frames: int = 100) -> object:
        return deeper(context, frames - 1) if frames else context.call("ping")

    vm.register_foreign_function("pong", lambda context: deeper(context))
    error = failure(vm.execute, "ping")
    assert error.kind == "ForeignFunction"
    assert "Call depth exceeds " in str(error)
    assert str(error).endswith("the recursion limit of the host is reached")
    assert vm.state.frames == []
    assert vm.execute("fine") == 1


@pytest.mark.parametrize("depth", [-1, True, 2.5, "9", None])
def test_max_reentry_is_an_int_of_at_least_0(depth: object) -> None:
    vm = VirtualMachine()
    with pytest.raises(ValueError, match="max_reentry must be an int of at least 0"):
        vm.max_reentry = depth  # type: ignore[assignment]


def test_host_recursion_inside_a_nested_run_is_told_as_call_depth(machine: Make) -> None:
    vm = machine("function main()\n CALL outer\nend\nfunction inner()\n CALL exhausted\nend")

    def exhausted(context: stoffel.ForeignContext) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    vm.register_foreign_function("outer", lambda context: context.call("inner"))
    vm.register_foreign_function("exhausted", exhausted)
    text = "Call depth exceeds 2: the recursion limit of the host is reached"
    error = failure(vm.execute, "main")
    assert str(error) == f"Foreign function outer failed: Foreign function exhausted failed: {text}"


def test_a_foreign_functions_own_recursion_is_its_own_failure(machine: Make) -> None:
    vm = machine()

    def forever(context: object) -> object:
        return forever(context)

    vm.register_foreign_function("forever", forever)
    assert str(failure(vm.execute, "forever", 1)).startswith("Foreign function forever failed: maximum recursion depth")


@pytest.mark.parametrize("depth", [0, -1, True, 2.5, "9", None])
def test_max_call_depth_is_a_positive_int(depth: object) -> None:
    vm = VirtualMachine()
    with pytest.raises(ValueError, match="max_call_depth must be an int of at least 1"):
        vm.max_call_depth = depth  # type: ignore[assignment]
    assert vm.max_call_depth == 250_000


def test_huge_frames_run_into_a_limit_before_memory_does(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "REGISTER_BUDGET", 5_000_000)  # the real one is a gigabyte
    vm = machine()
    body = [Instruction("CALL", "huge")]
    vm.register_function(Function("huge", body, registers=900_000))
    error = failure(vm.execute, "huge")
    assert told(error) == ("Runtime", "Call depth exceeds 6 with 900000 registers in each frame")


# Memory --------------------------------------------------------------------------------------------------------------


def test_tables_that_nothing_refers_to_are_freed_at_once_and_ids_stay_unique(machine: Make) -> None:
    vm = machine(
        """
        function main()
            CALL create_array
            PUSHARG r0
            CALL watch
        end
        """
    )
    references, identities = [], []

    def watch(context: stoffel.ForeignContext) -> None:
        references.append(weakref.ref(context[0]))
        identities.append(context[0].id)

    vm.register_foreign_function("watch", watch)
    for _ in range(3):
        vm.execute("main")
    assert identities == [1, 2, 3]
    assert [reference() for reference in references] == [None, None, None]


def test_a_table_lives_as_long_as_a_register_an_upvalue_or_a_table_holds_it(machine: Make) -> None:
    vm = machine("function keep(outer, inner)\n LDI r2, 0\n PUSHARG r0\n PUSHARG r2\n PUSHARG r1\n CALL set_field\nend")
    outer = vm.create_array()
    inner = vm.create_array([1])
    reference = weakref.ref(inner)
    vm.execute("keep", outer, inner)
    del inner
    assert vm.to_python(outer) == [[1]]
    vm.replace_elements(outer, [])
    assert reference() is None


def test_a_failed_run_keeps_no_table_once_its_error_is_gone(machine: Make) -> None:
    vm = machine("function main(a)\n CMP r0, r0\nend")
    array = vm.create_array()
    reference = weakref.ref(array)
    failure(vm.execute, "main", array)
    del array
    gc.collect()
    assert reference() is None


def test_the_result_of_a_run_is_not_kept_by_the_machine(machine: Make) -> None:
    vm = machine("function main()\n CALL create_object\n RET r0\nend")
    reference = weakref.ref(vm.execute("main"))
    assert reference() is None


def test_a_machine_that_is_dropped_is_freed(machine: Make) -> None:
    vm = machine("function main()\n CALL create_object\n RET r0\nend")
    vm.register_foreign_function("f", lambda context: None)
    vm.register_hook(None, lambda event, context: None, 0)
    vm.execute("main")
    reference = weakref.ref(vm)
    del vm
    gc.collect()
    assert reference() is None


def test_memory_returns_to_the_baseline_after_many_runs(machine: Make) -> None:
    vm = machine(
        f"""
        {DOWN}
        function garbage()
            CALL create_array
            MOV r1, r0
            LDI r2, 1000
            PUSHARG r1
            PUSHARG r2
            CALL append
            LDI r3, 500
            PUSHARG r1
            PUSHARG r3
            CALL array_repeat
        end
        """
    )

    def work() -> int:
        for _ in range(5):
            vm.execute("down", 200)
            vm.execute("garbage")
            failure(vm.execute, "garbage", 1)
        gc.collect()
        return len(gc.get_objects())

    work()
    baseline = work()
    assert work() <= baseline + 20  # the interpreter's own caches may grow by a few objects


# Interruption --------------------------------------------------------------------------------------------------------


def test_an_interrupt_in_a_foreign_function_passes_through_and_leaves_the_machine_reusable(machine: Make) -> None:
    vm = machine("function main(flag)\n PUSHARG r0\n CALL maybe\n RET r0\nend")

    def maybe(context: stoffel.ForeignContext) -> bool:
        if context[0]:
            raise KeyboardInterrupt
        return True

    vm.register_foreign_function("maybe", maybe)
    with pytest.raises(KeyboardInterrupt):
        vm.execute("main", True)
    assert vm.state.frames == []
    assert vm.execute("main", False) is True


@pytest.mark.parametrize("mode", ["off", "auto", "always"])
@pytest.mark.parametrize("body", ["again:\n NOP\n JMP again", "again:\n CALL g\n JMP again"])
def test_an_interrupt_in_a_long_loop_arrives_and_leaves_the_machine_reusable(mode: str, body: str) -> None:
    text = f"function main()\n CALL print\n{body}\nend"
    script = f"""
        import os, signal, threading
        import stoffel

        vm = stoffel.VirtualMachine(jit={mode!r}, output=lambda line: started.set())
        vm.load(stoffel.assemble({text!r}))
        vm.load(stoffel.assemble("function g()\\n LDI r0, 5\\nend"))
        started = threading.Event()

        def interrupt():
            started.wait()
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        try:
            vm.execute("main")
        except KeyboardInterrupt:
            print("interrupted", len(vm.state.frames), vm.execute("g"))
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted 0 5\n", "", 0)


def test_running_out_of_memory_is_a_machine_error(machine: Make) -> None:
    vm = machine("function main()\n CALL exhaust\nend\nfunction fine()\n LDI r0, 1\nend")

    def exhaust(context: stoffel.ForeignContext) -> None:
        raise MemoryError

    vm.register_foreign_function("exhaust", exhaust)
    assert str(failure(vm.execute, "main")) == "Foreign function exhaust failed: MemoryError"
    assert vm.execute("fine") == 1


def test_interrupts_do_not_need_a_handler_of_ours() -> None:
    before = signal.getsignal(signal.SIGINT)
    VirtualMachine(jit="auto")
    assert signal.getsignal(signal.SIGINT) is before
