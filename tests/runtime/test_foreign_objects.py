"""Host objects and functions: whose they are, one lock for all machines that have one, and forgetting them."""

from __future__ import annotations

import copy
import threading

import pytest

from stoffel import Foreign, VirtualMachine, VMError
from tests.machines import Make, failure, told


class Counter:
    """An object of the host."""


def test_a_handle_of_another_machine_is_refused() -> None:
    one, other = VirtualMachine(), VirtualMachine()
    mine, item = Counter(), Counter()
    handle = one.register_foreign_object(mine)
    assert other.register_foreign_object(item) == handle
    expected = ("ForeignObject", "Foreign object 1 belongs to another machine")
    assert other.foreign_object(handle, Counter) is None
    assert told(failure(other.locked_object(handle, Counter).__enter__)) == expected
    assert told(failure(other.unregister_foreign_object, handle)) == expected
    assert one.clone().foreign_object(handle, Counter) is None
    assert one.foreign_object(handle, Counter) is mine
    assert other.foreign_object(Foreign(1), Counter) is item


def test_an_object_that_several_machines_have_is_held_by_one_at_a_time() -> None:
    one = VirtualMachine()
    other = one.clone()
    shared = Counter()
    first, second = one.register_foreign_object(shared), other.register_foreign_object(shared)
    order: list[str] = []

    def hold() -> None:
        with other.locked_object(second, Counter):
            order.append("second")

    with one.locked_object(first, Counter):
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_objects_and_functions_are_forgotten(machine: Make) -> None:
    vm = machine("function main()\n CALL act\n RET r0\nend")
    vm.register_foreign_function("act", lambda context: 7)
    clone = vm.clone()
    assert [vm.execute("main") for _ in range(3)] == [7] * 3
    assert vm.unregister_foreign_function("act")
    assert not vm.unregister_foreign_function("act")
    assert not vm.unregister_foreign_function("main")
    assert str(failure(vm.execute, "main")) == "Function 'act' not found"
    assert clone.execute("main") == 7
    vm.register_foreign_function("act", lambda context: 8)
    assert [vm.execute("main") for _ in range(3)] == [8] * 3
    handle = vm.register_foreign_object(Counter())
    assert vm.unregister_foreign_object(handle)
    assert not vm.unregister_foreign_object(handle)
    assert vm.foreign_object(handle, Counter) is None


@pytest.mark.parametrize("mode", ["off", "always"])
def test_a_machine_is_not_copied(mode: str) -> None:
    vm = VirtualMachine(jit=mode)  # type: ignore[arg-type]
    for make in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="clone"):
            make(vm)
    with pytest.raises(VMError):
        vm.clone().execute("nothing")
