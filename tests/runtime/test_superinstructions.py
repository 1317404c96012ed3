"""Superinstructions: whatever sequence stands there and wherever it is entered, what it does is what its steps do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stoffel
from stoffel import Function, Instruction, VirtualMachine, VMError
from stoffel.isa.scalars import I64_MAX, I64_MIN
from stoffel.model.code import Code
from stoffel.runtime import superinstructions
from stoffel.runtime.events import BeforeInstructionExecute, ClosureCreated

REGISTERS = 5
registers = st.integers(0, REGISTERS - 1)
values = st.sampled_from(
    [0, 1, -1, 5, I64_MAX, I64_MIN, True, False, None, 0.5, float("nan"), "", "a", stoffel.U8(3), stoffel.I32(-2)]
)
numbers = st.one_of(st.integers(-2, 2), st.integers(-2, 2), values)
bools = st.booleans()
branches = st.sampled_from(["JMPEQ", "JMPNEQ", "JMPLT", "JMPGT", "JMP"])


def mostly(usual: int) -> st.SearchStrategy[int]:
    return st.integers(0, 9).flatmap(lambda choice: registers if choice == 0 else st.just(usual))


@st.composite
def conditions(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """A comparison made a Bool, and its test; jumps say how many instructions further they lead."""
    r, q = draw(registers), draw(registers)
    first, second = draw(bools), draw(st.one_of(bools, values))
    result = [
        ("CMP", draw(registers), draw(registers)),
        (draw(branches), draw(st.sampled_from([3, 3, 3, 2]))),
        ("LDI", r, first),
        ("JMP", draw(st.sampled_from([2, 2, 2, 3]))),
        ("LDI", draw(mostly(r)), second),
    ]
    return result + draw(checks(r, q))


@st.composite
def checks(draw: st.DrawFn, r: int | None = None, q: int | None = None) -> list[tuple[Any, ...]]:
    r = draw(registers) if r is None else r
    q = draw(registers) if q is None else q
    constant = draw(st.one_of(bools, bools, values))
    return [
        ("LDI", q, constant),
        ("CMP", draw(mostly(r)), draw(mostly(q))),
        (draw(branches), draw(st.integers(1, 6))),
    ]


@st.composite
def assignments(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    k, d = draw(registers), draw(registers)
    return [
        ("LDI", k, draw(st.one_of(st.integers(-3, 3), st.integers(-3, 3), values))),
        (draw(st.sampled_from(["ADD", "SUB", "SUB", "MUL"])), draw(mostly(k)), draw(registers), draw(mostly(k))),
        ("MOV", d, draw(mostly(k))),
        ("LDI", draw(mostly(k)), draw(values)),
        *draw(st.sampled_from([[], [("JMP", 1)], [("NOP",)]])),
    ]


def assembled(start: list[Any], enter: int | None, body: list[tuple[Any, ...]]) -> Function:
    """Return a function that sets its registers, does *body* from its start or *enter* on, and tells what it sees."""
    code: list[tuple[Any, ...]] = [("LDI", register, value) for register, value in enumerate(start)]
    code += [*([] if enter is None else [("JMP", enter)]), *body]
    result: list[Instruction] = []
    labels: dict[str, int] = {}
    for index, (name, *operands) in enumerate(code):
        if name.startswith("JMP"):
            target = min(index + operands[0], len(code))
            labels[f"l{target}"] = target
            operands = [f"l{target}"]
        result.append(Instruction(name, *operands))
    # The flag is told by where these lead, before the calls reset it.
    end = len(result)
    for number, name in enumerate(("JMPLT", "JMPEQ", "JMP")):
        labels[name] = end + 3 + number * (2 * REGISTERS + 2)
        result.append(Instruction(name, name))
    for number in range(3):
        for register in range(REGISTERS):
            result += [Instruction("PUSHARG", register), Instruction("CALL", "seen")]
        result += [Instruction("LDI", 0, number), Instruction("RET", 0)]
    return Function("f", result, registers=REGISTERS, labels=labels)


@st.composite
def functions(draw: st.DrawFn) -> Function:
    """Such sequences one after another, entered anywhere; none loops."""
    parts = draw(st.lists(st.one_of(conditions(), checks(), assignments()), min_size=1, max_size=3))
    body = [instruction for part in parts for instruction in part]
    enter = draw(st.one_of(st.none(), st.integers(1, len(body))))
    return assembled([draw(numbers) for _ in range(REGISTERS)], enter, body)


LOOKS_LIKE_IT = {
    "a test of the register with itself": [
        *[("CMP", 0, 1), ("JMPLT", 3), ("LDI", 2, False), ("JMP", 2), ("LDI", 2, True)],
        *[("LDI", 2, False), ("CMP", 2, 2), ("JMPEQ", 1)],
    ],
    "a jump into the middle": [("CMP", 0, 1), ("JMPLT", 2), ("LDI", 2, False), ("JMP", 2), ("LDI", 2, True)],
    "two registers": [("CMP", 0, 1), ("JMPLT", 3), ("LDI", 2, False), ("JMP", 2), ("LDI", 4, True)],
    "a constant for another register": [("LDI", 3, 1), ("ADD", 3, 0, 3), ("MOV", 4, 3), ("LDI", 2, None)],
    "a sum that is too large": [("LDI", 3, I64_MAX), ("ADD", 3, 1, 3), ("MOV", 4, 3), ("LDI", 3, None)],
    "a difference that is too small": [("LDI", 3, I64_MAX), ("SUB", 3, 2, 3), ("MOV", 4, 3), ("LDI", 3, None)],
    "a constant added to itself": [("LDI", 3, 1), ("ADD", 3, 3, 3), ("MOV", 4, 3), ("LDI", 3, None)],
}


def outcome(function: Function, hooked: bool) -> tuple[Any, ...]:
    """Run the function and return what can be seen of it; *hooked* has every instruction executed by itself."""
    vm = VirtualMachine()
    seen: list[str] = []
    vm.register_foreign_function(
        "seen", lambda context: seen.append(repr([(type(value), value) for value in context.arguments]))
    )
    vm.register_function(function)
    if hooked:
        events: list[object] = []
        vm.register_hook(
            lambda event: type(event) in (BeforeInstructionExecute, ClosureCreated),
            lambda event, context: events.append(event),
        )
    try:
        return (vm.execute("f"), seen)
    except VMError as error:
        return (str(error), error.kind, error.function, error.instruction, error.stack, seen)


@settings(max_examples=600)
@given(functions())
def test_a_sequence_does_what_its_instructions_do(function: Function) -> None:
    assert outcome(function, False) == outcome(function, True)


@pytest.mark.parametrize("body", LOOKS_LIKE_IT.values(), ids=LOOKS_LIKE_IT.keys())
def test_what_looks_alike_does_what_its_instructions_do(body: list[tuple[Any, ...]]) -> None:
    function = assembled([0, 1, -2, 3, 4], None, body)
    assert outcome(function, False) == outcome(function, True)


CONDITION = """\
function f(r0, r1)
    .registers 4
