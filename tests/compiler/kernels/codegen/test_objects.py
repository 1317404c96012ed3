"""Objects in kernels: fields, order, sharing, identity, and what the machine finds afterwards."""

from __future__ import annotations

from typing import Any

import pytest

import stoffel
from stoffel import VirtualMachine, VMError
from stoffel.compiler.kernels.analysis.types import I64, Cell, RecordOf, Row, fields_of, join, type_of_code
from tests.machines import loaded

PARTICLE = """\
function main(n)
    CALL create_object
    MOV r1, r0
    LDI r2, "x"
    LDI r3, 1
    PUSHARG r1
    PUSHARG r2
    PUSHARG r3
    CALL set_field
    LDI r2, "speed"
    LDI r3, 0.5f
    PUSHARG r1
    PUSHARG r2
    PUSHARG r3
    CALL set_field
    LDI r2, "on"
    LDI r3, true
    PUSHARG r1
    PUSHARG r2
    PUSHARG r3
    CALL set_field
    LDI r4, 0
    LDI r5, 1
    LDI r0, 17
    MOV r6, r0
{before}
loop:
    CMP r4, r6
    JMPEQ done
{body}
    ADD r4, r4, r5
    JMP loop
done:
{after}
    RET r1
end
"""
ADD_X = """\
    LDI r2, "x"
    PUSHARG r1
    PUSHARG r2
    CALL get_field
    ADD r0, r0, r4
    MOV r3, r0
    PUSHARG r1
    PUSHARG r2
    PUSHARG r3
    CALL set_field
"""


def outcome(text: str, mode: str, *arguments: Any, every: int = 0) -> tuple[Any, ...]:
    """Return everything that a program shows: result in words, id, error, and whether a kernel ran."""
    machine = loaded(VirtualMachine(jit=mode), text)
    if every:
        machine.state.tier.every = every
    runs = 0
    try:
        result = machine.execute("main", *arguments)
        shown: Any = stoffel.diagnostic(result), machine.to_python(result), getattr(result, "id", None)
    except VMError as error:
        shown = str(error), error.function, error.instruction
    for function in machine.jit_statistics().get("functions", {}).values():
        runs += sum(kernel["runs"] for kernel in function["kernels"])
    shown = shown, machine.create_object().id
    return (*shown, runs > 0)


def same_everywhere(text: str, *arguments: Any) -> tuple[Any, ...]:
    """Return the outcome, which must be the same in the interpreter and, with a kernel that ran, in kernels."""
    expected = outcome(text, "off", *arguments)[:-1]
    *shown, ran = outcome(text, "kernels", *arguments)
    assert (tuple(shown), ran) == (expected, True)
    assert outcome(text, "kernels", *arguments, every=1)[:-1] == expected
    return expected


def test_fields_are_read_and_written_in_a_loop() -> None:
    (_, fields, _), _ = same_everywhere(PARTICLE.format(before="", body=ADD_X, after=""), 3)
    assert fields == {"x": 1 + sum(range(17)), "speed": 0.5, "on": True}


def test_a_field_that_appears_in_the_loop_comes_last() -> None:
    body = ADD_X.replace('"x"', '"y"').replace("    CALL get_field\n", "    CALL get_field\n    MOV r0, r4\n")
    (_, fields, _), _ = same_everywhere(PARTICLE.format(before="", body=body, after=""), 3)
    assert list(fields) == ["x", "speed", "on", "y"]


def test_fields_set_in_another_order_keep_that_order() -> None:
    before = """\
    CALL create_object
    MOV r7, r0
    LDI r2, "on"
    LDI r3, false
    PUSHARG r7
    PUSHARG r2
    PUSHARG r3
    CALL set_field
    LDI r2, "x"
    PUSHARG r7
    PUSHARG r2
    PUSHARG r5
    CALL set_field
    CMP r4, r6
    JMPEQ other
    MOV r1, r7
other:
"""
    (_, fields, _), _ = same_everywhere(PARTICLE.format(before=before, body=ADD_X, after=""), 3)
    assert list(fields) == ["on", "x"]


def test_an_absent_field_is_unit_and_adding_to_it_the_error_of_the_machine() -> None:
    text = PARTICLE.format(before="", body=ADD_X.replace('"x"', '"none"'), after="")
    expected = outcome(text, "off", 3)[:-1]
    assert outcome(text, "kernels", 3)[:-1] == expected
    assert expected[0][0] == "Type error in ADD operation"


