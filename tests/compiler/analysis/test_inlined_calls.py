"""Calls that are inlined cannot be told from calls: errors, records, hooks, depth, flags, closures."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError
from stoffel.compiler.emission.deopt_points import BEFORE
from tests.compiler.generators import Case
from tests.compiler.inlined_programs import PROGRAMS
from tests.compiler.oracle import COMPILED, INTERPRETER, compare, run
from tests.machines import failure, loaded

ACTIONS = ("look", "enable", "disable", "fail", "value", "count", "call")


def case(name: str, plan: dict[int, str] | None = None, depth: int | None = None, hooked: bool = False) -> Case:
    text, arguments = PROGRAMS[name]
    return Case(stoffel.assemble(text), arguments, plan or {}, depth, hooked, 40)


@pytest.mark.parametrize("name", PROGRAMS)
def test_inlined_calls_run_alike_in_every_way(name: str) -> None:
    plans: list[dict[int, str]] = [{}, dict.fromkeys(range(30), "look")]
    plans += [{at: action} for action in ACTIONS for at in (0, 1, 4)]
    plans += [{1: "enable", 3: "disable", 4: "look", 5: "enable"}]
    for plan in plans:
        difference = compare(case(name, plan), COMPILED)
        assert difference is None, difference.report()


@pytest.mark.parametrize("name", PROGRAMS)
def test_inlined_calls_fail_at_the_same_depth(name: str) -> None:
    for depth in range(1, 6):
        difference = compare(case(name, depth=depth), COMPILED)
        assert difference is None, difference.report()


@pytest.mark.parametrize("name", PROGRAMS)
def test_something_is_inlined(name: str) -> None:
    inlined: set[str] = set()

    def look(machine: VirtualMachine) -> None:
        for counters in machine.jit_statistics()["functions"].values():
            inlined.update(counters["inlined"])

    run(case(name), COMPILED[0], inspect=look)
    assert inlined != set()


def test_the_cases_look_at_records_of_inlined_calls() -> None:
    seen = run(case("calls within each other", {0: "look"}), INTERPRETER).seen
    assert [record[0] for record in seen[0]] == ["main", "middle", "inner"]


RATIO = """
function ratio(a, b)
    NOP
    DIV     r0, r0, r1
    RET     r0
end
function main(b)
    LDI     r1, 100
    PUSHARG r1
    PUSHARG r0
    CALL    ratio
    RET     r0
end
"""


def test_an_error_has_the_position_and_the_stack_of_the_inlined_call() -> None:
    machine = loaded(VirtualMachine(jit="always"), RATIO)
    assert machine.execute("main", 5) == 20
    error = failure(machine.execute, "main", 0)
    assert (error.function, error.instruction) == ("ratio", 1)
    assert error.stack == (("main", 3), ("ratio", 1))
    assert machine.jit_statistics()["functions"]["main"]["inlined"] == ["ratio"]


def test_a_guess_in_an_inlined_call_is_that_of_its_function() -> None:
    machine = loaded(
        VirtualMachine(jit="always"),
        "function twice(a)\nADD r0, r0, r0\nRET r0\nend\n"
        "function main(o)\nLDI r1, 0\nPUSHARG r0\nPUSHARG r1\nCALL get_field\nPUSHARG r0\nCALL twice\nRET r0\nend\n",
    )
    array = machine.create_array([4])
    assert machine.execute("main", array) == 8
    tier: Any = machine.state.tier
    (unit,) = (unit for unit in tier.units.by_code.values() if unit.function.name == "main")
    (line,) = (line for line in unit.lines if "ADD" in line.text)
    assert unit.position(line.sites[BEFORE].resume) == (machine.state.functions["twice"], 0)
    texts = machine.create_array(["ab"])
    assert machine.execute("main", texts) == "abab"
    assert tier.units.environment.feedback(machine.state.functions["twice"]).seen(0, 0) != 0
    assert machine.execute("main", texts) == "abab"
    assert machine.jit_statistics()["deoptimisations"] == {"a guess failed": 1}


def test_a_closure_that_turns_out_to_be_another_one_is_not_taken_for_the_first() -> None:
    text = """
function one()
    LDI     r0, 1
    RET     r0
end
function two()
    LDI     r0, 2
    RET     r0
end
function call(c)
    PUSHARG r0
    CALL    call_closure
    RET     r0
end
function main(n)
    LDI     r1, "one"
    LDI     r2, "two"
    PUSHARG r1
    CALL    create_closure
    MOV     r1, r0
    PUSHARG r2
    CALL    create_closure
    MOV     r2, r0
    LDI     r3, 0
    LDI     r4, 1
again:
    PUSHARG r1
    CALL    call
    ADD     r3, r3, r0
    PUSHARG r2
    CALL    call
    ADD     r3, r3, r0
    SUB     r5, r5, r4
    RET     r3
end
"""
    results = {}
    for jit in ("off", "always"):
        machine = loaded(VirtualMachine(jit=jit), text.replace("    SUB     r5, r5, r4\n", ""))
        results[jit] = [machine.execute("main", 3) for _ in range(8)]
    assert results["always"] == results["off"] == [3] * 8


def test_a_refused_function_is_not_inlined_any_more() -> None:
    machine = VirtualMachine(jit="always")
    machine.register_method("integer", "describe", "describe_integer", lambda context: 7)
    text = (
        "function small(a)\nPUSHARG r0\nCALL describe\nRET r0\nend\n"
        "function main(n)\nPUSHARG r0\nCALL small\nRET r0\nend\n"
    )
    loaded(machine, text)
    for _ in range(6):
        assert failure(machine.execute, "main", 3).stack[-1] == ("small", 1)
    tier: Any = machine.state.tier
    small, main = (machine.state.functions[name] for name in ("small", "main"))
    assert small in tier.units.environment.refusals
    assert tier.units.environment.splice(main).inlined == []


@pytest.mark.parametrize("depth", range(2, 9))
def test_recursion_through_inlined_calls_ends_where_the_interpreter_ends_it(depth: int) -> None:
    text = """
function hop(n)
    LDI     r1, 1
    SUB     r0, r0, r1
    PUSHARG r0
    CALL    down
    RET     r0
end
function down(n)
    LDI     r1, 0
    CMP     r0, r1
    JMPEQ   end
    PUSHARG r0
    CALL    hop
    LDI     r1, 1
    ADD     r0, r0, r1
end:
    RET     r0
end
"""
    outcomes = []
    for jit in ("off", "always"):
        machine = loaded(VirtualMachine(jit=jit), text)
        machine.max_call_depth = depth
        found: list[Any] = []
        for argument in (*range(6), *range(6)):
            try:
                found.append(machine.execute("down", argument))
            except VMError as error:
                found.append((str(error), error.stack))
        outcomes.append(found)
    assert outcomes[1] == outcomes[0]


def test_a_traceback_shows_the_inlined_instruction_in_the_listing_of_its_caller() -> None:
    machine = loaded(VirtualMachine(jit="always"), RATIO)
    error = failure(machine.execute, "main", 0)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<stoffel:")]
    assert [(frame.name, frame.line) for frame in frames] == [("main", "1    DIV r0, r0, r1  ; ratio")]
