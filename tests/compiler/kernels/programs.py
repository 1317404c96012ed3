"""What the tests of kernels share: programs with a loop, and running them in all ways that kernels run and leave."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import stoffel
from stoffel import VirtualMachine
from tests.compiler.generators import Case
from tests.compiler.oracle import KERNELS, KERNELS_LEFT, Outcome, Way, compare, run

ROOT = Path(__file__).parents[3]
_CALL = re.compile(r"^(\w+) = ([\w.]+)\((.*)\)$")


def expanded(text: str) -> str:
    """Return assembly *text* in which ``rX = name(rA, rB)`` stands for a call (``_ = name()`` if it is ignored)."""
    lines = []
    for line in text.splitlines():
        match = _CALL.match(line.strip())
        if match is None:
            lines.append(line)
            continue
        target, name, arguments = match.groups()
        lines += [f"PUSHARG {item.strip()}" for item in arguments.split(",") if item.strip()]
        lines.append(f"CALL {name}")
        if target not in ("_", "r0"):
            lines.append(f"MOV {target}, r0")
    return "\n".join(lines)


def counting(setup: str, body: str, end: str = "RET r9", *, rounds: int = 40, more: str = "") -> str:
    """Return a program whose main does *setup*, then *body* *rounds* times while r1 counts from 0, then *end*.

    r2 is 1, r3 the number of rounds, r20 and r21 are free for *body* as are all others but these.
    """
    return expanded(
        f"""
{more}
function main()
LDI r1, 0
LDI r2, 1
LDI r3, {rounds}
LDI r4, 0
{setup}
again:
CMP r1, r3
JMPEQ done
{body}
next:
ADD r1, r1, r2
JMP again
done:
{end}
end
"""
    )


def alike(
    text: str,
    *arguments: Any,
    plan: Mapping[int, str] | None = None,
    depth: int | None = None,
    ways: Sequence[Way] = (KERNELS, *KERNELS_LEFT),
) -> list[Any]:
    """Assert that a program runs alike in the interpreter and in kernels, however they are left.

    Returns the statistics of the kernels that ran in the plain way.
    """
    case = Case(stoffel.assemble(text), arguments, plan or {}, depth)
    difference = compare(case, ways)
    assert difference is None, difference.report()
    return kernels_of(case)[0]


def alike_in_a_process(text: str) -> None:
    """Assert that a program runs alike in the interpreter and in kernels that are not made to leave.

    In a process of its own: wrong machine code would end this one.
    """
    code = "import sys; from tests.compiler.kernels import programs; "
    code += "assert programs.alike(sys.argv[1], ways=[programs.KERNELS])"
    done = subprocess.run([sys.executable, "-c", code, text], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")


def kernels_of(case: Case) -> tuple[list[Any], Outcome]:
    """Return the statistics of the kernels that a case makes and enters, and its outcome."""
    found: list[Any] = []

    def inspect(machine: VirtualMachine) -> None:
        for counters in machine.jit_statistics()["functions"].values():
            found.extend(kernel for kernel in counters["kernels"] if kernel["runs"])

    outcome = run(case, KERNELS, inspect=inspect)
    return found, outcome


def refusals(text: str, *arguments: Any) -> dict[str, str]:
    """Return why functions have no kernel, by function."""
    machine = VirtualMachine(jit="kernels", output=lambda line: None)
    machine.load(stoffel.assemble(text))
    with contextlib.suppress(stoffel.VMError):
        machine.execute("main", *arguments)
    functions = machine.jit_statistics()["functions"]
    return {name: item["kernel_refusal"] for name, item in functions.items() if item["kernel_refusal"]}
