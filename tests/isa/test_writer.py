"""Writing ``.stflb``: round trips, every error, and saving all or nothing."""

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.errors import SaveError
from stoffel.isa import types, writer
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.manifest import Client, Demand, Manifest, ShareType
from stoffel.isa.program import Program
from stoffel.isa.reader import load, read
from stoffel.isa.scalars import constant_key
from stoffel.isa.table import ROWS
from stoffel.isa.writer import save, write
from stoffel.model.values import new_object
from tests.isa.raw import RET0, code, file, function, i64, u16, u32
from tests.strategies import programs

LONG = "x" * 65_536
MANY = 65_536
BIG = 1 << 32

# Round trips ---------------------------------------------------------------------------------------------------------


@given(programs())
def test_what_is_written_reads_back_equal_and_is_written_again_the_same(program: Program) -> None:
    data = write(program)
    found = read(data)
    assert found == program
    assert write(found) == data


@given(programs(), st.integers(0, 9))
def test_another_version_keeps_all_that_it_can_hold(program: Program, version: int) -> None:
    found = read(write(program, version=version))
    assert found.version == version
    assert list(map(constant_key, found.constants)) == list(map(constant_key, program.constants))
    for mine, theirs in zip(found.records, program.records, strict=True):
        kept = version >= 5
        assert mine == Function(
            theirs.name,
            theirs.instructions,
            parameters=theirs.parameters,
            upvalues=theirs.upvalues,
            registers=theirs.registers,
            labels=theirs.labels,
            parent=theirs.parent,
            parameter_types=theirs.parameter_types if kept else None,
            return_type=theirs.return_type if kept else None,
        )
    old = program.manifest
    assert found.manifest == Manifest(
        old.backend if version >= 3 else "HoneyBadger",
        old.curve if version >= 4 else "BLS12-381",
        old.clients if version >= 2 else (),
        old.demand if version >= 8 else Demand(),
    )


@pytest.mark.parametrize(("version", "size"), [(0, 14), (1, 14), (2, 18), (3, 19), (4, 20), (7, 20), (8, 53), (9, 53)])
def test_the_empty_program_has_the_size_of_its_version(version: int, size: int) -> None:
    assert len(write(Program([], version=version))) == size


def test_a_function_is_written_field_by_field() -> None:
    program = Program([Function("main", [Instruction("LDI", 2, 7), Instruction("RET", 0)], registers=3)])
    assert write(program) == file(function("main", code(1, 2, 0) + RET0, 2, registers=3), pool=(i64(7),))


def test_constants_are_pooled_by_first_appearance_and_told_apart_by_kind_and_bits() -> None:
    values: list[Any] = [1, True, 1.0, "1", None, 0.0, -0.0, 1, 1.0]
    program = Program([Function("f", [Instruction("LDI", 0, value) for value in values])])
    assert list(map(constant_key, program.constants)) == list(map(constant_key, values[:7]))
    assert read(write(program)) == program


def test_a_pool_of_ones_own_keeps_its_order_and_gets_what_it_lacks() -> None:
    program = Program([Function("f", [Instruction("LDI", 0, 5)])], constants=[9, 9, True])
    assert program.constants == (9, 9, True, 5)
    assert write(program) == file(function("f", code(1, 0, 3), 1), pool=(i64(9), i64(9), b"\x0a\x01", i64(5)))


def test_the_constant_index_in_a_file_is_kept_even_if_the_pool_has_duplicates() -> None:
    data = file(function("f", code(1, 0, 1), 1), pool=(i64(5), i64(5)))
    assert write(read(data)) == data


def test_functions_of_one_file_may_go_into_another_program() -> None:
    one = read(file(function("f", code(1, 0, 1), 1), pool=(i64(1), i64(5))))
    other = Program([*one.functions, Function("g", [Instruction("LDI", 0, 6)])])
    assert other.constants == (5, 6)
    assert read(write(other)) == other


# Errors --------------------------------------------------------------------------------------------------------------


def of(function_: Function, **rest: Any) -> Program:
    return Program([function_], **rest)


