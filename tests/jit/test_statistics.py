"""``vm.jit_statistics()``: what it counts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from stoffel import VirtualMachine
from stoffel.jit.deoptimisation import REASONS
from stoffel.jit.policy import thresholds
from stoffel.jit.statistics import Statistics
from tests.compiler.generators import make_case
from tests.compiler.oracle import COMPILED, Way, run
from tests.machines import SUM_BY_CALL, loaded


def test_a_machine_without_a_compiled_tier_has_its_mode_only() -> None:
    assert loaded(VirtualMachine(jit="off"), SUM_BY_CALL).jit_statistics() == {"mode": "off"}


def test_before_the_first_run_nothing_is_counted() -> None:
    assert loaded(VirtualMachine(jit="always"), SUM_BY_CALL).jit_statistics() == {
        "mode": "always",
        "functions": {},
        "runs": 0,
        "deoptimisations": {},
        "exits": [],
        "records_rebuilt": 0,
    }


def test_translations_are_counted_by_function() -> None:
    machine = loaded(VirtualMachine(jit="always"), SUM_BY_CALL)
    assert machine.execute("main", 5) == 10
    functions = machine.jit_statistics()["functions"]
    assert sorted(functions) == ["main", "sum"]
    for counters in functions.values():
        assert (counters["tier"], counters["units"], counters["refusal"]) == ("code object", 1, None)
        assert counters["compile_seconds"] > 0
        assert counters["code_size"] > 0


def test_the_code_size_is_that_of_the_code_objects() -> None:
    machine = loaded(VirtualMachine(jit="always"), SUM_BY_CALL)
    machine.execute("main", 5)
    tier = machine.state.tier
    sizes = {unit.function.name: len(code.co_code) for code, unit in tier.units.by_code.items()}
    functions = machine.jit_statistics()["functions"]
    assert {name: counters["code_size"] for name, counters in functions.items()} == sizes


def test_a_second_run_needs_no_translation() -> None:
    machine = loaded(VirtualMachine(jit="always"), SUM_BY_CALL)
    machine.execute("main", 5)
    first = machine.jit_statistics()
    machine.execute("main", 6)
    second = machine.jit_statistics()
    assert second["runs"] > first["runs"]
    assert {name: counters["units"] for name, counters in second["functions"].items()} == {"main": 1, "sum": 1}


def test_a_run_that_becomes_hot_in_mid_loop_is_entered_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 40_000)
    machine = loaded(VirtualMachine(jit="auto"), SUM_BY_CALL)
    tier = machine.state.tier
    tier.threshold = 0.001
    assert machine.execute("sum", 50_000) == 50_000 * 49_999 // 2
    assert machine.jit_statistics()["functions"]["sum"]["loop_entries"] == 1


def test_deoptimisations_are_counted_by_reason_with_the_records_they_rebuilt() -> None:
    machine = loaded(VirtualMachine(jit="always"), SUM_BY_CALL)
    tier = machine.state.tier
    tier.every = 1
    assert machine.execute("main", 20) == 190
    statistics = machine.jit_statistics()
    assert set(statistics["deoptimisations"]) <= set(REASONS.values())
    assert statistics["deoptimisations"]["attention at a loop"] >= 9
    assert statistics["records_rebuilt"] >= sum(statistics["deoptimisations"].values())


def test_refusals_are_kept_as_sentences() -> None:
    registers = "".join(f"    LDI r{index}, {index}\n" for index in range(0, 5000, 100))
    machine = loaded(
        VirtualMachine(jit="always"), f"function main()\n    .registers 5000\n{registers}    RET r100\nend\n"
    )
    assert machine.execute("main") == 100
    assert machine.jit_statistics()["functions"]["main"] == {
        "tier": "interpreter",
        "calls": None,
        "units": 0,
        "compile_seconds": 0.0,
        "code_size": 0,
        "loop_entries": 0,
        "inlined": [],
        "refusal": "5000 registers, more than the 4096 of a function that is translated",
        "refusal_at": None,
        "kernels": [],
        "kernel_seconds": 0.0,
        "kernel_size": 0,
        "kernel_refusal": None,
        "kernel_refusal_at": None,
    }


def test_statistics_are_plain_data() -> None:
    machine = loaded(VirtualMachine(jit="always"), SUM_BY_CALL)
    machine.execute("main", 5)
    statistics = machine.jit_statistics()
    assert json.loads(json.dumps(statistics)) == statistics


def test_the_manual_explains_every_reason() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "deopt.md").read_text(encoding="utf-8")
    assert [reason for reason in REASONS.values() if f"| {reason} |" not in manual] == []


def calls(machine: VirtualMachine) -> dict[str, int]:
    return {name: counters["calls"] for name, counters in machine.jit_statistics()["functions"].items()}


RECURSION = """
function down(n)
    MOV r1, r0
    LDI r2, 0
    CMP r1, r2
    JMPEQ done
    LDI r3, 1
    SUB r4, r1, r3
    PUSHARG r4
    CALL down
