"""Coverage: exactly what ran, in the interpreter and in code objects."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import stoffel
from stoffel.embedding.engine import MODES
from stoffel.jit.policy import thresholds
from tests.compiler import oracle
from tests.compiler.generators import Case, make_case
from tests.machines import loaded

PROGRAMS = 300


@pytest.fixture(autouse=True)
def compiling_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 10_000)


PROGRAM = """
function sign(n)
    LDI r1, 0
    CMP r0, r1
    JMPLT negative
    LDI r0, 1
    JMP out
negative:
    LDI r0, -1
out:
    RET r0
end
function unused()
    RET r0
end
function main(n)
    MOV r5, r0
    LDI r2, 0
    LDI r3, 1
    LDI r6, 0
again:
    PUSHARG r2
    CALL sign
    ADD r6, r6, r0
    ADD r2, r2, r3
    CMP r2, r5
    JMPLT again
    LDI r1, 0
    CMP r6, r1
    JMPGT fine
    LDI r6, 99
fine:
    RET r6
end
"""
MISSING = {"sign": [5], "unused": [0], "main": [13]}


def missing(coverage: Any) -> dict[str, list[int]]:
    return {row.name: row.missing for row in coverage.functions()}


@pytest.mark.parametrize("jit", ["off", "no-kernels"])
@pytest.mark.parametrize("rounds", [3, 30_000])
def test_what_did_not_run_is_missing(jit: Any, rounds: int) -> None:
    machine = loaded(stoffel.VirtualMachine(jit=jit), PROGRAM)
    with machine.coverage() as coverage:
        assert machine.execute("main", rounds) == rounds
    assert missing(coverage) == MISSING
    if jit != "off" and rounds > 1000:
        assert machine.jit_statistics()["functions"]["main"]["units"] > 0


@pytest.mark.parametrize("jit", ["off", "no-kernels"])
def test_what_runs_late_is_noticed_in_compiled_code(jit: Any) -> None:
    machine = loaded(
        stoffel.VirtualMachine(jit=jit),
        """
function main(n)
    MOV r5, r0
    LDI r2, 0
    LDI r3, 1
again:
    ADD r2, r2, r3
    LDI r4, 50000
    CMP r2, r4
    JMPEQ late
back:
    CMP r2, r5
    JMPLT again
    RET r2
late:
    LDI r7, true
    JMP back
end
""",
    )
    with machine.coverage() as coverage:
        machine.execute("main", 40_000)
        assert missing(coverage) == {"main": [10, 11]}
        machine.execute("main", 60_000)
        assert missing(coverage) == {"main": []}
    assert machine.execute("main", 100) == 100


def test_a_machine_that_was_compiled_before_starts_anew() -> None:
    machine = loaded(stoffel.VirtualMachine(jit="no-kernels"), PROGRAM)
    machine.execute("main", 30_000)
    with machine.coverage() as coverage:
        machine.execute("main", 30_000)
    assert missing(coverage) == MISSING
    before = machine.jit_statistics()["deoptimisations"]
    machine.execute("main", 30_000)
    assert machine.jit_statistics()["deoptimisations"] == before, "nothing is left for coverage any more"


def test_kernels_do_not_tell() -> None:
    machine = loaded(stoffel.VirtualMachine(jit="auto"), PROGRAM)
    with pytest.raises(ValueError, match="a kernel does not tell"), machine.coverage():
        pass


def test_it_cannot_begin_in_a_run() -> None:
    machine = stoffel.VirtualMachine()

    def begin() -> None:
        with machine.coverage():
            pass

    machine.register_foreign_function("begin", begin)
    loaded(machine, "function main()\nCALL begin\nRET r0\nend")
    with pytest.raises(stoffel.VMError, match="one is in progress"):
        machine.execute("main")


def test_lcov_has_functions_and_lines() -> None:
    machine = stoffel.VirtualMachine()
    machine.load(
        stoffel.assemble("function main()\n  LDI r0, 1\n  RET r0\n  NOP\nend\nfunction other()\n  RET r0\nend")
    )
    with machine.coverage() as coverage:
        machine.execute("main")
    assert coverage.lcov().splitlines() == [
        "TN:",
        "SF:<assembly>",
        "FN:2,main",
        "FN:7,other",
        "FNDA:1,main",
        "FNDA:0,other",
        "FNF:2",
        "FNH:1",
        "DA:2,1",
        "DA:3,1",
        "DA:4,0",
        "DA:7,0",
        "LF:4",
        "LH:2",
        "end_of_record",
    ]


def test_as_text_and_data() -> None:
    machine = loaded(stoffel.VirtualMachine(), PROGRAM)
    with machine.coverage() as coverage:
        machine.execute("main", 3)
    text = coverage.text()
    assert text.startswith("20 of 23 instructions ran (87.0%)\n")
    assert "!      5  LDI r0, -1" in text
    assert "unused" in text
    found = json.loads(json.dumps(coverage.as_dict()))
    assert {row["name"]: (row["ran"], row["missing"]) for row in found["functions"]} == {
        "sign": (6, [5]),
        "unused": (0, [0]),
        "main": (14, [13]),
    }


def test_of_generated_programs_the_same_has_run_in_code_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the mode "always", but without kernels, which do not tell."""
    monkeypatch.setitem(MODES, "always", MODES["always"]._replace(kernels=""))
    units = 0
    for seed in range(PROGRAMS):
        case = make_case(random.Random(seed))
        expected = ran(case, oracle.INTERPRETER)[0]
        found, machine = ran(case, oracle.ALWAYS)
        assert found == expected, f"program {seed}"
        units += sum(row["units"] for row in machine.jit_statistics()["functions"].values())
    assert units > PROGRAMS


def ran(case: Case, way: oracle.Way) -> tuple[Any, stoffel.VirtualMachine]:
    """Return which instructions ran in two runs of a program, with what else is seen of it, and the machine."""
    with pytest.MonkeyPatch.context() as patch:
        entered = []

        def load(machine: stoffel.VirtualMachine, program: stoffel.Program) -> stoffel.Program:
            result = original(machine, program)
            covering = machine.coverage()
            entered.append((covering, covering.__enter__()))
            return result

        original = stoffel.VirtualMachine.load
        patch.setattr(stoffel.VirtualMachine, "load", load)
        machines: list[stoffel.VirtualMachine] = []
        outcome = oracle.run(case, way, inspect=machines.append)
        ((covering, coverage),) = entered
        covering.__exit__(None, None, None)
    return (outcome, missing(coverage)), machines[0]
