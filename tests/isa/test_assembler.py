"""Text assembly to programs: every form of the language, and every mistake with its place and what was expected."""

# ruff: noqa: E501 (tables of mistakes read best with one entry a line)

from __future__ import annotations

import math
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.errors import AssemblyError
from stoffel.isa import types
from stoffel.isa.assembler import assemble
from stoffel.isa.disassembler import disassemble
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.lexer import _TOKEN, FINISH, NEWLINE, WORD, Lexer
from stoffel.isa.manifest import Client, Demand, Manifest, ShareType
from stoffel.isa.program import Program
from stoffel.isa.scalars import I8, I16, I32, U8, U16, U32, U64, constant_key
from stoffel.isa.table import ROWS, OperandKind


def function(text: str) -> Function:
    """Return the only function of *text*."""
    return assemble(text).functions[0]


def body(*lines: str) -> Function:
    """Return a function with these lines."""
    return function("\n".join(("function f()", *lines, "end")))


def mistake(text: str | bytes) -> tuple[int, int, str]:
    """Return line, column and message of the error of *text*."""
    with pytest.raises(AssemblyError) as caught:
        assemble(text, path="file.stfasm")
    error = caught.value
    assert str(error) == f"file.stfasm:{error.line}:{error.column}: {error.message}"
    return error.line, error.column, error.message


# Programs and functions ----------------------------------------------------------------------------------------------


def test_empty_text_is_a_program_without_functions() -> None:
    assert assemble("") == Program([])


def test_comments_blank_lines_tabs_carriage_returns_and_a_byte_order_mark_mean_nothing() -> None:
    text = '\ufeff; comment\r\n\r\n\tfunction f ( ) ; "not a string\r\n\r\n\t\tRET\tr0;x\r\nend ; done'
    assert assemble(text) == Program([Function("f", [Instruction("RET", 0)], registers=1)])


@pytest.mark.parametrize("blank", ["\n", ";\n", " ; x\n"])
def test_blank_lines_are_one_line_break_however_many_there_are(blank: str) -> None:
    lexer = Lexer(f"\n{blank * 12345} end", "")
    kinds = []
    while lexer.kind != FINISH:
        lexer.advance()
        kinds.append(lexer.kind)
    assert kinds == [NEWLINE, WORD, FINISH]


def test_tokens_do_not_need_what_early_releases_of_python_3_11_match_wrongly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    re.compile(_TOKEN.pattern, re.DEBUG)
    parsed = capsys.readouterr().out
    assert "MAX_REPEAT" in parsed
    assert "POSSESSIVE" not in parsed
    assert "ATOMIC" not in parsed


def test_bytes_are_read_as_utf_8() -> None:
    assert assemble('function "é"()\nend'.encode()).functions[0].name == "é"


def test_function_with_everything() -> None:
    text = """
        .version 5
        function fib(n: int64, other, "odd name": list[dict[string, secret uint8]]) -> <unknown>
            .registers 6
            .upvalues (a, "b c")
            .parent "main 2"
            JMP end
        start: "another one":
            RET r5
        end:
        end
    """
    expected = Function(
        "fib",
        [Instruction("JMP", "end"), Instruction("RET", 5)],
        parameters=("n", "other", "odd name"),
        parameter_types=(
            types.integer(64),
            types.UNKNOWN,
            types.list_of(types.dict_of(types.STRING, types.secret(types.integer(8, signed=False)))),
        ),
        registers=6,
        upvalues=("a", "b c"),
        parent="main 2",
        labels={"start": 1, "another one": 1, "end": 2},
    )
    assert assemble(text) == Program([expected], version=5)


def test_result_type_ends_with_the_line() -> None:
    assert function("function f() -> dict[string, Point] ; a comment\nend").return_type == types.dict_of(
        types.STRING, types.object_type("Point")
    )


def test_lists_may_span_lines_and_end_with_a_comma() -> None:
    text = "function f(\n  a, ; first\n  b: float,\n)\n .upvalues (\n)\nend"
    assert function(text).parameters == ("a", "b")


@pytest.mark.parametrize(
    ("lines", "registers"),
    [([], 0), (["RET r6"], 7), (["STS slot9, r2"], 3), (["RET r70000"], 65535), ([".registers 2", "RET r6"], 2)],
)
def test_missing_register_count_is_counted(lines: list[str], registers: int) -> None:
    assert body(*lines).registers == registers


def test_parameters_count_as_registers() -> None:
    assert function("function f(a, b, c)\nend").registers == 3