done:
    RET r1
end
"""


@pytest.mark.parametrize("mode", ["always", "no-kernels"])
@pytest.mark.parametrize("every", [0, 1, 7])
@pytest.mark.parametrize("depth", [0, 5, 3000])
def test_calls_are_counted_in_whatever_tier_they_run(mode: str, every: int, depth: int) -> None:
    machine = loaded(VirtualMachine(jit=mode), RECURSION)
    machine.count_calls()
    machine.state.tier.every = every
    assert machine.execute("down", depth) == depth
    assert calls(machine) == {"down": depth + 1}
    assert machine.execute("down", 2) == 2
    assert calls(machine) == {"down": depth + 4}


def test_nobody_asks_so_nobody_counts() -> None:
    machine = loaded(VirtualMachine(jit="always"), RECURSION)
    machine.execute("down", 5)
    assert calls(machine) == {"down": None}


def test_without_a_compiled_tier_there_is_nothing_to_count_with() -> None:
    machine = loaded(VirtualMachine(jit="off"), RECURSION)
    machine.count_calls()
    machine.execute("down", 5)
    assert machine.jit_statistics() == {"mode": "off"}


@pytest.mark.parametrize("seed", range(30))
def test_all_tiers_count_the_same_calls(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closures, callbacks, functions with upvalues, hooks that come on in mid-run, errors, limits of depth."""
    create = Statistics.__init__

    def counting(self: Statistics) -> None:
        create(self)
        self.counts_calls = True

    monkeypatch.setattr(Statistics, "__init__", counting)
    for number in range(4):
        case = make_case(random.Random(4 * seed + number))
        machines: list[VirtualMachine] = []
        for way in (Way("interpreted", "no-kernels", threshold=1e15), *COMPILED):
            run(case, way, inspect=machines.append)
        expected, *found = map(calls, machines)
        assert [counted for counted in found if counted != expected] == []


DOUBLES = """
function double(list, index)
    PUSHARG r0
    PUSHARG r1
    CALL get_field
    ADD r0, r0, r0
    RET r0
end
function main(list, length)
    MOV r2, r0
    MOV r5, r1
    LDI r3, 0
    LDI r4, 1
again:
    PUSHARG r2
    PUSHARG r3
    CALL double
    ADD r3, r3, r4
    CMP r3, r5
    JMPLT again
    RET r0
end
"""


@pytest.mark.usefixtures("nothing_inlined")
def test_a_function_that_is_compiled_anew_takes_its_callers_along() -> None:
    machine = loaded(VirtualMachine(jit="always"), DOUBLES)
    integers = machine.create_array([*range(50)])
    fractions = machine.create_array([number + 0.5 for number in range(50)])
    for array in (integers, fractions, integers, fractions, integers, fractions):
        machine.execute("main", array, 50)
    statistics = machine.jit_statistics()
    assert statistics["deoptimisations"].keys() == {"a guess failed"}
    assert [entry["refusal"] for entry in statistics["functions"].values()] == [None, None]
