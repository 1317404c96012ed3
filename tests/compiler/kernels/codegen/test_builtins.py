"""Arrays in kernels: afterwards the tables hold exactly what the interpreter leaves, ids and identity included."""

# ruff: noqa: E501 - a loop body on one line is easier to compare with the next

from __future__ import annotations

import pytest

from tests.compiler.kernels.programs import alike, counting, expanded

FROM_OUTSIDE = "_ = act(r9)\n_ = act(r9)\nLDI r0, 0\n"
"""Hooks are switched on and off: the loop that follows is taken over by a kernel, with the tables that are there."""
HOOKS = {0: "enable", 1: "disable", 2: "look", 3: "look"}
NEW = "r9 = create_array()\nr10 = create_array()\n"
LITERALS = {
    "int64": ("7", "-3"),
    "int32": ("7i32", "-3i32"),
    "int8": ("-128i8", "127i8"),
    "uint8": ("255u8", "0u8"),
    "uint16": ("65535u16", "1u16"),
    "uint32": ("4294967295u32", "1u32"),
    "uint64": ("18446744073709551615u64", "1u64"),
    "float": ("1.5", "-0.0"),
    "boolean": ("true", "false"),
}
"""Two literals of each kind of element."""

KIND = pytest.mark.parametrize("kind", LITERALS)


def filled(kind: str, register: str = "r9", count: int = 3) -> str:
    one, other = LITERALS[kind]
    lines = [f"LDI r5, {one}", f"LDI r6, {other}"]
    lines += [f"_ = array_push({register}, r{5 + number % 2})" for number in range(count)]
    return "\n".join(lines) + "\n"


@KIND
def test_arrays_grow_by_push_append_and_a_write_at_the_end(kind: str) -> None:
    body = "r7 = array_push(r9, r5)\n_ = append(r9, r6)\nr8 = len(r9)\n_ = set_field(r9, r8, r5)"
    kernels = alike(counting(NEW + filled(kind), body))
    assert [kernel["left"] for kernel in kernels] == [0]


@KIND
def test_elements_are_read_and_written_from_both_ends(kind: str) -> None:
    body = """
r7 = len(r9)
MOD r11, r1, r7
SUB r12, r11, r7
r8 = get_field(r9, r11)
r13 = get_field(r9, r12)
_ = set_field(r9, r12, r6)
_ = set_field(r9, r11, r5)
r14 = get_field(r9, r11)
_ = array_push(r10, r8)
_ = array_push(r10, r13)
"""
    kernels = alike(
        counting(NEW + filled(kind, count=5), body, "_ = append(r10, r14)\n_ = act(r10)\nRET r9"), plan={0: "look"}
    )
    assert sum(kernel["runs"] for kernel in kernels) >= 2


@KIND
def test_arrays_come_from_outside_and_go_outside(kind: str) -> None:
    """A foreign call between two loops sees everything; the second loop is entered with what it saw."""
    setup = NEW + filled(kind, count=5) + FROM_OUTSIDE
    body = "_ = array_push(r9, r6)\nr8 = get_field(r9, r1)\n_ = set_field(r9, r1, r5)"
    more_loop = """
_ = act(r9)
LDI r1, 0
twice:
_ = array_push(r9, r5)
ADD r1, r1, r2
CMP r1, r3
JMPLT twice
RET r9
"""
    kernels = alike(counting(setup, body, more_loop), plan=HOOKS)
    assert f"[{kind}" in {code for kernel in kernels for code in kernel["types"]}


@pytest.mark.parametrize("key", ["40", "-41", "1000", "-9223372036854775808", "9223372036854775807"])
@pytest.mark.parametrize("call", ["r8 = get_field(r9, r7)", "_ = set_field(r9, r7, r5)"])
def test_a_key_far_off_in_mid_loop_is_left_to_the_interpreter(key: str, call: str) -> None:
    body = f"_ = array_push(r9, r1)\nLDI r7, 20\nCMP r1, r7\nJMPLT next\nLDI r7, {key}\n{call}"
    kernels = alike(counting(NEW + "LDI r5, 77\n", body, "_ = act(r9)\nRET r9"), plan={0: "look"})
    assert kernels


@pytest.mark.parametrize("key", ["0", "-1", "1", "3"])
def test_an_empty_array_is_read(key: str) -> None:
    body = f"_ = array_push(r10, r1)\nLDI r7, 30\nCMP r1, r7\nJMPLT next\nLDI r7, {key}\nr8 = get_field(r9, r7)"
    alike(counting(NEW, body, "RET r10"))