start:
    CMP r0, r1
    JMPLT yes
    LDI r2, false
    JMP end
yes:
    LDI r2, true
end:
    LDI r3, false
    CMP r2, r3
    JMPEQ out
    LDI r3, 1
    ADD r3, r0, r3
    MOV r0, r3
    LDI r3, ()
    JMP start
out:
    RET r0
end
"""


def test_a_sequence_that_jumps_back_is_executed_one_by_one() -> None:
    """A jump back looks at hooks and signals, which only its own step does."""
    function = stoffel.assemble(CONDITION.replace("(r0, r1)", "(a, b)").replace("JMPEQ out", "JMPEQ start")).functions[
        0
    ]
    code = Code(function)
    assert code.steps[5].__module__ != superinstructions.__name__


@pytest.mark.parametrize("counting", [False, True])
def test_what_the_compiler_emits_for_a_loop_is_three_superinstructions(counting: bool) -> None:
    code = Code(stoffel.assemble(CONDITION.replace("(r0, r1)", "(a, b)")).functions[0])
    steps = code.counted if counting else code.steps
    assert [index for index, step in enumerate(steps) if step.__module__ == superinstructions.__name__] == [0, 5, 8]
    assert not any(step.__module__ == superinstructions.__name__ for step in code.single)


def test_the_failing_instruction_of_a_sequence_is_named() -> None:
    vm = VirtualMachine()
    vm.load(stoffel.assemble(CONDITION.replace("(r0, r1)", "(a, b)")))
    assert vm.execute("f", 0, 5) == 5
    with pytest.raises(VMError, match="Cannot compare") as caught:
        vm.execute("f", "a", 5)
    assert caught.value.instruction == 0
    with pytest.raises(VMError, match="Type error in ADD operation") as caught:
        vm.execute("f", "a", "b")
    assert caught.value.instruction == 9
