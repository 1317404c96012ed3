"""Object code on disk: what comes back, what is a miss, who is not trusted, many processes at once, and the limit."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoffel.compiler.kernels import cache as module
from stoffel.compiler.kernels.cache import DEFAULT_LIMIT, Cache, open_cache
from stoffel.compiler.refusal import Refusal

ROOT = Path(__file__).parents[3]
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
NOBODY = 65534

CODE = b"\x7fELF object code \x00\xff" * 3
META = {"symbol": "kernel", "sites": [[1, 2], [3, None]], "name": "größer"}


def host() -> str:
    return "a host"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "below" / "cache"


@pytest.fixture
def cache(directory: Path) -> Cache:
    return Cache(directory, host=host)


@pytest.fixture
def mine() -> Iterator[Path]:
    """A directory of somebody whom permissions concern, who runs the test (in the place of root)."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        if not IS_ROOT:
            yield path
            return
        os.chown(path, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield path
        finally:
            os.seteuid(0)


def stored(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.exists() else []


def the_file(directory: Path) -> Path:
    (path,) = stored(directory)
    return path


def found(cache: Cache, key: str) -> tuple[bytes, dict[str, Any]] | None:
    entry = cache.get(key)
    return None if entry is None else (entry.object_code, entry.meta)


# What comes back


def test_what_was_stored_comes_back(cache: Cache, directory: Path) -> None:
    assert cache.put("key", CODE, META)
    assert found(cache, "key") == (CODE, META)
    assert found(Cache(directory, host=host), "key") == (CODE, META)


def test_a_key_that_was_never_stored_is_a_miss(cache: Cache) -> None:
    assert cache.get("key") is None
    cache.put("key", CODE, META)
    assert cache.get("other") is None


def test_the_last_one_stored_under_a_key_counts(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    cache.put("key", b"", {})
    assert found(cache, "key") == (b"", {})
    assert len(stored(directory)) == 1


def test_a_long_key_with_any_characters_will_do(cache: Cache) -> None:
    key = "sum(int64, ../../etc) \n\0 größer " * 1000
    cache.put(key, CODE, META)
    assert found(cache, key) == (CODE, META)


def test_a_cache_that_is_off_keeps_nothing() -> None:
    cache = Cache(None, host=host)
    assert not cache.put("key", CODE, META)
    assert cache.get("key") is None
    assert cache.clear() == 0
    information = cache.info()
    assert (information.directory, information.problem, information.entries) == (None, "the cache is off", 0)


def test_the_directory_and_the_files_are_for_their_owner_only(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert the_file(directory).stat().st_mode & 0o777 == 0o600


def test_a_directory_given_relatively_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = Cache("cache", host=host)
    monkeypatch.chdir("/")
    cache.put("key", CODE, META)
    assert len(stored(tmp_path / "cache")) == 1


def test_metadata_that_json_does_not_know_is_an_error(cache: Cache, directory: Path) -> None:
    with pytest.raises(TypeError):
        cache.put("key", CODE, {"set": {1, 2}})
    assert stored(directory) == []


# Misses


def test_a_change_of_any_byte_is_a_miss_and_the_file_goes(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    path = the_file(directory)
    good = path.read_bytes()
    survivors = []
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        path.write_bytes(bad)
        if cache.get("key") is not None or path.exists():
            survivors.append(position)
    assert survivors == []
    path.write_bytes(good)
    path.chmod(0o600)
    assert found(cache, "key") == (CODE, META)


def test_a_file_of_any_other_length_is_a_miss_and_goes(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    path = the_file(directory)
    good = path.read_bytes()
    survivors = []
    for data in (*(good[:length] for length in range(len(good))), good + b"\0", good + good):
        path.write_bytes(data)
        if cache.get("key") is not None or path.exists():
            survivors.append(len(data))
    assert survivors == []


def test_a_file_with_a_right_digest_but_wrong_lengths_is_a_miss(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    path = the_file(directory)
    for lengths in ((2**63, 0, 0, 0), (0, 0, 0, 0), (3, 6, 10**6, 0), (3, 6, 2, 3), (3, 6, 2, 5)):
        body = module._LENGTHS.pack(*lengths) + b"keya host{}code"
        path.write_bytes(module._FIXED.pack(module._MAGIC, module._VERSION, module.sha256(body).digest()) + body)
        assert cache.get("key") is None
        assert not path.exists()


@pytest.mark.parametrize("text", ["", "{", "[1, 2", "\x00"])
def test_a_file_with_a_right_digest_but_wrong_metadata_is_a_miss(cache: Cache, directory: Path, text: str) -> None:
    cache.put("key", CODE, META)
    parts = (b"key", b"a host", text.encode(), CODE)
    body = module._LENGTHS.pack(*map(len, parts)) + b"".join(parts)
    header = module._FIXED.pack(module._MAGIC, module._VERSION, module.sha256(body).digest())
    the_file(directory).write_bytes(header + body)
    assert cache.get("key") is None


def test_an_entry_of_another_host_is_a_miss_and_goes(cache: Cache, directory: Path) -> None:
    Cache(directory, host=lambda: "another host").put("key", CODE, META)
    assert cache.get("key") is None
    assert stored(directory) == []


def test_an_entry_of_another_format_version_is_a_miss_and_goes(
    cache: Cache, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "_VERSION", 2)
        cache.put("key", CODE, META)
    assert cache.get("key") is None
    assert stored(directory) == []


def test_an_entry_under_the_name_of_another_is_a_miss(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    path = the_file(directory)
    cache.put("other", b"other code", {})
    (other,) = set(stored(directory)) - {path}
    path.replace(other)
    assert cache.get("other") is None


def test_where_machine_code_cannot_be_loaded_everything_is_a_miss(cache: Cache, directory: Path) -> None:
    def refuse() -> str:
        raise Refusal("llvmlite is not there")

    cache.put("key", CODE, META)
    assert Cache(directory, host=refuse).get("key") is None


def test_the_host_is_not_asked_for_a_key_that_is_not_there(directory: Path) -> None:
    def fail() -> str:
        raise AssertionError

    assert Cache(directory, host=fail).get("key") is None


# Trust


def test_a_file_that_others_can_write_is_not_used(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    for mode in (0o620, 0o602, 0o666):
        the_file(directory).chmod(mode)
        assert cache.get("key") is None
    the_file(directory).chmod(0o644)
    assert found(cache, "key") == (CODE, META)


def test_a_directory_that_others_can_write_is_not_used(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    for mode in (0o720, 0o702, 0o1777):
        directory.chmod(mode)
        assert cache.get("key") is None
        assert not cache.put("key", CODE, META)
        assert cache.info().problem == (
            f"{directory} can be written by other users, and what is in it would be executed"
        )
    directory.chmod(0o755)
    assert cache.get("key") is not None
    assert cache.info().problem is None


@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
def test_a_directory_of_another_user_is_not_used(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    os.chown(directory, NOBODY, NOBODY)
    assert cache.get("key") is None
    assert not cache.put("other", CODE, META)
    assert len(stored(directory)) == 1
    assert cache.info().problem == f"{directory} belongs to another user, and what is in it would be executed"


@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
def test_a_file_of_another_user_is_not_used(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    os.chown(the_file(directory), NOBODY, NOBODY)
    assert cache.get("key") is None


def test_a_link_or_a_pipe_in_the_place_of_a_file_is_not_used(cache: Cache, directory: Path, tmp_path: Path) -> None:
    cache.put("key", CODE, META)
    path = the_file(directory)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.get("key") is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert cache.get("key") is None
    path.unlink()
    path.mkdir()
    assert cache.get("key") is None
    assert not cache.put("key", CODE, META)


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


# The limit


def use(path: Path, seconds: int) -> None:
    """Let *path* look as if it was last used *seconds* after some moment in the past."""
    os.utime(path, (10**9 + seconds, 10**9 + seconds))


def fill(directory: Path, count: int) -> int:
    """Store *count* entries, used one after another; return the bytes of each."""
    cache = Cache(directory, host=host)
    for number in range(count):
        before = set(stored(directory))
        cache.put(f"key {number:3}", CODE, {})
        (path,) = set(stored(directory)) - before
        use(path, number)
    return path.stat().st_size


def keys(cache: Cache, count: int) -> list[int]:
    return [number for number in range(count) if (cache.get(f"key {number:3}")) is not None]


def test_the_least_recently_used_entries_go_first(directory: Path) -> None:
    size = fill(directory, 20)
    cache = Cache(directory, host=host, limit=20 * size)
    assert cache.get("key   0") is not None  # used now
    cache.put("key  20", CODE, {})
    # 21 entries are over the limit: 18, nine tenths of it, stay.
    assert keys(cache, 21) == [0, *range(4, 21)]


def test_below_the_limit_everything_stays(directory: Path) -> None:
    size = fill(directory, 20)
    cache = Cache(directory, host=host, limit=21 * size)
    cache.put("key  20", CODE, {})
    assert keys(cache, 21) == list(range(21))


def test_one_cache_that_goes_on_storing_keeps_to_the_limit(directory: Path) -> None:
    size = fill(directory, 1)
    cache = Cache(directory, host=host, limit=20 * size)
    most = 0
    for number in range(200):
        cache.put(f"key {number:3}", CODE, {})
        most = max(most, len(stored(directory)))
    assert most <= 20
    assert cache.get("key 199") is not None


def test_an_entry_larger_than_the_limit_is_not_stored(directory: Path) -> None:
    cache = Cache(directory, host=host, limit=1000)
    assert not cache.put("key", bytes(1000), {})
    assert stored(directory) == []


def test_a_file_larger_than_the_limit_is_not_read(cache: Cache, directory: Path) -> None:
    cache.put("key", bytes(1000), {})
    assert Cache(directory, host=host, limit=1000).get("key") is None


def test_what_a_dead_writer_left_goes_after_an_hour(cache: Cache, directory: Path) -> None:
    cache.put("key", CODE, META)
    entry = the_file(directory)
    old, new, foreign = (
        entry.with_name(entry.name + ".1.aaaa.tmp"),
        entry.with_name(entry.name + ".2.bbbb.tmp"),
        directory / "my.kernel.tmp",
    )
    for path in (old, new, foreign):
        path.touch()
    use(old, 0)
    use(foreign, 0)
    Cache(directory, host=host).put("other", CODE, META)
    assert (old.exists(), new.exists(), foreign.exists()) == (False, True, True)


# Information and clearing


def test_the_information_counts_entries_and_bytes(cache: Cache, directory: Path) -> None:
    assert (cache.info().entries, cache.info().size, cache.info().problem) == (0, 0, None)
    size = fill(directory, 3)
    (directory / "notes.txt").write_text("mine", encoding="utf-8")
    information = cache.info()
    assert (information.directory, information.entries, information.size) == (str(directory), 3, 3 * size)
    assert (information.limit, information.problem) == (DEFAULT_LIMIT, None)


def test_clearing_removes_entries_and_nothing_else(cache: Cache, directory: Path) -> None:
    assert cache.clear() == 0
    fill(directory, 3)
    others = [directory / name for name in ("notes.txt", "a.kernel", "b.kernel.1.tmp", "x" * 64 + ".kernel")]
    for path in others:
        path.touch()
    left, written = (directory / f"{'0' * 64}.kernel.{number}.cccc.tmp" for number in (1, 2))
    left.touch()
    use(left, 0)
    written.touch()
    assert cache.clear() == 3
    assert stored(directory) == sorted([*others, written])


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
    assert Path(module._user_cache_directory()) == Path(platformdirs.user_cache_dir("stoffel", appauthor=False))


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
    [("5", 5 << 20), ("0", 0), ("", DEFAULT_LIMIT), ("many", DEFAULT_LIMIT), ("-1", DEFAULT_LIMIT)],
)
def test_the_limit_comes_from_the_environment(value: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOFFEL_CACHE_MIB", value)
    assert open_cache("off").limit == limit


def test_a_limit_of_zero_keeps_nothing(directory: Path) -> None:
    cache = Cache(directory, host=host, limit=0)
    assert not cache.put("key", CODE, META)
    assert cache.get("key") is None


# Other processes


def python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_miss_imports_nothing_heavy(directory: Path) -> None:
    script = (
        "import sys\n"
        "from stoffel.compiler.kernels.cache import open_cache\n"
        "print(open_cache(sys.argv[1]).get('key'))\n"
        "print([name for name in ('llvmlite', 'json', 'platformdirs', 'pathlib') if name in sys.modules])\n"
    )
    out, err = python(script, directory).communicate(timeout=60)
    assert (out, err) == (b"None\n[]\n", b"")


WORKER = """
import random, sys
from stoffel.compiler.kernels.cache import Cache

directory, seed = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
cache = Cache(directory, host=lambda: "a host", limit=60_000)
hits = 0
for _ in range(400):
    number = chance.randrange(12)
    content = bytes([number]) * (100 + 900 * number)
    if chance.random() < 0.5:
        assert cache.put(str(number), content, {"number": number})
    else:
        entry = cache.get(str(number))
        if entry is not None:
            hits += 1
            assert (entry.object_code, entry.meta) == (content, {"number": number}), number
    if chance.random() < 0.01:
        cache.clear()
print(hits)
"""


def test_processes_that_write_read_and_clear_at_once_see_whole_entries_only(directory: Path) -> None:
    workers = [python(WORKER, directory, seed) for seed in range(4)]
    ends = [(*worker.communicate(timeout=120), worker.returncode) for worker in workers]
    assert [(err, code) for _, err, code in ends] == [(b"", 0)] * 4
    assert all(int(out) > 20 for out, _, _ in ends)
    assert {path.suffix for path in stored(directory)} <= {".kernel"}


def test_processes_that_are_killed_while_they_write_leave_whole_entries_only(directory: Path) -> None:
    endless = (
        "import sys\n"
        "from stoffel.compiler.kernels.cache import Cache\n"
        "cache = Cache(sys.argv[1], host=lambda: 'a host')\n"
        "cache.put('key', b'a' * 300_000, {})\n"
        "print('started', flush=True)\n"
        "while True:\n"
        "    for letter in (b'a', b'b'):\n"
        "        cache.put('key', letter * 300_000, {})\n"
    )
    cache = Cache(directory, host=host)
    for _ in range(3):
        with python(endless, directory) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"started\n"
            for _ in range(20):
                entry = cache.get("key")
                assert entry is not None
                assert set(entry.object_code) in ({97}, {98})
            child.kill()
    entry = cache.get("key")
    assert entry is not None
    assert len(entry.object_code) == 300_000


def test_machine_code_that_one_process_built_another_loads_and_runs(directory: Path) -> None:
    head = "import sys\nfrom stoffel.compiler.kernels.cache import Cache\ncache = Cache(sys.argv[1])\n"
    writer = head + (
        "from stoffel.compiler.kernels.machine_code import build\n"
        "code = build('define i64 @answer(i64 %x) { %y = mul i64 %x, 6 ret i64 %y }')\n"
        "print(cache.put('key', code, {'symbol': 'answer'}))\n"
    )
    reader = head + (
        "from ctypes import *\n"
        "from stoffel.compiler.kernels.machine_code import load\n"
        "entry = cache.get('key')\n"
        "loaded = load(entry.object_code, entry.meta['symbol'])\n"
        "print(CFUNCTYPE(c_int64, c_int64)(loaded.address)(7))\n"
    )
    for script, expected in ((writer, b"True\n"), (reader, b"42\n")):
        assert python(script, directory).communicate(timeout=120) == (expected, b"")