def test_an_array_in_two_registers_is_one_array() -> None:
    body = "_ = array_push(r9, r1)\nr8 = len(r11)\n_ = array_push(r11, r8)\nMOV r12, r9\n_ = set_field(r12, r4, r8)\n"
    end = "r13 = create_array()\n_ = array_push(r13, r9)\n_ = array_push(r13, r11)\n_ = array_push(r13, r12)\nRET r13"
    for between in ("", FROM_OUTSIDE):
        assert alike(counting(NEW + "MOV r11, r9\n_ = array_push(r9, r2)\n" + between, body, end), plan=HOOKS)


ROWS = """
r9 = create_array()
r10 = create_array()
r11 = create_array()
LDI r5, 5
_ = array_push(r10, r5)
_ = array_push(r11, r5)
_ = array_push(r9, r10)
_ = array_push(r9, r10)
_ = array_push(r9, r11)
"""


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_the_same_row_twice_stays_the_same_row(between: str) -> None:
    body = "LDI r7, 0\nr8 = get_field(r9, r7)\n_ = array_push(r8, r1)\nr12 = get_field(r9, r2)\nr13 = len(r12)\n_ = array_push(r11, r13)"
    assert alike(counting(ROWS + between, body), plan=HOOKS)


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_rows_are_replaced_appended_and_shared_with_new_arrays(between: str) -> None:
    body = """
LDI r7, 3
MOD r8, r1, r7
r12 = create_array()
_ = array_push(r12, r1)
_ = set_field(r9, r8, r12)
r14 = get_field(r9, r4)
_ = append(r9, r14)
_ = array_push(r14, r1)
"""
    assert alike(counting(ROWS + between, body), plan=HOOKS)


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_arrays_nest_three_deep(between: str) -> None:
    setup = "r9 = create_array()\nr10 = create_array()\nr11 = create_array()\nLDI r5, 1.5\n_ = array_push(r11, r5)\n"
    setup += "_ = array_push(r10, r11)\n_ = array_push(r9, r10)\n" + between
    body = """
r12 = get_field(r9, r4)
r13 = get_field(r12, r4)
_ = array_push(r13, r5)
r14 = get_field(r13, r1)
ADD r14, r14, r5
_ = set_field(r13, r1, r14)
r15 = create_array()
_ = array_push(r15, r14)
_ = array_push(r12, r15)
r16 = create_array()
_ = array_push(r16, r15)
_ = array_push(r9, r16)
"""
    assert alike(counting(setup, body), plan=HOOKS)


@pytest.mark.parametrize("deep", [5, 6])
def test_arrays_that_nest_too_deep_are_passed_on(deep: int) -> None:
    setup = "r9 = create_array()\n" + "r10 = create_array()\n_ = array_push(r10, r9)\nMOV r9, r10\n" * deep
    alike(counting(setup + "r11 = create_array()\n" + FROM_OUTSIDE, "_ = array_push(r11, r1)"), plan=HOOKS)


def test_an_array_that_holds_itself_is_passed_on() -> None:
    setup = NEW + "_ = array_push(r9, r9)\n" + FROM_OUTSIDE
    alike(counting(setup, "_ = array_push(r10, r1)"), plan=HOOKS)


@pytest.mark.parametrize("wrong", ['"text"', "2.5", "true", "7u8", "()"])
@pytest.mark.parametrize("call", ["_ = array_push(r9, r7)", "_ = set_field(r9, r4, r7)", "_ = append(r9, r7)"])
@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_an_array_changes_its_kind_in_mid_loop(wrong: str, call: str, between: str) -> None:
    body = f"_ = array_push(r9, r1)\nLDI r7, 25\nCMP r1, r7\nJMPNEQ next\nLDI r7, {wrong}\n{call}\n"
    assert alike(counting(NEW + between, body), plan=HOOKS)


@pytest.mark.parametrize("times", ["0", "1", "3", "-2", "-9223372036854775808"])
@pytest.mark.parametrize("kind", ["int64", "boolean", "float", "uint64"])
def test_arrays_are_repeated_and_copied(times: str, kind: str) -> None:
    body = f"LDI r7, {times}\nr11 = array_repeat(r9, r7)\nr12 = copy(r11)\n_ = array_push(r11, r6)\n_ = array_push(r10, r11)\n_ = array_push(r10, r12)\n"
    kernels = alike(counting(NEW + filled(kind, count=3), body, "RET r10", rounds=12))
    assert [kernel["left"] for kernel in kernels] == [0]


def test_repeated_rows_are_the_same_rows() -> None:
    body = "LDI r7, 2\nr12 = array_repeat(r9, r7)\nr13 = copy(r12)\nr14 = get_field(r13, r4)\n_ = array_push(r14, r1)\nMOV r15, r12"
    assert alike(
        counting(
            ROWS,
            body,
            "_ = array_push(r9, r11)\nr16 = create_array()\n_ = array_push(r16, r9)\n_ = array_push(r16, r15)\nRET r16",
        )
    )


