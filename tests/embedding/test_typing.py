"""What a type checker finds in a program that embeds the machine: mistakes, and nothing in what is right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[2]

PROGRAM = """
import stoffel
from stoffel import events
from stoffel.runtime.events import BeforeInstructionExecute, RegisterWrite
from stoffel.runtime.hooks import HookContext

machine = stoffel.VirtualMachine(jit="auto")
machine.execute("f", 1, 2.0, True, "text", None, stoffel.U8(3))
stoffel.VirtualMachine(jit="fast")  # wrong
machine.execute("f", object())  # wrong
machine.execute("f", [1])  # wrong
print(machine.jit_statistics()["functions"]["f"]["units"] + 1)
print(machine.jit_statistics()["functionz"])  # wrong
print(machine.jit_statistics()["functions"]["f"]["unitz"])  # wrong
print(machine.execute("f", machine.create_array([1, 2])) + 1)


def before(event: BeforeInstructionExecute, context: HookContext) -> None:
    print(event.instruction.name)
    print(event.register)  # wrong


machine.register_hook(BeforeInstructionExecute, before)
machine.register_hook(None, lambda event, context: None)
machine.register_hook(RegisterWrite, before)  # wrong
"""


def test_mypy_finds_the_mistakes_of_a_program_that_embeds_the_machine_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            str(tmp_path / "cache"),
            "--follow-imports=silent",
            path,
        ],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert found == {number for number, line in enumerate(PROGRAM.splitlines(), 1) if "# wrong" in line}, done.stdout
