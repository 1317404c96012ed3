"""What a run leaves for the next run of the same program, and what that makes of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.jit.code_tier import CompiledTier
from stoffel.jit.policy import run_history, thresholds, warmup
from stoffel.jit.policy.run_history import History, Outcome, forget, notes
from stoffel.jit.policy.thresholds import HEAT_OF_RECALL, LONG_ENOUGH, PATIENCE
from stoffel.jit.policy.warmup import WarmUp, outcome_of
from stoffel.jit.statistics import Statistics
from tests.machines import SUM, SUM_BY_CALL, loaded, sampler

PROGRAM = (
    SUM_BY_CALL
    + """\
function each(n)
    LDI r1, "prints, which no kernel does"
    MOV r2, r0
    PUSHARG r1
    CALL print
    PUSHARG r2
    CALL sum
    RET r0
end
"""
)
LEARNT = Outcome(2.5, 0.25, (("main", 3), ("größer als", None), ("", 0)))
QUICK = Outcome(0.5, 0.75)


def about(directory: Path, *arguments: str, content: bytes = b"a program") -> History:
    return History(str(directory), content, list(arguments))


@pytest.mark.parametrize("outcome", [LEARNT, QUICK, Outcome(0.5), Outcome(None, 1e-6)])
def test_the_next_run_reads_what_the_last_one_wrote(outcome: Outcome, tmp_path: Path) -> None:
    place = tmp_path / "new" / "directory"
    about(place, "auto", "main").write(outcome)
    assert about(place, "auto", "main").read() == outcome


def test_the_last_run_counts(tmp_path: Path) -> None:
    about(tmp_path).write(LEARNT)
    about(tmp_path).write(QUICK)
    assert about(tmp_path).read() == QUICK
    assert len(notes(str(tmp_path))) == 1


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    about(tmp_path).write(LEARNT)
    known = about(tmp_path)
    assert known.read() == LEARNT
    (path,) = notes(str(tmp_path))
    Path(path).unlink()
    known.write(LEARNT)
    assert notes(str(tmp_path)) == []


def test_other_programs_and_arguments_are_other_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even in the same slot."""
    monkeypatch.setattr(run_history, "SLOTS", 1)
    about(tmp_path, "auto", "main", "1").write(LEARNT)
    assert about(tmp_path, "auto", "main", "2").read() is None
    assert about(tmp_path, "auto", "main", "1", content=b"another").read() is None
    assert about(tmp_path, "auto", "main", "1").read() == LEARNT
    about(tmp_path, "auto", "main", "2").write(LEARNT)
    assert about(tmp_path, "auto", "main", "1").read() is None


def test_a_damaged_note_is_none_or_says_less(tmp_path: Path) -> None:
    about(tmp_path).write(LEARNT)
    (path,) = notes(str(tmp_path))
    data = Path(path).read_bytes()
    for length in range(len(data)):
        Path(path).write_bytes(data[:length])
        found = about(tmp_path).read()
        assert found is None or found.kernels == LEARNT.kernels[: len(found.kernels)]
    damages = (b"\xff" * 50, b"\n" * 5, data.replace(b"3 main", b"x main"))
    for damage in (*damages, *(data.replace(b"2.500000", word) for word in (b"-2.5", b"inf", b"nan", b"x", b""))):
        Path(path).write_bytes(damage)
        assert about(tmp_path).read() is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_in_the_place_of_a_note_is_not_waited_for(tmp_path: Path) -> None:
    about(tmp_path).write(LEARNT)
    (path,) = notes(str(tmp_path))
    Path(path).unlink()
    os.mkfifo(path)
    assert about(tmp_path).read() is None