def test_keywords_are_free_as_names() -> None:
    text = "function end(end, function)\nend: function: add: JMP end\nr0: CALL function\nJMP r0\nend"
    expected = Function(
        "end",
        [Instruction("JMP", "end"), Instruction("CALL", "function"), Instruction("JMP", "r0")],
        parameters=("end", "function"),
        registers=2,
        labels={"end": 0, "function": 0, "add": 0, "r0": 1},
    )
    assert function(text) == expected


def test_identical_function_may_stand_twice() -> None:
    program = assemble("function f()\nRET r0\nend\n" * 2)
    assert (len(program.records), len(program.functions)) == (2, 1)


def test_labels_may_point_past_the_end_or_be_declared_missing() -> None:
    made = body(".label far 99", ".undefined nowhere", "JMP nowhere")
    assert (dict(made.labels), made.instructions[0]) == ({"far": 99}, Instruction("JMP", "nowhere"))


def test_constant_pool_may_be_given() -> None:
    program = assemble('.constants (5, 5u8, 5, "x", (), nan,)\nfunction f()\nLDI r0, 5\nend')
    assert list(map(constant_key, program.constants)) == list(map(constant_key, (5, U8(5), 5, "x", None, math.nan)))


def test_constants_that_the_given_pool_lacks_are_added() -> None:
    program = assemble(".constants (5)\nfunction f()\nLDI r0, 5u8\nLDI r0, 5\nend")
    assert list(map(constant_key, program.constants)) == list(map(constant_key, (5, U8(5))))


def test_manifest_may_be_given() -> None:
    text = """
        .backend AVSS
        .curve "BLS12-381"
        .client 3 inputs (SecretInt(64), SecretFixedPoint(64, 16)) outputs (SecretUInt(1))
        .client 18446744073709551615
        .demand triples 5 prandints 18446744073709551615 dynamic
    """
    clients = (
        Client(3, (ShareType("SecretInt", 64), ShareType("SecretFixedPoint", 64, 16)), (ShareType("SecretUInt", 1),)),
        Client((1 << 64) - 1),
    )
    demand = Demand(triples=5, prandints=(1 << 64) - 1, dynamic=True)
    assert assemble(text).manifest == Manifest("AVSS", "BLS12-381", clients, demand)


# Instructions and operands -------------------------------------------------------------------------------------------

SAMPLES = {
    OperandKind.TARGET: ("r1", 1),
    OperandKind.SOURCE: ("r4294967295", 4294967295),
    OperandKind.OFFSET: ("sp-3", -3),
    OperandKind.CONSTANT: ("7u16", U16(7)),
    OperandKind.SLOT: ("slot12", 12),
    OperandKind.LABEL: ("here", "here"),
    OperandKind.FUNCTION: ("Bytes.concat", "Bytes.concat"),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_every_instruction_is_read_in_either_case(row, change) -> None:
    texts = [SAMPLES[operand.kind][0] for operand in row.operands]
    made = body("here:", f"{change(row.name)} {', '.join(texts)}")
    assert made.instructions[0] == Instruction(row.name, *(SAMPLES[operand.kind][1] for operand in row.operands))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("+5", 5),
        ("-0", 0),
        ("1_000_000", 1000000),
        ("0xff", 255),
        ("0XfF_00u32", U32(0xFF00)),
        ("-0b101i8", I8(-5)),
        ("9223372036854775807", 9223372036854775807),
        ("-9223372036854775808i64", -9223372036854775808),
        ("-3i32", I32(-3)),
        ("-32768i16", I16(-32768)),
        ("255u8", U8(255)),
        ("65535u16", U16(65535)),
        ("18446744073709551615u64", U64(18446744073709551615)),
        ("1.5f", 1.5),
        ("1.5", 1.5),
        ("1f", 1.0),
        ("1e21", 1e21),
        ("-2.5E-10f", -2.5e-10),
        ("1e+5", 1e5),
        ("-0.0", -0.0),
        ("0.0", 0.0),
        ("5e-324", 5e-324),
        ("inf", math.inf),
        ("+inf", math.inf),
        ("-inf", -math.inf),
        ("true", True),
        ("false", False),
        ("()", None),
        ("( )", None),
        ('""', ""),
        ('"a;b # c"', "a;b # c"),
        (r'"\n\r\t\0\"\\\u{41}\u{1F600}"', '\n\r\t\0"\\A\U0001f600'),
        ('"tab\tis fine, é→😀 too"', "tab\tis fine, é→😀 too"),
    ],
)
def test_constants(text: str, value: object) -> None:
    assert constant_key(body(f"LDI r0, {text}").instructions[0].operands[1]) == constant_key(value)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("nan", 0x7FF8000000000000),
        ("nan:0x7ff8000000000001", 0x7FF8000000000001),
        ("nan:0xFFF0000000000001", 0xFFF0000000000001),
    ],
)
def test_nan_payloads(text: str, bits: int) -> None:
    value = body(f"LDI r0, {text}").instructions[0].operands[1]
    assert struct.unpack("<Q", struct.pack("<d", value)) == (bits,)


