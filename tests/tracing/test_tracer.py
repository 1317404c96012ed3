"""Traces: a late start is the tail of the whole trace, choices are filters of it, and a run is as without one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from stoffel import VirtualMachine, VMError, assemble
from stoffel.isa.program import Program
from stoffel.runtime.events import EVENTS
from stoffel.tracing.condition import Condition
from stoffel.tracing.tracer import NAMES, SHORT, Choice, Entry, Stopped, Tracer, check_names, classes_named
from tests.compiler.generators import Case, make_case

ALL = tuple(SHORT)


def traced(case: Case, choice: Choice) -> tuple[list[dict[str, Any]], list[str], Any]:
    """Return the entries of a run as data, their lines, and what the run came to."""
    machine = VirtualMachine(output=lambda line: None)
    machine.load(case.program)
    if case.depth is not None:
        machine.max_call_depth = case.depth
    machine.register_foreign_function("act", lambda context: None)
    entries: list[Entry] = []
    data: list[dict[str, Any]] = []

    def write(entry: Entry) -> None:
        entries.append(entry)
        data.append(entry.as_dict())
        assert "\n" not in entry.as_line()

    machine.register_hook(choice.classes, Tracer(choice, case.program, write))
    end: Any
    try:
        end = repr(machine.execute("main", *case.arguments))
    except VMError as error:
        end = str(error), error.stack
    except Stopped:
        end = "stopped"
    return data, [str(entry.number) for entry in entries], end


@pytest.mark.parametrize("seed", range(200))
def test_a_late_start_is_the_tail_of_the_whole_trace(seed: int) -> None:
    case = make_case(random.Random(seed))
    whole, _, end = traced(case, Choice(ALL))
    after = random.Random(seed).randrange(len(whole) + 1)
    assert traced(case, Choice(ALL, after=after))[::2] == (whole[after:], end)
    if after < len(whole):
        row = whole[after]
        place = row["function"], row["instruction"]
        first = next(index for index, row in enumerate(whole) if (row["function"], row["instruction"]) == place)
        late, _, _ = traced(case, Choice(ALL, place=place))
        assert [{**row, "number": 0} for row in late] == [{**row, "number": 0} for row in whole[first:]]
        stopped, numbers, end = traced(case, Choice(ALL, after=after, most=1))
        assert (stopped, numbers, end) == ([row], [str(after + 1)], "stopped")


@pytest.mark.parametrize("seed", range(200, 240))
def test_choices_are_filters_of_the_whole_trace(seed: int) -> None:
    case = make_case(random.Random(seed))
    whole, _, end = traced(case, Choice(ALL))

    def chosen(choice: Choice) -> list[dict[str, Any]]:
        found, _, came_to = traced(case, choice)
        assert came_to == end
        return [{**row, "number": 0} for row in found]

    rows = [{**row, "number": 0} for row in whole]
    assert chosen(Choice(ALL, depth=1)) == [row for row in rows if row["depth"] <= 1]
    assert chosen(Choice(classes_named("call,return"))) == [row for row in rows if row["event"] in ("call", "return")]
    assert chosen(Choice(ALL, condition=Condition("function == 'main' and line == unit"))) == [
        row for row in rows if row["function"] == "main"
    ]
    called = [row for row in rows if row["function"] == "main" or row.get("target", {}).get("name") == "main"]
    assert chosen(Choice(ALL, functions=frozenset({"main"}))) == called


def test_every_event_that_can_happen_has_a_name() -> None:
    assert set(NAMES.values()) == {event for event in EVENTS if "Variable" not in event.__name__}


TEXT = """
function main(count: int64)
    LDI     r1, "text"
    MOV     r2, r1
    LDI     r3, 7
    PUSHARG r3
    CALL    twice
    RET     r0
end
function twice(x)
    ADD     r1, r0, r0
    RET     r1
end
"""


def lines(choice: Choice) -> list[str]:
    program = assemble(TEXT, path="text.stfasm")
    machine = VirtualMachine()
    machine.load(program)
    found: list[str] = []
    machine.register_hook(choice.classes, Tracer(choice, program, lambda entry: found.append(entry.as_line())))
    assert machine.execute("main", 3) == 14
    return found


def test_lines_tell_place_event_and_values() -> None:
    assert lines(Choice(classes_named("call,return,pop"))) == [
        "      1  main:4  pop 7    text.stfasm:7",
        "      2  main:4  call twice(7)    text.stfasm:7",
        "      3  main:4  twice returns 14    text.stfasm:7",
    ]
    assert lines(Choice(registers=frozenset({2}))) == ['      1  main:1  MOV r2, r1    r1 = "text"    text.stfasm:4']
    assert lines(Choice(classes_named("write"), condition=Condition("value == 14"))) == [
        "      1    twice:0  r1 = 14, was ()    text.stfasm:11",
        "      2  main:4  r0 = 14, was 3    text.stfasm:7",
    ]
    assert lines(Choice(condition=Condition("x == 7 and depth == 2"))) == [
        "      1    twice:0  ADD r1, r0, r0    r0 = 7    text.stfasm:11",
        "      2    twice:1  RET r1    r1 = 14    text.stfasm:12",
    ]


def test_names_that_nothing_can_have_are_told() -> None:
    program: Program = assemble(TEXT)
    for text in ("count > 1", "x == 1 or r3 == 2", "depth == 1 and line == 2 and flag == 0"):
        check_names(Condition(text), program, classes_named("instruction"))
    for text, words in (
        ("coumt > 1", "did you mean count?"),
        ("r4 == 1", "unknown name"),
        ("value == 1", "unknown name"),
    ):
        with pytest.raises(ValueError, match=words.replace("?", r"\?")):
            check_names(Condition(text), program, classes_named("instruction"))
