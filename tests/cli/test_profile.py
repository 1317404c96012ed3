"""``stoffel profile``: the table, JSON, files by their ending, and what is left of a run that does not end well."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel.embedding.vm import VirtualMachine
from stoffel.profiling.formats import FORMATS
from tests.cli.conftest import ROOT, Outcome

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]

WORK = """\
function leaf(n)
    LDI r1, 1
    ADD r0, r0, r1
    RET r0
end
function main(n)
    MOV r3, r0
    LDI r2, 0
    LDI r4, "working"
    PUSHARG r4
    CALL print
again:
    PUSHARG r2
    CALL leaf
    MOV r2, r0
    CMP r2, r3
    JMPLT again
    RET r2
end
"""
LONG = "300000"
"""Calls that take some tenths of a second in the interpreter."""

FAILS = WORK.replace("    RET r2\n", "    LDI r1, 0\n    DIV r2, r1, r1\n    RET r2\n")


@pytest.fixture
def work(program: Write) -> Path:
    return program(WORK)


def test_the_program_runs_and_a_table_follows(stoffel: Stoffel, work: Path) -> None:
    status, out, err = stoffel("profile", work, LONG, "--jit=off")
    assert (status, err) == (0, "")
    assert out.startswith(f"working\n{LONG}\n\n")
    lines = [line.split() for line in out.splitlines()]
    assert any(line[-2:] == ["main", "interpreter"] for line in lines)
    assert any(line[-2:] == ["leaf", "interpreter"] for line in lines)
    assert ["100.0%", "main", "[i]"] in lines
    assert "samples, jit off" in out


def test_lines_of_the_source_are_shown(stoffel: Stoffel, work: Path) -> None:
    out = stoffel("profile", work, LONG, "--jit=off", "--rate=1000").out
    lines = [line.split() for line in out[out.index("\nlines\n") : out.index("\nloops\n")].splitlines()]
    assert any(
        line[1].endswith("program.stfasm:3") and line[2:] == ["ADD", "r0,", "r0,", "r1"] for line in lines[3:]
    ), out


def test_the_mode_is_auto_unless_another_is_asked_for(stoffel: Stoffel, work: Path) -> None:
    assert "jit auto\n" in stoffel("profile", work, LONG).out


def test_json_is_one_object(stoffel: Stoffel, work: Path) -> None:
    status, out, err = stoffel("profile", work, LONG, "--json", "--jit=off", "--rate=1000")
    assert (status, err, out.count("\n")) == (0, "", 1)
    found = json.loads(out)
    assert (found["output"], found["result"], found["error"]) == ("working\n", LONG, None)
    assert found["samples"] > 0
    assert found["seconds"] > 0
    assert {row["name"] for row in found["functions"]} == {"main", "leaf"}
    assert all({"self_seconds", "total_seconds", "calls", "tier"} <= set(row) for row in found["functions"])
    main = next(row for row in found["functions"] if row["name"] == "main")
    assert main["total_seconds"] == pytest.approx(found["seconds"]), "main is never lost from a stack"


def test_exact_has_the_counts_of_a_program_too_short_to_be_sampled(stoffel: Stoffel, work: Path) -> None:
    found = json.loads(stoffel("profile", work, 7, "--exact", "--json").out)
    assert {row["name"]: (row["calls"], row["instructions"]) for row in found["functions"]} == {
        "leaf": (7, 21),
        "main": (1, 5 + 7 * 5 + 1),
    }
    assert "too short to be sampled" in stoffel("profile", work, 7).out
    text = stoffel("profile", work, 7, "--exact").out
    assert any(line.split()[-4:] == ["7", "21", "leaf", "interpreter"] for line in text.splitlines())


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_is_written_by_its_ending(stoffel: Stoffel, work: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"profile{ending}"
    status, out, err = stoffel("profile", work, LONG, "--jit=off", "-o", path)
    assert (status, err) == (0, "")
    assert "processor time" in out
    assert path.stat().st_size > 20


def test_an_unknown_ending_is_told_before_anything_runs(stoffel: Stoffel, work: Path, tmp_path: Path) -> None:
    status, out, err = stoffel("profile", work, 1, "-o", tmp_path / "profile.svg")
    assert (status, out) == (2, "")
    assert "the name of a profile ends with .html, .speedscope.json, .folded, .pstats or .pb.gz" in err


@pytest.mark.parametrize("name", ["missing/profile.html", "folder.html"])
def test_a_place_that_cannot_be_written_is_told_before_anything_runs(
    stoffel: Stoffel, work: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    status, out, err = stoffel("profile", work, 1, "-o", tmp_path / name)
    assert (status, out) == (3, "")
    assert err.startswith(f"stoffel: {tmp_path / name}: cannot write the file: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("rate", ["0", "1001", "fast", "-5", "1.5"])
def test_a_rate_that_is_none_is_refused(stoffel: Stoffel, work: Path, rate: str) -> None:
    status, _, err = stoffel("profile", work, 1, f"--rate={rate}")
    assert status == 2
    assert "--rate must be a number of samples a second from 1 to 1000" in err


def test_of_a_program_that_fails_the_profile_is_shown_and_written(
    stoffel: Stoffel, program: Write, tmp_path: Path
) -> None:
    path = tmp_path / "profile.folded"
    status, out, err = stoffel("profile", program(FAILS), LONG, "--jit=off", "-o", path)
    assert status == 1
    assert err.startswith("stoffel: Division by zero\n")
    assert "processor time" in out
    assert "main_[i];leaf_[i] " in path.read_text()
    status, out, err = stoffel("profile", program(FAILS), 7, "--json")
    assert (status, err) == (1, "")
    assert json.loads(out)["error"]["function"] == "main"
    assert json.loads(out)["result"] is None


def test_a_file_that_is_bad_is_refused_as_everywhere(stoffel: Stoffel, program: Write) -> None:
    assert stoffel("profile", program("nonsense")).status == 3
    assert stoffel("profile", program("")).status == 3
    assert stoffel("profile").status == 2


@pytest.mark.parametrize("jit", ["off", "auto"])
def test_an_interrupted_run_shows_and_writes_what_was_seen(start: Any, spinner: Path, tmp_path: Path, jit: str) -> None:
    path = tmp_path / "profile.folded"
    child = start("profile", spinner, f"--jit={jit}", "-o", path, "--rate=1000")
    assert child.stdout.readline() == b"started\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert b"of processor time in" in out
    assert err.startswith(b"stoffel: interrupted\n")
    assert path.exists()


def test_an_interrupted_run_has_json_too(stoffel: Stoffel, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(VirtualMachine, "execute", execute)
    status, out, err = stoffel("profile", work, 7, "--json")
    assert (status, err) == (130, "")
    assert json.loads(out)["error"]["kind"] == "Interrupted"


def test_coverage_shows_what_did_not_run(stoffel: Stoffel, program: Write, tmp_path: Path) -> None:
    path = tmp_path / "coverage.info"
    text = WORK.replace("    RET r2\n", "    RET r2\n    NOP\n")
    status, out, err = stoffel("profile", program(text), LONG, "--coverage", "-o", path)
    assert (status, err) == (0, "")
    assert f"working\n{LONG}\n\n14 of 15 instructions ran (93.3%)\n" in out
    assert "!     11  NOP" in out
    assert "DA:19,0\nLF:15\nLH:14\n" in path.read_text()
    found = json.loads(stoffel("profile", program(text), 5, "--coverage", "--json").out)
    assert {row["name"]: row["missing"] for row in found["functions"]} == {"leaf": [], "main": [11]}
    assert found["result"] == "5"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--coverage", "--jit=auto"], "--coverage goes with --jit=no-kernels or off"),
        (["--coverage", "--exact"], "--coverage tells what --exact counts"),
        (["--coverage", "-o", "x.html"], "the name of a file for coverage ends with .info or .lcov"),
        (["-o", "x.info"], "the name of a profile ends with"),
    ],
)
def test_what_does_not_go_together_is_refused(stoffel: Stoffel, work: Path, words: list[str], sentence: str) -> None:
    status, out, err = stoffel("profile", work, 1, *words)
    assert (status, out) == (2, "")
    assert sentence in err


def test_coverage_of_a_program_that_fails_is_shown(stoffel: Stoffel, program: Write) -> None:
    status, out, _ = stoffel("profile", program(FAILS), 7, "--coverage")
    assert status == 1
    assert "!     12  RET r2" in out


def test_colours_are_for_terminals_or_who_asks(stoffel: Stoffel, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "\033" not in stoffel("profile", work, LONG).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\033[31minterpreter\033[0m" in stoffel("profile", work, LONG, "--jit=off").out


def test_a_plain_run_loads_nothing_of_it() -> None:
    from tests.test_import_rules import loaded_by

    code = "import sys; from stoffel.cli.main import main; main(sys.argv[1:])"
    loaded = loaded_by(code, "run", "--jit", str(ROOT / "examples" / "hello.stfasm"))
    assert not [name for name in loaded if name.startswith("stoffel.profiling")]
