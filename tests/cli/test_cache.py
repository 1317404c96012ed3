"""``stoffel cache``: what it tells about the directory, and what it removes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stoffel.jit.policy.run_history import History, Outcome
from stoffel.jit.store.kernel_cache import Cache
from tests.cli import conftest

Stoffel = Callable[..., conftest.Outcome]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STOFFEL_CACHE_DIR", "STOFFEL_CACHE_MIB"):
        monkeypatch.delenv(name, raising=False)


NONE = "Runs remembered: 0\nPrograms compiled from sources: 0\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with two entries, 5 and 1500 bytes of machine code."""
    cache = Cache(tmp_path / "kernels", host=lambda: "a host")
    assert cache.put("small", b"12345", {})
    assert cache.put("large", bytes(1500), {})
    return tmp_path / "kernels"


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def test_info_tells_the_directory_and_what_is_in_it(stoffel: Stoffel, directory: Path) -> None:
    kib = f"{size(directory) / 1024:.1f}"
    assert stoffel("cache", "info", "--cache", directory) == (
        0,
        f"Directory: {directory}\nKernels: 2, {kib} KiB of at most 256 MiB\n{NONE}",
        "",
    )


def test_info_on_a_directory_that_is_still_to_be_made_finds_nothing(stoffel: Stoffel, tmp_path: Path) -> None:
    place = tmp_path / "new"
    assert stoffel("cache", "info", "--cache", place) == (
        0,
        f"Directory: {place}\nKernels: 0, 0 bytes of at most 256 MiB\n{NONE}",
        "",
    )
    assert not place.exists()


def test_the_environment_names_directory_and_limit(
    stoffel: Stoffel, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOFFEL_CACHE_DIR", str(directory))
    monkeypatch.setenv("STOFFEL_CACHE_MIB", "3")
    lines = stoffel("cache", "info").out.splitlines()
    assert lines[0] == f"Directory: {directory}"
    assert lines[1].endswith(" KiB of at most 3 MiB")


def test_info_says_that_the_cache_is_off(stoffel: Stoffel) -> None:
    assert stoffel("cache", "info", "--cache", "off") == (
        0,
        f"Directory: none\nKernels: 0, 0 bytes of at most 256 MiB\n{NONE}Nothing new is kept: it is turned off\n",
        "",
    )


def test_info_says_why_a_directory_is_not_used(stoffel: Stoffel, directory: Path) -> None:
    directory.chmod(0o777)
    last = stoffel("cache", "info", "--cache", directory).out.splitlines()[-1]
    assert last == (
        f"Nothing new is kept: {directory} can be written by other users, and what is in it would be executed"
    )


def test_info_as_json(stoffel: Stoffel, directory: Path) -> None:
    outcome = stoffel("cache", "info", "--json", "--cache", directory)
    assert (outcome.status, outcome.err) == (0, "")
    assert json.loads(outcome.out) == {
        "directory": str(directory),
        "kernels": 2,
        "bytes": size(directory),
        "limit": 256 << 20,
        "problem": None,
        "runs": 0,
        "programs": 0,
    }


def test_clear_removes_the_kernels(stoffel: Stoffel, directory: Path) -> None:
    (directory / "notes").touch()
    History(str(directory), b"program", []).write(Outcome(1.0, 0.5))
    assert stoffel("cache", "clear", "--cache", directory) == (
        0,
        "2 kernels and 0 programs removed, 1 run forgotten\n",
        "",
    )
    assert [path.name for path in directory.iterdir()] == ["notes"]
    assert stoffel("cache", "clear", "--cache", directory, "--json") == (
        0,
        '{"removed": 0, "forgotten": 0, "programs": 0}\n',
        "",
    )


def test_clear_where_there_is_nothing_removes_nothing(stoffel: Stoffel, tmp_path: Path) -> None:
    assert stoffel("cache", "clear", "--cache", tmp_path / "none") == (
        0,
        "0 kernels and 0 programs removed, 0 runs forgotten\n",
        "",
    )
    assert stoffel("cache", "clear", "--cache=off") == (0, "0 kernels and 0 programs removed, 0 runs forgotten\n", "")


def test_what_cannot_be_cleared_is_told_in_one_line(stoffel: Stoffel, hello: Path) -> None:
    assert stoffel("cache", "clear", "--cache", hello) == (
        1,
        "",
        f"stoffel: {hello}: cannot clear: Not a directory\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "missing info|clear"),
        (["show"], "'show' is neither info nor clear"),
        (["clean"], "'clean' is neither info nor clear; did you mean clear?"),
        (["info", "more"], "unexpected argument 'more'"),
        (["info", "--cache="], "--cache needs a directory, or off"),
    ],
)
def test_a_wrong_command_line_is_told(stoffel: Stoffel, words: list[str], message: str) -> None:
    assert stoffel("cache", *words) == (2, "", f"stoffel cache: {message} (see stoffel cache --help)\n")


def test_a_run_takes_the_directory_too(stoffel: Stoffel, hello: Path, tmp_path: Path) -> None:
    plain = stoffel("run", hello)
    assert plain.status == 0
    for place in ("off", tmp_path / "kernels"):
        assert stoffel("run", hello, "--cache", place) == plain
    assert stoffel("run", hello, "--cache=") == (
        2,
        "",
        "stoffel run: --cache needs a directory, or off (see stoffel run --help)\n",
    )
