"""The size of the cache: what goes first, what is told about it, and clearing."""

from __future__ import annotations

from pathlib import Path

from stoffel.jit.store.kernel_cache import DEFAULT_LIMIT, Cache
from tests.jit.store.caches import CODE, META, fill, host, stored, the_file, use

# The limit


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