def test_two_registers_share_one_object() -> None:
    body = "    MOV r8, r1\n" + ADD_X.replace("PUSHARG r1", "PUSHARG r8", 1) + ADD_X
    same_everywhere(PARTICLE.format(before="", body=body, after=""), 3)


def test_an_error_leaves_the_fields_as_they_are_then() -> None:
    after = ADD_X.replace("ADD r0, r0, r4", "LDI r9, 9223372036854775807\n    ADD r0, r0, r9")
    text = PARTICLE.format(before="", body=ADD_X, after=after)
    (text_of_error, function, _), _ = same_everywhere(text, 3)
    assert (text_of_error, function) == ("Integer overflow in ADD operation", "main")


def test_objects_in_arrays_and_arrays_in_objects() -> None:
    before = """\
    LDI r9, 0
    PUSHARG r9
    CALL create_array
    MOV r9, r0
    LDI r2, "list"
    PUSHARG r1
    PUSHARG r2
    PUSHARG r9
    CALL set_field
    CALL create_array
    MOV r10, r0
    PUSHARG r10
    PUSHARG r1
    CALL append
"""
    body = """\
    LDI r11, 0
    PUSHARG r10
    PUSHARG r11
    CALL get_field
    MOV r12, r0
    LDI r2, "list"
    PUSHARG r12
    PUSHARG r2
    CALL get_field
    MOV r13, r0
    PUSHARG r13
    PUSHARG r4
    CALL array_push
"""
    (_, fields, _), _ = same_everywhere(PARTICLE.format(before=before, body=body, after=""), 3)
    assert fields["list"] == list(range(17))


def test_objects_created_in_a_loop_have_the_ids_that_the_interpreter_gives() -> None:
    body = """\
    CALL create_object
    MOV r1, r0
    LDI r2, "x"
    PUSHARG r1
    PUSHARG r2
    PUSHARG r4
    CALL set_field
"""
    (_, fields, identity), following = same_everywhere(PARTICLE.format(before="", body=body, after=""), 3)
    assert fields == {"x": 16}
    assert (identity, following) == (18, 19)


WALK = """\
function main(point, n)
    MOV r2, r0
    MOV r3, r1
    LDI r4, 0
    LDI r5, 1
    LDI r6, "x"
loop:
    CMP r4, r3
    JMPEQ done
    PUSHARG r2
    PUSHARG r6
    CALL get_field
    MOV r7, r0
    ADD r7, r7, r5
    PUSHARG r2
    PUSHARG r6
    PUSHARG r7
    CALL set_field
    ADD r4, r4, r5
    JMP loop
done:
    RET r7
end
"""


def test_an_object_of_the_host_is_changed_in_place() -> None:
    machine = loaded(VirtualMachine(jit="kernels"), WALK)
    point = machine.create_object({"x": 5, "inner": {"y": 2.5}})
    inner = machine.get(point, "inner")
    assert machine.execute("main", point, 100) == 105
    assert machine.to_python(point) == {"x": 105, "inner": {"y": 2.5}}
    assert machine.get(point, "inner") is inner
    kernels = machine.jit_statistics()["functions"]["main"]["kernels"]
    assert [kernel["runs"] for kernel in kernels] == [1]


@pytest.mark.parametrize("fields", [{"x": 5, "text": "a"}, {1: 2, "x": 5}, {"x": 5, "none": None}])
def test_objects_that_hold_other_things_are_left_to_other_tiers(fields: dict[Any, Any]) -> None:
    machine = loaded(VirtualMachine(jit="kernels"), WALK)
    assert machine.execute("main", machine.create_object(fields), 100) == 105
    assert machine.jit_statistics()["functions"]["main"]["kernels"] == []


def test_record_types_have_codes_that_can_be_read_back() -> None:
    kind = RecordOf(Row({"a,}:": Cell(I64), "b": Cell(RecordOf(Row({"c": Cell()})))}))
    code = kind.code
    assert fields_of(code)[0] == [("a,}:", "int64"), ("b", "{1:c?}")]
    assert type_of_code(code).code == code
    assert type_of_code(f"[{code}").code == f"[{code}"


def test_joining_record_types_gives_one_with_the_fields_of_both() -> None:
    one, other = RecordOf(Row({"a": Cell(I64)})), RecordOf(Row({"b": Cell(I64), "a": Cell(I64)}))
    assert join(one, other).code == other.code == "{1:aint64,1:bint64}"


def test_a_record_type_cannot_contain_itself() -> None:
    row = Row({"a": Cell(I64)})
    assert not row.admit("next", RecordOf(row))