def one(name: str, *operands: Any) -> Program:
    return of(Function("f", [Instruction(name, *operands)]))


def typed(kind: types.Type) -> Program:
    return of(Function("f", return_type=kind))


def shared(share: ShareType) -> Program:
    return Program([], manifest=Manifest(clients=[Client(0, [share])]))


def register_errors() -> list[tuple[Callable[[], Program], str]]:
    """One case per 32-bit operand of the table; the labels are those the format names."""
    expected = {
        "LD": ("register",),
        "LDI": ("register",),
        **dict.fromkeys(("MOV", "NOT"), ("target register", "source register")),
        **dict.fromkeys(
            ("ADD", "SUB", "MUL", "DIV", "MOD", "AND", "OR", "XOR", "SHL", "SHR"),
            ("target register", "left register", "right register"),
        ),
        "RET": ("register",),
        "PUSHARG": ("register",),
        "CMP": ("left register", "right register"),
        "LDS": ("register", "slot"),
        "STS": ("slot", "register"),
    }
    cases: list[tuple[Callable[[], Program], str]] = []
    for row in ROWS:
        for at, label in enumerate(expected.get(row.name, ())):
            operands = [0] * len(row.operands)
            operands[at] = BIG
            cases.append((lambda name=row.name, words=tuple(operands): one(name, *words), f"{row.name} {label} {BIG}"))
    return cases


U32_ERRORS = [
    *register_errors(),
    (lambda: of(Function("f", labels={"x": BIG})), f"label offset {BIG}"),
    (lambda: shared(ShareType("SecretInt", BIG)), f"SecretInt bit length {BIG}"),
    (lambda: shared(ShareType("SecretUInt", BIG)), f"SecretUInt bit length {BIG}"),
    (lambda: shared(ShareType("SecretFixedPoint", BIG)), f"fixed-point total bits {BIG}"),
]

U16_ERRORS: list[tuple[Callable[[], Program], str]] = [
    (lambda: of(Function(LONG)), "function name length 65536"),
    (lambda: of(Function("f", registers=65_536)), "register count 65536"),
    (lambda: of(Function("f", parameters=[""] * MANY)), "parameter count 65536"),
    (lambda: of(Function("f", parameters=[LONG])), "parameter name length 65536"),
    (lambda: of(Function("f", upvalues=[""] * MANY)), "upvalue count 65536"),
    (lambda: of(Function("f", upvalues=[LONG])), "upvalue name length 65536"),
    (lambda: of(Function("f", parent=LONG)), "parent function name length 65536"),
    (lambda: of(Function("f", labels={str(n): 0 for n in range(MANY)})), "label count 65536"),
    (lambda: of(Function("f", labels={LONG: 0})), "label name length 65536"),
    *(
        (lambda name=name: one(name, LONG), f"{name} label length 65536")
        for name in ("JMP", "JMPEQ", "JMPNEQ", "JMPLT", "JMPGT")
    ),
    (lambda: one("CALL", LONG), "CALL function name length 65536"),
    (lambda: typed(types.object_type(LONG)), "function type object name length 65536"),
    (lambda: typed(types.generic(LONG)), "function generic type name length 65536"),
    (lambda: typed(types.generic("G", *[types.FLOAT] * MANY)), "function generic parameter count 65536"),
    (lambda: typed(types.variable(LONG)), "function type variable name length 65536"),
    # Bytes count, not characters.
    (lambda: of(Function("é" * 32_768)), "function name length 65536"),
]


@pytest.mark.parametrize(("make", "text"), U16_ERRORS, ids=[text for _, text in U16_ERRORS])
def test_a_field_of_16_bits_that_overflows_is_named(make: Callable[[], Program], text: str) -> None:
    with pytest.raises(SaveError) as caught:
        write(make())
    assert str(caught.value) == f"{text} exceeds u16::MAX"


