"""Copies of the package that tests change and then run in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import stoffel

PACKAGE = Path(str(stoffel.__file__)).parent


class Copy:
    """A copy of the package in *directory*, with a cache of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copytree(PACKAGE, directory / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))

    def file(self, module: ModuleType) -> Path:
        """Return the copy's file of a module of the package."""
        return self.directory / Path(str(module.__file__)).relative_to(PACKAGE.parent)

    def replace(self, module: ModuleType, old: str, new: str) -> None:
        """Put *new* into the copy's file of *module* where *old* is, which must occur there once."""
        path = self.file(module)
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def python(self, *words: object, where: Path | None = None) -> tuple[int, str, str]:
        """Run Python with the copy, or what is at *where*, as the package; return status, output and errors."""
        env = {
            **os.environ,
            "PYTHONPATH": str(where or self.directory),
            "PYTHONDONTWRITEBYTECODE": "1",
            "STOFFEL_CACHE_DIR": str(self.directory / "cache"),
        }
        command = [sys.executable, *map(str, words)]
        # Python looks for packages in the working directory first.
        cwd = self.directory if where is None else where.parent
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout, done.stderr

    def stoffel(self, *words: object, where: Path | None = None) -> tuple[int, str, str]:
        """Run the command with the copy's package."""
        return self.python("-m", PACKAGE.name, *words, where=where)
