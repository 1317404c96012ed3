"""What the tests of the cache share: an entry, and what is in a directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from stoffel.jit.store.kernel_cache import Cache

NOBODY = 65534
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
CODE = b"\x7fELF object code \x00\xff" * 3
META = {"symbol": "kernel", "sites": [[1, 2], [3, None]], "name": "größer"}


def host() -> str:
    return "a host"


def stored(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.exists() else []


def the_file(directory: Path) -> Path:
    (path,) = stored(directory)
    return path


def found(cache: Cache, key: str) -> tuple[bytes, dict[str, Any]] | None:
    entry = cache.get(key)
    return None if entry is None else (entry.object_code, entry.meta)


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
