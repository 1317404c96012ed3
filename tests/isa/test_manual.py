"""The manual pages about instructions and assembly agree with the code."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from stoffel.isa.assembler import assemble
from stoffel.isa.operands import sample
from stoffel.isa.table import ROWS

DOCS = Path(__file__).parents[2] / "docs"
ASSEMBLY = (DOCS / "assembly.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```asm\n(.*?)^```", ASSEMBLY, re.MULTILINE | re.DOTALL)


def test_instruction_reference_is_up_to_date() -> None:
    generated = runpy.run_path(str(DOCS / "generate.py"))["instructions"]()
    assert (DOCS / "instructions.md").read_text(encoding="utf-8") == generated, "run: python docs/generate.py"


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_example_in_the_language_guide_assembles(block: str) -> None:
    assert assemble(block).functions


@pytest.mark.parametrize("constant", re.findall(r"`([^`]+)`", ASSEMBLY.split("| I64 |")[1].split("\n\n")[0]))
def test_constant_in_the_language_guide_assembles(constant: str) -> None:
    assert len(assemble(f"function f()\nLDI r0, {constant}\nend").functions[0].instructions) == 1


@pytest.mark.parametrize(
    "directive", re.findall(r"`(\.(?:backend|curve|client|demand|constants)[^`]*\d[^`]*)`", ASSEMBLY)
)
def test_directive_in_the_language_guide_assembles(directive: str) -> None:
    assert assemble(directive).functions[:] == ()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_sample_of_every_instruction_assembles(row) -> None:
    text = f"function f()\nlabel: {sample(row)}\nend"
    assert assemble(text).functions[0].instructions[0].op is row
