"""What units look like: comparisons fused with jumps, nothing left of self-moves, no checks that cannot fail."""

from __future__ import annotations

import pytest

import stoffel
from stoffel import VirtualMachine
from stoffel.compiler.cpython.verifier import check_unit, decode
from stoffel.compiler.emission.deopt_points import BEFORE, DURING, NEXT, TAKEN, Held, Unit
from stoffel.compiler.emission.deopt_points import LOOP as IN_PASSING
from tests.compiler.units import opcodes, units
from tests.machines import failure, loaded, told

pytestmark = pytest.mark.usefixtures("nothing_inlined")

HEAD = "function main()\n    LDI r0, 0\n    LDI r1, 0\n    LDI r2, 1\n    LDI r3, 1000\n"
LOOP = """again:
    CMP r1, r3
    JMPGT out
    JMPEQ out
    {body}
    ADD r1, r1, r2
    JMP again
out:
    RET r1
end
"""


def loop(body: str = "") -> Unit:
    """Return the unit of a loop that counts to 1000."""
    return units(HEAD + LOOP.format(body=body))["main"]


def count(unit: Unit, name: str) -> int:
    """Return how often an instruction occurs."""
    return opcodes(unit).count(name)


def test_counted_loop_compares_once_and_checks_no_overflow() -> None:
    names = opcodes(loop())
    assert names.count("COMPARE_OP") == 1
    assert names.count("BINARY_OP") == 1
    assert b"overflow" not in "\n".join(loop().code.co_names).encode()


def test_comparison_is_fused_with_its_jump() -> None:
    names = opcodes(loop())
    after = names[names.index("COMPARE_OP") + 1]
    assert after.startswith("POP_JUMP")
    assert "flag" not in loop().code.co_varnames


def test_self_moves_leave_nothing() -> None:
    assert opcodes(loop("MOV r1, r1\nMOV r2, r2\nMOV r3, r3")) == opcodes(loop())


def test_constants_that_nothing_reads_leave_nothing_in_the_loop() -> None:
    plain, loaded = loop(), loop("LDI r4, 7\n    LDI r4, 7")
    assert count(loaded, "COMPARE_OP") == count(plain, "COMPARE_OP")
    assert count(loaded, "BINARY_OP") == count(plain, "BINARY_OP")


def test_materialised_condition_vanishes() -> None:
    text = """
function main()
    LDI r1, 0
    LDI r2, 1
    LDI r3, 1000
again:
    CMP r1, r3
    JMPLT yes
    LDI r4, false
    JMP test
yes:
    LDI r4, true
test:
    LDI r5, false
    CMP r4, r5
    JMPEQ out
    ADD r1, r1, r2
    JMP again
out:
    RET r1
end
"""
    unit = units(text)["main"]
    assert count(unit, "COMPARE_OP") == 1
    assert count(unit, "BINARY_OP") == 1


@pytest.mark.parametrize(("step", "in_passing"), [("LDI r2, 1", True), ("MOV r2, r0", False)])
def test_every_loop_polls_for_attention(step: str, in_passing: bool) -> None:
    text = f"function main(p)\n    LDI r1, 0.0\n    {step}.0\n    MUL r3, r0, r0\n{LOOP.replace('JMPGT out', '')}"
    unit = units(text.replace("r0.0", "r0").format(body=""), arguments=[2.0])["main"]
    loads = [item for item in decode(unit.code) if item.name == "LOAD_GLOBAL"]
    assert ("attention" in {unit.code.co_names[item.argument >> 1] for item in loads}) is not in_passing
    ways = {way for line in unit.lines for way in line.sites}
    assert ways & {TAKEN, NEXT, IN_PASSING} == {IN_PASSING if in_passing else TAKEN}
    assert unit.polled == ((1.0,) if in_passing else ())


def test_unbounded_sum_is_checked_for_overflow() -> None:
    unit = loop("ADD r0, r0, r2")
    assert "overflow" in unit.code.co_names
    assert count(unit, "COMPARE_OP") > count(loop(), "COMPARE_OP")