@pytest.mark.parametrize(
    ("text", "offset"),
    [("sp-1", -1), ("sp+0", 0), ("SP - 1", None), ("sp+2147483647", 2147483647), ("sp-2147483648", -2147483648)],
)
def test_stack_offsets(text: str, offset: int | None) -> None:
    if offset is None:
        assert mistake(f"function f()\nLD r0, {text}\nend")[2] == "unexpected character '-'"
    else:
        assert body(f"LD r0, {text}").instructions[0].operands[1] == offset


def test_names_may_be_any_string() -> None:
    made = body(r'"": "new\nline": CALL "größe ☃"', 'JMP ""', r'JMPEQ "new\nline"')
    assert (dict(made.labels), made.instructions[0].operands) == ({"": 0, "new\nline": 0}, ("größe ☃",))


def test_repeated_lines_are_read_like_the_first_one() -> None:
    lines = ["ADD r1, r2, r3 ; a", "  ADD r1, r2, r3", 'LDI r0, "a;b" ; c', 'LDI r0, "a;c"', "x: NOP", "NOP", "JMP x"]
    made = body(*lines, *lines[:4], *lines[5:])
    first = [Instruction("ADD", 1, 2, 3)] * 2 + [Instruction("LDI", 0, "a;b"), Instruction("LDI", 0, "a;c")]
    rest = [Instruction("NOP"), Instruction("JMP", "x")]
    assert list(made.instructions) == [*first, Instruction("NOP"), *rest, *first, *rest]


def test_jump_on_a_repeated_line_in_another_function_is_checked_again() -> None:
    text = "function f()\nx:\nNOP\nJMP x\nend\nfunction g()\nNOP\nJMP x\nend"
    assert mistake(text)[:2] == (8, 5)


