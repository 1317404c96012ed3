"""Plain calls of functions that declare upvalues: compiled code captures what the interpreter captures."""

from __future__ import annotations

from typing import Any

import pytest

import stoffel
from stoffel import I32, VirtualMachine
from stoffel.compiler.emission.deopt_points import HANDOVER
from stoffel.jit.code_tier import CompiledTier
from stoffel.jit.deoptimisation import REASONS
from stoffel.runtime.frames import Captures
from tests.compiler.generators import Case
from tests.compiler.kernels.programs import expanded
from tests.compiler.oracle import ALWAYS, COMPILED, KERNELS, compare, run
from tests.machines import failure, loaded, told

READ = """
function read()
    .upvalues (x)
    LDI r1, "x"
    r2 = get_upvalue(r1)
    _ = act(r2)
    RET r2
end
"""
"""``read()`` returns what it captures as x."""
LOOP = """
    LDI r10, 0
    LDI r11, 1
    LDI r12, 6
again:
    {body}
    ADD r10, r10, r11
    CMP r10, r12
    JMPLT again
    RET r9
"""


def loop(body: str) -> str:
    """Return a body that runs *body* six times and returns r9: a function that is not inlined."""
    return LOOP.format(body=body)


PROGRAMS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "the original argument, not the register": (
        READ + "function main(x)\n" + loop("LDI r0, 99\n r9 = read()") + "end",
        (5,),
    ),
    "an integer that is narrower": (
        READ + "function main(x)\n LDI r0, 99\n" + loop("r9 = read()\n ADD r9, r9, r9") + "end",
        (I32(1 << 29),),
    ),
    "the last of two parameters of one name": (
        READ + "function main(x, x)\n" + loop("r9 = read()") + "end",
        (5, 6),
    ),
    "a parameter of the caller's caller": (
        READ
        + f"function between(y)\n {loop('r9 = read()')} end\n"
        + f"function main(x)\n {loop('r9 = between(r10)')} end",
        ("text",),
    ),
    "a parameter of a function that is inlined around": (
        READ
        + f"function between(y)\n {loop('r9 = read()')} end\n"
        + "function inlined(x)\n r1 = between(r0)\n RET r1\nend\n"
        + f"function main(x)\n {loop('r9 = inlined(r10)')} end",
        (1.5,),
    ),
    "a parameter found from within what is inlined": (
        READ
        + "function inlined(y)\n r1 = read()\n RET r1\nend\n"
        + "function outer(x)\n LDI r0, 3\n r1 = inlined(r0)\n RET r1\nend\n"
        + f"function main(x)\n {loop('r9 = outer(r10)')} end",
        (1,),
    ),
    "an upvalue of the caller, which calls itself": (
        """
        function down(n)
            .upvalues (x, sum)
            MOV r4, r0
            LDI r1, "x"
            r2 = get_upvalue(r1)
            LDI r5, 0
            CMP r4, r5
            JMPEQ done
            LDI r3, 1
            ADD r2, r2, r3
            _ = set_upvalue(r1, r2)
            SUB r3, r4, r3
            r2 = down(r3)
            _ = act(r2)
        done:
            RET r2
        end
        function main(x, sum)
            LDI r1, 7
            r2 = down(r1)
            RET r2
        end
        """,
        (10, 0),
    ),
    "an upvalue of a closure, which stays as it is": (
        """
        function raise()
            .upvalues (n)
            LDI r1, "n"
            r2 = get_upvalue(r1)
            LDI r3, 1
            ADD r2, r2, r3
            _ = set_upvalue(r1, r2)
            _ = act(r2)
            r3 = get_upvalue(r1)
            RET r3
        end
        function body(step)
            MOV r4, r0
            r5 = raise()
            LDI r1, "n"
            r2 = get_upvalue(r1)
            ADD r2, r2, r4
            _ = set_upvalue(r1, r2)
            r6 = raise()
            ADD r6, r6, r5
            RET r6
        end
        function main(n)
            LDI r1, "body"
            LDI r2, "n"
            r8 = create_closure(r1, r2)
            """
        + loop("r9 = call_closure(r8, r10)")
        + """
        end
        """,
        (100,),
    ),
    "an upvalue of the closure that is inlined around": (
        READ
        + "function body()\n r1 = read()\n RET r1\nend\n"
        + 'function main(x)\n LDI r1, "body"\n LDI r2, "x"\n r8 = create_closure(r1, r2)\n'
        + loop("r9 = call_closure(r8)")
        + "end",
        (4,),
    ),
    "a register of what is inlined is not its parameter": (
        READ
        + f"function between(y)\n {loop('r9 = read()')} end\n"
        + "function inlined(x)\n MOV r1, r0\n LDI r0, 77\n r1 = between(r1)\n RET r1\nend\n"
        + f"function main(z)\n {loop('r9 = inlined(r10)')} end",
        (1.5,),
    ),
    "a closure that changes afterwards": (
        """
        function bump()
            LDI r1, "n"
            r2 = get_upvalue(r1)
            LDI r3, 1
            ADD r2, r2, r3
            _ = set_upvalue(r1, r2)
            RET r2
        end
        function use(c)
            MOV r8, r0
            r9 = call_closure(r8)
            r9 = captured()
            _ = act(r8)
            RET r9
        end
        function captured()
            .upvalues (c)
            LDI r1, "c"
            r2 = get_upvalue(r1)
            r3 = call_closure(r2)
            _ = act(r3)
            RET r3
        end
        function main(n)
            LDI r1, "bump"
            LDI r2, "n"
            r8 = create_closure(r1, r2)
            """
        + loop("r9 = use(r8)")
        + """
        end
        """,
        (0,),
    ),
    "one name twice": (
        READ
        + """
        function twice()
            .upvalues (x, x)
            LDI r1, "x"
            LDI r2, 70
            _ = set_upvalue(r1, r2)
            r3 = get_upvalue(r1)
            r4 = read()
            LDI r5, 2
            MUL r3, r3, r5
            ADD r3, r3, r4
            _ = act(r3)
            RET r3
        end
        """
        + f"function main(x)\n {loop('r9 = twice()')} end",
        (4,),
    ),
    "a loop of the callee is taken over": (
        """
        function sum(n)
            .upvalues (x)
            LDI r1, "x"
            LDI r9, 0
            """
        + loop("r3 = get_upvalue(r1)\n ADD r9, r9, r3\n _ = set_upvalue(r1, r9)\n _ = act(r9)")
        + """
        end
        function main(x)
            """
        + loop("r9 = sum(r10)")
        + """
        end
        """,
        (3,),
    ),
    "what nobody has": (
        READ + f"function main(y)\n r9 = read()\n {loop('r9 = read()')} end",
        (3,),
    ),
    "a wrong number of arguments comes first": (
        READ + f"function main(y)\n r9 = read(r0)\n {loop('r9 = read()')} end",
        (3,),
    ),
}