def test_sites_describe_every_register() -> None:
    unit = loop("ADD r0, r0, r2")
    for line in unit.lines:
        for site in line.sites.values():
            assert len(site.spots) >= 4
            assert None not in site.spots


def test_guess_has_a_site_before_it_and_call_one_during_it() -> None:
    text = (
        "function g(x)\nADD r0, r0, r0\nRET r0\nend\nfunction main(a)\nPUSHARG r0\nCALL g\nADD r0, r0, r0\nRET r0\nend"
    )
    made = units(text, arguments=[5])
    (during,) = [line.sites[DURING] for line in made["main"].lines if DURING in line.sites]
    assert during.resume == 2
    before = [line.sites[BEFORE].resume for line in made["main"].lines if BEFORE in line.sites]
    assert before[0] == 1


def test_small_integers_are_plain_inside_and_boxed_where_they_leave() -> None:
    text = "function main(a)\nADD r1, r0, r0\nADD r1, r1, r0\nRET r1\nend"
    made = units(text, arguments=[stoffel.U8(5)])["main"]
    assert set(made.raw_arguments.values()) == {made.result.mask}
    assert [name for name in made.code.co_names if name.startswith("box")] == []
    spots = [spot for line in made.lines for site in line.sites.values() for spot in site.spots]
    assert {spot.raw for spot in spots if isinstance(spot, Held)} == {made.result.mask}


def test_a_small_integer_of_guessed_kind_keeps_it_where_it_is_stored() -> None:
    text = """
function main(array, one)
    MOV r2, r0
    MOV r3, r1
    LDI r4, 0
    PUSHARG r2
    PUSHARG r4
    CALL get_field
    ADD r5, r0, r3
    PUSHARG r2
    PUSHARG r0
    CALL array_push
    RET r5
end
"""
    machine = loaded(VirtualMachine(jit="always"), text)
    array = machine.create_array([stoffel.U8(5)])
    for length in (2, 3):
        assert machine.execute("main", array, stoffel.U8(1)) == 6
        assert [type(element) for element in machine.elements(array)] == [stoffel.U8] * length


@pytest.mark.parametrize("every", [0, 1])
@pytest.mark.parametrize(
    ("body", "arguments", "expected"),
    [
        # A value that two registers share must survive a write to either.
        ("MOV r2, r0\nADD r0, r0, r1\nSUB r3, r2, r0\nRET r3", [10, 3], -3),
        ("MOV r2, r0\nMOV r3, r0\nADD r0, r0, r1\nADD r2, r2, r3\nMUL r0, r0, r2\nRET r0", [2, 5], 28),
        # Swapping through a third register, around a loop.
        (
            "LDI r4, 0\nLDI r5, 1\nLDI r6, 3\nagain:\nMOV r2, r0\nMOV r0, r1\nMOV r1, r2\nADD r4, r4, r5\n"
            "CMP r4, r6\nJMPLT again\nSUB r0, r0, r1\nRET r0",
            [10, 3],
            -7,
        ),
        # The flag outlives a change of what was compared.
        ("CMP r0, r1\nMOV r0, r1\nADD r1, r1, r1\nJMPLT a\nRET r0\na:\nRET r1", [1, 4], 8),
        ("CMP r0, r1\nADD r0, r0, r1\nSUB r1, r1, r0\nJMPGT a\nRET r0\na:\nRET r1", [6, 4], -6),
        # Small kinds keep their kind through copies and evictions.
        ("MOV r2, r0\nADD r0, r0, r1\nRET r2", [stoffel.U8(7), stoffel.U8(9)], stoffel.U8(7)),
        ("NOT r2, r0\nRET r2", [stoffel.U8(7), 0], stoffel.U8(248)),
        ("SHL r2, r0, r1\nRET r2", [stoffel.I8(65), stoffel.I8(1)], stoffel.I8(-126)),
        ("DIV r2, r0, r1\nRET r2", [-7, 2], -3),
        ("MOD r2, r0, r1\nRET r2", [-7, 2], -1),
    ],
)
def test_values_survive_copies_evictions_and_exits(body: str, arguments: list[int], expected: int, every: int) -> None:
    machine = stoffel.VirtualMachine(jit="always")
    machine.state.tier.every = every
    machine.load(stoffel.assemble(f"function main(a, b)\n{body}\nend"))
    for _ in range(2):
        result = machine.execute_with_args("main", list(arguments))
        assert (type(result), result) == (type(expected), expected)


