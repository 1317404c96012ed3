"""Calls that are inlined cannot be told from calls: errors, records, hooks, depth, flags, closures."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError
from stoffel.compiler.safepoints import BEFORE
from tests.compiler.generators import Case
from tests.compiler.oracle import COMPILED, INTERPRETER, compare, run
from tests.machines import failure, loaded

PROGRAMS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "arguments change and the caller's registers stay": (
        """
function change(a, b)
    CALL    act
    ADD     r0, r0, r1
    ADD     r2, r0, r0
    MOV     r1, r2
    CALL    act
    RET     r1
end
function main(n)
    LDI     r1, 3
    LDI     r2, 0
    LDI     r3, 1
    MOV     r4, r0
again:
    PUSHARG r1
    PUSHARG r2
    CALL    change
    MOV     r1, r0
    ADD     r2, r2, r3
    CMP     r2, r4
    JMPLT   again
    RET     r1
end
""",
        (6,),
    ),
    "the caller's flag survives, the function begins with its own": (
        """
function equal(a)
    JMPEQ   same
    LDI     r0, 100
    RET     r0
same:
    PUSHARG r0
    CALL    act
    LDI     r1, 5
    CMP     r0, r1
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 0
    MOV     r4, r0
again:
    PUSHARG r1
    CMP     r1, r4
    CALL    equal
    JMPLT   less
    ADD     r3, r3, r0
less:
    ADD     r3, r3, r2
    ADD     r1, r1, r2
    LDI     r5, 12
    CMP     r1, r5
    JMPLT   again
    RET     r3
end
""",
        (6,),
    ),
    "registers begin as Unit each time": (
        """
function fresh(a)
    MOV     r3, r2
    MOV     r2, r0
    PUSHARG r3
    PUSHARG r2
    CALL    act
    RET     r3
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
again:
    PUSHARG r1
    CALL    fresh
    PUSHARG r0
    CALL    print
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r0
end
""",
        (4,),
    ),
    "calls within each other": (
        """
function inner(a)
    PUSHARG r0
    CALL    act
    LDI     r1, 3
    MOD     r0, r0, r1
    RET     r0
end
function middle(a, b)
    PUSHARG r1
    CALL    inner
    MOV     r2, r0
    PUSHARG r0
    CALL    inner
    ADD     r0, r0, r2
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 0
    MOV     r4, r0
again:
    PUSHARG r1
    PUSHARG r4
    CALL    middle
    ADD     r3, r3, r0
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r3
end
""",
        (5,),
    ),
    "an argument stack that the function leaves behind": (
        """
function leaves(a)
    PUSHARG r0
    PUSHARG r0
    LD      r1, sp-1
    RET     r1
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
again:
    PUSHARG r1
    CALL    leaves
    PUSHARG r0
    CALL    act
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r0
end
""",
        (5,),
    ),
    "an error in the function": (
        """
function ratio(a, b)
    CALL    act
    DIV     r0, r0, r1
    RET     r0
end
function middle(a)
    LDI     r1, 100
    PUSHARG r1
    PUSHARG r0
    CALL    ratio
    RET     r0
end
function main(n)
    LDI     r2, 1
again:
    MOV     r1, r0
    SUB     r3, r1, r2
    MOV     r4, r3
    PUSHARG r3
    CALL    middle
    MOV     r0, r4
    JMP     again
end
""",
        (5,),
    ),
    "kinds that were not guessed": (
        """
function twice(a)
    ADD     r0, r0, r0
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r5, 1.5
    MOV     r4, r0
again:
    MOV     r6, r1
    LDI     r7, 3
    CMP     r1, r7
    JMPLT   call
    MOV     r6, r5
call:
    PUSHARG r6
    CALL    twice
    PUSHARG r0
    CALL    print
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r0
end
""",
        (8,),
    ),
    "small integers": (
        """
function step(a, b)
    ADD     r2, r0, r1
    CMP     r2, r1
    JMPGT   more
    PUSHARG r2
    CALL    act
more:
    RET     r2
end
function main(n)
    LDI     r1, 0u8
    LDI     r2, 1u8
    LDI     r3, 0
    LDI     r4, 1
again:
    PUSHARG r1
    PUSHARG r2
    CALL    step
    MOV     r1, r0
    ADD     r3, r3, r4
    CMP     r3, r5
    JMP     check
check:
    LDI     r6, 300
    CMP     r3, r6
    JMPLT   again
    RET     r1
end
""",
        (0,),
    ),
    "a closure of its own state": (
        """
function bump(by)
    MOV     r1, r0
    LDI     r2, "count"
    PUSHARG r2
    CALL    get_upvalue
    ADD     r3, r0, r1
    PUSHARG r2
    PUSHARG r3
    CALL    set_upvalue
    PUSHARG r3
    CALL    act
    RET     r3
end
function make(count)
    LDI     r1, "bump"
    LDI     r2, "count"
    PUSHARG r1
    PUSHARG r2
    CALL    create_closure
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
    PUSHARG r2
    CALL    make
    MOV     r3, r0