@pytest.mark.parametrize(("make", "text"), U32_ERRORS, ids=[text for _, text in U32_ERRORS])
def test_a_field_of_32_bits_that_overflows_is_named(make: Callable[[], Program], text: str) -> None:
    with pytest.raises(SaveError) as caught:
        write(make())
    assert str(caught.value) == f"{text} exceeds u32::MAX"


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_largest_operands_fit(row: Any) -> None:
    operands = [
        "x" * 65_535 if operand.kind.is_name else "c" if operand.kind.value == "constant" else (1 << 31) - 1
        for operand in row.operands
    ]
    program = one(row.name, *operands)
    assert read(write(program)) == program


class Longer(tuple[Any, ...]):
    """A tuple that says it has more than 32 bits can count, which no real one can in a test."""

    def __len__(self) -> int:
        return BIG


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda program, many: object.__setattr__(program, "constants", many), "constant count"),
        (lambda program, many: object.__setattr__(program, "records", many), "function count"),
        (lambda program, many: object.__setattr__(program.records[0], "instructions", many), "instruction count"),
        (lambda program, many: object.__setattr__(program.manifest, "clients", many), "client IO schema count"),
        (
            lambda program, many: object.__setattr__(program.manifest.clients[0], "inputs", many),
            "client IO input count",
        ),
        (
            lambda program, many: object.__setattr__(program.manifest.clients[0], "outputs", many),
            "client IO output count",
        ),
    ],
)
def test_a_count_of_32_bits_that_overflows_is_named(change: Callable[[Program, Any], None], field: str) -> None:
    program = Program([Function("f")], manifest=Manifest(clients=[Client(0)]))
    change(program, Longer())
    with pytest.raises(SaveError) as caught:
        write(program)
    assert str(caught.value) == f"{field} {BIG} exceeds u32::MAX"


def test_the_first_field_in_stream_order_is_reported() -> None:
    program = of(Function(LONG, registers=65_536), constants=[1 << 70])
    with pytest.raises(SaveError, match="the constant 1180591620717411303424 does not fit I64"):
        write(program)
    with pytest.raises(SaveError, match="function name length"):
        write(of(Function(LONG, registers=65_536)))


def test_a_value_that_is_no_scalar_is_refused() -> None:
    with pytest.raises(SaveError, match=r"^Unsupported value type for serialization: Object\(3\)$"):
        write(one("LDI", 0, new_object(3)))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (one("LDI", 0, "a\ud800"), r"string 'a\ud800' has a lone surrogate at index 1 and cannot be UTF-8"),
        (of(Function("\udfff")), r"function name '\udfff' has a lone surrogate at index 0 and cannot be UTF-8"),
        (one("CALL", "\udfff"), r"CALL function name '\udfff' has a lone surrogate at index 0 and cannot be UTF-8"),
    ],
)
def test_text_that_is_not_unicode_is_refused(program: Program, text: str) -> None:
    with pytest.raises(SaveError) as caught:
        write(program)
    assert str(caught.value) == text


@pytest.mark.parametrize("version", [-1, 10, True, "9"])
def test_a_version_that_does_not_exist_is_refused(version: Any) -> None:
    with pytest.raises(SaveError, match=f"cannot write version {version!r}; versions 0 to 9 can be written"):
        write(Program([]), version=version)


# Saving --------------------------------------------------------------------------------------------------------------

PROGRAM = Program([Function("main", [Instruction("RET", 0)])])
DATA = write(PROGRAM)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_saved_program_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "p.stflb"
    PROGRAM.save(path)
    assert load(path) == PROGRAM
    PROGRAM.save(str(path), version=3)
    assert load(path).version == 3
    assert names(tmp_path) == ["p.stflb"]


