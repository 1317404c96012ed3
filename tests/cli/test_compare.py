"""``stoffel compare``: agreement, differences in context, seeds and stores, wrong usage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stoffel import VirtualMachine, assemble, notices
from stoffel.cli import ways
from stoffel.compiler.cpython import versions
from stoffel.compiler.cpython.writer import Writer
from stoffel.model.values import Closure
from stoffel.runtime.storage import SQLiteStorage
from tests.cli.conftest import Outcome

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]

LOOP = """\
function main(n)
    LDI r1, 0
    LDI r2, 0
    LDI r3, 1
loop:
    CMP r2, r0
    JMPEQ done
    XOR r1, r1, r2
    ADD r2, r2, r3
    JMP loop
done:
    MOV r4, r1
    PUSHARG r1
    CALL print
    LDI r5, "end"
    PUSHARG r5
    CALL print
    RET r4
end
"""

SILENT = LOOP.replace("PUSHARG r1\n    CALL print\n", "").replace("PUSHARG r5\n    CALL print\n", "")

NAMES = [way.name for way in ways.WAYS]


@pytest.fixture
def loop(program: Write) -> Path:
    return program(LOOP)


@pytest.fixture
def wrong_xor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a fault in the translator: XOR is written as OR."""
    right = Writer.binary

    def binary(self: Writer, operator: str) -> None:
        right(self, "OR" if operator == "XOR" else operator)

    monkeypatch.setattr(Writer, "binary", binary)


def rows(out: str) -> dict[str, str]:
    """Return the lines of the table by the name of their way."""
    found = {}
    for line in out.splitlines():
        name = max((name for name in NAMES if line.startswith(name)), key=len, default=None)
        if name is not None:
            found[name] = line
    return found


def test_ways_that_agree_are_told_side_by_side(stoffel: Stoffel, loop: Path) -> None:
    status, out, err = stoffel("compare", loop, "100")
    assert (status, err) == (0, "")
    table = rows(out)
    assert list(table) == NAMES
    assert all("result 0" in line for line in table.values())
    assert [line.endswith("same") for line in table.values()] == [False] + [True] * 7
    assert out.endswith("\nresult 0\nall 8 ways agree\n")


def test_forced_exits_happen_at_the_safepoints_asked_for(stoffel: Stoffel, loop: Path) -> None:
    exits = {
        way["way"]: sum(way["stats"].get("deoptimisations", {}).values())
        for way in json.loads(stoffel("compare", loop, "100", "--json").out)["ways"]
    }
    assert [exits[name] for name in NAMES[:3]] == [0, 0, 0]
    assert exits[NAMES[3]] > exits[NAMES[4]] > exits[NAMES[5]] > 0
    assert exits["kernels, exit at every safepoint"] > 0


def test_the_ways_with_kernels_make_them_and_the_others_do_not(stoffel: Stoffel, program: Write) -> None:
    found = json.loads(stoffel("compare", program(SILENT), "1000", "--json").out)["ways"]
    made = {
        way["way"]: any(counters["kernels"] for counters in way["stats"].get("functions", {}).values()) for way in found
    }
    assert made == {name: name.startswith("kernels") for name in NAMES}


def test_the_same_error_everywhere_is_agreement(stoffel: Stoffel, countdown: Path) -> None:
    status, out, err = stoffel("compare", countdown, "5")
    assert (status, err) == (0, "")
    assert "\nerror Value: Division by zero (function down, instruction 8)\nall 8 ways agree\n" in out


def test_a_different_printed_line_is_shown_with_the_instruction_that_prints_it(
    stoffel: Stoffel, loop: Path, wrong_xor: None
) -> None:
    status, out, err = stoffel("compare", loop, "100")
    assert (status, err) == (1, "")
    assert rows(out)["always"].endswith("DIFFERS: printed line 1")
    assert "First difference, in the way 'always': printed line 1\n  expected  0\n  got       127\n" in out
    assert "  in the way 'interpreter' it is printed by\n    function main\n" in out
    assert "    >     10  CALL print\n" in out


def test_a_different_result_is_shown(stoffel: Stoffel, program: Write, wrong_xor: None) -> None:
    status, out, _ = stoffel("compare", program(SILENT), "100")
    assert status == 1
    assert "First difference, in the way 'always': result\n  expected  result 0\n  got       result 127\n" in out


