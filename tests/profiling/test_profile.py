"""What is told of a profile: functions, loops, calls, instructions, and the same as data and text."""

from __future__ import annotations

import json
from typing import Any

import pytest

import stoffel
from stoffel.profiling.stacks import COMPILING, INTERPRETER, KERNEL, Frame, Stacks
from tests.profiling.profiles import PROGRAM, sampled


def test_functions_have_their_time_alone_and_with_what_they_call() -> None:
    rows = {row.name: row for row in sampled().functions()}
    assert {name: (row.self_seconds, row.total_seconds) for name, row in rows.items()} == {
        "take": (2.0, 2.0),
        "twice": (0.0, 2.0),
        "main": (0.0, 2.0),
        "leaf": (0.0, 1.0),
    }
    assert {name: row.tier for name, row in rows.items()} == {
        "take": "foreign",
        "twice": "interpreter",
        "main": "interpreter",
        "leaf": "interpreter",
    }
    assert rows["take"].by_tier == {"foreign": 2.0}
    assert {row.calls for row in rows.values()} == {None}


def test_a_function_is_named_after_the_fastest_tier_that_it_was_in() -> None:
    rows = {row.name: row for row in sampled("always").functions()}
    # It is inlined: no unit is its own.
    assert rows["leaf"].tier == "code object"
    assert rows["twice"].compile_seconds > 0


def test_loops_have_the_time_of_their_instructions_and_of_what_these_call() -> None:
    (loop,) = sampled().loops()
    assert (loop.function, loop.first, loop.last) == ("twice", 3, 10)
    assert (loop.self_seconds, loop.total_seconds) == (0.0, 2.0)
    assert (loop.first_line, loop.last_line) == (12, 19)


def test_edges_are_between_callers_and_callees() -> None:
    assert sampled().edges() == [
        ("main", "twice", 2.0),
        ("leaf", "take", 1.0),
        ("twice", "leaf", 1.0),
        ("twice", "take", 1.0),
    ]


def test_instructions_have_their_time() -> None:
    profile = sampled()
    lines = profile.lines("twice")
    assert [line.instruction for line in lines if line.total_seconds] == [4, 6]
    assert (lines[4].text, lines[4].line) == ("CALL leaf", 13)
    assert lines[4].executions is None
    assert profile.lines("take") == profile.lines("nothing") == []


def test_lines_of_the_source_have_their_time_and_text() -> None:
    profile = sampled()
    profile.stacks.add([(Frame("main", INTERPRETER), 1)], 0.5)
    profile.stacks.add([(Frame("main", INTERPRETER), 2)], 0.25)
    assert [line[:3] for line in profile.source_lines()] == [("<assembly>", 24, ""), ("<assembly>", 25, "")]
    profile.sources["<assembly>"] = PROGRAM
    assert [(line.text, line.self_seconds) for line in profile.source_lines()] == [
        ("CALL    twice", 0.5),
        ("RET     r0", 0.25),
    ]
    assert "  18.2%  <assembly>:24  CALL    twice\n" in profile.text()


def test_exits_are_told_with_place_and_reason() -> None:
    profile = sampled()
    place = {"function": "main", "instruction": 1, "line": 24, "reason": "a guess failed", "cause": None}
    profile.statistics["exits"] = [
        {**place, "expected": "int64", "seen": "float", "times": 3},
        {**place, "expected": None, "seen": None, "times": 1, "cause": "hooks were switched"},
    ]
    assert profile.exits() == [
        (3, "main:1, line 24", "expected int64, saw float"),
        (1, "main:1, line 24", "a guess failed: hooks were switched"),
    ]
    assert "  3x  main:1, line 24  expected int64, saw float\n" in profile.text()


def test_a_kernel_counts_for_the_loop_that_it_was_entered_at() -> None:
    profile = sampled()
    profile.stacks.add([(Frame("main", INTERPRETER), 1), (Frame("twice", KERNEL), 3)], 4.0)
    (loop,) = profile.loops()
    assert loop.self_seconds == 4.0
    assert profile.functions()[0][:3] == ("twice", "kernel", 4.0)


def test_compiling_is_an_entry_of_its_own() -> None:
    profile = sampled()
    profile.stacks.add([(Frame("main", INTERPRETER), 1), (COMPILING, 0)], 0.25)
    assert profile.compiling_seconds == 0.25
    assert next(row for row in profile.functions() if row.name == "[compiling]").tier == "compiler"


def test_as_data_it_has_what_a_script_asks_for() -> None:
    found: dict[str, Any] = json.loads(json.dumps(sampled("always").as_dict()))
    assert (found["seconds"], found["samples"], found["mode"]) == (2.0, 4, "always")
    first = found["functions"][0]
    assert {"name", "self_seconds", "total_seconds", "calls", "tier"} <= set(first)
    assert (first["name"], first["self_seconds"], first["calls"]) == ("take", 2.0, None)
    stacks = [[found["frames"][item]["name"] for item in stack["frames"]] for stack in found["stacks"]]
    assert ["main", "twice", "leaf", "take"] in stacks
    assert sum(stack["seconds"] for stack in found["stacks"]) == found["seconds"]
    assert [line["instruction"] for line in found["lines"] if line["function"] == "twice"] == [4, 6]
    assert found["deoptimisations"] == {}


