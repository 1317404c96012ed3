"""Caches in directories of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stoffel.jit.store.kernel_cache import Cache
from tests.jit.store.caches import IS_ROOT, NOBODY, host


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
