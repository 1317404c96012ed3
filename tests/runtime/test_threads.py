"""Threads: sharing one machine, running clones side by side, locked objects."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import chain
from typing import Any

from stoffel import ForeignContext, VirtualMachine
from stoffel.runtime.events import BeforeInstructionExecute
from tests.machines import Make, failure

THREADS = 8

SUM = """
function sum(n)
    LDI r1, 0
    LDI r2, 1
again:
    ADD r1, r1, r0
    SUB r0, r0, r2
    CMP r0, r2
    JMPLT done
    JMP again
done:
    RET r1
end
"""


def together(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """Run ``work(0)`` to ``work(count - 1)`` in threads that start at the same time; return their results."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = work(index)
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def triangle(n: int) -> int:
    return n * (n + 1) // 2


def test_threads_that_share_a_machine_take_turns_and_get_their_own_results(machine: Make) -> None:
    vm = machine(SUM)
    results = together(lambda index: [vm.execute("sum", n) for n in range(1 + index, 200, 7)])
    assert results == [[triangle(n) for n in range(1 + index, 200, 7)] for index in range(THREADS)]
    assert vm.state.frames == []


def test_runs_of_one_machine_do_not_overlap(machine: Make) -> None:
    vm = machine("function main()\n CALL enter\n RET r0\nend")
    inside: list[int] = []
    most = []

    def enter(context: ForeignContext) -> int:
        inside.append(1)
        most.append((len(inside), len(context.vm.state.frames)))
        threading.Event().wait(0.001)
        inside.pop()
        return 1

    vm.register_foreign_function("enter", enter)
    together(lambda index: [vm.execute("main") for _ in range(5)])
    assert set(most) == {(1, 1)}
    assert len(most) == 5 * THREADS


def test_errors_in_one_thread_do_not_touch_the_runs_of_others(machine: Make) -> None:
    vm = machine(f"{SUM}function bad()\n ADD r0, r0, r0\nend")

    def work(index: int) -> Any:
        if index % 2:
            return [str(failure(vm.execute, "bad")) for _ in range(50)]
        return [vm.execute("sum", 50) for _ in range(50)]

    expected = [["Type error in ADD operation"] * 50 if index % 2 else [triangle(50)] * 50 for index in range(THREADS)]
    assert together(work) == expected


def test_clones_run_in_threads_independently(machine: Make) -> None:
    vm = machine(
        f"""
        {SUM}
        function collect(n)
            MOV r4, r0
            CALL create_array
            MOV r5, r0
            LDI r1, 1
        again:
            PUSHARG r4
            CALL sum
            PUSHARG r5
            PUSHARG r0
            CALL append
            SUB r4, r4, r1
            CMP r4, r1
            JMPGT again
            RET r5
        end
        """
    )
    clones = [vm.clone() for _ in range(THREADS)]

    def work(index: int) -> Any:
        array = clones[index].execute("collect", 10 + index)
        return array.id, clones[index].to_python(array)

    assert together(work) == [(1, [triangle(n) for n in range(10 + index, 1, -1)]) for index in range(THREADS)]


def test_a_clone_can_be_made_and_run_while_the_original_runs(machine: Make) -> None:
    vm = machine("function main()\n CALL meet\n RET r0\nend\nfunction other()\n LDI r0, 2\nend")
    clone = vm.clone()
    reached, answered = threading.Event(), threading.Event()
    answers: list[Any] = []

    def meet(context: ForeignContext) -> bool:
        reached.set()
        return answered.wait(30)

    def other() -> None:
        reached.wait(30)
        answers.append(clone.execute("other"))
        answered.set()

    vm.register_foreign_function("meet", meet)
    thread = threading.Thread(target=other)
    thread.start()
    assert vm.execute("main") is True
    thread.join()
    assert answers == [2]


def test_ids_of_tables_and_handles_are_unique_across_threads(machine: Make) -> None:
    vm = machine()
    arrays = together(lambda index: [vm.create_array().id for _ in range(200)])
    assert sorted(chain.from_iterable(arrays)) == [*range(1, 200 * THREADS + 1)]
    handles = together(lambda index: [vm.register_foreign_object(index).id for _ in range(200)])
    assert sorted(chain.from_iterable(handles)) == [*range(1, 200 * THREADS + 1)]


def test_hook_ids_are_unique_across_threads(machine: Make) -> None:
    vm = machine()
    results = together(lambda index: [vm.register_hook(None, lambda event, context: None, 0) for _ in range(100)])
    assert sorted(chain.from_iterable(results)) == [*range(1, 100 * THREADS + 1)]


class Account:
    def __init__(self) -> None:
        self.balance = 0


def test_programs_and_host_threads_change_a_locked_object_one_at_a_time(machine: Make) -> None:
    def deposit(account: Account) -> None:
        before = account.balance
        threading.Event().wait(0.0005)  # gives every other thread its chance to come in between
        account.balance = before + 1

    def deposit_in_program(context: ForeignContext) -> None:
        with context.locked_object(context[0], Account) as account:
            deposit(account)

    vm = machine("function main(account)\n PUSHARG r0\n CALL deposit\nend")
    vm.register_foreign_function("deposit", deposit_in_program)
    handle = vm.register_foreign_object(Account())

    def work(index: int) -> None:
        for _ in range(5):
            if index % 2:
                vm.execute("main", handle)
            else:
                with vm.locked_object(handle, Account) as account:
                    deposit(account)

    assert together(work) == [None] * THREADS
    with vm.locked_object(handle, Account) as account:
        assert account.balance == 5 * THREADS


def test_hooks_switched_by_threads_during_runs_never_break_a_run(machine: Make) -> None:
    vm = machine(SUM)
    seen: list[Any] = []
    identity = vm.register_hook(BeforeInstructionExecute, lambda event, context: seen.append(1), 0)

    def work(index: int) -> Any:
        if index == 0:
            for _ in range(300):
                vm.enable_hook(identity)
                vm.disable_hook(identity)
            return None
        return [vm.execute("sum", 300) for _ in range(10)]

    assert together(work, 4)[1:] == [[triangle(300)] * 10] * 3


def test_registering_and_running_at_the_same_time_is_safe(machine: Make) -> None:
    vm = machine(SUM)

    def work(index: int) -> Any:
        if index % 2:
            for number in range(50):
                vm.register_foreign_function(f"f{index}_{number}", lambda context: None)
            return sum(vm.has_function(f"f{index}_{number}") for number in range(50))
        return sum(vm.execute("sum", 30) == triangle(30) for _ in range(50))

    assert together(work) == [50] * THREADS


def test_of_threads_that_register_one_name_exactly_one_succeeds(machine: Make) -> None:
    vm = machine()

    def work(index: int) -> str:
        try:
            vm.register_foreign_function("f", lambda context: index)
        except Exception as error:
            return str(error)
        return "registered"

    results = together(work)
    assert results.count("registered") == 1
    assert results.count("Function 'f' is already registered") == THREADS - 1


def test_a_machine_made_in_one_thread_runs_in_another() -> None:
    machines: list[VirtualMachine] = []
    together(lambda index: machines.append(VirtualMachine()), 1)
    assert machines[0].execute("len", "abc") == 3
