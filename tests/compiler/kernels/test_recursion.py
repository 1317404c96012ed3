"""Small functions that call themselves: LLVM opens such a call once, and nobody can tell."""

from __future__ import annotations

import re

import pytest

from stoffel.compiler.kernels.analysis.ir import OPENED_CALLS, OPENED_LENGTH
from stoffel.compiler.kernels.codegen.llvm import optimised
from tests.compiler.kernels.codegen.test_lowering import functions, kernel_of
from tests.machines import failure, loaded
from tests.ways import ALL_WAYS, Way

DOWN = """
function main(n)
    MOV r1, r0
    LDI r2, 0
    LDI r3, 1
    CMP r1, r2
    JMPEQ end
    SUB r4, r1, r3
    PUSHARG r4
    CALL main
    ADD r0, r0, r1
    RET r0
end:
    DIV r0, r3, r2
    RET r0
end
"""
"""Calls itself n times and divides by zero."""
SUM = DOWN.replace("DIV r0, r3, r2", "LDI r0, 0")
"""The sum of the numbers up to n."""
TWICE = """
function main(n)
    MOV r1, r0
    LDI r2, 2
    CMP r1, r2
    JMPLT end
    LDI r3, 1
    SUB r4, r1, r3
    PUSHARG r4
    CALL main
    MOV r5, r0
    SUB r4, r1, r2
    PUSHARG r4
    CALL main
    ADD r5, r5, r0
    RET r5
end:
    RET r1
end
"""
"""Fibonacci numbers."""
CALL = "PUSHARG r4\n    CALL main\n"


@pytest.mark.parametrize("text", [SUM, TWICE], ids=["one call", "two calls"])
def test_a_small_function_is_opened_where_it_calls_itself(text: str) -> None:
    ir = kernel_of(text, "int64").ir
    assert re.search(r"@f1\.opened\(.*alwaysinline \{", ir)
    written = functions(ir)
    assert {
        name: re.findall(r"call \{i64, i64\} @(f[\w.]+)", body) for name, body in written.items() if name[0] == "f"
    } == {
        "f0": ["f1"] * text.count("CALL"),
        "f1": ["f1.opened"] * text.count("CALL"),
        "f1.opened": ["f1"] * text.count("CALL"),
    }
    assert "f1.opened" not in functions(optimised(ir))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SUM.replace(CALL, CALL * (OPENED_CALLS + 1)), id="many calls"),
        pytest.param(SUM.replace(CALL, CALL + "NOP\n" * OPENED_LENGTH), id="many instructions"),
        pytest.param(SUM.replace("main", "one") + SUM.replace("CALL main", "CALL one"), id="calls of another function"),
    ],
)
def test_others_are_called(text: str) -> None:
    opened = [name for name in functions(kernel_of(text, "int64").ir) if name.endswith("opened")]
    assert len(opened) == text.count("function") - 1


@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)
def test_every_call_has_its_record(way: Way) -> None:
    for n in range(7):
        machine = loaded(way.machine(), DOWN)
        error = failure(machine.execute, "main", n)
        assert (str(error), error.function, error.instruction) == ("Division by zero", "main", 10)
        assert error.stack == (*[("main", 7)] * n, ("main", 10))


@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)
def test_every_call_counts_for_the_depth(way: Way) -> None:
    for depth in range(3, 9):
        machine = loaded(way.machine(), SUM)
        machine.max_call_depth = depth
        assert machine.execute("main", depth - 1) == sum(range(depth))
        error = failure(machine.execute, "main", depth)
        assert (str(error), error.function, error.instruction) == (f"Call depth exceeds {depth}", "main", 7)
        assert len(error.stack) == depth


@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)
def test_calls_return_to_where_they_were_made(way: Way) -> None:
    machine = loaded(way.machine(), TWICE)
    assert [machine.execute("main", n) for n in range(14)] == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233]


@pytest.mark.parametrize("way", ALL_WAYS, ids=lambda way: way.name)
def test_an_overflow_in_the_middle_is_one(way: Way) -> None:
    """The two calls before have returned, those above have not."""
    machine = loaded(way.machine(), TWICE.replace("RET r1\n", f"LDI r1, {1 << 62}\nRET r1\n"))
    error = failure(machine.execute, "main", 9)
    assert (str(error), error.instruction) == ("Integer overflow in ADD operation", 12)