def test_a_different_error_is_shown_with_the_instructions_around_both(
    stoffel: Stoffel, program: Write, wrong_xor: None
) -> None:
    path = program(SILENT.replace("MOV r4, r1", "LDI r6, 127\n    SUB r6, r6, r1\n    DIV r6, r3, r6\n    MOV r4, r1"))
    status, out, _ = stoffel("compare", path, "100")
    assert status == 1
    assert (
        "First difference, in the way 'always': end of the run\n"
        "  expected  result 0\n"
        "  got       error Value: Division by zero (function main, instruction 10)\n"
        "  calls in the way 'always', innermost last:\n"
        "    at function main, instruction 10\n"
    ) in out
    assert "    >     10  DIV r6, r3, r6\n" in out


PUSHED = """\
    LDI r0, 1
    PUSHARG r0
    CALL create_array
    MOV r5, r0
    PUSHARG r5
    PUSHARG r4
    CALL array_push
    RET r5
"""


def test_different_contents_of_tables_are_shown(stoffel: Stoffel, program: Write, wrong_xor: None) -> None:
    status, out, _ = stoffel("compare", program(SILENT.replace("    RET r4\n", PUSHED)), "100")
    assert status == 1
    assert "First difference, in the way 'always': tables\n" in out
    assert "  expected  1. Array(1)[0] = 0\n  got       1. Array(1)[0] = 127\n" in out


def test_a_different_event_is_shown_with_the_events_before_it(
    stoffel: Stoffel, program: Write, wrong_xor: None
) -> None:
    # Hooks are switched on at the line "go", after the loop has gone wrong in a register that nothing shows.
    text = LOOP.replace("MOV r4, r1\n    PUSHARG r1\n    CALL print\n", "").replace(
        "RET r4", "MOV r6, r1\n    LDI r0, 0\n    RET r0"
    )
    status, out, _ = stoffel("compare", program(text), "100", "--hooks")
    assert status == 1
    assert "First difference, in the way 'always': event " in out
    assert "RegisterRead(1, 0)\n" in out
    assert "RegisterRead(1, 127)\n" in out
    assert "MOV r6, r1\n" in out


def test_events_are_counted_and_digested_the_same_way_in_every_run(stoffel: Stoffel, loop: Path) -> None:
    first = json.loads(stoffel("compare", loop, "30", "--hooks", "--json").out)
    traces = [way["traces"] for way in first["ways"]]
    assert first["agree"]
    assert traces[0][ways.THROUGHOUT]["events"] > 300
    assert all(trace[ways.BY_TURNS] == traces[0][ways.BY_TURNS] for trace in traces)
    assert [ways.THROUGHOUT in trace for trace in traces] == [not way.every for way in ways.WAYS]
    assert json.loads(stoffel("compare", loop, "30", "--hooks", "--json").out)["ways"][0]["traces"] == traces[0]


def test_json_tells_the_difference(stoffel: Stoffel, loop: Path, wrong_xor: None) -> None:
    status, out, err = stoffel("compare", loop, "100", "--json")
    found = json.loads(out)
    assert (status, err, found["agree"]) == (1, "", False)
    assert [way["way"] for way in found["ways"]] == NAMES
    assert found["ways"][0]["difference"] is None
    difference = found["ways"][2]["difference"]
    assert (difference["what"], difference["expected"], difference["got"]) == ("printed line 1", "0", "127")


RANDOM = """\
function main()
    LDI r0, 64
    PUSHARG r0
    CALL Mpc.rand_int
    RET r0
end
"""


def test_randomness_has_the_same_seed_in_every_way(stoffel: Stoffel, program: Write) -> None:
    path = program(RANDOM)
    results = [
        {way["result"] for way in json.loads(stoffel("compare", path, "--json", "--seed", seed).out)["ways"]}
        for seed in (1, 2, 1)
    ]
    assert [len(found) for found in results] == [1, 1, 1]
    assert results[0] == results[2] != results[1]


COUNTER = """\
function main()
    LDI r5, "n"
    PUSHARG r5
    CALL LocalStorage.load
    LDI r1, 1
    ADD r6, r0, r1
    PUSHARG r5
    PUSHARG r6
    CALL LocalStorage.store
    RET r6
end
function begin()
    LDI r0, "n"
    LDI r1, 41
    PUSHARG r0
    PUSHARG r1
    CALL LocalStorage.store
    RET r0
end
"""


