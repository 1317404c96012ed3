"""Results of functions that call each other."""

from __future__ import annotations

from typing import Any

from stoffel.compiler.analysis.facts import FLOAT, I64, IMPOSSIBLE, STRING, Fact, of_kinds
from stoffel.compiler.analysis.interprocedural import Solver


def solve(functions: dict[str, tuple[int, list[str]]], start: str) -> tuple[dict[str, int], int]:
    """Return what functions return, each given as kinds of its own and the functions whose results it returns."""
    analyses = 0

    def analyse(key: Any) -> Fact:
        nonlocal analyses
        analyses += 1
        mask, callees = functions[key]
        for callee in callees:
            mask |= solver.ask(callee).mask  # type: ignore[arg-type]
        return of_kinds(mask)

    solver = Solver(analyse)
    found = solver.solve(start)  # type: ignore[arg-type]
    return {name: fact.mask for name, fact in found.items()}, analyses  # type: ignore[misc]


def test_function_without_calls_has_its_own_result() -> None:
    assert solve({"f": (I64, [])}, "f") == ({"f": I64}, 1)


def test_recursion_returns_what_its_base_case_returns() -> None:
    found, _ = solve({"f": (I64, ["f"])}, "f")
    assert found == {"f": I64}


def test_functions_that_call_each_other_agree() -> None:
    found, _ = solve({"f": (I64, ["g"]), "g": (0, ["h"]), "h": (FLOAT, ["f"])}, "f")
    assert found == dict.fromkeys("fgh", I64 | FLOAT)


def test_callers_learn_what_is_found_later() -> None:
    found, _ = solve({"f": (0, ["g"]), "g": (0, ["h"]), "h": (0, ["k"]), "k": (STRING, [])}, "f")
    assert found == dict.fromkeys("fghk", STRING)


def test_endless_recursion_returns_nothing() -> None:
    found, _ = solve({"f": (0, ["g"]), "g": (0, ["f"])}, "f")
    assert found == {"f": IMPOSSIBLE.mask, "g": IMPOSSIBLE.mask}


def test_a_long_cycle_is_solved_in_few_analyses() -> None:
    size = 60
    functions = {f"f{i}": (I64 if i == size - 1 else 0, [f"f{(i + 1) % size}"]) for i in range(size)}
    found, analyses = solve(functions, "f0")
    assert set(found.values()) == {I64}
    assert analyses <= 4 * size
