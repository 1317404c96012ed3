"""When functions are translated: the translator is loaded late, long functions are translated seldom."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import Function, Instruction, Program, VirtualMachine
from stoffel.compiler.analysis.environment import INSTRUCTIONS_PER_MISS, LARGE, Feedback
from stoffel.compiler.refusal import Refusal
from stoffel.jit.policy import thresholds
from stoffel.jit.policy.warmup import WarmUp
from stoffel.model.code import HEAT_OF_CALL, NEVER, UNWATCHED
from tests.machines import loaded

LOOP = """
function main(n)
    LDI r1, 0
    LDI r2, 1
    MOV r3, r0
again:
    ADD r1, r1, r2
    CMP r1, r3
    JMPLT again
    RET r1
end
"""


def units(machine: VirtualMachine, name: str) -> int:
    counters = machine.jit_statistics()["functions"].get(name)
    return 0 if counters is None else int(counters["units"])


def test_a_short_run_does_not_load_the_translator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 40_000)
    machine = loaded(VirtualMachine(jit="no-kernels"), LOOP)
    machine.execute("main", thresholds.HEAT_OF_LOADING // 3 - 100)
    assert isinstance(machine.state.tier, WarmUp)
    machine.execute("main", 2000)
    assert not isinstance(machine.state.tier, WarmUp)


def test_once_it_is_loaded_the_length_of_a_function_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """What made the translator worth loading may be too long to be worth translating."""
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 300)
    monkeypatch.setattr(thresholds, "HEAT_PER_INSTRUCTION", 1000)
    machine = loaded(VirtualMachine(jit="no-kernels"), LOOP)
    machine.execute("main", 200)
    assert not isinstance(machine.state.tier, WarmUp)
    assert units(machine, "main") == 0
    assert machine.state.functions["main"].hot == 7000  # type: ignore[union-attr]
    machine.execute("main", 3000)
    assert units(machine, "main") == 1


def long_program(loops: int) -> Program:
    """Return a function of LARGE instructions at least, with *loops* loops one after the other, in each a call."""
    body: list[Instruction] = [Instruction("LDI", 2, 1), Instruction("LDI", 4, 3)]
    labels = {}
    for loop in range(loops):
        body.append(Instruction("LDI", 1, 0))
        labels[f"l{loop}"] = len(body)
        body += [
            Instruction("PUSHARG", 5),
            Instruction("PUSHARG", 1),
            Instruction("CALL", "get_field"),
            Instruction("ADD", 3, 0, 0),
            Instruction("ADD", 1, 1, 2),
            Instruction("CMP", 1, 4),
            Instruction("JMPLT", f"l{loop}"),
        ]
    body += [Instruction("NOP")] * (LARGE - len(body))
    body.append(Instruction("RET", 3))
    body.insert(0, Instruction("MOV", 5, 0))
    labels = {name: index + 1 for name, index in labels.items()}
    return Program([Function("main", body, parameters=["list"], labels=labels)])


def test_a_long_function_that_is_left_is_not_translated_again_at_once() -> None:
    machine = VirtualMachine(jit="always")
    machine.load(long_program(20))
    machine.state.functions["main"].hot = 0  # type: ignore[union-attr]
    machine.state.tier.every = 1
    floats = machine.create_array([1.5, 2.5, 3.5])
    assert machine.execute("main", floats) == 7.0
    statistics = machine.jit_statistics()
    assert sum(statistics["deoptimisations"].values()) >= 1
    assert statistics["functions"]["main"]["units"] == 1


def test_a_long_function_that_goes_on_long_enough_is_translated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HEAT_PER_INSTRUCTION", 0)
    machine = VirtualMachine(jit="always")
    machine.load(long_program(20))
    machine.state.tier.every = 1
    assert machine.execute("main", machine.create_array([1, 2, 3])) == 6
    assert units(machine, "main") > 1


def test_failed_guesses_of_long_functions_are_gathered() -> None:
    feedback = Feedback()
    feedback.miss(0, [])
    assert feedback.is_due(INSTRUCTIONS_PER_MISS)
    feedback.miss(0, [])
    assert not feedback.is_due(3 * INSTRUCTIONS_PER_MISS)
    feedback.miss(1, [])
    feedback.miss(2, [])
    assert feedback.is_due(3 * INSTRUCTIONS_PER_MISS)
    assert not feedback.is_due(1)


def test_functions_that_were_not_called_have_no_heat_to_be_hot_at() -> None:
    machine = loaded(VirtualMachine(jit="no-kernels"), LOOP)
    assert machine.state.functions["main"].hot == UNWATCHED  # type: ignore[union-attr]


@pytest.mark.parametrize("caller", ["CALL f", "CALL call_closure"])
def test_what_small_functions_do_together_loads_the_translator(caller: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No function has run for long, but the program has."""
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 5000)
    create = "PUSHARG r2\nCALL create_closure\nMOV r3, r0" if "closure" in caller else "NOP"
    function = "PUSHARG r3\n" if "closure" in caller else ""
    machine = loaded(
        VirtualMachine(jit="no-kernels"),
        f'function main()\nLDI r2, "f"\n{create}\n' + f"{function}{caller}\n" * 100 + "RET r0\nend\n"
        "function f()\nLDI r0, 1\nRET r0\nend\n",
    )
    for _ in range(2):
        machine.execute("main")
        assert isinstance(machine.state.tier, WarmUp)
    for _ in range(4):
        machine.execute("main")
    assert not isinstance(machine.state.tier, WarmUp)
    assert machine.jit_statistics()["functions"].keys() <= {"main", "f"}


def test_calls_count_for_several_instructions() -> None:
    machine = loaded(
        VirtualMachine(jit="no-kernels"),
        "function main(n)\nLDI r1, 0\nLDI r2, 1\nMOV r3, r0\nagain:\nCALL f\nADD r1, r1, r2\nCMP r1, r3\nJMPLT again\n"
        "RET r1\nend\nfunction f()\nLDI r0, 1\nRET r0\nend\n",
    )
    machine.execute("main", 100)
    heat = machine.state.functions["main"].heat  # type: ignore[union-attr]
    by_host = 8 + thresholds.HEAT_OF_HOST_CALL
    assert heat == by_host + 99 * (4 + HEAT_OF_CALL)


def test_a_loop_in_progress_is_entered_although_a_call_has_loaded_the_translator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thresholds, "TICKS", ())
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 3000)
    machine = loaded(
        VirtualMachine(jit="no-kernels"),
        "function main(n)\nLDI r1, 0\nLDI r2, 1\nMOV r3, r0\nagain:\nCALL f\nADD r1, r1, r2\nCMP r1, r3\nJMPLT again\n"
        "RET r1\nend\nfunction f()\n" + "LDI r0, 1\n" * 50 + "RET r0\nend\n",
    )
    assert machine.execute("main", 1000) == 1000
    assert machine.jit_statistics()["functions"]["main"]["loop_entries"] == 1


def test_a_function_that_one_machine_leaves_to_the_interpreter_is_looked_at_anew_by_another() -> None:
    first = loaded(VirtualMachine(jit="always"), LOOP)
    code: Any = first.state.functions["main"]
    first.state.tier.units.refuse(code, Refusal("a test", code.name))  # type: ignore[union-attr]
    assert code.hot == NEVER
    second = VirtualMachine(jit="always")
    second.state.define([code])
    tier: Any = second.state.tier
    assert (tier.is_hot(code), code.hot < UNWATCHED) == (True, True)