def test_every_way_gets_a_copy_of_the_store_and_the_original_is_left_alone(
    stoffel: Stoffel, program: Write, tmp_path: Path
) -> None:
    path, store = program(COUNTER), tmp_path / "store.sqlite"
    assert stoffel("run", path, "--entry", "begin", "--local-store", store).status == 0
    before = store.read_bytes()
    status, out, err = stoffel("compare", path, "--local-store", store, "--json")
    found = json.loads(out)["ways"]
    assert (status, err) == (0, "")
    assert {way["result"] for way in found} == {"42"}
    assert len({tuple(way["storage"]) for way in found}) == 1
    assert len(found[0]["storage"]) == 1
    assert store.read_bytes() == before


def test_a_store_that_does_not_exist_begins_empty_and_is_not_made(
    stoffel: Stoffel, program: Write, tmp_path: Path
) -> None:
    store = tmp_path / "new.sqlite"
    status, _, err = stoffel("compare", program(COUNTER), "--entry", "begin", "--local-store", store)
    assert (status, err, store.exists()) == (0, "", False)


def test_a_different_store_is_a_difference(stoffel: Stoffel, program: Write, tmp_path: Path, monkeypatch: Any) -> None:
    right = SQLiteStorage.store
    values = iter(range(1000))

    def store(self: SQLiteStorage, key: bytes, value: bytes) -> None:
        right(self, key, value + bytes([next(values)]))

    monkeypatch.setattr(SQLiteStorage, "store", store)
    status, out, _ = stoffel("compare", program(COUNTER), "--entry", "begin", "--local-store", tmp_path / "new")
    assert status == 1
    assert "First difference, in the way 'auto': storage\n" in out


def test_a_directory_as_store_is_a_bad_file(stoffel: Stoffel, loop: Path, tmp_path: Path) -> None:
    assert stoffel("compare", loop, "1", "--local-store", tmp_path) == (
        3,
        "",
        f"stoffel: {tmp_path}: cannot copy the storage: Is a directory\n",
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "missing FILE"),
        (["FILE", "--seed", "x"], "--seed must be an integer of at most 18 digits, not 'x'"),
        (["FILE", "--seed"], "--seed needs a value: --seed N"),
        (["FILE", "u8:300"], "argument 1: 'u8:300': U8 holds 0 to 255 (write s:300 for text)"),
        (["FILE", "--hook"], "unknown option --hook; did you mean --hooks?"),
        (["FILE", "--jit"], "unknown option --jit; write -- before an argument that begins with a dash: -- --jit"),
    ],
)
def test_wrong_usage_is_told_in_one_line(stoffel: Stoffel, loop: Path, words: list[str], told: str) -> None:
    given = [str(loop) if word == "FILE" else word for word in words]
    assert stoffel("compare", *given) == (2, "", f"stoffel compare: {told} (see stoffel compare --help)\n")


def test_a_program_that_cannot_be_started_is_told_as_by_run(stoffel: Stoffel, loop: Path) -> None:
    assert stoffel("compare", loop) == stoffel("run", loop)
    assert stoffel("compare", loop, "--entry", "zzz") == (
        1,
        "",
        "stoffel: Function zzz not found\n  choose one of its functions with --entry: main\n",
    )


def test_bad_files_are_told_as_by_run(stoffel: Stoffel, program: Write, tmp_path: Path) -> None:
    taken = program("function print()\n    RET r0\nend\n")
    empty = program("; nothing\n", "empty.stfasm")
    for path in (taken, empty, tmp_path / "missing"):
        outcome = stoffel("compare", path)
        assert outcome == stoffel("run", path)
        assert outcome.status == 3


def test_on_an_unknown_python_the_ways_agree_and_the_reason_is_told_once(
    stoffel: Stoffel, loop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "KNOWN_VERSIONS", ((3, 1),))
    monkeypatch.setattr(notices, "_said", set())
    status, out, err = stoffel("compare", loop, "10")
    assert (status, err.count("\n")) == (0, 1)
    assert err.startswith("stoffel: nothing but kernels is compiled: ")
    assert out.endswith("all 8 ways agree\n")


def test_contents_describe_everything_reachable_once() -> None:
    machine = VirtualMachine()
    machine.load(
        assemble(
            """
            function main()
                CALL create_object
                MOV r5, r0
                LDI r1, "self"
                PUSHARG r5
                PUSHARG r1
                PUSHARG r5
                CALL set_field
                RET r5
            end
            """
        )
    )
    table = machine.execute("main")
    assert ways.contents(Closure("f", (("t", table), ("n", 1)))) == [
        "1. Function(f): 2 entries",
        "1. Function(f).t = Object(1)",
        "1. Function(f).n = 1",
        "2. Object(1): 1 entries",
        '2. Object(1)["self"] = Object(1)',
    ]
    assert ways.contents(5) == []
