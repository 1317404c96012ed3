"""The example programs run, print what their comments promise, and are free of findings."""

from __future__ import annotations

from pathlib import Path

import pytest

import stoffel
from stoffel.isa.check import check
from stoffel.isa.disassembler import disassemble
from stoffel.isa.program import Program

EXAMPLES = Path(__file__).parents[1] / "examples"

OUTCOMES = {
    "closures": ("first 11\nfirst 12\nsecond 101\n", "113"),
    "collatz": ("1161u64 181\n", "181"),
    "fibonacci": ("15 610\n", "1596"),
    "hello": ("Hello, world!\n", "42"),
    "matrix": ("[[-1f64, 0f64, 0f64], [0f64, -1f64, 0f64], [0f64, 0f64, 6.25f64]]\n", "6.25f64"),
    "overflow": ("20 2432902008176640000\n", "Integer overflow in MUL operation"),
    "primes": ("[2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, ...(1 more)]\n", "17"),
    "queens": ("[0, 4, 7, 5, 2, 6, 1, 3]\n", "92"),
    "records": ("Ada has 150\nGrace has 80\n", "230"),
    "strings": ("backwards:\trèvér\nwithout its first two characters: vèr\n", "false"),
    "life": ("back home true\n", "5"),
}
"""Last lines printed and the result (or the error) of each example."""


def program(name: str) -> Program:
    binary = EXAMPLES / f"{name}.stflb"
    if binary.exists():
        return stoffel.load(binary)
    return stoffel.assemble((EXAMPLES / f"{name}.stfasm").read_text(encoding="utf-8"), path=name)


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.iterdir() if path.suffix in (".stfasm", ".stflb")} == set(OUTCOMES)


SOURCES = {
    "chains": ((3000,), "2919 takes 216 steps\n", "2919"),
    "ledger": ((), "", "Type error in ADD operation"),
    "life": ((), "back home true\n", "5"),
}
"""The same of the sources, with the arguments of ``main``."""


def test_every_source_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.stfl")} == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_source_prints_and_returns_what_it_promises(name: str) -> None:
    printed: list[str] = []
    machine = stoffel.VirtualMachine(output=printed.append)
    machine.load(stoffel.compile(EXAMPLES / f"{name}.stfl"))
    arguments, lines, expected = SOURCES[name]
    try:
        result = stoffel.diagnostic(machine.execute("main", *arguments))
    except stoffel.VMError as error:
        result = str(error)
    assert ("".join(f"{line}\n" for line in printed)[-len(lines) :] if lines else "", result) == (lines, expected)


@pytest.mark.parametrize("name", OUTCOMES)
def test_example_prints_and_returns_what_it_promises(name: str) -> None:
    printed: list[str] = []
    machine = stoffel.VirtualMachine(output=printed.append)
    machine.load(program(name))
    try:
        result = stoffel.diagnostic(machine.execute("main"))
    except stoffel.VMError as error:
        result = str(error)
    lines, expected = OUTCOMES[name]
    text = "\n".join([*printed, ""])
    assert (text[-len(lines) :], result) == (lines, expected)


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES.glob("*.stfasm")])
def test_text_example_has_no_findings(name: str) -> None:
    from stoffel.runtime.builtins.catalogue import STANDARD_LIBRARY

    builtins = {function.name for function in STANDARD_LIBRARY}
    assert check(program(name), reserved=builtins, known=builtins) == []


@pytest.mark.parametrize("name", OUTCOMES)
def test_example_survives_disassembly(name: str) -> None:
    assert stoffel.assemble(disassemble(program(name))) == program(name)