again:
    PUSHARG r3
    PUSHARG r1
    CALL    call_closure
    MOV     r5, r0
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    PUSHARG r3
    CALL    act
    RET     r5
end
""",
        (8,),
    ),
    "closures of several functions": (
        """
function one(a)
    LDI     r1, "x"
    PUSHARG r1
    CALL    get_upvalue
    ADD     r0, r0, r1
end
function two(a)
    LDI     r1, "x"
    PUSHARG r1
    CALL    get_upvalue
    RET     r0
end
function make(x, name)
    LDI     r2, "x"
    PUSHARG r1
    PUSHARG r2
    CALL    create_closure
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
    LDI     r6, "two"
again:
    PUSHARG r1
    PUSHARG r6
    CALL    make
    MOV     r3, r0
    PUSHARG r3
    PUSHARG r1
    CALL    call_closure
    PUSHARG r0
    CALL    act
    ADD     r1, r1, r2
    LDI     r7, 5
    CMP     r1, r7
    JMPLT   again
    LDI     r6, "one"
    CMP     r1, r4
    JMPLT   again
    RET     r5
end
""",
        (8,),
    ),
    "a closure made and called in the function": (
        """
function add(a)
    LDI     r1, "b"
    PUSHARG r1
    CALL    get_upvalue
    MOV     r1, r0
    CALL    act
    RET     r1
end
function apply(a, b)
    ADD     r1, r1, r0
    LDI     r2, "add"
    LDI     r3, "b"
    PUSHARG r2
    PUSHARG r3
    CALL    create_closure
    PUSHARG r0
    PUSHARG r1
    CALL    call_closure
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
    LDI     r6, 0
again:
    PUSHARG r1
    PUSHARG r4
    CALL    apply
    ADD     r6, r6, r0
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r6
end
""",
        (6,),
    ),
    "fields of objects": (
        """
function area(o)
    LDI     r1, "w"
    LDI     r2, "h"
    PUSHARG r0
    PUSHARG r1
    MOV     r3, r0
    CALL    get_field
    MOV     r1, r0
    PUSHARG r3
    PUSHARG r2
    CALL    get_field
    MUL     r0, r0, r1
    RET     r0
end
function grow(o, by)
    LDI     r2, "w"
    MOV     r3, r0
    PUSHARG r3
    PUSHARG r2
    CALL    get_field
    ADD     r4, r0, r1
    PUSHARG r3
    PUSHARG r2
    PUSHARG r4
    CALL    set_field
    RET     r3
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    MOV     r4, r0
    CALL    create_object
    MOV     r5, r0
    LDI     r6, "w"
    LDI     r7, "h"
    PUSHARG r5
    PUSHARG r6
    PUSHARG r2
    CALL    set_field
    PUSHARG r5
    PUSHARG r7
    PUSHARG r4
    CALL    set_field
again:
    PUSHARG r5
    PUSHARG r6
    CALL    get_field
    MOV     r8, r0
    PUSHARG r5
    PUSHARG r1
    CALL    grow
    PUSHARG r5
    CALL    area
    ADD     r8, r8, r0
    PUSHARG r5
    PUSHARG r6
    CALL    get_field
    ADD     r8, r8, r0
    PUSHARG r8
    CALL    act
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r8
end
""",
        (6,),
    ),
    "a condition that the function returns": (
        """
function even(a)
    LDI     r1, 2
    MOD     r1, r0, r1
    LDI     r2, 0
    CMP     r1, r2
    JMPEQ   yes
    LDI     r1, false
    RET     r1
yes:
    LDI     r1, true
    RET     r1
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 0
    MOV     r4, r0
again:
    PUSHARG r1
    CALL    even
    MOV     r5, r0
    LDI     r6, false
    CMP     r5, r6
    JMPEQ   next
    ADD     r3, r3, r1
next:
    CALL    act
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r3
end
""",
        (7,),
    ),
    "calls of others in the function": (
        """
function sum(n)
    LDI     r1, 0
    LDI     r2, 0
    LDI     r3, 1
loop:
    CMP     r2, r0
    JMPEQ   done
    ADD     r1, r1, r2
    ADD     r2, r2, r3
    JMP     loop
done:
    CALL    act
    RET     r1
end
function around(a, b)
    CMP     r0, r1
    PUSHARG r0
    CALL    sum
    JMPLT   less
    ADD     r0, r0, r1
less:
    RET     r0
end
function main(n)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 0
    MOV     r4, r0
again:
    LDI     r5, 3
    PUSHARG r1
    PUSHARG r5
    CALL    around
    ADD     r3, r3, r0
    ADD     r1, r1, r2
    CMP     r1, r4
    JMPLT   again
    RET     r3
end
""",
        (6,),
    ),
}

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
    assert tier.units.feedback(machine.state.functions["twice"]).seen(0, 0) != 0
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
    assert small in tier.units.refusals
    assert tier.units.splice(main).inlined == []


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
