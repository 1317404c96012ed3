"""How long loops will go on: what the forecast makes of the registers that it sees."""

from __future__ import annotations

import random

import pytest

import stoffel
from stoffel import VirtualMachine
from stoffel.jit.policy import loop_forecast, warmup
from stoffel.jit.policy.loop_forecast import Forecast
from stoffel.jit.policy.warmup import WarmUp
from stoffel.model.code import Code
from stoffel.model.values import Value
from stoffel.runtime.frames import NO_UPVALUES, ActivationRecord
from tests.machines import SUM, loaded

COUNTER = "LDI r1, 1\nround:\nCMP r0, r2\nJMPGT out\nADD r0, r0, r1\nJMP round\nout:\nRET r0"
"""r0 counts up to r2 in the instructions 1 to 4."""
DATA = "round:\nCMP r0, r2\nJMPGT round\nRET r0"
"""r0 is compared with r2, and does not come from itself."""
CONSTANT = "round:\nLDI r2, 100\nCMP r0, r2\nJMPGT round\nRET r0"
SLOTS = "round:\nLDS r1, slot7\nLDS r2, slot3\nCMP r1, r2\nJMPGT round\nRET r0"


def record_of(body: str, at: int = 1) -> ActivationRecord:
    """Return a record of a function with this body, about to execute the instruction *at*."""
    machine = VirtualMachine()
    machine.load(stoffel.assemble(f"function f()\n.registers 3\n{body}\nend"))
    code = machine.state.functions["f"]
    assert isinstance(code, Code)
    record = ActivationRecord(machine.state, code, [], NO_UPVALUES, None)
    record.jump(at)
    return record


def seen(record: ActivationRecord, values: list[Value], enough: int, every: int = 1000) -> list[bool]:
    """Return whether enough is to come, looking with each of *values* in r0 after so much heat each."""
    watch = Forecast()
    found = []
    for number, value in enumerate(values):
        record.registers[0] = value
        code = watch.look(number * every, [record], 0, enough)
        assert code in (None, record.code)
        found.append(code is not None)
    return found


def test_a_counter_goes_on_at_its_pace_until_it_meets_its_bound() -> None:
    record = record_of(COUNTER)
    record.registers[2] = 100
    # 10 rounds take 1000, and 79 are left after the next that is seen.
    assert seen(record, [0, 10, 20], 7900) == [False, True, True]
    assert seen(record, [0, 10, 20], 8901) == [False, False, False]


def test_a_counter_that_counts_down_is_one_too() -> None:
    record = record_of(COUNTER)
    record.registers[2] = 0
    assert seen(record, [100, 90, 80], 7900) == [False, True, True]


def test_a_counter_that_has_not_moved_yet_needs_at_least_that_long_for_each_round() -> None:
    record = record_of(COUNTER)
    record.registers[2] = 51
    assert seen(record, [1, 1, 1], 98_000) == [False, False, True]


def test_outside_its_loop_a_counter_tells_nothing() -> None:
    record = record_of(COUNTER, at=6)
    record.registers[2] = 51
    assert seen(record, [1, 1, 1, 1], 1) == [False] * 4


def test_what_is_no_counter_must_come_closer_twice() -> None:
    record = record_of(DATA)
    record.registers[2] = 100
    assert seen(record, [0, 10, 20, 30], 6999) == [False, False, True, True]
    assert seen(record, [0, 10, 5, 20], 1) == [False, False, False, False]
    assert seen(record, [0, 0, 0, 0], 1) == [False, False, False, False]


def test_a_bound_may_be_a_constant_that_is_loaded_each_time() -> None:
    record = record_of(CONSTANT)
    record.registers[2] = "something else by now"
    assert seen(record, [0, 10, 20], 7900) == [False, False, True]


def test_what_a_counter_starts_with_is_not_what_it_is_compared_as() -> None:
    record = record_of("LDI r0, 0\n" + COUNTER.removeprefix("LDI r1, 1\n"))
    record.registers[2] = 100
    assert seen(record, [0, 10, 20], 7900) == [False, True, True]


def test_counter_and_bound_may_be_in_spill_slots() -> None:
    record = record_of(SLOTS)
    watch = Forecast()
    assert watch.look(0, [record], 0, 1) is None
    found = []
    for heat, counter in ((1000, 1), (2000, 2), (3000, 3)):
        record.spill = {7: counter, 3: 10}
        found.append(watch.look(heat, [record], 0, 7000) is record.code)
    assert found == [False, False, True]


@pytest.mark.parametrize("value", [None, "text", 1.5, float("nan")])
def test_other_values_than_integers_tell_nothing(value: Value) -> None:
    record = record_of(COUNTER)
    record.registers[2] = value
    assert seen(record, [0, 10, 20, 30], 1) == [False] * 4


def test_another_record_is_watched_from_the_start() -> None:
    first, second = record_of(COUNTER), record_of(COUNTER)
    watch = Forecast()
    for heat, record in ((0, first), (1000, second), (2000, first)):
        record.registers[0], record.registers[2] = heat, 1 << 40
        assert watch.look(heat, [record], 0, 1) is None
    first.registers[0] = 3000
    assert watch.look(3000, [first], 0, 1) is first.code


def test_very_long_functions_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_forecast, "LARGEST", 5)
    record = record_of(COUNTER)
    record.registers[2] = 1000
    assert seen(record, [0, 10, 20, 30], 1) == [False] * 4


def test_a_loop_that_is_sure_to_be_long_loads_the_translator_early() -> None:
    machine = loaded(VirtualMachine(jit="no-kernels"), SUM)
    assert machine.execute("sum", 10 * warmup.HEAT_OF_LOADING) == sum(range(10 * warmup.HEAT_OF_LOADING))
    tier = machine.state.tier
    assert tier is not None
    assert not isinstance(tier, WarmUp)
    code = machine.state.functions["sum"]
    assert isinstance(code, Code)
    assert code.heat < warmup.HEAT_OF_LOADING // 4
    assert machine.jit_statistics()["functions"]["sum"]["loop_entries"] == 1


def test_the_outer_loop_of_a_caller_is_seen_while_its_callee_runs() -> None:
    machine = loaded(
        VirtualMachine(jit="no-kernels"),
        SUM + "function main(n, m)\nLDI r2, 0\nLDI r3, 1\nMOV r4, r0\nMOV r5, r1\nround:\nCMP r2, r4\nJMPEQ out\n"
        "PUSHARG r5\nCALL sum\nADD r2, r2, r3\nJMP round\nout:\nRET r2\nend",
    )
    assert machine.execute("main", 100, warmup.HEAT_OF_LOADING // 20) == 100
    code = machine.state.functions["sum"]
    assert isinstance(code, Code)
    assert code.heat < warmup.HEAT_OF_LOADING // 3


def test_values_without_order_in_them_do_not() -> None:
    generator = random.Random(7)
    record = record_of(DATA)
    record.registers[2] = 0
    often = sum(
        any(seen(record, [generator.randrange(1 << 40) for _ in range(8)], 1 << 18, 1 << 13)) for _ in range(200)
    )
    assert often <= 10