@pytest.mark.parametrize("inlines", [True, False])
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_captured_is_the_same_in_every_tier(name: str, inlines: bool, request: pytest.FixtureRequest) -> None:
    if not inlines:
        request.getfixturevalue("nothing_inlined")
    text, arguments = PROGRAMS[name]
    program = stoffel.assemble(expanded(text))
    for plan in (
        {},
        dict.fromkeys(range(40), "look"),
        {0: "call", 3: "call"},
        {2: "enable", 4: "disable", 7: "enable"},
    ):
        difference = compare(Case(program, arguments, plan), (*COMPILED, KERNELS))
        assert difference is None, difference.report()


HANDED_OVER = {"a wrong number of arguments comes first", "a closure that changes afterwards"}
"""Programs with a call that only the interpreter makes, or with a closure that is written while it is shared."""


@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() - HANDED_OVER))
def test_neither_caller_nor_callee_is_left_to_the_interpreter(name: str) -> None:
    text, arguments = PROGRAMS[name]
    machines: list[VirtualMachine] = []
    run(Case(stoffel.assemble(expanded(text)), arguments, {}), ALWAYS, inspect=machines.append)
    statistics = machines[0].jit_statistics()
    assert {counters["refusal"] for counters in statistics["functions"].values()} == {None}
    assert REASONS[HANDOVER] not in statistics["deoptimisations"]


def test_a_function_that_did_not_find_its_upvalue_is_compiled_all_the_same() -> None:
    text = READ.replace("_ = act(r2)", "") + "function main(y)\n r9 = read()\n RET r9\nend\n"
    text += "function fine(x)\n LDI r1, 2\n r2 = main(r1)\n RET r2\nend"
    machine = loaded(VirtualMachine(jit="always"), expanded(text))
    for _ in range(5):
        error = failure(machine.execute, "main", 1)
        assert told(error) == ("Runtime", "Could not find upvalue x when calling function")
        assert error.stack == (("main", 0),)
    assert machine.execute("fine", 8) == 8
    assert {counters["refusal"] for counters in machine.jit_statistics()["functions"].values()} == {None}


def test_looking_a_variable_up_makes_no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a deep recursion that captures from its start would take time by the square of its depth."""
    text = """
        function read()
            .upvalues (x)
            LDI r1, "x"
            r2 = get_upvalue(r1)
            RET r2
        end
        function down(n)
            MOV r4, r0
            LDI r5, 0
            CMP r4, r5
            JMPEQ done
            LDI r3, 1
            SUB r3, r4, r3
            r2 = down(r3)
        done:
            r2 = read()
            RET r2
        end
        function main(x)
            LDI r1, 50
            r2 = down(r1)
            RET r2
        end
        """
    machine = loaded(VirtualMachine(jit="always"), expanded(text))
    monkeypatch.setattr(CompiledTier, "snapshot", None)
    assert machine.execute("main", 6) == 6
    assert machine.jit_statistics()["records_rebuilt"] == 0


def test_upvalues_of_a_plain_call_are_nobody_elses() -> None:
    captures = Captures((("x", 1),))
    assert (captures.upvalues, captures.shared) == ((("x", 1),), False)


def test_a_loop_that_captures_has_no_kernel_but_a_code_object(tmp_path: Any) -> None:
    text = READ.replace("_ = act(r2)", "") + f"function main(x)\n {loop('r9 = read()').replace('6', '600')} end"
    machine = loaded(VirtualMachine(jit="kernels", cache=tmp_path), expanded(text))
    assert machine.execute("main", 5) == 5
    counters = machine.jit_statistics()["functions"]["main"]
    assert (counters["tier"], counters["refusal"]) == ("code object", None)
    assert counters["kernel_refusal"] == "call of 'read', which captures upvalues at instruction 3"