# Mistakes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("ADD r0, x, r1", 9, "expected a register such as r0, found 'x'"),
        ("ADD r0, r1", 11, "expected ',' and then a register such as r0, as in 'ADD r0, r1, r1', found the end of the line"),
        ("ADD r0 r1, r2", 8, "expected ',' and then a register such as r0, as in 'ADD r0, r1, r1', found 'r1'"),
        ("NOP r1", 5, "expected the end of the line after 'NOP', found 'r1'"),
        ("RET", 4, "expected a register such as r0, found the end of the line"),
        ("RET 5", 5, "expected a register such as r0, found '5'"),
        ("RET r", 5, "expected a register such as r0, found 'r'"),
        ("RET r1x", 5, "expected a register such as r0, found 'r1x'"),
        ("RET r٣", 5, "expected a register such as r0, found 'r٣'"),
        ("RET r4294967296", 5, "expected a register from r0 to r4294967295, found 'r4294967296'"),
        ("RET r99999999999999", 5, "expected a register from r0 to r4294967295, found 'r99999999999999'"),
        ("STS r1, slot0", 5, "expected a spill slot such as slot0, found 'r1'"),
        ("LDS r1, slot4294967296", 9, "expected a spill slot from slot0 to slot4294967295, found 'slot4294967296'"),
        ("LD r1, 5", 8, "expected an argument stack offset such as sp-1 or sp+0, found '5'"),
        ("LD r1, sp", 10, "expected a signed number after 'sp', as in sp-1, found the end of the line"),
        ("LD r1, sp+2147483648", 10, "expected an offset from sp-2147483648 to sp+2147483647, found '+2147483648'"),
        ("LDI r1", 7, "expected ',' and then a constant such as 5, 5u8, 1.5f, true, \"text\" or (), as in 'LDI r0, 5', found the end of the line"),
        ("LDI r1, unit", 9, "expected a constant such as 5, 5u8, 1.5f, true, \"text\" or (), found 'unit'"),
        ("LDI r1, (5)", 10, "expected ')' of the Unit constant '()', found '5'"),
        ("LDI r1, 256u8", 9, "256 does not fit U8 (0 to 255)"),
        ("LDI r1, -1u64", 9, "-1 does not fit U64 (0 to 18446744073709551615)"),
        ("LDI r1, 9223372036854775808", 9, "9223372036854775808 does not fit I64 (-9223372036854775808 to 9223372036854775807)"),
        ("LDI r1, 1e999", 9, "1e999 is beyond the largest float; infinity is written inf"),
        ("LDI r1, nan:0x1", 9, "nan:0x1 does not give the bits of a NaN"),
        ("LDI r1, 1__0", 9, "malformed number 1__0; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 1_", 9, "malformed number 1_; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 1_.5", 9, "malformed number 1_.5; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 1._5", 9, "malformed number 1._5; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 1.", 9, "malformed number 1.; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 0x", 9, "malformed number 0x; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 0b12", 9, "malformed number 0b12; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 5u7", 9, "malformed number 5u7; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 1.5u8", 9, "malformed number 1.5u8; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 5F", 9, "malformed number 5F; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 1e", 9, "malformed number 1e; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, nan:0x", 9, "malformed number nan:0x; expected one such as 5, 0xff, -3i32, 7u64, 1.5f, 1e21, inf or nan:0x7ff8000000000000 (suffixes: i64, i32, i16, i8, u8, u16, u32, u64, f)"),
        ("LDI r1, 'x'", 9, "unexpected character '''"),
        ('LDI r1, "abc', 9, 'this string has no closing quote (a line break inside is written "\\n")'),
        (r'LDI r1, "a\qc"', 11, 'unknown escape; expected one of \\n, \\r, \\t, \\0, \\", \\\\ or \\u{hexadecimal}'),
        (r'LDI r1, "\u{d800}"', 10, "\\u{d800} is not a Unicode character"),
        (r'LDI r1, "\u{110000}"', 10, "\\u{110000} is not a Unicode character"),
        ('LDI r1, "\x01"', 10, "this character must be written as an escape: \\u{1}"),
        ("CALL 5", 6, "expected a function name (quoted if it is not a plain word), found '5'"),
        ("JMP", 4, "expected a label (quoted if it is not a plain word), found the end of the line"),
        ("JMP nowhere", 5, "unknown label nowhere; expected one that the function defines"),
        ("loop: JMP lop", 11, "unknown label lop (did you mean loop?); expected one that the function defines"),
        ("a: a: NOP", 4, "label a is defined a second time; expected a name other than that in line 2"),
        (".label a 0\na: NOP", 1, "label a is defined a second time; expected a name other than that in line 2"),
        ("ADDD r0, r0, r0", 1, "expected an instruction, a label and ':', or 'end', found 'ADDD' (did you mean ADD?)"),
        ("florble", 1, "expected an instruction, a label and ':', or 'end', found 'florble'"),
        ('"ADD" r0', 1, "expected an instruction, a label and ':', or 'end', found '\"ADD\"'"),
        ("5", 1, "expected an instruction, a label and ':', a directive or 'end', found '5'"),
        ("end end", 5, "expected the end of the line, found 'end'"),
        ("function g()", 1, "expected 'end' of the function begun in line 1, found 'function'"),
        (".registers", 11, "expected a register count from 0 to 65535, found the end of the line"),
        (".registers 65536", 12, "expected a register count from 0 to 65535, found '65536'"),
        (".register 5", 1, "unknown directive '.register' in a function (did you mean .registers?); expected one of .registers, .upvalues, .parent, .label, .undefined"),
        (".parent a\n.parent b", 9, ".parent is given a second time; expected at most one"),
        (".upvalues a", 11, "expected '(', found 'a'"),
        (".upvalues (a b)", 14, "expected ',' or ')', found 'b'"),
        ("\0", 1, "unexpected character '\\0'"),
        ("NOP # no", 5, "unexpected character '#'"),
        ("\u2028", 1, "unexpected character '\\u{2028}'"),
    ],
)  # fmt: skip
def test_mistake_in_a_function_is_reported_where_it_is(line: str, column: int, message: str) -> None:
    assert mistake(f"function f()\n{line}\nend") == (2 + line.count("\n"), column, message)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hello", (1, 1, "expected 'function' or one of .version, .constants, .backend, .curve, .client, .demand, found 'hello'")),
        ("function", (1, 9, "expected a function name (quoted if it is not a plain word), found the end of the file")),
        ("function f", (1, 11, "expected '(', found the end of the file")),
        ("function f()", (1, 13, "expected 'end' of the function begun in line 1, found the end of the file")),
        ("function f(a: )", (1, 15, "expected a type, found ')'")),
        ("function f(a: list[int8)", (1, 24, "expected ',' or ']' after an inner type, found ')'")),
        ("function f(a: int256)\nend", (1, 15, "int256: the bit width must be 1 to 255, without leading zeros")),
        (r'function f(a: "\u{d800}")' + "\nend", (1, 14, "a name in this type has an escape that is not a Unicode character")),
        (".version 10", (1, 10, "expected a format version from 0 to 9, found '10'")),
        (".version 9\n.version 9", (2, 10, ".version is given a second time; expected at most one")),
        (".curve p256", (1, 8, 'expected one of "BLS12-381", BN254, Curve25519, Ed25519, secp256k1, secp256r1, found \'p256\'')),
        (".client 1 inputs (SecretInt(0))", (1, 19, "invalid SecretInt metadata in IO manifest: bit_length must be a positive integer")),
        (".client 1 inputs (Int(0))", (1, 19, "expected a share type (SecretInt, SecretFixedPoint, SecretUInt), found 'Int'")),
        (".client 1 inputs () inputs ()", (1, 21, "expected 'inputs' or 'outputs', each at most once, found 'inputs'")),
        (".demand triples 1 triples 2", (1, 19, "expected one of triples, randoms, prandbits, prandints, dynamic, each at most once, found 'triples'")),
        (
            "function f()\nNOP\nend\nfunction f()\nend",
            (4, 1, "duplicate function f has conflicting definitions; expected another name, or the same as in line 1"),
        ),
        ("\ufeff?", (1, 1, "unexpected character '?'")),
        (b"; \xc3\xa9\n  \xc3\xa9\xff", (2, 4, "byte 0xff is not UTF-8 text")),
        ('; fine\n"\ud800"', (2, 2, "the text holds a lone surrogate, \\u{d800}")),
    ],
)  # fmt: skip
def test_mistake_outside_a_function_is_reported_where_it_is(text: str | bytes, place: tuple[int, int, str]) -> None:
    assert mistake(text) == place


