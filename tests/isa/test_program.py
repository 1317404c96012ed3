"""Instruction, Function and Program: what their constructors refuse, and what makes two of them equal."""

from __future__ import annotations

import copy
import math
import pickle
import struct

import pytest

from stoffel.isa import types
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.program import Program, intern_constants
from stoffel.isa.scalars import U8, constant_key, interning_key

NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("ADDD",), ValueError, "unknown instruction 'ADDD'; the instructions are .*LD, LDI, MOV, ADD"),
        (
            ("ADD", 0, 1),
            ValueError,
            r"ADD takes 3 operands \(target register, source register, source register\), not 2",
        ),
        (("NOP", 0), ValueError, r"NOP takes 0 operands \(none\), not 1"),
        (("RET", -1), ValueError, "RET: the source register must not be negative: -1"),
        (("RET", "r0"), TypeError, "RET: the source register must be an int, not str 'r0'"),
        (("RET", True), TypeError, "RET: the source register must be an int, not bool True"),
        (("RET", U8(1)), TypeError, r"RET: the source register must be an int, not U8 U8\(1\)"),
        (("LDS", 0, -1), ValueError, "LDS: the spill slot must not be negative: -1"),
        (("LD", 0, 1 << 31), ValueError, "LD: the argument stack offset 2147483648 does not fit 32 signed bits"),
        (("JMP", 5), TypeError, "JMP: the label must be a str, not int 5"),
        (("CALL", None), TypeError, "CALL: the function name must be a str, not NoneType None"),
    ],
)
def test_instruction_refuses_wrong_operands(arguments: tuple[object, ...], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Instruction(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("left", "right"),
    [(1, 1.0), (1, True), (1, U8(1)), (0.0, -0.0), (math.nan, NAN), (0, None), ("1", 1)],
    ids=repr,
)
def test_instructions_with_constants_that_only_python_calls_equal_differ(left: object, right: object) -> None:
    assert Instruction("LDI", 0, left) != Instruction("LDI", 0, right)


@pytest.mark.parametrize("value", [5, U8(5), 1.5, math.nan, NAN, "x", None, True], ids=repr)
def test_equal_instructions_are_equal_hash_alike_and_survive_copies(value: object) -> None:
    one = Instruction("LDI", 0, value)
    others = [Instruction("LDI", 0, value), copy.copy(one), pickle.loads(pickle.dumps(one))]
    assert [(other == one, hash(other) == hash(one)) for other in others] == [(True, True)] * 3


def test_instruction_shows_how_to_make_it() -> None:
    assert repr(Instruction("LDI", 0, U8(5))) == "Instruction('LDI', 0, U8(5))"


def test_instructions_functions_and_programs_are_immutable() -> None:
    function = Function("f", labels={"a": 0})
    for item, name in ((Instruction("NOP"), "op"), (function, "name"), (Program([function]), "records")):
        with pytest.raises(AttributeError, match="are immutable"):
            setattr(item, name, None)
    with pytest.raises(TypeError):
        function.labels["b"] = 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Function(5), TypeError, "function name must be a str, not int 5"),
        (lambda: Function("f", parameters=[5]), TypeError, "function parameter must be a str, not int 5"),
        (lambda: Function("f", upvalues=[5]), TypeError, "function upvalue must be a str, not int 5"),
        (lambda: Function("f", ["NOP"]), TypeError, "function f: 'NOP' is not an Instruction"),
        (
            lambda: Function("f", registers=-1),
            ValueError,
            "function f: the register count must be an int of at least 0",
        ),
        (
            lambda: Function("f", parameter_types=[types.BOOL]),
            ValueError,
            "function f: 0 parameters but 1 parameter types",
        ),
        (lambda: Function("f", parameters="a", parameter_types=["int"]), TypeError, "function f: 'int' is not a Type"),
        (lambda: Function("f", labels={"a": -1}), ValueError, "function f: label 'a' -> -1 must map a str to an index"),
        (lambda: Program(["f"]), TypeError, "'f' is not a Function"),
        (lambda: Program([], version=10), ValueError, "version must be an int from 0 to 9, not 10"),
        (
            lambda: Program([Function("f"), Function("f", registers=1)]),
            ValueError,
            "duplicate function 'f' has conflicting definitions",
        ),
    ],
)
def test_function_and_program_refuse_wrong_arguments(make, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


BASE = {"name": "f", "instructions": [Instruction("NOP")], "parameters": ["a"], "labels": {"x": 0}}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "g"},
        {"instructions": []},
        {"instructions": [Instruction("RET", 0)]},
        {"parameters": ["b"]},
        {"labels": {}},
        {"upvalues": ["a"]},
        {"parent": ""},
        {"registers": 1},
        {"return_type": types.BOOL},
        {"parameter_types": [types.BOOL]},
    ],
    ids=str,
)
def test_functions_that_differ_in_one_part_are_unequal(change: dict[str, object]) -> None:
    assert Function(**BASE) == Function(**BASE)  # type: ignore[arg-type]
    assert Function(**BASE) != Function(**{**BASE, **change})  # type: ignore[arg-type]


def test_program_shows_identical_functions_once_and_keeps_the_records() -> None:
    program = Program([Function("f"), Function("g"), Function("f")])
    assert ([item.name for item in program.functions], len(program.records)) == (["f", "g"], 3)


def test_functions_are_found_by_position_slice_and_name() -> None:
    f, g = Function("f"), Function("g")
    functions = Program([f, g]).functions
    assert (functions[0], functions[1:], functions["g"], "g" in functions, "h" in functions, g in functions) == (
        f,
        (g,),
        g,
        True,
        False,
        True,
    )
    with pytest.raises(KeyError):
        functions["h"]


def loads(*values: object) -> Function:
    return Function("f", [Instruction("LDI", 0, value) for value in values])


def test_constants_are_pooled_by_first_appearance_and_content() -> None:
    pool = intern_constants([loads(1, 1.0, True, U8(1), "1", None, 1), loads(-0.0, 0.0, NAN, math.nan, 1, NAN)])
    expected = (1, 1.0, True, U8(1), "1", None, -0.0, 0.0, NAN, math.nan)
    assert list(map(constant_key, pool)) == list(map(constant_key, expected))


def test_machine_merges_zeros_and_nans_but_no_other_constants() -> None:
    keys = [interning_key(value) for value in (0.0, -0.0, NAN, math.nan, 1.0, 1, True, U8(1))]
    assert [keys.index(key) for key in keys] == [0, 0, 2, 2, 4, 5, 6, 7]


def test_program_takes_its_constants_from_the_instructions_unless_told() -> None:
    assert Program([loads(5, "x", 5)]).constants == (5, "x")
    assert Program([loads(5, "x", 5)], constants=[1, "x", 1]).constants == (1, "x", 1, 5)


@pytest.mark.parametrize(
    "other",
    [
        Program([Function("f")], version=8),
        Program([Function("f")], constants=[5]),
        Program([Function("f"), Function("f")]),
        Program([]),
    ],
    ids=repr,
)
def test_programs_that_differ_in_one_part_are_unequal(other: Program) -> None:
    assert Program([Function("f")]) == Program([Function("f")])
    assert Program([Function("f")]) != other