def test_a_new_file_has_the_permissions_of_any_new_file_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "p.stflb"
    other.touch()
    save(PROGRAM, path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
    path.chmod(0o640)
    save(PROGRAM, path, version=1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, target = tmp_path / "link", tmp_path / "real" / "p.stflb"
    link.symlink_to(target)
    for _ in range(2):  # a link to nothing, then to a file
        save(PROGRAM, link)
        assert link.is_symlink()
        assert target.read_bytes() == DATA
    assert (names(tmp_path), names(tmp_path / "real")) == (["link", "real"], ["p.stflb"])


def message_of(path: Path | str) -> str:
    with pytest.raises(SaveError) as caught:
        save(PROGRAM, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_places_that_cannot_be_written_are_named_in_one_line(tmp_path: Path) -> None:
    assert message_of(tmp_path) == f"{tmp_path}: cannot write the file: Is a directory"
    assert message_of(tmp_path / "no" / "p").endswith("cannot write the file: No such file or directory")
    assert message_of(f"{tmp_path}/new/").endswith("cannot write the file: the path names a directory")
    assert message_of("").endswith("cannot write the file: the path names a directory")
    assert message_of(tmp_path / ("a" * 300)).endswith("cannot write the file: File name too long")
    assert message_of("a\0b").startswith("'a\\x00b': cannot write the file: ")
    assert message_of("a\nb/c").startswith("'a\\nb/c': cannot write the file: ")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert message_of(loop).endswith("Too many levels of symbolic links")
    assert names(tmp_path) == ["loop"]


def test_a_program_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "p.stflb"
    path.write_bytes(b"old")
    with pytest.raises(SaveError, match="register count"):
        save(of(Function("f", registers=70_000)), path)
    assert (names(tmp_path), path.read_bytes()) == (["p.stflb"], b"old")


@pytest.mark.parametrize(
    ("call", "existing"),
    [("fchmod", True), *((call, existing) for call in ("write", "fsync", "replace") for existing in (True, False))],
)
def test_a_failure_at_any_moment_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, existing: bool
) -> None:
    path = tmp_path / "p.stflb"
    if existing:
        path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer.os, call, fail)
    assert message_of(path) == f"{path}: cannot write the file: No space left on device"
    assert names(tmp_path) == (["p.stflb"] if existing else [])
    if existing:
        assert path.read_bytes() == b"old"


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(PROGRAM, tmp_path / "p.stflb")
    assert names(tmp_path) == []


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(writer.os, "write", lambda handle, data: whole(handle, data[:7]))
    save(PROGRAM, tmp_path / "p.stflb")
    assert (tmp_path / "p.stflb").read_bytes() == DATA


def test_a_temporary_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    taken = tmp_path / f".stoffel-{os.getpid()}-0.tmp"
    taken.write_bytes(b"mine")
    save(PROGRAM, tmp_path / "p.stflb")
    assert (taken.read_bytes(), (tmp_path / "p.stflb").read_bytes()) == (b"mine", DATA)


def test_a_write_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.stflb"
    path.write_bytes(b"old")
    # Asked of the system rather than tried, so that it can be tested as root, whom permissions do not stop.
    monkeypatch.setattr(writer.os, "access", lambda *_: False)
    assert message_of(path) == f"{path}: cannot write the file: it is write-protected"
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert message_of(tmp_path / "p").endswith("Permission denied")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_device_is_an_error_and_stays_a_device() -> None:
    assert message_of("/dev/full") == "/dev/full: cannot write the file: No space left on device"
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
def test_standard_output_is_written_to_directly(tmp_path: Path) -> None:
    script = (
        "from stoffel import Function, Instruction, Program\n"
        "Program([Function('main', [Instruction('RET', 0)])]).save('/dev/stdout')"
    )
    root = Path(__file__).parents[2]
    piped = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, check=True)
    assert (piped.stdout, piped.stderr) == (DATA, b"")
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", script], cwd=root, stdout=out, check=True)
    assert ((tmp_path / "out").read_bytes(), names(tmp_path)) == (DATA, ["out"])


def test_a_pipe_is_written_to_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        save(PROGRAM, pipe)
        assert os.read(reader, 1000) == DATA
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_numbers_of_the_layout_are_little_endian() -> None:
    program = of(Function("f", registers=0x0102, labels={"x": 0x01020304}))
    assert write(program) == file(function("f", registers=0x0102, labels=u16(1) + u16(1) + b"x" + u32(0x01020304)))
    assert struct.unpack("<H", u16(0x0102)) == (0x0102,)
