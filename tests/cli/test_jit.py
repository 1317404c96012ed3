"""``stoffel run --jit --stats``: what the compiled tier did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel import VirtualMachine, notices
from stoffel.cli.files import Source
from stoffel.cli.run import learning
from stoffel.cli.tiers import signature_text, statistics_lines
from stoffel.compiler.cpython import versions
from stoffel.embedding.engine import MODES
from stoffel.jit.policy import thresholds
from stoffel.jit.policy.run_history import notes
from tests.cli.conftest import Outcome
from tests.machines import SUM_BY_CALL, loaded

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]


CALLING_IN_A_LOOP = """
function twice(n)
    ADD r0, r0, r0
    RET r0
end
function main(n)
    MOV r4, r0
    LDI r1, 0
    LDI r2, 1
again:
    PUSHARG r1
    CALL twice
    ADD r1, r1, r2
    CMP r1, r4
    JMPLT again
    RET r0
end
"""


@pytest.fixture
def total(program: Write) -> Path:
    return program(SUM_BY_CALL)


def test_statistics_go_to_standard_error_after_the_result(stoffel: Stoffel, total: Path) -> None:
    status, out, err = stoffel("run", total, "--jit=always", "--stats", "10")
    lines = err.splitlines()
    assert (status, out) == (0, "45\n")
    assert lines[0] == "compiled tier: always"
    assert lines[1].split() == [
        "function",
        "tier",
        "units",
        "compile",
        "time",
        "code",
        "size",
        "loop",
        "entries",
    ]
    assert [line.split()[0] for line in lines[2:4]] == ["main", "sum"]
    assert "  entered once" in lines


def without_times(statistics: dict[str, Any]) -> dict[str, Any]:
    """Return statistics without what differs from run to run."""
    functions = {
        name: {what: value for what, value in counters.items() if not what.endswith("_seconds")}
        for name, counters in statistics["functions"].items()
    }
    return {**statistics, "functions": functions}


@pytest.mark.parametrize("mode", ["always", "no-kernels", "kernels"])
def test_statistics_are_those_of_the_run_that_would_have_been_without(
    stoffel: Stoffel, program: Write, mode: str, tmp_path: Path
) -> None:
    path = program(CALLING_IN_A_LOOP)
    machine = loaded(VirtualMachine(jit=mode, cache=str(tmp_path / "one")), CALLING_IN_A_LOOP)
    machine.execute("main", 200)
    command = ("run", path, f"--jit={mode}", f"--cache={tmp_path / 'two'}", "--stats", "--json", "200")
    found = json.loads(stoffel(*command).out)
    assert without_times(found["stats"]) == without_times(machine.jit_statistics())
    assert {counters["calls"] for counters in found["stats"]["functions"].values()} <= {None}


def test_what_is_inlined_is_told(stoffel: Stoffel, program: Write) -> None:
    err = stoffel("run", program(CALLING_IN_A_LOOP), "--jit=always", "--stats", "20").err
    assert "  main inlines twice" in err.splitlines()


def test_calls_are_counted_if_that_is_asked_for(stoffel: Stoffel, program: Write) -> None:
    path = program(CALLING_IN_A_LOOP)
    status, out, err = stoffel("run", path, "--jit=always", "--count-calls", "20")
    rows = [line.split() for line in err.splitlines()]
    assert (status, out) == (0, "38\n")
    assert rows[1][:4] == ["function", "tier", "calls", "units"]
    assert [(row[0], row[3]) for row in rows[2:4]] == [("main", "1"), ("twice", "20")]
    found = json.loads(stoffel("run", path, "--jit=always", "--count-calls", "--json", "20").out)["stats"]
    assert found["functions"]["twice"]["calls"] == 20
    assert found["functions"]["main"]["inlined"] == []


def test_a_run_whose_calls_are_counted_leaves_no_note_for_the_next(
    stoffel: Stoffel, total: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 100)
    command = ("run", total, "--jit", "--cache", tmp_path / "cache", "1000")
    stoffel(*command, "--count-calls")
    assert notes(str(tmp_path / "cache")) == []
    stoffel(*command)
    assert len(notes(str(tmp_path / "cache"))) == 1


def test_statistics_of_a_machine_that_compiles_nothing_say_so(stoffel: Stoffel, total: Path) -> None:
    assert stoffel("run", total, "--stats", "10") == (0, "45\n", "compiled tier: off (see --jit)\n")


def test_statistics_of_a_short_run_say_that_nothing_was_worth_it(stoffel: Stoffel, total: Path) -> None:
    status, out, err = stoffel("run", total, "--jit", "--stats", "10")
    assert (status, out) == (0, "45\n")
    assert err.splitlines()[:2] == ["compiled tier: auto", "  no function was worth compiling"]


def test_statistics_come_with_a_failed_program_too(stoffel: Stoffel, total: Path) -> None:
    status, out, err = stoffel("run", total, "--jit=always", "--stats", "text")
    assert (status, out) == (1, "")
    assert err.startswith('stoffel: Cannot compare 0 and "text"\n')
    assert "compiled tier: always\n" in err


def test_json_has_the_statistics_under_a_key_of_their_own(stoffel: Stoffel, total: Path) -> None:
    status, out, err = stoffel("run", total, "--jit=always", "--stats", "--json", "10")
    found = json.loads(out)
    assert (status, err, list(found)) == (0, "", ["output", "result", "error", "stats"])
    assert found["stats"]["mode"] == "always"
    assert found["stats"]["functions"]["sum"]["tier"] == "code object"
    assert found["stats"]["functions"]["sum"]["units"] >= 1


def test_json_without_statistics_has_no_such_key(stoffel: Stoffel, total: Path) -> None:
    assert list(json.loads(stoffel("run", total, "--jit=always", "--json", "10").out)) == ["output", "result", "error"]


def test_deoptimisations_and_refusals_are_told_in_sentences() -> None:
    function = {
        "calls": 7,
        "inlined": [],
        "units": 1,
        "compile_seconds": 0.0012,
        "code_size": 300,
        "loop_entries": 2,
        "kernels": [],
        "kernel_seconds": 0.0,
        "kernel_size": 0,
        "kernel_refusal": None,
    }
    assert statistics_lines(
        {
            "mode": "auto",
            "functions": {
                "f": {"tier": "code object", "refusal": None, **function},
                "long name": {"tier": "interpreter", "refusal": "the function has no instructions", **function},
            },
            "runs": 7,
            "deoptimisations": {"a guess failed": 1, "call depth": 2},
            "exits": [
                {
                    "function": "f",
                    "instruction": 29,
                    "line": 7,
                    "reason": "a guess failed",
                    "expected": "int64",
                    "seen": "float",
                    "cause": None,
                    "times": 3,
                }
            ],
            "records_rebuilt": 5,
        }
    ) == [
        "compiled tier: auto",
        "  function   tier         calls  units  compile time  code size  loop entries",
        "  f          code object      7      1       1.20 ms  300 bytes             2",
        "  long name  interpreter      7      1       1.20 ms  300 bytes             2",
        "  entered 7 times",
        "  left once: a guess failed",
        "    left at step 29 of f, line 7 (3 times): expected int64, saw float",
        "  left 2 times: call depth",
        "  5 activation records rebuilt",
        "  long name is left to the interpreter: the function has no instructions",
    ]


def test_statistics_show_the_kernels_that_ran(stoffel: Stoffel, total: Path) -> None:
    status, out, err = stoffel("run", total, "--jit=kernels", "--stats", "--cache=off", "1000")
    lines = err.splitlines()
    assert (status, out) == (0, "499500\n")
    (title,) = [number for number, line in enumerate(lines) if line.split()[0] == "kernel"]
    assert lines[title].split() == ["kernel", "signature", "code", "runs", "left", "instructions"]
    name, *signature, code, runs, left, instructions = lines[title + 1].split()
    assert (name, " ".join(signature), code, runs, left) == ("main", "(int64) -> int64", "built", "1", "0")
    assert int(instructions) > 1000
    assert lines[title + 2].startswith("  1 kernel ready in ")
    assert [line.split()[:2] for line in lines[2:3]] == [["main", "kernel"]]


def test_kernels_of_a_second_run_come_from_the_cache(stoffel: Stoffel, total: Path, tmp_path: Path) -> None:
    for code in ("built", "cached"):
        err = stoffel("run", total, "--jit=kernels", "--stats", f"--cache={tmp_path / 'kept'}", "1000").err
        assert f"  {code} " in err


def test_a_later_run_does_not_wait_until_it_is_known_that_compiling_pays(
    stoffel: Stoffel, total: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("run", total, "--jit", "--stats", "--cache", tmp_path / "cache", "1000")
    assert "code object" not in stoffel(*command).err
    assert notes(str(tmp_path / "cache")) == []
    monkeypatch.setattr(thresholds, "WORTH_TRYING", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(thresholds, "HEAT_OF_LOADING", 100)
        patch.setattr(thresholds, "HEAT_PER_INSTRUCTION", 100)
        assert "code object" in stoffel(*command).err
    assert len(notes(str(tmp_path / "cache"))) == 1
    assert "code object" in stoffel(*command).err
    assert "code object" not in stoffel(*command[:-1], "1001").err
    assert "code object" not in stoffel(*command, "--cache=off").err


def test_an_interrupted_run_says_nothing_about_the_next(total: Path, tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    machine = VirtualMachine(jit="always", output=interrupt)
    with (
        pytest.raises(KeyboardInterrupt),
        learning(machine, Source("total", total.read_bytes()), {"--cache": str(tmp_path)}, []),
    ):
        machine.execute("print", 1)
    assert notes(str(tmp_path)) == []


def test_signatures_are_shown_in_types_of_the_language_and_cut_where_they_are_long() -> None:
    assert signature_text(["int64", "[[float", "opaque", "=x", "[?"], "nil") == (
        '(int64, list[list[float]], any, "x", list[unknown]) -> nil'
    )
    assert signature_text(["nil", "boolean", "nil"], "mixed", full=False) == "(boolean) -> mixed"
    kernel = {
        "entry": 12,
        "types": ["int64"] * 40,
        "result": "int64",
        "cached": True,
        "runs": 3,
        "left": 1,
        "instructions_run": 600,
    }
    counters = {
        "tier": "kernel",
        "calls": None,
        "inlined": [],
        "units": 0,
        "compile_seconds": 0.0,
        "code_size": 0,
        "loop_entries": 0,
        "refusal": None,
        "kernels": [kernel],
        "kernel_seconds": 0.0305,
        "kernel_size": 1200,
        "kernel_refusal": "its runs are too short: 200 instructions on average",
    }
    lines = statistics_lines(
        {"mode": "auto", "functions": {"f": counters}, "runs": 0, "deoptimisations": {}, "records_rebuilt": 0}
    )
    signature = ("(" + "int64, " * 40)[:57] + "..."
    assert lines[4] == f"  f at instruction 12  {signature}  cached     3     1           600"
    assert lines[5] == "  1 kernel ready in 30.50 ms, 1200 bytes"
    assert lines[-1] == "  f has no other kernel: its runs are too short: 200 instructions on average"


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_the_engine_can_be_asked_for_and_is_explained(
    mode: str, stoffel: Stoffel, total: Path, tmp_path: Path
) -> None:
    assert stoffel("run", total, f"--jit={mode}", f"--cache={tmp_path}", "10") == (0, "45\n", "")
    assert f"  {mode:<10}  {MODES[mode].summary}\n" in stoffel("run", "--help").out


@pytest.mark.parametrize(
    ("mode", "what", "first"),
    [
        ("no-kernels", "nothing", "compiled tier: no-kernels, but this Python is not one that it knows"),
        ("kernels", "nothing but kernels", "compiled tier: kernels"),
    ],
)
def test_on_an_unknown_python_everything_runs_and_one_sentence_says_what_is_not_compiled(
    mode: str, what: str, first: str, stoffel: Stoffel, total: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(versions, "KNOWN_VERSIONS", ((3, 1), (3, 2)))
    monkeypatch.setattr(notices, "_said", set())
    status, out, err = stoffel("run", total, f"--jit={mode}", f"--cache={tmp_path}", "--stats", "10")
    lines = err.splitlines()
    assert (status, out) == (0, "45\n")
    assert lines[0].startswith(
        f"stoffel: {what} is compiled: the translator knows the bytecode of CPython 3.1, 3.2, and this is 3."
    )
    assert lines[1] == first
    assert any("1 kernel ready" in line for line in lines) is (mode == "kernels")


def test_the_environment_sets_how_runs_that_name_no_mode_proceed(
    stoffel: Stoffel, total: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOFFEL_JIT", "always")
    assert "compiled tier: always" in stoffel("run", total, "--stats", "10").err
    assert "compiled tier: off" in stoffel("run", total, "--stats", "--jit=off", "10").err
    monkeypatch.setenv("STOFFEL_JIT", "")
    assert "compiled tier: off" in stoffel("run", total, "--stats", "10").err
    monkeypatch.setenv("STOFFEL_JIT", "fast")
    assert stoffel("run", total, "10").status == 2
    assert "STOFFEL_JIT must be one of off, auto" in stoffel("run", total, "10").err