def test_a_block_without_code_of_its_own_is_not_left_on_a_line_of_another() -> None:
    """The return that ends block 4 puts a plain int back into its type: a call, on a line whose sites must fit."""
    body = "CMP r4, r5\nJMPNEQ other\nADD r3, r3, r5\nCALL print\nJMP end\nother:\nLDI r6, 0\nend:"
    text = (
        f"function f(p0)\n.registers 8\n{body}\nend\nfunction main()\nLDI r0, 7u32\nPUSHARG r0\nCALL f\nRET r0\nend\n"
    )
    machine = stoffel.VirtualMachine(jit="always")
    machine.load(stoffel.assemble(text))
    with pytest.raises(stoffel.VMError, match="Cannot compare"):
        machine.execute("main")
    unit = next(unit for unit in machine.state.tier.units.by_code.values() if unit.function.name == "f")
    assert check_unit(unit) == []
    assert [line.index for line in unit.lines][-1] == 5


def test_publishing_has_a_line_of_its_own() -> None:
    """Two ways lead to it, and what the line before it describes is not there on both."""
    text = """
function main(p0, p1)
    .registers 15
    MOV     r6, r0
    LDI     r13, "p1"
    PUSHARG r13
    CALL    create_closure
    MOV     r11, r0
    CMP     r7, r14
    JMPGT   l0
    CALL    create_array
    CALL    act
l0:
    STS     slot2, r11
end
"""
    machine = stoffel.VirtualMachine(jit="always")
    machine.register_foreign_function("act", lambda context: None)
    machine.load(stoffel.assemble(text))
    with pytest.raises(stoffel.VMError, match="Cannot compare"):
        machine.execute("main", 1, 2)
    (unit,) = machine.state.tier.units.by_code.values()  # type: ignore[union-attr]
    assert check_unit(unit) == []


@pytest.mark.parametrize("jump", ["JMPLT again", "JMPGT out\n    JMPEQ out\n    JMP again\nout:", "JMPNEQ again"])
@pytest.mark.parametrize("kind", ["", "f"])
def test_every_shape_of_back_edge_obeys_attention(jump: str, kind: str) -> None:
    point = ".0" if kind else ""
    text = f"""function main()
    LDI r0, 0{point}{kind}
    LDI r1, 1{point}{kind}
    LDI r2, 20{point}{kind}
again:
    ADD r0, r0, r1
    CMP r0, r2
    {jump}
    RET r0
end
"""
    machine = loaded(VirtualMachine(jit="always"), text)
    machine.state.tier.every = 1
    assert machine.execute("main") == 20
    left = machine.jit_statistics()["deoptimisations"]
    assert left["attention at a loop"] >= 17


@pytest.mark.parametrize("value", [2**62, -(2**62) - 1, 2**63 - 1, -(2**63)])
def test_integers_beyond_what_they_were_guessed_to_be_are_noticed_where_they_enter(value: int) -> None:
    text = """function main(x)
    ADD r1, r0, r0
    LDI r2, 0
    LDI r3, 1
    LDI r4, 3
again:
    ADD r2, r2, r3
    CMP r2, r4
    JMPLT again
    RET r1
end
"""
    machine = loaded(VirtualMachine(jit="always"), text)
    assert machine.execute("main", 5) == 10
    assert told(failure(machine.execute, "main", value)) == ("Value", "Integer overflow in ADD operation")