def test_where_nothing_can_be_kept_nothing_is(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for place in (str(file), str(file / "below"), None):
        nowhere = History(place, b"", [])
        nowhere.write(LEARNT)
        assert nowhere.read() is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners")
def test_nothing_is_written_where_others_can_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    about(tmp_path).write(LEARNT)
    assert notes(str(tmp_path)) == []


def test_a_name_of_two_lines_is_not_noted(tmp_path: Path) -> None:
    about(tmp_path).write(Outcome(1.0, 0.5, (("two\nlines", None),)))
    assert notes(str(tmp_path)) == []


def test_notes_can_be_forgotten_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    (tmp_path / "xyz.history").touch()
    about(tmp_path).write(LEARNT)
    assert forget(str(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "xyz.history"]
    assert forget(str(tmp_path)) == forget(str(tmp_path / "none")) == forget(None) == 0


# What a machine makes of it


def test_where_it_paid_the_translator_is_there_after_a_moment() -> None:
    machine = loaded(VirtualMachine(jit="no-kernels"), SUM)
    assert isinstance(machine.state.tier, WarmUp)
    asked = []
    machine.state.tier.recall(lambda: asked.append(machine.state.tier) or LEARNT)
    machine.execute("sum", 10)
    assert asked == []
    machine.execute("sum", HEAT_OF_RECALL)
    (tier,) = asked
    assert isinstance(tier, WarmUp)
    assert tier._heat < 2 * HEAT_OF_RECALL
    assert isinstance(machine.state.tier, CompiledTier)
    assert machine.jit_statistics()["functions"]["sum"]["loop_entries"] == 1


def test_where_it_did_not_pay_it_is_waited_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 3000)
    machine = loaded(VirtualMachine(jit="no-kernels"), SUM)
    assert isinstance(machine.state.tier, WarmUp)
    machine.state.tier.recall(lambda: QUICK)
    machine.execute("sum", 3000 * (PATIENCE - 1) // 5)
    assert isinstance(machine.state.tier, WarmUp)
    machine.execute("sum", 3000)
    assert isinstance(machine.state.tier, CompiledTier)


def test_a_run_in_which_nothing_was_compiled_has_no_outcome() -> None:
    machine = loaded(VirtualMachine(jit="auto"), SUM)
    machine.execute("sum", 3)
    assert outcome_of(machine.state.tier, time.thread_time()) is None


@pytest.mark.parametrize(
    ("known", "loading", "from_start", "now", "learnt"),
    [
        # Loaded in the middle: the rest would have taken as long at least, but for 0.5 s of loading, 0.25 of compiling.
        (None, (2.0, 2.5), False, 4.0, Outcome(2.25)),
        (Outcome(5.0, 0.5), (2.0, 2.5), False, 4.0, Outcome(5.0, 0.5)),
        (Outcome(2.0), (1.0, 1.5), True, 1.75, Outcome(2.0, 0.75)),  # because the one before took 2 s
        (None, (0.0, 0.5), False, 1.75, Outcome(None, 0.75)),  # loaded before the run
        (Outcome(0.5, 2.0), (0.0, 0.5), True, 1.75, Outcome(0.5, 0.75)),
    ],
)
def test_both_ways_to_run_are_timed(
    known: Outcome | None,
    loading: tuple[float, float],
    from_start: bool,
    now: float,
    learnt: Outcome,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tier = VirtualMachine(jit="always").state.tier
    assert isinstance(tier, CompiledTier)
    tier.loading = loading
    tier.from_start = from_start
    monkeypatch.setattr(Statistics, "compile_seconds", lambda _: 0.25)
    monkeypatch.setattr(warmup, "thread_time", lambda: now)
    assert outcome_of(tier, 1.0, known) == learnt


def test_a_run_that_was_interpreted_is_timed_if_it_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    tier = VirtualMachine(jit="auto").state.tier
    assert isinstance(tier, WarmUp)
    for now, learnt in ((0.1, None), (0.5, Outcome(0.5))):
        monkeypatch.setattr(warmup, "thread_time", lambda now=now: now)
        assert outcome_of(tier, 0.0) == learnt
    assert outcome_of(tier, 0.0, Outcome(2.0, 1.0)) == Outcome(0.5, 1.0)


def test_the_quicker_way_is_taken_and_one_that_is_unknown_tried() -> None:
    decided = {
        Outcome(): False,
        Outcome(0.1): False,
        Outcome(0.2): True,
        Outcome(0.2, 0.3): False,
        Outcome(0.4, 0.3): True,
        Outcome(None, 0.3): True,
        Outcome(0.1, None, (("main", 3),)): True,
    }
    assert {outcome: outcome.paid for outcome in decided} == decided


@pytest.mark.parametrize(("entry", "kernel"), [("main", ("main", 0)), ("each", ("sum", None))])
def test_the_kernels_of_the_last_run_are_there_at_once(
    entry: str, kernel: tuple[str, int | None], tmp_path: Path
) -> None:
    first = loaded(VirtualMachine(jit="kernels", cache=tmp_path), PROGRAM)
    assert first.execute(entry, 100) == 4950
    learnt = outcome_of(first.state.tier, 0.0)
    assert learnt is not None
    assert (learnt.paid, learnt.kernels) == (True, (kernel,))

    second = loaded(VirtualMachine(jit="always", cache=tmp_path), PROGRAM)
    second.state.tier.recall(lambda: learnt)
    assert second.execute(entry, 100) == 4950
    (made,) = second.jit_statistics()["functions"][kernel[0]]["kernels"]
    assert (made["cached"], made["runs"]) == (True, 1)
    again = outcome_of(second.state.tier, 0.0, learnt)
    assert again is not None
    assert again.kernels == learnt.kernels


def test_what_such_a_kernel_contains_is_not_translated_before_it(tmp_path: Path) -> None:
    text = SUM + (
        "function main(n)\nLDI r3, 0\nLDI r4, 1\nLDI r5, 30\nMOV r6, r0\nround:\nPUSHARG r6\nCALL sum\n"
        "ADD r3, r3, r4\nCMP r3, r5\nJMPLT round\nRET r0\nend\n"
    )
    learnt = Outcome(1.0, 0.5, (("main", 4),))

    def run() -> dict[str, Any]:
        machine = loaded(VirtualMachine(jit="always", cache=tmp_path), text)
        tier = machine.state.tier
        assert isinstance(tier, CompiledTier)
        tier.recall(lambda: learnt)
        assert machine.execute("main", 100) == 4950
        if tier.kernels is not None and (thread := tier.kernels.candidates.builder._thread) is not None:
            thread.join()
        functions: dict[str, Any] = machine.jit_statistics()["functions"]
        return functions

    assert run()["sum"]["units"] > 0
    found = run()
    assert found["main"]["kernels"][0]["cached"]
    assert found.get("sum", {"units": 0})["units"] == 0


def test_waiting_for_such_a_kernel_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "WAITS", 10)
    machine = loaded(VirtualMachine(jit="always", cache="off"), SUM_BY_CALL)
    tier = machine.state.tier
    assert isinstance(tier, CompiledTier)
    tier.recall(lambda: Outcome(1.0, 0.5, (("main", 17),)))
    assert machine.execute("main", 100) == 4950
    assert machine.jit_statistics()["functions"]["sum"]["units"] == 1


@pytest.mark.parametrize("seconds", [0.3, 0.5])
def test_a_kernel_that_a_run_was_too_short_for_is_made_in_the_next(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = loaded(VirtualMachine(jit="always", cache=tmp_path), SUM)
    sampler(first, "sum", 5)(1)
    tier = first.state.tier
    assert isinstance(tier, CompiledTier)
    assert first.execute("sum", 50) == 1225
    tier.loading = 0.0, 0.0
    monkeypatch.setattr(warmup, "thread_time", lambda: seconds + tier.statistics.compile_seconds())
    learnt = outcome_of(tier, 0.0)
    assert learnt is not None
    assert [name for name, _ in learnt.kernels] == ["sum"] * (seconds > LONG_ENOUGH)

    second = loaded(VirtualMachine(jit="always", cache=tmp_path), SUM)
    tier = second.state.tier
    assert isinstance(tier, CompiledTier)
    tier.recall(lambda: learnt)
    tier.every = 1
    for _ in range(2000 if learnt.kernels else 5):
        assert second.execute("sum", 5000) == 12497500
        if second.jit_statistics()["functions"]["sum"]["kernels"]:
            break
        time.sleep(0.01)
    assert len(second.jit_statistics()["functions"]["sum"]["kernels"]) == len(learnt.kernels)
    again = outcome_of(tier, 0.0)
    # It is not forgotten if it was finished late.
    assert again is not None
    assert again.kernels == learnt.kernels


def test_what_the_last_run_knew_of_other_functions_is_no_matter() -> None:
    machine = loaded(VirtualMachine(jit="auto"), SUM)
    machine.state.tier.recall(lambda: LEARNT)
    assert machine.execute("sum", 10) == 45
