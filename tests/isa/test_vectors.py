"""The published byte strings of the format, each with its exact outcome."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stoffel.errors import LoadError, VMError
from stoffel.isa.program import Program
from stoffel.isa.reader import read
from stoffel.isa.scalars import constant_key
from stoffel.isa.table import OperandKind
from stoffel.isa.verify import verify
from stoffel.isa.writer import write

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("stflb_vectors.json").read_text(encoding="utf-8"))


def outcome(vector: dict[str, Any], stage: str) -> str | None:
    """What the vector says about *stage* (None: the stage was not reached)."""
    for line in vector["outcome"]:
        name, _, rest = line.partition("=")
        if name == stage:
            return str(rest)
    return None


def as_debug_text(error: LoadError) -> str:
    """Our error in the notation of the vectors."""
    if error.category == "io":
        return 'Err IoError(Error { kind: UnexpectedEof, message: "failed to fill whole buffer" })'
    if error.category == "magic":
        return "Err InvalidMagicBytes"
    if error.category == "version":
        number = re.search(r"version (\d+)", error.message)
        assert number is not None
        return f"Err UnsupportedVersion({number.group(1)})"
    escaped = error.message.replace("\\", "\\\\").replace('"', '\\"')
    return f'Err InvalidData("{escaped}")'


def summary(program: Program) -> str:
    """Our program in the notation of the vectors: frame, and numbers of instructions, constants and call targets."""
    parts = []
    for function in program.functions:
        uses = {OperandKind.CONSTANT: 0, OperandKind.FUNCTION: 0}
        merged = set()
        for instruction in function.instructions:
            for operand, value in zip(instruction.op.operands, instruction.operands, strict=True):
                if operand.kind in uses:
                    uses[operand.kind] += 1
                    merged.add((operand.kind, constant_key(value)))
        try:
            frame = verify(function)
        except VMError as error:
            parts.append(f'["{function.name}" resolve-err "{error}"]')
            continue
        k = sum(kind is OperandKind.CONSTANT for kind, _ in merged)
        c = sum(kind is OperandKind.FUNCTION for kind, _ in merged)
        parts.append(f'["{function.name}" regs={frame} n={len(function.instructions)} k={k} c={c}]')
    return f"Ok {' '.join(parts)}"


def test_there_are_102_vectors() -> None:
    assert len(VECTORS) == 102


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_vector_gives_its_outcome(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    parsed, converted = outcome(vector, "deserialize"), outcome(vector, "source")
    assert parsed is not None
    try:
        program = read(data)
    except LoadError as error:
        actual = as_debug_text(error)
        # Parsing and conversion are one step here: the first of the two that failed.
        assert actual == (parsed if parsed.startswith("Err") else converted)
        return
    assert parsed.startswith("Ok")
    assert summary(program) == converted
    written = write(program)
    assert (written == data) is vector["reencodes"]
    assert read(written) == program
    trailing = int(parsed.removeprefix("Ok trailing="))
    if trailing:
        assert written == data[: len(data) - trailing]
