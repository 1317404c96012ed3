"""What the compiled tier tells while it works, and where it says that it was left."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel.jit.events import ALWAYS_TOLD, JitEvent
from stoffel.jit.policy import thresholds
from tests.machines import SUM, SUM_BY_CALL, loaded

ADDING = """\
function main(list, n)
    LDI r2, 0
    LDI r3, 1
    LDI r4, 0
    MOV r5, r0
    MOV r6, r1
again:
    CMP r2, r6
    JMPEQ done
    PUSHARG r5
    PUSHARG r2
    CALL get_field
    ADD r4, r4, r0
    ADD r2, r2, r3
    JMP again
done:
    RET r4
end
"""
"""``main(list, n)`` adds the first *n* items of a list."""


def told(jit: Any, text: str) -> tuple[stoffel.VirtualMachine, list[JitEvent]]:
    machine = stoffel.VirtualMachine(jit=jit, cache="off")
    events: list[JitEvent] = []
    machine.on_jit_event(events.append)
    return loaded(machine, text), events


def kinds(events: list[JitEvent]) -> list[tuple[str, str, int | None]]:
    return [(event.kind, event.function, event.instruction) for event in events]


def test_compiling_and_entering_are_told_with_place_line_and_cost() -> None:
    machine, events = told("always", SUM_BY_CALL)
    assert machine.execute("main", 5) == 10
    assert kinds(events) == [("compiled", "main", 0), ("entered", "main", 0), ("compiled", "sum", 0)]
    compiled = events[0]
    assert compiled.line == SUM_BY_CALL.splitlines().index("function main(n)") + 2
    assert compiled.seconds is not None
    assert compiled.seconds > 0
    assert compiled.details["size"] == machine.jit_statistics()["functions"]["main"]["code_size"]
    assert 0 <= events[0].time <= events[1].time <= events[2].time


def test_a_guess_that_failed_is_told_with_what_was_expected_and_seen() -> None:
    machine, events = told("always", ADDING)
    items = machine.create_array([1, 2, 3.5])
    assert machine.execute("main", items, 3) == 6.5
    (left,) = [event for event in events if event.kind == "left"]
    assert (left.function, left.instruction, left.text) == ("main", 10, "expected int64, saw float")
    assert left.line == 1 + ADDING.splitlines().index("    ADD r4, r4, r0")
    assert left.details["reason"] == "a guess failed"
    assert [event.kind for event in events if event.kind == "dropped"] == ["dropped"]
    assert machine.jit_statistics()["exits"] == [
        {
            "function": "main",
            "instruction": 10,
            "line": left.line,
            "reason": "a guess failed",
            "expected": "int64",
            "seen": "float",
            "cause": None,
            "times": 1,
        }
    ]


def test_what_is_inlined_has_its_own_places() -> None:
    text = """
function add(a, b)
    ADD r0, r0, r1
    RET r0
end
function main(list)
    MOV r5, r0
    LDI r6, 0
    LDI r7, 1
    LDI r0, 0
again:
    MOV r8, r0
    PUSHARG r5
    PUSHARG r6
    CALL get_field
    PUSHARG r8
    PUSHARG r0
    CALL add
    ADD r6, r6, r7
    LDI r9, 2
    CMP r6, r9
    JMPLT again
    RET r0
end
"""
    machine, events = told("always", text)
    items = machine.create_array([1, 2.5])
    assert machine.execute("main", items) == 3.5
    assert events[0].details["inlined"] == ["add"]
    (left,) = [event for event in events if event.kind == "left"]
    assert (left.function, left.instruction, left.text) == ("add", 0, "expected int64, saw float")


@pytest.mark.parametrize(
    ("ask", "cause"),
    [
        (lambda machine: machine.state.tier.attention.tick(1), "the clock looks for what is hot"),
        (lambda machine: machine.register_hook(stoffel.events.UpvalueRead, print), "hooks were switched"),
        (lambda machine: machine.state.tier.attention.kernel_finished(), "a kernel is ready"),
    ],
)
def test_attention_after_a_foreign_call_has_its_cause(ask: Callable[[Any], object], cause: str) -> None:
    machine, events = told("no-kernels", "function main(n)\nPUSHARG r0\nCALL ask\nRET r0\nend")
    machine.state.tier.load()  # type: ignore[union-attr]
    asked = []

    def asks(value: int) -> int:
        if not asked:
            asked.append(value)
            tier: Any = machine.state.tier
            tier._sample = lambda: None
            ask(machine)
        return value

    machine.register_foreign_function("ask", asks)
    tier: Any = machine.state.tier
    tier.threshold = 0
    assert machine.execute("main", 3) == 3
    left = [event for event in events if event.kind == "left"]
    assert [event.text for event in left] == [f"attention after a foreign call: {cause}"]
    assert machine.jit_statistics()["exits"][0]["cause"] == cause


def test_entries_are_told_less_and_less_often() -> None:
    machine, events = told("always", SUM)
    for _ in range(100):
        machine.execute("sum", 3)
    times = [event.details["times"] for event in events if event.kind == "entered"]
    assert times == [1, 2, 3, ALWAYS_TOLD, 8, 16, 32, 64]


def test_kernels_are_told_when_they_are_made_entered_and_left() -> None:
    machine, events = told("kernels", SUM)
    assert machine.execute("sum", 1000) == 499500
    assert kinds(events) == [("kernel", "sum", 0), ("entered", "sum", 0)]
    assert events[0].details["cached"] is False
    assert events[1].details["tier"] == "kernel"
    tier: Any = machine.state.tier
    tier.every = 1
    machine.execute("sum", 1000)
    assert ("left", "sum", 4) in [(event.kind, event.function, event.instruction) for event in events] or any(
        event.kind == "left" and event.details["reason"] == "a kernel was left" for event in events
    )


def test_a_refusal_is_told_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, events = told("always", "function main()\n.registers 5000\nRET r4999\nend")
    machine.execute("main")
    assert [(event.kind, event.text) for event in events] == [
        ("refused", "5000 registers, more than the 4096 of a function that is translated")
    ]


def test_a_kernel_that_does_not_pay_is_dropped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "TRIAL", 2)
    monkeypatch.setattr(thresholds, "LEAST_WORK_IF_EAGER", 1 << 40)
    machine, events = told("kernels", SUM)
    for _ in range(3):
        machine.execute("sum", 10)
    assert [event.text.partition(":")[0] for event in events if event.kind == "dropped"] == ["a kernel"]
    assert "no kernel" in [event.kind for event in events]


def test_events_are_plain_data() -> None:
    machine, events = told("always", SUM)
    machine.execute("sum", 3)
    found = json.loads(json.dumps([event.as_dict() for event in events]))
    assert found[0]["size"] == events[0].details["size"]
    assert "details" not in found[0]


def test_a_listener_that_fails_fails_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    machine = stoffel.VirtualMachine(jit="always")
    calls = []

    def fails(event: JitEvent) -> None:
        calls.append(event)
        raise ValueError(f"no room for {len(calls)}")

    machine.on_jit_event(fails)
    loaded(machine, SUM)
    assert machine.execute("sum", 5) == 10
    assert len(calls) == 1
    assert "ValueError: no room for 1" in capsys.readouterr().err


def test_a_machine_that_does_not_compile_has_nothing_to_tell() -> None:
    machine, events = told("off", SUM)
    machine.execute("sum", 5)
    assert events == []


def test_the_compiled_tier_tells_those_who_asked_before_it_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 40_000)
    machine, events = told("auto", SUM)
    machine.execute("sum", 200_000)
    assert "compiled" in [event.kind for event in events]
