"""Where object code is kept, and what happens where it cannot be."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from stoffel import notices
from stoffel.jit.store import files as place_rules
from stoffel.jit.store.kernel_cache import DEFAULT_LIMIT, Cache, open_cache
from tests.jit.store.caches import CODE, META, found, host, stored, the_file

# Where nothing can be kept


def test_in_a_read_only_home_nothing_is_kept_and_nothing_is_raised(mine: Path) -> None:
    mine.chmod(0o500)
    cache = Cache(mine / "below" / "cache", host=host)
    assert not cache.put("key", CODE, META)
    assert cache.get("key") is None
    assert (cache.info().problem, cache.clear()) == (f"{mine} cannot be written", 0)
    mine.chmod(0o700)
    assert cache.put("key", CODE, META)


def test_a_read_only_directory_is_read_but_not_written(mine: Path) -> None:
    cache = Cache(mine, host=host)
    assert cache.put("key", CODE, META)
    mine.chmod(0o500)
    assert found(cache, "key") == (CODE, META)
    assert not cache.put("other", CODE, META)
    assert cache.info().problem == f"{mine} cannot be written"
    with pytest.raises(PermissionError):
        cache.clear()
    mine.chmod(0o700)


def test_a_file_where_the_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, problem in (
        (tmp_path / "file", f"{tmp_path / 'file'} is not a directory"),
        (tmp_path / "file" / "cache", f"{tmp_path / 'file' / 'cache'} cannot be used: Not a directory"),
    ):
        cache = Cache(place, host=host)
        assert not cache.put("key", CODE, META)
        assert cache.get("key") is None
        assert cache.info().problem == problem


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    cache = Cache(tmp_path / "link", host=host)
    assert not cache.put("key", CODE, META)
    assert cache.info().problem == f"{tmp_path / 'link'} is a link to nothing"


def test_a_disk_that_becomes_full_leaves_nothing_half_written(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    before = the_file(directory).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        for key in ("key", "other"):
            assert not cache.put(key, bytes(200_000), META)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert the_file(directory).read_bytes() == before
    assert found(cache, "key") == (CODE, META)


def test_an_interrupted_writer_leaves_nothing_that_counts(
    cache: Cache, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cache.put("key", CODE, META)
    assert stored(directory) == []


# Where it is


def test_off_turns_the_cache_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_cache("off").info().problem == "it is turned off"
    monkeypatch.setenv("STOFFEL_CACHE_DIR", "off")
    assert open_cache().info().problem == "STOFFEL_CACHE_DIR turns it off"


def test_a_directory_that_is_asked_for_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOFFEL_CACHE_DIR", str(tmp_path / "environment"))
    assert open_cache(tmp_path / "asked").directory == str(tmp_path / "asked")
    assert open_cache().directory == str(tmp_path / "environment")


def test_a_relative_directory_stays_where_the_process_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = open_cache("near")
    monkeypatch.chdir("/")
    assert cache.directory == str(tmp_path / "near")


def test_a_directory_below_a_working_directory_that_is_gone_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    problem = "near is below the working directory, which does not exist any more"
    assert open_cache("near").info().problem == problem
    assert not open_cache("near").put("key", CODE, META)


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_directory_it_is_where_the_platform_keeps_caches(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv("STOFFEL_CACHE_DIR", raising=False)
    else:
        monkeypatch.setenv("STOFFEL_CACHE_DIR", value)
    expected = Path(platformdirs.user_cache_dir("stoffel", appauthor=False)) / "kernels"
    assert open_cache().directory == str(expected)


@pytest.mark.skipif(sys.platform != "linux", reason="platformdirs is asked anyway")
@pytest.mark.parametrize("place", [None, "", "/var/caches of all/", "/"])
def test_on_linux_the_place_is_the_one_that_platformdirs_knows(
    place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    if place is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert Path(place_rules.user_cache_directory()) == Path(platformdirs.user_cache_dir("stoffel", appauthor=False))


def test_on_other_systems_platformdirs_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.delenv("STOFFEL_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name, appauthor: f"/caches/{name} {appauthor}")
    assert open_cache().directory == "/caches/stoffel False/kernels"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_without_a_home_there_is_no_cache(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STOFFEL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/stoffel")
    assert open_cache().info().problem == "this user has no home directory"


def test_without_platformdirs_there_is_no_cache_unless_a_directory_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STOFFEL_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert open_cache().info().problem == "the library platformdirs, which knows the place, is not installed"
    assert open_cache(tmp_path).info().problem is None


@pytest.mark.parametrize(
    ("value", "limit"),
    [("5", 5 << 20), ("0", 0), ("", DEFAULT_LIMIT)],
)
def test_the_limit_comes_from_the_environment(
    value: str, limit: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOFFEL_CACHE_MIB", value)
    assert open_cache("off").limit == limit
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", ["many", "-1", "1.5", "64 MiB", "\x1b[2J", "٣"])
def test_a_limit_that_is_no_number_is_told_once_and_does_not_count(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notices, "_said", set())
    monkeypatch.setenv("STOFFEL_CACHE_MIB", value)
    for _ in range(3):
        assert open_cache("off").limit == DEFAULT_LIMIT
    assert capsys.readouterr().err == (
        f"stoffel: STOFFEL_CACHE_MIB must be a whole number of MiB, such as 256 (0 keeps nothing), not {value!a}:"
        " it is ignored\n"
    )


def test_a_limit_of_zero_keeps_nothing(directory: Path) -> None:
    cache = Cache(directory, host=host, limit=0)
    assert not cache.put("key", CODE, META)
    assert cache.get("key") is None
