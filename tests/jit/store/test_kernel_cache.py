"""Object code on disk: what comes back, what is a miss, and who is not trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stoffel.compiler.refusal import Refusal
from stoffel.jit.store import kernel_cache as module
from stoffel.jit.store.kernel_cache import Cache
from tests.jit.store.caches import CODE, IS_ROOT, META, NOBODY, found, host, stored, the_file

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
