"""Reading ``.stflb``: layout, check order, every error, limits and memory."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.errors import LoadError
from stoffel.isa import types
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.manifest import Client, Demand, Manifest, ShareType
from stoffel.isa.program import Program
from stoffel.isa.reader import load, read
from stoffel.isa.scalars import I8, I16, I32, U8, U16, U32, U64, constant_key
from stoffel.isa.table import ROWS, OperandKind
from stoffel.isa.writer import write
from tests.isa.raw import NOP, RET0, call, code, file, function, i64, jump, name, u16, u32
from tests.strategies import programs

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "tests/conformance/programs").glob("*.stflb")) + sorted(
    (ROOT / "benchmarks/programs").glob("*.stflb")
)
BAD = b"\xff"
SHARES = b"\x00\x00" + u32(1) + bytes(8)
"""A manifest up to the input count of its only client."""


def failure(data: bytes) -> LoadError:
    with pytest.raises(LoadError) as caught:
        read(data)
    return caught.value


# Errors --------------------------------------------------------------------------------------------------------------

PARSE_ERRORS: list[tuple[bytes, str]] = [
    (b"STFL\x09\x00" + u32(1_000_001), "constant count 1000001 exceeds maximum supported 1000000"),
    (file(pool=(b"\x0c",)), "Unknown value type tag: 12"),
    (file(pool=(b"\x0b" + u32(16_777_217),)), "string length 16777217 exceeds maximum supported 16777216"),
    (file(pool=(b"\x0b" + u32(1) + BAD,)), "Invalid UTF-8 in string"),
    (b"STFL\x09\x00" + u32(0) + u32(1_000_001), "function count 1000001 exceeds maximum supported 1000000"),
    (file(function(BAD)), "Invalid UTF-8 in function name"),
    (file(function(parameters=u16(1) + name(BAD))), "Invalid UTF-8 in parameter name"),
    (
        file(function("it's", parameters=u16(2) + name("a") + name("b"), types=u16(1) + b"\x63")),
        "function 'it's' declares 2 parameter name(s) but 1 parameter type(s)",
    ),
    (file(function(types=u16(0) + b"\x00\x01\x00")), "integer function type bit width must be non-zero"),
    (file(function(types=u16(0) + b"\x0e\x00")), "fixed-point function type bit width must be non-zero"),
    (file(function(types=u16(0) + b"\x09" + name(BAD))), "Invalid UTF-8 in function type object name"),
    (file(function(types=u16(0) + b"\x0a" + name(BAD))), "Invalid UTF-8 in function generic type name"),
    (file(function(types=u16(0) + b"\x0b" + name(BAD))), "Invalid UTF-8 in function type variable name"),
    (file(function(types=u16(0) + b"\x0f")), "unknown function type tag 15"),
    (file(function(upvalues=u16(1) + name(BAD))), "Invalid UTF-8 in upvalue name"),
    (file(function(parent=b"\x02")), "Invalid parent presence flag: 2"),
    (file(function(parent=b"\x01" + name(BAD))), "Invalid UTF-8 in parent function name"),
    (file(function(labels=u16(1) + name(BAD) + u32(0))), "Invalid UTF-8 in label name"),
    (file(function(count=8_000_001)), "instruction count 8000001 exceeds maximum supported 8000000"),
    (file(function(body=b"\x1a", count=1)), "Unknown opcode: 26"),
    *((file(function(body=jump(BAD, op), count=1)), "Invalid UTF-8 in label") for op in (0x0E, 0x0F, 0x10, 0x15, 0x16)),
    (file(function(body=call(BAD), count=1)), "Invalid UTF-8 in function name"),
    (file(manifest=b"\x02"), "unknown MPC backend tag 2 in IO manifest"),
    (file(manifest=b"\x00\x06"), "unknown MPC curve tag 6 in IO manifest"),
    (file(manifest=b"\x00\x00" + u32(1_000_001)), "client IO schema count 1000001 exceeds maximum supported 1000000"),
    (file(manifest=SHARES + u32(1_000_001)), "client IO input count 1000001 exceeds maximum supported 1000000"),
    (
        file(manifest=SHARES + u32(0) + u32(1_000_001)),
        "client IO output count 1000001 exceeds maximum supported 1000000",
    ),
    (file(manifest=SHARES + u32(1) + b"\x03"), "unknown ShareType tag 3 in IO manifest"),
    (
        file(manifest=SHARES + u32(1) + b"\x00" + u32(0)),
        "invalid SecretInt metadata in IO manifest: bit_length must be a positive integer",
    ),
    (
        file(manifest=SHARES + u32(1) + b"\x02" + u32(0)),
        "invalid SecretUInt metadata in IO manifest: bit_length must be a positive integer",
    ),
    (
        file(manifest=SHARES + u32(1) + b"\x01" + u32(0) + u32(5)),
        "invalid SecretFixedPoint metadata in IO manifest: total_bits must be a positive integer",
    ),
    (
        file(manifest=SHARES + u32(1) + b"\x01" + u32(8) + u32(8)),
        "invalid SecretFixedPoint metadata in IO manifest: frac_bits must be less than total_bits",
    ),
    (
        file(function("f", NOP + code(1, 0, 1), 2), pool=(i64(1),)),
        "Function f instruction 1 references constant 1 but constant pool has 1 values",
    ),
    (
        file(function("f", RET0, 1), function("f", NOP, 1)),
        "duplicate function 'f' has conflicting definitions",
    ),
]


@pytest.mark.parametrize(("data", "message"), PARSE_ERRORS, ids=[message for _, message in PARSE_ERRORS])
def test_malformed_data_give_the_message_of_the_format(data: bytes, message: str) -> None:
    error = failure(data)
    assert (error.category, error.message) == ("data", message)
    assert error.offset is not None
    assert error.offset <= len(data)


def test_a_wrong_magic_number_and_an_unknown_version_are_categories_of_their_own() -> None:
    magic = failure(b"STFX" + bytes(100))
    assert (magic.category, magic.offset) == ("magic", 0)
    version = failure(file(version=10))
    assert (version.category, version.message) == ("version", "unsupported version 10; versions 0 to 9 can be read")


def everything(version: int) -> bytes:
    """A file of *version* with every part that it can have."""
    manifest = b""
    if version >= 2:
        manifest = u32(1) + struct.pack("<Q", 7) + u32(2) + b"\x00" + u32(64) + b"\x01" + u32(64) + u32(16)
        manifest += u32(1) + b"\x02" + u32(8)
    if version >= 4:
        manifest = b"\x05" + manifest
    if version >= 3:
        manifest = b"\x01" + manifest
    if version >= 8:
        manifest += struct.pack("<4Q", 1, 2, 3, 4) + b"\x01"
    every_type = b"\x06\x07\x08\x02\x0a" + name("Box") + u16(2) + b"\x09" + name("P") + b"\x0b" + name("T")
    body = b"".join(
        jump("end", row.code)
        if row.operands and row.operands[0].kind.is_name
        else code(row.code, *[0] * len(row.operands))
        for row in ROWS
    )
    record = function(
        "main",
        body,
        len(ROWS),
        registers=300,
        parameters=u16(1) + name("a"),
        types=u16(1) + every_type + b"\x00\x01\x40" if version >= 5 else b"",
        upvalues=u16(1) + name("up"),
        parent=b"\x01" + name("outer"),
        labels=u16(1) + name("end") + u32(len(ROWS)),
    )
    pool = (i64(5), b"\x0b" + u32(2) + "é".encode(), b"\x0a\x01", b"\x00", b"\x09" + bytes(8))
    return file(record, version=version, pool=pool, manifest=manifest)


@pytest.mark.parametrize("version", range(10))
def test_a_file_cut_anywhere_is_an_end_of_file_error(version: int) -> None:
    data = everything(version)
    assert read(data).version == version
    for size in range(len(data)):
        error = failure(data[:size])
        assert (error.category, error.offset) == ("io", size)
        assert error.message.startswith(f"failed to fill whole buffer: the file ends after {size} bytes, ")


def test_the_end_of_file_error_says_which_field_is_cut() -> None:
    assert (
        failure(b"STF").message
        == "failed to fill whole buffer: the file ends after 3 bytes, inside the magic number that begins at byte 0"
    )
    assert (
        failure(b"STFL").message
        == "failed to fill whole buffer: the file ends after 4 bytes, where the version should be"
    )
    assert failure(file(function("main", RET0[:-1], 1), manifest=b"")).message.endswith(
        "inside the instruction that begins at byte 36"
    )


@pytest.mark.parametrize("version", range(10))
def test_each_version_has_the_parts_that_it_has(version: int) -> None:
    program = read(everything(version))
    main = program.functions["main"]
    assert (main.parameters, main.upvalues, main.parent, main.registers, dict(main.labels)) == (
        ("a",),
        ("up",),
        "outer",
        300,
        {"end": len(ROWS)},
    )
    shown = "secret list[dict[string, Box[P, $T]]]" if version >= 5 else "<unknown>"
    assert [str(kind) for kind in main.parameter_types] == [shown]
    assert main.return_type == (types.integer(64) if version >= 5 else types.UNKNOWN)
    client = Client(
        7, [ShareType("SecretInt", 64), ShareType("SecretFixedPoint", 64, 16)], [ShareType("SecretUInt", 8)]
    )
    assert program.manifest == Manifest(
        "AVSS" if version >= 3 else "HoneyBadger",
        "secp256r1" if version >= 4 else "BLS12-381",
        [client] if version >= 2 else [],
        Demand(1, 2, 3, 4, True) if version >= 8 else Demand(),
    )


# Check order ---------------------------------------------------------------------------------------------------------


def test_a_short_file_is_an_end_of_file_error_even_if_its_magic_is_wrong() -> None:
    assert failure(b"XYZ").category == "io"


def test_the_version_is_checked_before_anything_behind_it() -> None:
    assert failure(b"STFL\x0a\x00").category == "version"


def test_a_parse_error_anywhere_comes_before_a_conversion_error() -> None:
    bad_constant = function("f", code(1, 0, 9), 1)
    assert failure(file(bad_constant, function("g", b"\xee", 1))).message == "Unknown opcode: 238"
    assert failure(file(bad_constant, manifest=b"\x07")).message == "unknown MPC backend tag 7 in IO manifest"


def test_conversion_errors_come_function_by_function() -> None:
    one, two = function("f", code(1, 0, 9), 1), function("f", code(1, 0, 8), 1)
    assert failure(file(one, two)).message.startswith("Function f instruction 0 references constant 9")
    good = function("f", RET0, 1)
    assert failure(file(good, two, function("g", code(1, 0, 9), 1))).message.startswith("duplicate function 'f'")


def test_an_unknown_opcode_in_a_long_function_comes_before_the_end_of_the_file() -> None:
    assert failure(file(function("f", NOP * 40_000 + b"\xee", 80_000))).message == "Unknown opcode: 238"
    cut = failure(file(function("f", NOP * 40_000, 80_000), manifest=b""))
    assert (cut.category, cut.offset) == ("io", len(file(function("f", NOP * 40_000, 80_000), manifest=b"")))


def test_a_name_that_was_seen_before_is_still_cut_by_the_end_of_the_file() -> None:
    whole = file(function("f", call("print") + call("print"), 2), manifest=b"")
    assert read(whole + file()[-39:]).functions["f"].instructions[1] == Instruction("CALL", "print")
    assert failure(whole[:-1]).category == "io"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (function("f", RET0, 1), function("f", RET0, 1), True),
        (
            function("f", labels=u16(2) + name("a") + u32(0) + name("b") + u32(1)),
            function("f", labels=u16(2) + name("b") + u32(1) + name("a") + u32(0)),
            True,
        ),
        (function("f", labels=u16(1) + name("a") + u32(0)), function("f", labels=u16(1) + name("a") + u32(1)), False),
        (function("f", registers=1), function("f", registers=2), False),
        (function("f", types=u16(0) + b"\x01"), function("f", types=u16(0) + b"\x02"), False),
        (function("f", parent=b"\x00"), function("f", parent=b"\x01" + name("")), False),
        (function("f", upvalues=u16(1) + name("a")), function("f", upvalues=u16(1) + name("b")), False),
        (function("f", code(1, 0, 0), 1), function("f", code(1, 0, 1), 1), False),
        (function("f", code(1, 0, 0), 1), function("f", code(1, 1, 0), 1), False),
    ],
)
def test_duplicate_functions_are_compared_as_the_format_says(one: bytes, other: bytes, same: bool) -> None:
    data = file(one, other, pool=(i64(1), i64(1)))
    if same:
        program = read(data)
        assert (len(program.records), len(program.functions)) == (2, 1)
        assert write(program) == data
    else:
        assert failure(data).message == "duplicate function 'f' has conflicting definitions"


def test_label_problems_are_left_to_the_registration_of_the_function() -> None:
    data = file(function("f", jump("nowhere"), 1, labels=u16(1) + name("late") + u32(99)))
    assert dict(read(data).functions["f"].labels) == {"late": 99}


# Values --------------------------------------------------------------------------------------------------------------


def test_every_constant_kind_is_read_with_its_type_and_bits() -> None:
    nan = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000001))[0]
    values: list[Any] = [
        None,
        -1,
        I32(-2),
        I16(-3),
        I8(-4),
        U8(255),
        U16(65535),
        U32(7),
        U64(8),
        nan,
        -0.0,
        True,
        "é\0",
    ]
    pool = (
        b"\x00",
        i64(-1),
        b"\x02" + struct.pack("<i", -2),
        b"\x03" + struct.pack("<h", -3),
        b"\x04\xfc",
        b"\x05\xff",
        b"\x06\xff\xff",
        b"\x07" + u32(7),
        b"\x08" + struct.pack("<Q", 8),
        b"\x09" + struct.pack("<Q", 0x7FF0000000000001),
        b"\x09" + struct.pack("<d", -0.0),
        b"\x0a\x02",
        b"\x0b" + u32(3) + "é\0".encode(),
    )
    body = b"".join(code(1, 0, index) for index in range(len(pool)))
    program = read(file(function("f", body, len(pool)), pool=pool))
    loaded = [instruction.operands[1] for instruction in program.functions["f"].instructions]
    assert list(map(constant_key, loaded)) == list(map(constant_key, values))
    assert list(map(constant_key, program.constants)) == list(map(constant_key, values))


def test_every_row_of_the_table_is_decoded_operand_by_operand() -> None:
    words = {0: 11, 1: 12, 2: 13}
    for row in ROWS:
        if row.operands and row.operands[0].kind.is_name:
            raw, expected = jump("x", row.code), Instruction(row.name, "x")
        else:
            raw = code(row.code, *[words[at] for at in range(len(row.operands))])
            values = [
                "twelve" if operand.kind is OperandKind.CONSTANT else words[at]
                for at, operand in enumerate(row.operands)
            ]
            expected = Instruction(row.name, *values)
        pool = (b"\x00",) * 12 + (b"\x0b" + u32(6) + b"twelve",)
        assert list(read(file(function("f", raw, 1), pool=pool)).functions["f"].instructions) == [expected]


def test_an_argument_stack_offset_is_signed() -> None:
    program = read(file(function("f", code(0, 1, 0xFFFFFFFF), 1)))
    assert program.functions["f"].instructions[0] == Instruction("LD", 1, -1)


def test_a_repeated_label_keeps_its_last_place() -> None:
    program = read(file(function("f", labels=u16(2) + name("x") + u32(9) + name("x") + u32(0))))
    assert dict(program.functions["f"].labels) == {"x": 0}


def test_a_64_bit_fixed_point_type_is_one_type_however_it_is_written() -> None:
    program = read(file(function("f", types=u16(0) + b"\x0e\x40")))
    assert program.functions["f"].return_type == types.fixed(64)


def test_bytes_behind_the_program_are_ignored() -> None:
    assert read(file() + b"trailing") == read(file())


@pytest.mark.parametrize("tag", [b"\x06", b"\x07", b"\x08\x0c", b"\x0a\x00\x00\x01\x00"])
def test_types_may_be_nested_to_the_limit_and_no_deeper(tag: bytes) -> None:
    assert read(file(function(types=u16(0) + tag * 199 + b"\x0c"))).functions["main"].return_type.depth == 200
    deep = failure(file(function(types=u16(0) + tag * 200 + b"\x0c")))
    assert (deep.category, deep.message) == ("data", "function type nesting exceeds maximum supported depth 200")
    assert failure(file(function(types=u16(0) + tag * 1_000_000))).category == "data"


# The view over encoded instructions ----------------------------------------------------------------------------------


def view(body: bytes, count: int) -> Any:
    return read(file(function("f", body, count), pool=(i64(7),))).functions["f"].instructions


def test_encoded_instructions_are_a_sequence() -> None:
    items = view(NOP + RET0 + NOP, 3)
    nop, ret = Instruction("NOP"), Instruction("RET", 0)
    assert (len(items), list(items), items[1], items[-1], items[0:2]) == (3, [nop, ret, nop], ret, nop, (nop, ret))
    assert items == (nop, ret, nop)
    assert (nop, ret, nop) == items
    assert items != (nop, ret)
    assert items != "NRN"
    assert list(reversed(items)) == [nop, ret, nop]
    assert (items.index(ret), items.count(nop)) == (1, 2)
    for index in (3, -4):
        with pytest.raises(IndexError):
            items[index]


def test_equal_instructions_are_one_object() -> None:
    items = view(RET0 * 2, 2)
    assert items[0] is items[1]


def test_views_over_different_pools_compare_by_value() -> None:
    record = function("f", code(1, 0, 0), 1)
    seven, eight = read(file(record, pool=(i64(7),))), read(file(record, pool=(i64(8),)))
    moved = read(file(function("f", code(1, 0, 1), 1), pool=(i64(8), i64(7))))
    assert seven.functions["f"] == moved.functions["f"]
    assert seven.functions["f"] != eight.functions["f"]
    assert seven == read(file(record, pool=(i64(7),)))


def test_the_highest_register_is_that_of_register_operands_only() -> None:
    assert view(NOP, 1).highest_register() == -1
    assert view(code(0x18, 1, 500) + code(0x19, 600, 2) + code(0, 0, 700), 3).highest_register() == 2
    assert view(code(3, 1, 2, 9) + code(1, 8, 0) + code(0x14, 3, 4), 3).highest_register() == 9
    assert view(code(0x12, 0xFFFFFFFF), 1).highest_register() == 0xFFFFFFFF
    for row in ROWS:
        registers = [at for at, operand in enumerate(row.operands) if operand.kind.is_register]
        for at in registers:
            words = [0] * len(row.operands)
            words[at] = 41
            assert view(code(row.code, *words), 1).highest_register() == 41


def test_jump_labels_are_listed_once_by_first_use() -> None:
    items = view(jump("b") + call("f") + jump("a", 0x15) + jump("b", 0x16), 4)
    assert items.jump_labels() == ("b", "a")


def test_the_first_of_very_many_labels_are_kept() -> None:
    body = b"".join(jump(f"{index}") for index in range(70_000))
    labels = view(body, 70_000).jump_labels()
    assert labels == tuple(map(str, range(65_536)))
    assert failure(file(function("f", body + jump(BAD), 70_001))).message == "Invalid UTF-8 in label"


def test_more_distinct_instructions_than_are_shared_decode_all_the_same() -> None:
    count = 40_000
    items = view(b"".join(code(2, index, index + 1) for index in range(count)), count)
    assert [item.operands[0] for item in items] == list(range(count))
    assert items.highest_register() == count


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROGRAMS, ids=[path.name for path in PROGRAMS])
def test_a_compiled_program_is_written_back_byte_for_byte(path: Path) -> None:
    program = load(path)
    assert write(program) == path.read_bytes()
    # The same through decoded instructions, which the writer has to encode.
    decoded = Program(
        [
            Function(
                item.name,
                list(item.instructions),
                parameters=item.parameters,
                upvalues=item.upvalues,
                registers=item.registers,
                labels=item.labels,
                parent=item.parent,
                parameter_types=item.parameter_types,
                return_type=item.return_type,
            )
            for item in program.records
        ],
        constants=program.constants,
        manifest=program.manifest,
        version=program.version,
    )
    assert decoded == program
    if len(set(map(constant_key, program.constants))) == len(program.constants):
        assert write(decoded) == path.read_bytes()


def test_there_are_compiled_programs_to_read() -> None:
    assert len(PROGRAMS) >= 490


def test_bytes_and_paths_of_all_kinds_are_loaded(tmp_path: Path) -> None:
    data = file(function("main", RET0, 1))
    path = tmp_path / "p.stflb"
    path.write_bytes(data)
    expected = read(data)
    for source in (data, bytearray(data), memoryview(data), str(path), path):
        assert load(source) == expected


def test_what_was_loaded_from_a_bytearray_does_not_change_with_it() -> None:
    data = bytearray(file(function("main", RET0, 1)))
    program = load(data)
    data[:] = bytes(len(data))
    assert list(program.functions["main"].instructions) == [Instruction("RET", 0)]


def test_files_that_cannot_be_read_are_named_in_one_line(tmp_path: Path) -> None:
    def message(path: str | Path) -> str:
        with pytest.raises(LoadError) as caught:
            load(path)
        assert caught.value.category == "io"
        assert "\n" not in str(caught.value)
        return str(caught.value)

    missing = tmp_path / "missing.stflb"
    assert message(missing) == f"{missing}: cannot read the file: No such file or directory"
    assert message(tmp_path) == f"{tmp_path}: cannot read the file: Is a directory"
    assert message("a" * 5000).endswith("cannot read the file: File name too long")
    assert message("a\0b") == "'a\\x00b': cannot read the file: embedded null byte"
    assert message("a\nb").startswith("'a\\nb': cannot read")
    assert message("\ud800").startswith("'\\ud800': cannot read")
    assert message(missing / "x").endswith("No such file or directory")
    (tmp_path / "file").write_bytes(b"")
    assert message(tmp_path / "file" / "x").endswith("Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_io_error(tmp_path: Path) -> None:
    path = tmp_path / "p.stflb"
    path.write_bytes(file())
    path.chmod(0)
    with pytest.raises(LoadError, match="cannot read the file: Permission denied"):
        load(path)


def test_errors_in_a_file_name_it(tmp_path: Path) -> None:
    path = tmp_path / "p.stflb"
    path.write_bytes(file(pool=(b"\x0c",)))
    with pytest.raises(LoadError) as caught:
        load(path)
    assert (str(caught.value), caught.value.message, caught.value.path, caught.value.offset) == (
        f"{path}: Unknown value type tag: 12",
        "Unknown value type tag: 12",
        str(path),
        10,
    )


def test_an_endless_file_that_is_no_program_is_refused_at_once() -> None:
    with pytest.raises(LoadError) as caught:
        load("/dev/zero")
    assert caught.value.category == "magic"


# Hostile input and size ----------------------------------------------------------------------------------------------


@given(st.binary(max_size=200), programs(), st.data())
def test_no_exception_but_load_error_escapes(noise: bytes, program: Program, data: st.DataObject) -> None:
    good = write(program)
    at = data.draw(st.integers(0, len(good)))
    for bad in (noise, b"STFL" + noise, good[:at] + noise + good[at:], good[:at] + noise):
        try:
            found = read(bad)
        except LoadError:
            continue
        assert read(write(found)) == found


@pytest.mark.parametrize(
    "data",
    [
        b"STFL\x09\x00" + u32(1_000_000),
        b"STFL\x09\x00" + u32(0) + u32(1_000_000),
        b"STFL\x09\x00" + u32(1) + b"\x0b" + u32(16_777_216),
        file(function("f", NOP, 8_000_000), manifest=b""),
        file(function("f", parameters=u16(65_535)), manifest=b""),
        file(manifest=b"\x00\x00" + u32(1_000_000)),
    ],
)
def test_a_huge_count_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        failure(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_long_function_takes_a_small_multiple_of_its_file() -> None:
    body = (code(3, 1, 2, 3) + code(1, 4, 0) + call("print") + jump("x", 0x0F) + NOP) * 60_000
    data = file(function("f", body, 300_000, labels=u16(1) + name("x") + u32(0)), pool=(i64(1),))
    tracemalloc.start()
    try:
        program = read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(program.functions["f"].instructions) == 300_000
    assert peak < 3 * len(data) + 4_000_000  # the offsets, and one chunk of operands


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("functions", file(*[function(f"{index:x}") for index in range(20_000)])),
        ("equal functions", file(*[function("f")] * 20_000)),
        ("types", file(function(types=u16(0) + b"\x0a\x00\x00" + u16(60_000) + b"\x06\x00\x01\x08" * 60_000))),
        ("labels", file(function(labels=u16(60_000) + b"".join(name(f"{n:x}") + u32(n) for n in range(60_000))))),
        ("calls", file(function("f", b"".join(call(f"{n:x}") for n in range(100_000)), 100_000))),
        ("shares", file(manifest=SHARES + u32(100_000) + (b"\x00" + u32(1)) * 100_000 + u32(0) + bytes(33))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_memory_is_a_small_multiple_of_the_file_whatever_it_is_full_of(what: str, data: bytes) -> None:
    tracemalloc.start()
    try:
        program = read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert write(program) == data
    assert peak < 32 * len(data) + 5_000_000, what
