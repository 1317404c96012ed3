"""Results, printed lines and error texts observed on the reference implementation, reproduced exactly.

Every case runs in every way. Only if the environment variable ``STOFFEL_CONFORMANCE`` is ``all``, as
``make conformance`` sets it, kernels are left at safepoints in all programs instead of every ninth.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stoffel
from tests.limits import time_limit
from tests.ways import ALL_WAYS, TURNS, Way

HERE = Path(__file__).parent
Load = Callable[[str], stoffel.Program]

CASES: list[dict[str, Any]] = json.loads((HERE / "cases.json").read_text())
PAIRS: list[dict[str, Any]] = json.loads((HERE / "pairs.json").read_text())
PAIR_FILES = sorted({case["file"] for case in PAIRS})

EVERYTHING = os.environ.get("STOFFEL_CONFORMANCE") == "all"
SECONDS = float(os.environ.get("STOFFEL_SECONDS", "300"))
"""Limit for one case in one way, and for the pairs of one file."""
LARGE = 30_000
"""Bytes of a program file from which on its kernels are left at safepoints only on request."""


def is_large(case: dict[str, Any]) -> bool:
    """Return whether a case is one of the programs unrolled by the StoffelLang compiler's optimiser."""
    return (HERE / "programs" / case["file"]).stat().st_size >= LARGE


def runs(case: dict[str, Any], way: Way) -> bool:
    """Return whether a case runs in this way."""
    return EVERYTHING or way.turn is None or (CASES.index(case) % TURNS == way.turn and not is_large(case))


WITHOUT_TURNS = [way for way in ALL_WAYS if way.turn is None]
CHOSEN = [(case, way) for way in ALL_WAYS for case in CASES if runs(case, way)]


def parse_argument(text: str) -> Any:
    """Return the value that an ``args`` entry of a case stands for."""
    sort, _, rest = text.partition(":")
    if sort == "bool":
        return {"true": True, "false": False}[rest]
    return {"i64": int, "u64": lambda digits: stoffel.U64(int(digits)), "f64": float, "s": str}[sort](rest)


def outcome(case: dict[str, Any], program: stoffel.Program, way: Way) -> dict[str, str | None]:
    """Run *case* on a fresh machine and return what the case's fields of the same names expect."""
    lines: list[str] = []
    storage = ":memory:" if case.get("local_store") else None
    machine = way.machine(output=lambda line: lines.append(line + "\n"), storage=storage)
    if case["area"] == "pairs":  # each is one function of a file of hundreds
        machine.register_function(program.functions[case["entry"]])
    else:
        machine.load(program)
    result = error = None
    try:
        result = stoffel.diagnostic(machine.execute_with_args(case["entry"], [*map(parse_argument, case["args"])]))
    except stoffel.VMError as failure:
        error = str(failure)
    finally:
        if machine.state.storage is not None:
            machine.state.storage.close()
    return {"stdout": "".join(lines), "result": result, "error": error}


def expected(case: dict[str, Any]) -> dict[str, str | None]:
    return {field: case[field] for field in ("stdout", "result", "error")}


@pytest.mark.parametrize(("case", "way"), CHOSEN, ids=[f"{case['name']}-{way.name}" for case, way in CHOSEN])
def test_program_gives_the_reference_result_output_and_error(case: dict[str, Any], program: Load, way: Way) -> None:
    with time_limit(SECONDS):
        assert outcome(case, program(case["file"]), way) == expected(case)


@pytest.mark.parametrize("way", ALL_WAYS if EVERYTHING else WITHOUT_TURNS, ids=lambda way: way.name)
@pytest.mark.parametrize("file", PAIR_FILES)
def test_every_instruction_pair_of_a_file_gives_the_reference_outcome(file: str, program: Load, way: Way) -> None:
    wrong = {}
    with time_limit(SECONDS):
        for pair in PAIRS:
            if pair["file"] == file:
                actual = outcome(pair, program(file), way)
                if actual != expected(pair):
                    wrong[pair["name"]] = {"actual": actual, "expected": expected(pair), "listing": pair["listing"]}
    assert wrong == {}


def test_no_case_is_left_out() -> None:
    assert (len(CASES), len(PAIRS)) == (471, 3055)
    if EVERYTHING:
        assert len(CHOSEN) == len(CASES) * len(ALL_WAYS)
    else:
        assert sum(way.turn is None for _, way in CHOSEN) == len(CASES) * len(WITHOUT_TURNS)
