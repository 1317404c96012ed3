"""Programs to text assembly: how it looks, and that it always comes back equal."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
from hypothesis import given

from stoffel.errors import AssemblyError
from stoffel.isa import types
from stoffel.isa.assembler import assemble
from stoffel.isa.disassembler import disassemble, disassemble_function
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.manifest import Client, Demand, Manifest, ShareType
from stoffel.isa.operand_text import format_constant
from stoffel.isa.program import Program
from stoffel.isa.reader import load
from stoffel.isa.scalars import I8, U64, constant_key
from tests.strategies import programs

CONFORMANCE = sorted((Path(__file__).parents[1] / "conformance" / "programs").glob("*.stflb"))


def test_listing_of_a_program() -> None:
    program = Program(
        [
            Function(
                "count down",
                [
                    Instruction("LDI", 1, 1),
                    Instruction("CMP", 0, 1),
                    Instruction("JMPLT", "done"),
                    Instruction("SUB", 0, 0, 1),
                    Instruction("JMP", "nowhere"),
                ],
                parameters=("n", "rest"),
                parameter_types=(types.integer(64), types.UNKNOWN),
                return_type=types.list_of(types.FLOAT),
                upvalues=("a", "b c"),
                parent="main",
                registers=2,
                labels={"again": 1, "done": 5, "far": 9},
            ),
            Function("empty"),
        ],
        manifest=Manifest(
            "AVSS", "BN254", [Client(3, [ShareType("SecretFixedPoint", 64, 16)])], Demand(randoms=4, dynamic=True)
        ),
        constants=[1, "x"],
        version=8,
    )
    assert disassemble(program) == (
        """\
; 2 functions, 5 instructions
.version 8
.backend AVSS
.curve BN254
.client 3 inputs (SecretFixedPoint(64, 16))
.demand randoms 4 dynamic
.constants (
    1,                                  ; 0
    "x",                                ; 1
)

function "count down"(n: int64, rest) -> list[float]
    .registers 2
    .upvalues (a, "b c")
    .parent main
    .label far 9
    .undefined nowhere
    LDI     r1, 1                       ; 0
again:
    CMP     r0, r1                      ; 1
    JMPLT   done                        ; 2 -> 5
    SUB     r0, r0, r1                  ; 3
    JMP     nowhere                     ; 4
done:
end

function empty()
    .registers 0
end
"""
    )


def test_function_alone_is_listed_like_in_its_program() -> None:
    function = Function("f", [Instruction("RET", 0)], registers=1)
    assert (
        disassemble_function(function)
        == "function f()\n    .registers 1\n    RET     r0                          ; 0\nend\n"
    )


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        (Instruction("NOP"), "NOP"),
        (Instruction("ADD", 0, 1, 2), "ADD r0, r1, r2"),
        (Instruction("LD", 3, 0), "LD r3, sp+0"),
        (Instruction("LD", 3, -2), "LD r3, sp-2"),
        (Instruction("STS", 5, 3), "STS slot5, r3"),
        (Instruction("LDI", 1, I8(-5)), "LDI r1, -5i8"),
        (Instruction("CALL", "Bytes.concat"), "CALL Bytes.concat"),
        (Instruction("CALL", ".x"), 'CALL ".x"'),
        (Instruction("JMP", ""), 'JMP ""'),
    ],
)
def test_instruction_prints_as_assembly(instruction: Instruction, text: str) -> None:
    assert str(instruction) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (U64(7), "7u64"),
        (True, "true"),
        (False, "false"),
        (None, "()"),
        (1.0, "1.0f"),
        (-0.0, "-0.0f"),
        (1e22, "1e+22f"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000001))[0], "nan:0xfff8000000000001"),
        ('é"\\\n\x07\u200b', r'"é\"\\\n\u{7}\u{200b}"'),
    ],
)
def test_constant_prints_as_assembly_and_reads_back(value: object, text: str) -> None:
    assert format_constant(value) == text
    read = assemble(f"function f()\nLDI r0, {text}\nend").functions[0].instructions[0].operands[1]
    assert constant_key(read) == constant_key(value)


def test_constant_that_no_file_can_hold_is_shown_but_not_read() -> None:
    text = disassemble(Program([Function("f", [Instruction("LDI", 0, frozenset())])]))
    assert "LDI     r0, <frozenset>" in text
    with pytest.raises(AssemblyError):
        assemble(text)


def test_lone_surrogate_is_shown_but_not_read() -> None:
    text = disassemble(Program([Function("\ud800")]))
    assert r'function "\u{d800}"()' in text
    with pytest.raises(AssemblyError):
        assemble(text)


@given(programs())
def test_generated_program_comes_back_equal(program: Program) -> None:
    text = disassemble(program)
    again = assemble(text)
    assert again == program
    assert disassemble(again) == text


def test_conformance_programs_are_there() -> None:
    assert len(CONFORMANCE) > 400


@pytest.mark.parametrize("path", CONFORMANCE, ids=lambda path: path.stem)
def test_conformance_program_comes_back_equal(path: Path) -> None:
    program = load(path)
    assert assemble(disassemble(program)) == program
