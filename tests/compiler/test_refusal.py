"""Refusals: where they are, in the program's own terms; inlining never makes one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from stoffel import VirtualMachine
from stoffel.compiler import pipeline
from stoffel.compiler.analysis.facts import I64, of_kinds
from stoffel.compiler.analysis.inference import Inference
from stoffel.compiler.flow import inlining
from stoffel.compiler.refusal import NO_STATIC_SHAPE, Refusal
from tests.machines import loaded

from .generators import Case, cases
from .generators.programs import CALLING, UNEVEN
from .oracle import ALWAYS, run

MEETING = """
function pushes(n: int64) -> int64
    LDI     r1, 0
    CMP     r0, r1
    JMPEQ   skip
    PUSHARG r0
skip:
    RET     r0
end
"""
"""Two ways meet at its instruction 4 with argument stacks of different lengths."""
MEETING_AT_THE_END = """
function pushes(n: int64) -> int64
    LDI     r1, 0
    CMP     r0, r1
    JMPEQ   end
    PUSHARG r0
end:
end
"""
"""They meet behind its last instruction, where a function of its own just ends."""
SELDOM = """
function main(n: int64) -> int64
    LDI     r1, 0
    LDI     r2, 1
    MOV     r3, r0
    LDI     r4, 7
again:
    CMP     r1, r3
    JMPEQ   done
    CMP     r1, r4
    JMPNEQ  go
    PUSHARG r3
    CALL    pushes
go:
    ADD     r1, r1, r2
    JMP     again
done:
    RET     r1
end
"""
FLAG_ACROSS_A_CALL = """
function nothing(n: int64) -> int64
    RET     r0
end
function main(n: int64) -> int64
    CALL    create_array
    PUSHARG r0
    CALL    len
    MOV     r1, r0
    LDI     r2, 0
    CMP     r1, r2
    PUSHARG r1
    CALL    nothing
    JMPLT   never
    JMP     join
never:
    PUSHARG r1
join:
    RET     r1
