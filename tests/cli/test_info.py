"""``stoffel info``: everything that a program file holds, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.manifest import Client, Demand, Manifest, ShareType
from stoffel.isa.program import Program
from stoffel.isa.types import parse_type
from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]

PROGRAM = Program(
    [
        Function(
            "add",
            [
                Instruction("LDI", 2, 1.5),
                Instruction("LDI", 2, 7),
                Instruction("LDI", 2, 8),
                Instruction("LDI", 2, "text"),
                Instruction("LDI", 2, None),
                Instruction("RET", 0),
            ],
            parameters=("a", "b"),
            parameter_types=(parse_type("int64"), parse_type("list[string]")),
            return_type=parse_type("int64"),
            registers=4,
            labels={"end": 5},
        ),
        Function(
            "odd name", [Instruction("RET", 0)], parameters=("x",), upvalues=("u", "v"), parent="add", registers=1
        ),
    ],
    manifest=Manifest(
        backend="AVSS",
        curve="BN254",
        clients=[Client(3, [ShareType("SecretInt", 64), ShareType("SecretFixedPoint", 64, 16)], [])],
        demand=Demand(triples=1, randoms=2, prandbits=3, prandints=4, dynamic=True),
    ),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "program.stflb"
    PROGRAM.save(file)
    return file


def test_the_text_shows_functions_types_sizes_constants_and_manifest(stoffel: Stoffel, path: Path) -> None:
    size = path.stat().st_size
    assert stoffel("info", path) == (
        0,
        f"{path}: bytecode, format version 9, {size} bytes\n"
        "Functions: 2, instructions: 7\n"
        "  instructions  registers  labels  function\n"
        "             6          4       1  add(a: int64, b: list[string]) -> int64\n"
        '             1          1       0  "odd name"(x)  upvalues (u, v)  inside add\n'
        "Constants: 1 float, 2 int64, 1 string, 1 nil\n"
        "Manifest: backend AVSS, curve BN254, 1 client\n"
        "  client 3: inputs SecretInt(64), SecretFixedPoint(64.16); outputs none\n"
        "Demand: triples 1, randoms 2, prandbits 3, prandints 4, dynamic true\n",
        "",
    )


def test_json_holds_the_same(stoffel: Stoffel, path: Path) -> None:
    status, out, err = stoffel("info", "--json", path)
    assert (status, err) == (0, "")
    facts: dict[str, Any] = json.loads(out)
    assert facts == {
        "file": str(path),
        "format": "stflb",
        "bytes": path.stat().st_size,
        "version": 9,
        "instructions": 7,
        "functions": [
            {
                "name": "add",
                "signature": "add(a: int64, b: list[string]) -> int64",
                "parameters": [{"name": "a", "type": "int64"}, {"name": "b", "type": "list[string]"}],
                "return_type": "int64",
                "upvalues": [],
                "parent": None,
                "registers": 4,
                "instructions": 6,
                "labels": 1,
            },
            {
                "name": "odd name",
                "signature": '"odd name"(x)',
                "parameters": [{"name": "x", "type": "<unknown>"}],
                "return_type": "<unknown>",
                "upvalues": ["u", "v"],
                "parent": "add",
                "registers": 1,
                "instructions": 1,
                "labels": 0,
            },
        ],
        "constants": {"float": 1, "int64": 2, "string": 1, "nil": 1},
        "manifest": {
            "backend": "AVSS",
            "curve": "BN254",
            "clients": [
                {
                    "slot": 3,
                    "inputs": [
                        {"kind": "SecretInt", "bits": 64, "fraction": 0},
                        {"kind": "SecretFixedPoint", "bits": 64, "fraction": 16},
                    ],
                    "outputs": [],
                }
            ],
            "demand": {"triples": 1, "randoms": 2, "prandbits": 3, "prandints": 4, "dynamic": True},
        },
    }


def test_text_assembly_is_described_too(stoffel: Stoffel, hello: Path) -> None:
    status, out, err = stoffel("info", hello)
    assert (status, err) == (0, "")
    assert out.startswith(f"{hello}: text assembly, format version 9, {hello.stat().st_size} bytes\n")


def test_an_empty_program_is_described(stoffel: Stoffel, tmp_path: Path) -> None:
    file = tmp_path / "empty.stflb"
    Program([]).save(file)
    assert stoffel("info", file) == (
        0,
        f"{file}: bytecode, format version 9, 53 bytes\n"
        "Functions: 0, instructions: 0\n"
        "Constants: none\n"
        "Manifest: backend HoneyBadger, curve BLS12-381, 0 clients\n"
        "Demand: triples 0, randoms 0, prandbits 0, prandints 0, dynamic false\n",
        "",
    )


def test_names_cannot_break_the_line(stoffel: Stoffel, tmp_path: Path) -> None:
    file = tmp_path / "odd.stflb"
    Program([Function("a\nb", [Instruction("RET", 0)], upvalues=("c\nd",), parent="e\x1bf")]).save(file)
    out = stoffel("info", file).out
    assert out.splitlines()[3] == '             1          0       0  "a\\nb"()  upvalues (c\\nd)  inside e\\x1bf'