def test_as_text_it_has_functions_loops_and_the_tree_of_calls() -> None:
    text = sampled().text()
    lines = [line.split() for line in text.splitlines()]
    assert text.startswith("2.00 s of processor time in 4 samples, jit off\n")
    assert ["2.00", "s", "100.0%", "2.00", "s", "100.0%", "take", "foreign"] in lines
    assert ["0.0%", "100.0%", "twice", "instructions", "3", "to", "10,", "lines", "12", "to", "19"] in lines
    tree = text[text.index("\ncalls\n") :].splitlines()[2:7]
    assert tree == [
        "  100.0%  main  [i]",
        "  100.0%    twice  [i]",
        "   50.0%      leaf  [i]",
        "   50.0%        take  [f]",
        "   50.0%      take  [f]",
    ]


def test_a_recursion_is_one_line_of_the_tree() -> None:
    profile = sampled()
    profile.stacks.__init__()  # type: ignore[misc]
    main, work = Frame("main", INTERPRETER), Frame("work", INTERPRETER)
    profile.stacks.add([(main, 0), *[(work, 1)] * 50], 1.0)
    assert profile.text().endswith("calls\n  100.0%  main  [i]\n  100.0%    work  [i]\n")


def test_without_a_sample_the_text_says_what_to_do() -> None:
    profile = sampled()
    profile.stacks = Stacks()
    assert "too short to be sampled; --exact counts every instruction" in profile.text()


def test_names_cannot_break_the_text() -> None:
    profile = sampled()
    profile.stacks.add([(Frame("evil\n\033[31m" + "x" * 100, INTERPRETER), 0)], 1.0)
    assert "\033" not in profile.text()
    assert max(map(len, profile.text().splitlines())) < 140


def test_exact_counts_every_instruction_and_every_call() -> None:
    machine = stoffel.VirtualMachine(jit="always")
    machine.load(
        stoffel.assemble("""
function leaf(n)
again:
    LDI r1, 1
    SUB r0, r0, r1
    LDI r1, 0
    CMP r0, r1
    JMPGT again
    RET r0
end
function unused()
    RET r0
end
function main(n)
    PUSHARG r0
    CALL leaf
    LDI r0, 2
    PUSHARG r0
    CALL leaf
    RET r0
end
""")
    )
    before = machine.execute("main", 3)
    with machine.profile(exact=True) as profile:
        assert machine.execute("main", 3) == before
    assert profile.counts == {"leaf": [5, 5, 5, 5, 5, 2], "unused": [], "main": [1] * 6}
    assert profile.calls == {"leaf": 2, "unused": 0, "main": 1}
    rows = {row.name: (row.calls, row.instructions) for row in profile.functions()}
    assert rows == {"leaf": (2, 27), "main": (1, 6)}
    assert [line.executions for line in profile.lines("leaf")] == [5, 5, 5, 5, 5, 2]
    assert machine.execute("main", 3) == before
    assert profile.counts["main"] == [1] * 6, "nothing is counted afterwards"
    assert machine.jit_statistics()["functions"]["main"]["units"]


def test_exact_counts_say_where_a_program_failed() -> None:
    machine = stoffel.VirtualMachine()
    machine.load(stoffel.assemble("function main()\nLDI r1, 0\nDIV r0, r1, r1\nRET r0\nend"))
    with pytest.raises(stoffel.VMError) as caught, machine.profile(exact=True) as profile:
        machine.execute("main")
    assert (caught.value.function, caught.value.instruction) == ("main", 1)
    assert profile.counts == {"main": [1, 1, 0]}


def test_exact_counts_cannot_begin_twice() -> None:
    machine = stoffel.VirtualMachine()
    machine.load(stoffel.assemble("function main()\nRET r0\nend"))
    with machine.profile(exact=True) as profile:
        with pytest.raises(RuntimeError, match="being counted already"), machine.profile(exact=True):
            pass
        with pytest.raises(RuntimeError, match="being counted already"), machine.coverage():
            pass
        machine.execute("main")
    assert profile.counts == {"main": [1]}


def test_exact_counts_cannot_begin_in_a_run() -> None:
    machine = stoffel.VirtualMachine()

    def begin() -> None:
        with machine.profile(exact=True):
            pass

    machine.register_foreign_function("begin", begin)
    machine.load(stoffel.assemble("function main()\nCALL begin\nRET r0\nend"))
    with pytest.raises(stoffel.VMError, match="counted from the beginning of a run"):
        machine.execute("main")
