"""On a CPython whose bytecode the translator does not know: no code objects, but kernels, as exact as anywhere."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from stoffel import VirtualMachine, notices
from stoffel.compiler.cpython import assembler, versions, writer
from stoffel.jit.code_tier import CompiledTier
from stoffel.jit.policy import thresholds
from stoffel.runtime.tier import NoTier
from tests.compiler.generators.numeric import make_numeric_case
from tests.compiler.generators.numeric_closures import make_closure_case
from tests.compiler.oracle import KERNELS, KERNELS_LEFT, compare
from tests.machines import SUM_BY_CALL, failure, loaded

WITH_TEXT = """\
function main(n)
    MOV r6, r0
    LDI r1, "a"
    LDI r2, 0
    LDI r3, 1
    LDI r4, ""
again:
    PUSHARG r2
    CALL name
    ADD r4, r4, r0
    ADD r2, r2, r3
    CMP r2, r6
    JMPLT again
    RET r4
end
function name(n)
    LDI r1, "b"
    LDI r2, ""
    ADD r0, r1, r2
    RET r0
end
"""
"""Its loop joins strings, which no kernel does."""


@pytest.fixture(autouse=True)
def unknown_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the translator know other versions of CPython only, and fail where something is assembled all the same."""
    monkeypatch.setattr(versions, "KNOWN_VERSIONS", ((3, 1), (3, 2)))
    monkeypatch.setattr(notices, "_said", set())
    monkeypatch.setattr(assembler, "assembled", lambda *instruction: pytest.fail(f"assembled: {instruction}"))


def kernels_of(machine: VirtualMachine, function: str) -> list[dict[str, Any]]:
    counters = machine.jit_statistics()["functions"].get(function, {})
    found: list[dict[str, Any]] = counters.get("kernels", [])
    return found


def test_one_sentence_says_so_whatever_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        machine = loaded(VirtualMachine(jit="always"), SUM_BY_CALL)
        assert machine.execute("main", 5) == 10
    version = ".".join(map(str, sys.version_info[:2]))
    assert capsys.readouterr().err == (
        "stoffel: nothing but kernels is compiled: "
        f"the translator knows the bytecode of CPython 3.1, 3.2, and this is {version}\n"
    )


def test_without_kernels_nothing_is_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    machine = loaded(VirtualMachine(jit="no-kernels"), SUM_BY_CALL)
    assert machine.execute("main", 5) == 10
    assert type(machine.state.tier) is NoTier
    assert machine.jit_statistics() == {"mode": "no-kernels"}
    assert capsys.readouterr().err.startswith("stoffel: nothing is compiled: the translator knows")


def test_another_implementation_has_no_kernels_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versions, "is_cpython", lambda: False)
    machine = loaded(VirtualMachine(jit="always"), SUM_BY_CALL)
    assert machine.execute("main", 5) == 10
    assert type(machine.state.tier) is NoTier
    assert capsys.readouterr().err.startswith("stoffel: nothing is compiled: the translator writes CPython bytecode")


def test_nothing_is_ever_assembled() -> None:
    with pytest.raises(RuntimeError, match="the translator knows the bytecode of CPython"):
        writer.Writer("f", "<f>", [])
    for mode in ("auto", "always", "kernels"):
        machine = loaded(VirtualMachine(jit=mode), WITH_TEXT)
        assert machine.execute("main", 3000) == "b" * 3000
        assert [item["units"] for item in machine.jit_statistics()["functions"].values()] == [0] * len(
            machine.jit_statistics()["functions"]
        )


@pytest.mark.parametrize("mode", ["auto", "always"])
@pytest.mark.parametrize(("function", "on_stack"), [("sum", True), ("main", False)])
def test_a_hot_loop_becomes_a_kernel_in_the_middle_of_a_run(
    mode: str, function: str, on_stack: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(thresholds, "TICKS", (0.001,))
    machine = loaded(VirtualMachine(jit=mode, cache=tmp_path), SUM_BY_CALL)
    for _ in range(2000):
        assert machine.execute(function, 100_000) == 4999950000
        if any(
            kernel["runs"] and (kernel["entry"] is not None or not on_stack) for kernel in kernels_of(machine, "sum")
        ):
            return
    pytest.fail(str(machine.jit_statistics()))


def test_where_there_are_no_kernels_they_are_asked_for_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = loaded(VirtualMachine(jit="kernels"), WITH_TEXT)
    tier = machine.state.tier
    asked = []
    enter = type(tier).enter
    monkeypatch.setattr(type(tier), "enter", lambda *given: (asked.append(1), enter(*given))[1])
    call = CompiledTier.call
    monkeypatch.setattr(CompiledTier, "call", lambda *given: (asked.append(2), call(*given))[1])
    counts = []
    for length in (500, 5000, 50_000):
        asked.clear()
        machine.execute("main", length)
        counts.append((asked.count(1), asked.count(2)))
    assert all(0 < loops < 100 and 0 < calls < 200 for loops, calls in counts[1:]), counts


def test_errors_are_where_the_interpreter_has_them(tmp_path: Path) -> None:
    text = SUM_BY_CALL.replace("LDI r1, 0", "LDI r1, 9223372036854775806")
    told = []
    for mode in ("off", "kernels"):
        machine = loaded(VirtualMachine(jit=mode, cache=tmp_path), text)
        error = failure(machine.execute, "main", 10)
        told.append((str(error), error.kind, error.function, error.instruction, error.stack))
    assert told[0] == told[1]
    assert kernels_of(machine, "main")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("make", [make_numeric_case, make_closure_case])
def test_generated_programs_run_alike_in_kernels_and_left_anywhere(make: Any, seed: int) -> None:
    difference = compare(make(random.Random(seed)), [KERNELS, KERNELS_LEFT[seed % len(KERNELS_LEFT)]])
    assert difference is None, difference.report()
