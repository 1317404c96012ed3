"""The state of a machine: what a definition changes, limits, and what a run leaves behind."""

from __future__ import annotations

import pytest

from stoffel import ErrorKind, VirtualMachine, VMError
from stoffel.runtime.resolution import resolve
from tests.machines import SUM, SUM_BY_CALL, loaded


def test_a_new_name_changes_nothing_that_runs_rely_on_and_a_known_one_does() -> None:
    state = VirtualMachine().state
    before = state.changes
    loaded(state.machine, SUM)
    assert state.changes == before
    state.define([state.functions["sum"]])
    assert state.changes == before + 1
    state.define(removed=["sum"])
    assert (state.changes, "sum" in state.functions) == (before + 2, False)


def test_a_change_asks_for_attention_until_the_hooks_are_observed() -> None:
    state = loaded(VirtualMachine(), SUM).state
    state.observe_hooks()
    state.define(removed=["sum"])
    assert (state.attention, state.has_changed) == (True, True)
    state.observe_hooks()
    assert (state.attention, state.has_changed) == (False, False)


def test_a_run_that_fails_leaves_no_records_and_notes_where_it_was() -> None:
    state = loaded(VirtualMachine(), SUM_BY_CALL).state
    with pytest.raises(VMError) as caught:
        state.machine.execute("main", "text")
    assert (state.records, state.runs, state.nesting, state.base) == ([], [], 0, 0)
    assert (caught.value.function, caught.value.stack[0][0]) == ("sum", "main")


def test_running_out_of_memory_is_an_error_of_the_run() -> None:
    state = VirtualMachine().state
    with pytest.raises(VMError, match="Out of memory") as caught, state.entered():
        raise MemoryError
    assert (caught.value.kind, state.runs) == (ErrorKind.RUNTIME, [])


def test_an_instruction_is_looked_up_by_function_and_index() -> None:
    machine = loaded(VirtualMachine(), SUM)
    assert str(machine.state.instruction_at("sum", 0)) == "LDI r1, 0"
    assert [machine.state.instruction_at(*place) for place in (("sum", 99), ("sum", -1), ("len", 0))] == [None] * 3
    machine.discard_source()
    assert machine.state.instruction_at("sum", 0) is None


def test_a_method_is_found_by_the_type_of_its_receiver() -> None:
    machine = VirtualMachine()
    machine.register_method("string", "shout", "string.shout", lambda text: str(text).upper())
    assert resolve(machine.state, "shout", ["text"]).name == "string.shout"
    with pytest.raises(VMError, match="Method 'shout' not found for receiver type 'int64'"):
        resolve(machine.state, "shout", [1])
