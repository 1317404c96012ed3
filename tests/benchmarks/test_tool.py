"""``python -m benchmarks``: it runs, its JSON and picture are well-formed, and it refuses what is wrong at once."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import plot
from benchmarks.__main__ import main
from benchmarks.catalogue import BY_NAME
from benchmarks.comparison import Row, lines, summarise
from benchmarks.rounds import Timing
from benchmarks.sections import embedding
from benchmarks.sections.deoptimisation import one as deoptimise
from benchmarks.sections.instructions import count
from benchmarks.sections.translation import straight
from benchmarks.table import geometric_mean, milliseconds, significant, table
from benchmarks.unhooked import RemoveChecks
from benchmarks.ways import INTERPRETER, PYTHON

ROOT = Path(__file__).parents[2]


def timing(seconds: float) -> Timing:
    return Timing(seconds, (seconds, 2 * seconds), 1, "1")


ROWS = [
    Row(BY_NAME["int_loop"], 4, {"interpreter": timing(8e-3), "python": timing(1e-3)}, ("c",), {}),
    Row(BY_NAME["sieve"], 5, {"interpreter": timing(2e-3), "python": timing(1e-3)}, (), {"lua": "lua ended: no"}),
]


def test_a_quick_run_of_one_program_writes_json_and_a_picture(tmp_path) -> None:
    found, picture = tmp_path / "found.json", tmp_path / "found.svg"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "gcd", "--peers", "none"]
    done = subprocess.run(
        [*command, "--json", str(found), "--plot", str(picture)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(found.read_text())
    (program,) = data["comparison"]["programs"]
    assert (program["name"], program["n"], program["failures"]) == ("gcd", 700, {})
    assert {"interpreter", "python"} <= set(program["ways"])
    for way in program["ways"].values():
        assert len(way["samples"]) == 3
        assert way["best"] == min(way["samples"])
    assert program["ratios"]["interpreter/python"] == (
        program["ways"]["interpreter"]["best"] / program["ways"]["python"]["best"]
    )
    assert set(data["sections"]) == {
        "instructions",
        "hooks",
        "translation",
        "kernels",
        "columns",
        "deoptimisation",
        "embedding",
        "startup",
        "whole",
    }
    assert data["sections"]["kernels"]["programs"][0]["cold"]["kernels"] >= 1
    assert set(data["sections"]["embedding"]["nanoseconds"]["always"]) == set(embedding.CASES)
    assert "kernels" in program["ways"]
    assert data["sections"]["instructions"]["programs"][0]["instructions"] == count("gcd", "O0", 700)
    assert ElementTree.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.json", "found.svg"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--only", "gdc"], "unknown program 'gdc'"),
        (["--peers", "fortran"], "unknown peer 'fortran'"),
        (["--ways", "c"], "unknown way 'c'"),
        (["--sections", "moon"], "unknown section 'moon'"),
        (["--rounds", "0"], "--rounds must be at least 1"),
        (["--json", "/nowhere/found.json"], "cannot write to the directory of /nowhere/found.json"),
        (["--plot", "found.bmp"], "the plot must be a .svg or .png file, not found.bmp"),
        (["--plot", "found.svg", "--sections", "startup"], "--plot draws the comparison"),
        (["--quick", "--full"], "not allowed with argument"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_measured(words, text, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


def test_a_picture_needs_matplotlib_only_as_png(monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert plot.refusal(Path("a.svg")) == ""
    assert plot.refusal(Path("a.png")) == "a .png needs matplotlib, which is not installed; ask for .svg"


def test_the_summary_has_mean_and_worst_over_all_and_by_group() -> None:
    found = summarise(ROWS)["interpreter/python"]
    assert (found["geometric_mean"], found["worst"], found["worst_program"]) == (4.0, 8.0, "int_loop")
    assert found["groups"]["array"] == {"geometric_mean": 2.0, "worst": 2.0}


def test_the_table_shows_ratios_and_what_is_missing() -> None:
    found = lines(ROWS, [INTERPRETER, PYTHON])
    assert found[2].split() == ["int_loop", "4", "8.00", "(12.0)", "1.00", "(1.50)", "8.00"]
    assert found[-1] == "FAILED sieve: lua ended: no"


def test_the_picture_has_a_point_for_every_time() -> None:
    picture = ElementTree.fromstring(plot.render(Path("a.svg"), ROWS, [INTERPRETER, PYTHON]))
    titles = {title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")}
    assert titles == {"interpreter int_loop: 8", "interpreter sieve: 2", "python int_loop: 1", "python sieve: 1"}


def test_numbers_have_three_digits_that_mean_something() -> None:
    assert [significant(x) for x in (0.01234, 1.0, 123.4, 12345.0, 0)] == ["0.0123", "1.00", "123", "12345", "0"]
    assert milliseconds(0.0015) == "1.50"
    assert round(geometric_mean([2.0, 8.0]), 12) == 4.0


def test_tables_align() -> None:
    assert table(["a", "bb"], [["long", "1"]]) == ["a     bb", "----  --", "long   1"]


def test_made_up_functions_have_the_length_asked_for_and_run() -> None:
    import stoffel

    function = straight(1000)
    assert 1000 - 60 < len(function.instructions) <= 1000
    machine = stoffel.VirtualMachine()
    machine.register_function(function)
    acc = 1
    for _ in range(sum(instruction.name == "CMP" for instruction in function.instructions) // 2):
        acc = (acc * 31 + 5) % 1000003
        acc += 5 if acc % 7 == 3 else 0
    assert machine.execute("bench", 5) == acc


def test_hooks_that_come_on_at_the_bottom_of_a_stack_are_noticed() -> None:
    found = deoptimise("off", 20)
    assert found["depth"] == 20
    assert 0 < found["move"] < found["run_with_switch"]


def test_instructions_are_counted_as_the_reference_counts_them() -> None:
    # main of fib(28) executes 16455315 instructions, five of them its own; the count is linear in the number of calls.
    calls = {n: 2 * fib - 1 for n, fib in ((10, 89), (11, 144), (28, 514229))}
    counts = {n: count("fib_recursive", "O0", n) for n in (10, 11)}
    slope = (counts[11] - counts[10]) / (calls[11] - calls[10])
    assert counts[10] + slope * (calls[28] - calls[10]) == 16455315 - 5


def test_the_interpreter_without_checks_has_none_left() -> None:
    text = "if state.attention and not frame.state.hooked:\n    state.hooked = True"
    remover = RemoveChecks()
    assert ast.unparse(remover.visit(ast.parse(text))) == "if False and (not False):\n    state.hooked = True"
    assert remover.removed == 2


def test_the_interpreter_without_checks_still_runs_programs() -> None:
    command = [sys.executable, "-m", "benchmarks.worker", "unhooked", "small_calls"]
    done = subprocess.run(command, cwd=ROOT, input="100 1\n", capture_output=True, text=True, check=True)
    from benchmarks.python.small_calls import bench

    assert done.stdout.split()[1] == str(bench(100))