@pytest.mark.parametrize("times", ["70000000", "67108865", "9223372036854775807", "4611686018427387904"])
@pytest.mark.parametrize("kind", ["boolean", "int64"])
def test_an_array_gets_no_longer_than_the_machine_allows(times: str, kind: str) -> None:
    body = f"_ = array_push(r10, r1)\nLDI r7, 30\nCMP r1, r7\nJMPLT next\nLDI r7, {times}\nr11 = array_repeat(r9, r7)"
    assert alike(counting(NEW + filled(kind, count=2), body, "RET r10"))


@pytest.mark.parametrize("capacity", ["0", "7", "-1", "200u8", "-1i8", "18446744073709551615u64"])
def test_capacities_are_checked(capacity: str) -> None:
    body = f"LDI r7, {capacity}\nr11 = create_array(r7)\n_ = array_push(r9, r11)\n_ = array_push(r11, r1)"
    alike(counting(NEW, body))


def test_more_arguments_than_needed_are_ignored() -> None:
    body = """
_ = set_field(r9, r1, r1, r5)
r8 = get_field(r9, r1, r5)
r10 = create_array(r2, r5)
LDI r7, true
_ = assert(r7, r5, r5)
"""
    kernels = alike(counting(NEW + "LDI r5, 1.5\n", body))
    assert [kernel["left"] for kernel in kernels] == [0]


def test_rows_that_exist_are_found_and_others_are_created() -> None:
    body = "LDI r7, 30\nCMP r1, r7\nJMPLT old\nMOV r7, r1\nJMP new\nold:\nLDI r7, 2\nnew:\nr12 = get_or_create_array_field(r9, r7)\n_ = array_push(r11, r1)"
    assert alike(counting(ROWS, body))


@pytest.mark.parametrize("operation", ["DIV r8, r1, r4", "ADD r8, r15, r1", "SHL r8, r1, r3", "CMP r1, r9"])
@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_an_error_in_mid_loop_leaves_the_tables_as_the_interpreter_does(operation: str, between: str) -> None:
    """The host holds the arrays before the run fails: what is in them afterwards is compared."""
    setup = ROWS + "LDI r15, 9223372036854775807\n" + (between or FROM_OUTSIDE + "_ = act(r9)\n")
    body = f"_ = array_push(r10, r1)\nr12 = create_array()\n_ = array_push(r9, r12)\n_ = array_push(r12, r1)\nLDI r7, 33\nCMP r1, r7\nJMPLT next\n{operation}\n"
    assert alike(counting(setup, body), plan=HOOKS)


def test_ids_of_tables_are_those_of_the_interpreter() -> None:
    body = "r11 = create_array()\n_ = array_push(r11, r1)\nr12 = copy(r11)\nCMP r1, r2\nJMPEQ keep\nJMP next\nkeep:\n_ = array_push(r9, r12)\n"
    end = "r13 = create_array()\n_ = array_push(r9, r13)\nRET r9"
    kernels = alike(counting(NEW, body, end))
    assert [kernel["left"] for kernel in kernels] == [0]


def test_arrays_go_through_calls_and_come_back() -> None:
    more = """
function swap(row, first, second)
r5 = get_field(r0, r1)
MOV r6, r0
RET r5
end
function fresh(row, number)
MOV r3, r0
MOV r4, r1
r5 = create_array()
_ = array_push(r5, r4)
r6 = len(r3)
_ = array_push(r5, r6)
RET r5
end
"""
    text = expanded(more.replace("MOV r6, r0\n", "")) + counting(
        NEW + "_ = array_push(r9, r2)\n",
        "r11 = fresh(r9, r1)\nr12 = swap(r11, r4, r2)\n_ = array_push(r9, r12)\n_ = array_push(r10, r11)",
        "RET r10",
    )
    kernels = alike(text)
    assert [kernel["left"] for kernel in kernels] == [0]


def test_more_arrays_than_the_kernel_has_headers_ready() -> None:
    setup = (
        NEW
        + "LDI r5, 100\nLDI r1, 0\nmake:\nr11 = create_array()\n_ = array_push(r11, r1)\n_ = array_push(r9, r11)\nADD r1, r1, r2\nCMP r1, r5\nJMPLT make\n"
        + FROM_OUTSIDE
        + "LDI r1, 0\n"
    )
    body = "r12 = get_field(r9, r1)\n_ = array_push(r12, r1)\n_ = array_push(r10, r12)"
    assert alike(counting(setup, body, "RET r10", rounds=90), plan=HOOKS)


@pytest.mark.parametrize("between", ["", FROM_OUTSIDE])
def test_rows_that_change_places_do_so_outside_too(between: str) -> None:
    body = """
LDI r7, 2
r12 = get_field(r9, r2)
r13 = get_field(r9, r7)
_ = set_field(r9, r2, r13)
_ = set_field(r9, r7, r12)
"""
    assert alike(counting(ROWS + between, body, rounds=41), plan=HOOKS)
