"""The options that limit a run, where compiled code goes on and where the interpreter counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]

LOOP = """
function main(n: int64)
    LDI r1, 0
    LDI r2, 1
again:
    ADD r1, r1, r2
    CMP r1, r0
    JMPLT again
    RET r1
end
"""


@pytest.mark.parametrize(
    ("option", "compiles"),
    [
        ("--max-seconds=100", True),
        ("--max-output=1000", True),
        ("--max-depth=50", True),
        ("--max-instructions=1000000", False),
        ("--max-memory=1000000", False),
    ],
)
def test_compiled_code_runs_unless_something_is_counted(
    stoffel: Stoffel, program: Write, option: str, compiles: bool
) -> None:
    status, out, err = stoffel("run", "--jit=always", "--json", "--stats", option, program(LOOP), 5000)
    assert (status, err) == (0, "")
    data = json.loads(out)
    assert data["result"] == "5000"
    assert bool(data["stats"]["functions"]) == compiles


@pytest.mark.parametrize("mode", ["off", "auto", "always", "kernels"])
@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--max-seconds=0.2", "Time limit of 0.2 seconds exceeded"),
        ("--max-instructions=1000", "Instruction limit of 1000 exceeded"),
    ],
)
def test_a_limit_ends_a_run_with_status_4(stoffel: Stoffel, program: Write, mode: str, option: str, text: str) -> None:
    status, out, err = stoffel("run", f"--jit={mode}", option, program(LOOP), 10**17)
    assert (status, out) == (4, "")
    assert text in err
