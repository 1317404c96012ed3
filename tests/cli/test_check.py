"""``stoffel check``: findings, and a status that a build can use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import ROOT, Outcome

Stoffel = Callable[..., Outcome]
Write = Callable[..., Path]


def test_a_good_program_is_fine(stoffel: Stoffel, hello: Path) -> None:
    assert stoffel("check", hello) == (0, f"{hello}: 1 function, fine\n", "")


def test_a_warning_leaves_the_status_alone(stoffel: Stoffel, program: Write) -> None:
    path = program("function main()\n    CALL nowhere\n    RET r0\nend\n")
    status, out, err = stoffel("check", path)
    assert (status, err) == (0, "")
    first, last = out.splitlines()
    assert first.startswith(f"{path}: warning: function main instruction 0: ")
    assert last == f"{path}: 1 function, 0 errors, 1 warning"


def test_what_registration_would_refuse_is_an_error(stoffel: Stoffel, program: Write) -> None:
    path = program("function print()\n    RET r0\nend\nfunction main(n)\n    RET r0\nend\n")
    assert stoffel("check", path) == (
        3,
        f"{path}: error: function print: Function 'print' is already registered\n"
        f"{path}: 2 functions, 1 error, 0 warnings\n",
        "",
    )


def test_every_file_is_checked_and_the_worst_counts(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    status, out, err = stoffel("check", hello, missing, hello)
    assert status == 3
    assert out == f"{hello}: 1 function, fine\n" * 2
    assert err == f"stoffel: {missing}: cannot read: No such file or directory\n"


def test_a_file_is_needed(stoffel: Stoffel) -> None:
    assert stoffel("check") == (2, "", "stoffel check: missing FILE (see stoffel check --help)\n")


def test_calls_of_builtins_are_known(stoffel: Stoffel, program: Write) -> None:
    path = program("function main()\n    CALL create_object\n    CALL Mpc.is_ready\n    RET r0\nend\n")
    assert stoffel("check", path) == (0, f"{path}: 1 function, fine\n", "")


def test_calls_that_need_an_engine_are_warned_of(stoffel: Stoffel, program: Write) -> None:
    path = program(
        "function main()\n    CALL Share.open\n    CALL open\n    CALL open_fixed\n    CALL mul\n    RET r0\nend\n"
        "function mul(n)\n    RET r0\nend\n"
    )
    status, out, err = stoffel("check", path)
    assert (status, err) == (0, "")
    needs = "which needs an MPC engine; this machine has none"
    assert out.splitlines() == [
        f"{path}: warning: function main instruction 0: calls Share.open, {needs}",
        f"{path}: warning: function main instruction 1: calls open, {needs}",
        f"{path}: warning: function main instruction 2: calls open_fixed, {needs}",
        f"{path}: 2 functions, 0 errors, 3 warnings",
    ]


def test_findings_as_json_have_code_line_and_column(stoffel: Stoffel, program: Write) -> None:
    path = program("function main(n: u64)\n    CALL prnt\n    RET r0\nend\n")
    bad = program("function main()\n    ADD r0, x\nend\n", "bad.stfasm")
    status, out, err = stoffel("check", "--json", path, bad)
    assert (status, err) == (3, "")
    found = json.loads(out)["diagnostics"]
    assert [(one["severity"], one["code"], one["file"], one["line"], one["column"]) for one in found] == [
        ("warning", "unknown-call", str(path), 2, None),
        ("warning", "type-name", str(path), 2, None),
        ("error", "assembly", str(bad), 2, 13),
    ]
    assert "did you mean print?" in found[0]["message"]


def test_what_compilers_emit_is_told_if_asked(stoffel: Stoffel) -> None:
    path = ROOT / "examples" / "life.stflb"
    assert stoffel("check", path) == (0, f"{path}: 5 functions, fine\n", "")
    assert "nothing jumps to label" in stoffel("check", "--all", path).out


def test_the_nearest_name_is_told(stoffel: Stoffel, program: Write) -> None:
    path = program("function main()\n    CALL prnt\n    RET r0\nend\n")
    assert stoffel("run", path).err.endswith("  did you mean print?\n")
    assert stoffel("run", path, "--entry", "mian").err.endswith("with --entry: main; did you mean main?\n")


def test_a_number_that_is_too_large_for_a_float_is_refused(stoffel: Stoffel, echo: Path) -> None:
    assert stoffel("run", echo, "1e400").status == 2
    assert stoffel("run", echo, "f64:-1e400").status == 2
    assert stoffel("run", echo, "f64:-inf").out == "-inff64\n"


def test_all_mistakes_of_a_text_are_told(stoffel: Stoffel, program: Write) -> None:
    path = program("function main(n: u64\n    LDI r1 5\n    JMP nowhere\nend\nfunction other()\n    RET r0, r1\n")
    status, out, err = stoffel("check", path)
    assert (status, out) == (3, "")
    places = [tuple(map(int, line.removeprefix(f"stoffel: {path}:").split(":")[:2])) for line in err.splitlines()]
    found = json.loads(stoffel("check", "--json", path).out)["diagnostics"]
    assert [(one["line"], one["column"]) for one in found] == places
    assert [line for line, _ in places] == [2, 3, 6, 7]
