"""Programs and what the reference compiler and machine make of them: results, printed lines, errors, diagnostics.

Where the reference has a fault the case says what a good compiler does instead; an empty ``want`` lets anything pass
but a crash. After a syntax error only the first diagnostic counts: what follows depends on how a parser recovers. Words
that name a token are compared up to where the token is described.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import stoffel
from stoffel.lang.compiler import compile_file

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "observed.json").read_text(encoding="utf-8"))
PLACE = "<dir>"


class Lines:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


def outcome(path: Path) -> dict[str, Any]:
    try:
        program = compile_file(str(path))
    except stoffel.CompileError as error:
        found = [one.as_data() for one in error.diagnostics]
        shown = error.rendered()[-1]
        return {
            "compile": "error",
            "shown": shown,
            "diagnostics": json.loads(json.dumps(found).replace(str(path.parent), PLACE)),
        }
    lines = Lines()
    machine = stoffel.VirtualMachine(output=lines)
    found_: dict[str, Any] = {"compile": "ok"}
    try:
        machine.load(program)
        found_["result"] = stoffel.diagnostic(machine.execute("main"))
    except stoffel.VMError as error:
        found_["error"] = str(error)
    return {**found_, "output": lines.text}


def comparable(diagnostic: dict[str, Any]) -> dict[str, Any]:
    kept = {key: diagnostic[key] for key in ("code", "message", "file", "line", "column") if key in diagnostic}
    if kept["code"] == "E001":
        kept["message"] = re.split(r"found |declaration: ", kept["message"])[0]
    return kept


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_program_comes_out_as_on_the_reference(case: dict[str, Any], tmp_path: Path) -> None:
    directory = tmp_path.resolve()
    for name, text in case["files"].items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    found = outcome(directory / "main.stfl")
    want = case["want"]
    if "diagnostics" in want:
        wanted = want["diagnostics"]
        assert "diagnostics" in found, found
        assert found["shown"].startswith("error: aborting")
        diagnostics = [comparable(one) for one in found["diagnostics"]]
        assert diagnostics[: len(wanted) if wanted[0]["code"] == "E001" else None] == wanted
    else:
        assert {key: found.get(key) for key in want} == want


def test_the_cases_are_of_every_kind() -> None:
    kinds = {tuple(sorted(case["want"])) for case in CASES}
    assert len(CASES) == 870
    assert {("compile", "output", "result"), ("compile", "error", "output"), ("compile", "diagnostics")} <= kinds
