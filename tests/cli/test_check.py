"""``stoffel check``: findings, and a status that a build can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Outcome

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