def test_text_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="assembly must be a str or bytes, not int"):
        assemble(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 3_000_000,
        "(" * 3_000_000,
        "\0" * 3_000_000,
        "\n" * 3_000_000 + "?",
        " " * 3_000_000 + "?",
        " \n;\n" * 1_000_000 + "?",
        "function f()\n" + "a: " * 100_000 + "!",
        "function f()\n" + "a" * 3_000_000 + " r0\nend",
        "function f(a: " + "list[" * 1_000_000,
        "function f(a: " + "secret " * 1_000_000,
        'function f(a: "' + "x" * 3_000_000,
        "function f()\nLDI r0, " + "9" * 3_000_000 + "\nend",
        "function f()\nLDI r0, " + "9" * 1100 + "\nend",
        "function f()\nLDI r0, 1e" + "9" * 1100 + "\nend",
        "function f()\nLDI r0, nan:0x" + "f" * 1100 + "\nend",
        "function f()\nRET r" + "9" * 3_000_000 + "\nend",
        "function f()\nLD r0, sp-" + "9" * 3_000_000 + "\nend",
        ".registers " + "9" * 3_000_000,
        ".version " + "9" * 3_000_000,
        ".client " + "9" * 3_000_000,
        'function f()\nLDI r0, "' + "\\n" * 1_000_000,
        'function f()\nLDI r0, "' + '\\"' * 1_000_000,
        "function f()\n" + "NOP\n" * 200_000,
        "function f()\n" + "JMP x\n" * 200_000 + "end",
        "function f()\n" + "".join(f"x{n}:\n" for n in range(50_000)) + "JMP y\nend",
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_hostile_text_is_an_assembly_error(text: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble(text)
    assert len(str(caught.value)) < 400


PIECES = [
    *'\n ;:,()[]"\\.-+\t\0é',
    "function f(",
    ")\n",
    "end\n",
    "a: ",
    "RET r0",
    "LDI r1, ",
    "0x",
    "1_",
    "nan:0x",
    "\\u{",
    ".label x 0",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=30).map("".join))
def test_junk_is_a_program_or_an_assembly_error_with_a_place(text: str) -> None:
    try:
        program = assemble(text)
    except AssemblyError as error:
        place = (error.line, error.column)
        inside = 1 <= error.line <= text.count("\n") + 1
    else:
        place = (1, 1)
        inside = assemble(disassemble(program)) == program
    assert (inside, min(place) >= 1) == (True, True)
