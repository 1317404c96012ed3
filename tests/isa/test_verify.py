"""Registration checks, in their order and with their exact texts."""

from __future__ import annotations

import pytest

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.verify import FRAME_LIMIT, verify

RET = Instruction("RET", 0)


def refusal(function: Function) -> tuple[str, ErrorKind]:
    with pytest.raises(VMError) as caught:
        verify(function)
    return str(caught.value), caught.value.kind


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (Function("f"), 1),
        (Function("f", registers=7), 7),
        (Function("f", parameters=("a", "b", "c")), 3),
        (Function("f", [Instruction("ADD", 1, 5, 2)], registers=2), 6),
        (Function("f", [Instruction("CMP", 1, 8)], parameters=("a",)), 9),
        (Function("f", [Instruction("STS", 900, 3), Instruction("LDS", 2, 900)]), 4),
        (Function("f", [Instruction("LD", 4, -100)]), 5),
    ],
)
def test_frame_size_is_the_largest_of_declared_count_one_parameters_and_registers_used(
    function: Function, count: int
) -> None:
    assert verify(function) == count


def test_label_at_the_end_is_legal() -> None:
    assert verify(Function("f", [Instruction("JMP", "end")], labels={"end": 1})) == 1


def test_label_past_the_end_is_refused_even_if_nothing_jumps_to_it() -> None:
    assert refusal(Function("f", [RET], labels={"far": 2})) == (
        "Function f label 'far' points past the instruction stream: 2 > 1",
        ErrorKind.FUNCTION,
    )


def test_first_unknown_label_in_instruction_order_is_reported() -> None:
    body = [Instruction("JMPLT", "b"), Instruction("JMP", "a")]
    assert refusal(Function("f", body)) == ("Function f references unknown label 'b'", ErrorKind.FUNCTION)


@pytest.mark.parametrize("register", [(1 << 64) - 1, 1 << 64, 1 << 80])
def test_register_at_the_largest_machine_word_is_refused(register: int) -> None:
    assert refusal(Function("f", [Instruction("RET", register)], labels={"far": 9})) == (
        f"Function f references register r{register}, which cannot fit in a frame register count",
        ErrorKind.FUNCTION,
    )


def test_register_beyond_32_bits_is_refused_with_the_frame_size() -> None:
    assert refusal(Function("f", [Instruction("MOV", 0, 1 << 32)])) == (
        "Register r4294967296 out of bounds for frame with 4294967297 registers",
        ErrorKind.RUNTIME,
    )


@pytest.mark.parametrize("instruction", [Instruction("LDS", 0, 1 << 32), Instruction("STS", 1 << 32, 0)])
def test_spill_slot_beyond_32_bits_is_refused(instruction: Instruction) -> None:
    assert refusal(Function("f", [RET, instruction])) == ("Constant index 4294967296 out of bounds", ErrorKind.RUNTIME)


def test_largest_spill_slot_is_accepted() -> None:
    assert verify(Function("f", [Instruction("LDS", 0, (1 << 32) - 1)])) == 1


def test_labels_are_checked_before_the_32_bit_limits() -> None:
    body = [Instruction("RET", 1 << 40), Instruction("JMP", "nowhere")]
    assert refusal(Function("f", body)) == ("Function f references unknown label 'nowhere'", ErrorKind.FUNCTION)


def test_bad_label_target_is_reported_before_an_unknown_label() -> None:
    text, _ = refusal(Function("f", [Instruction("JMP", "nowhere")], labels={"far": 5}))
    assert text == "Function f label 'far' points past the instruction stream: 5 > 1"


def test_largest_frame_is_accepted() -> None:
    assert verify(Function("f", [Instruction("RET", FRAME_LIMIT - 1)])) == FRAME_LIMIT


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (Function("f", [Instruction("RET", (1 << 32) - 1)]), 1 << 32),
        (Function("f", [RET], registers=FRAME_LIMIT + 1), FRAME_LIMIT + 1),
    ],
)
def test_hostile_frame_size_is_refused(function: Function, count: int) -> None:
    assert refusal(function) == (
        f"Function f needs {count} registers, more than the 1000000 that a frame may have",
        ErrorKind.FUNCTION,
    )