end
"""
"""No length is less than 0, so nothing is pushed; what is inlined between the two forgets that."""


def functions(machine: VirtualMachine) -> dict[str, Any]:
    found: dict[str, Any] = machine.jit_statistics()["functions"]
    return found


@pytest.mark.parametrize(("callee", "index"), [(MEETING, 4), (MEETING_AT_THE_END, None)])
def test_a_position_in_what_is_inlined_is_one_of_its_function(callee: str, index: int | None) -> None:
    machine = loaded(VirtualMachine(jit="always"), callee + SELDOM)
    environment: Any = machine.state.tier.units.environment  # type: ignore[union-attr]
    main: Any = machine.state.functions["main"]
    layout = pipeline.spliced_layout(main, environment, full=False)
    state = pipeline.call_state(layout, [of_kinds(I64)])
    with pytest.raises(Refusal) as caught:
        Inference(main, environment.spliced_graph(main, 0), layout, state, environment, None).run()
    assert (caught.value.sentence, caught.value.function, caught.value.index) == (NO_STATIC_SHAPE, "pushes", index)


@pytest.mark.parametrize("callee", [MEETING, MEETING_AT_THE_END])
def test_a_function_is_translated_without_a_callee_whose_stack_has_no_static_shape(callee: str) -> None:
    machine = loaded(VirtualMachine(jit="always"), callee + SELDOM)
    assert machine.execute("main", 100) == 100
    found = functions(machine)["main"]
    assert (found["tier"], found["refusal"], found["inlined"]) == ("code object", None, [])


def test_a_callee_that_is_refused_does_not_keep_others_from_being_inlined() -> None:
    other = "function other(n: int64) -> int64\nADD r0, r0, r0\nRET r0\nend\n"
    main = "function main(n: int64) -> int64\nPUSHARG r0\nCALL other\nPUSHARG r0\nCALL pushes\nRET r0\nend\n"
    machine = loaded(VirtualMachine(jit="always"), other + MEETING_AT_THE_END + main)
    assert machine.execute("main", 3) == 6
    found = functions(machine)
    assert found["main"]["inlined"] == ["other"]
    assert [counters["refusal"] for counters in found.values()] == [None] * len(found)


def test_what_inlining_makes_less_exact_is_translated_without_it() -> None:
    machine = loaded(VirtualMachine(jit="always"), FLAG_ACROSS_A_CALL)
    assert machine.execute("main", 3) == 0
    found = functions(machine)["main"]
    assert (found["tier"], found["refusal"], found["inlined"]) == ("code object", None, [])


def test_a_translation_that_is_too_deep_with_inlining_is_made_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    translate = pipeline.translate_call

    def deep(code: Any, *arguments: Any) -> Any:
        unit = translate(code, *arguments)
        if unit.inlined:
            raise RecursionError
        return unit

    monkeypatch.setattr(pipeline, "translate_call", deep)
    machine = loaded(VirtualMachine(jit="always"), FLAG_ACROSS_A_CALL.replace("PUSHARG r1\njoin", "NOP\njoin"))
    assert machine.execute("main", 3) == 0
    assert functions(machine)["main"]["refusal"] is None


def refused_and_accepted(case: Case, most: int) -> tuple[set[str], set[str]]:
    """Run a case with functions of at most *most* instructions inlined; return what was refused, and what was not."""
    refused: set[str] = set()
    accepted: set[str] = set()

    def look(machine: VirtualMachine) -> None:
        for name, counters in machine.jit_statistics().get("functions", {}).items():
            if counters["refusal"] is not None:
                refused.add(name)
            elif counters["units"]:
                accepted.add(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inlining, "MOST", most)
        run(case, ALWAYS, inspect=look)
    return refused, accepted


@given(cases(CALLING, UNEVEN))
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_function_is_refused_with_inlining_that_is_accepted_without(case: Case) -> None:
    refused, _ = refused_and_accepted(case, inlining.MOST)
    if refused:
        _, accepted = refused_and_accepted(case, 0)
        assert refused & accepted == set(), case.listing()


def test_a_position_is_plain_data_and_names_the_function_where_it_is_another_one() -> None:
    refusal = Refusal(NO_STATIC_SHAPE, "f", 4)
    assert str(refusal) == refusal.text("f") == "argument stack has no static shape at instruction 4"
    assert refusal.text("main") == "argument stack has no static shape at instruction 4 of 'f'"
    assert refusal.position == {"function": "f", "instruction": 4}
    whole = Refusal("the function has no instructions", "f")
    assert (str(whole), whole.text("main"), whole.position) == ("the function has no instructions",) * 2 + (None,)


def test_statistics_tell_where_a_refusal_is() -> None:
    main = "function main(n: int64) -> int64\nPUSHARG r0\nCALL pushes\nRET r0\nend\n"
    machine = loaded(VirtualMachine(jit="always"), MEETING + main)
    machine.execute("main", 3)
    found = functions(machine)
    assert found["pushes"]["refusal"] == "argument stack has no static shape at instruction 4"
    assert found["pushes"]["refusal_at"] == {"function": "pushes", "instruction": 4}
    assert found["main"]["refusal_at"] is None


def test_a_kernel_is_refused_for_what_a_function_in_it_does_with_that_functions_position() -> None:
    callee = 'function talks(n)\nLDI r1, "x"\nPUSHARG r1\nCALL print\nRET r0\nend\n'
    main = """
function main(n)
    MOV     r3, r0
    LDI     r1, 0
    LDI     r2, 1
again:
    PUSHARG r1
    CALL    talks
    ADD     r1, r1, r2
    CMP     r1, r3
    JMPLT   again
    RET     r1
end
"""
    machine = loaded(VirtualMachine(jit="kernels", cache="off", output=lambda line: None), callee + main)
    machine.execute("main", 3)
    found = functions(machine)["main"]
    assert found["kernel_refusal"] == "call of 'print' in a loop at instruction 2 of 'talks'"
    assert found["kernel_refusal_at"] == {"function": "talks", "instruction": 2}
