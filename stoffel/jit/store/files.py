"""Where files are kept between runs, whom they are trusted from, and how they are written: whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from typing import Final, NamedTuple

DIRECTORY_VARIABLE: Final = "STOFFEL_CACHE_DIR"
"""Environment variable that names the directory, or says ``off``."""

OFF: Final = "off"
"""What turns the cache off, as an option and in the environment variable; a directory of that name is ``./off``."""

TEMPORARY: Final = ".tmp"
"""End of the name of a file that is being written."""


class Place(NamedTuple):
    """A directory, or None and, for people, the *reason* why there is none."""

    directory: str | None
    reason: str = ""


def directory(setting: str | os.PathLike[str] | None) -> Place:
    """Return where *setting* says: a directory, ``"off"``, or None for what the environment says."""
    source = "it is turned off"
    if not setting:
        setting = os.environ.get(DIRECTORY_VARIABLE) or None
        source = f"{DIRECTORY_VARIABLE} turns it off"
    if setting == OFF:
        return Place(None, source)
    if setting is not None:
        try:
            # Where the process is may change later.
            return Place(os.path.abspath(setting))
        except FileNotFoundError:
            return Place(None, f"{os.fspath(setting)} is below the working directory, which does not exist any more")
    try:
        found = user_cache_directory()
    except ImportError:
        return Place(None, "the library platformdirs, which knows the place, is not installed")
    if not os.path.isabs(found):
        return Place(None, "this user has no home directory")
    return Place(os.path.join(found, "kernels"))


def user_cache_directory() -> str:
    """Return where the platform wants a user's caches of this program. Raises ImportError without platformdirs."""
    if sys.platform == "linux":
        # The rule of the XDG Base Directory Specification: importing platformdirs, which knows it too, takes time.
        base = os.environ.get("XDG_CACHE_HOME", "")
        return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.cache"), "stoffel")
    from platformdirs import user_cache_dir

    return user_cache_dir("stoffel", appauthor=False)


def distrust(found: os.stat_result) -> str | None:
    """Return why others may have put something there, as the end of a sentence, or None."""
    if not hasattr(os, "geteuid"):
        return None  # Windows: the user's directories are not for others
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by other users"
    return None


def open_to_read(path: str) -> int:
    """Open the file at *path*, no link, for reading, and return its descriptor; a pipe is not waited for.

    Raises OSError.
    """
    flags = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_BINARY", "O_NONBLOCK"))
    return os.open(path, os.O_RDONLY | sum(flags))


def keep(path: str, data: bytes) -> bool:
    """Put *data* at *path*, all of it or nothing, and return whether that was possible.

    The directory is made if there is none, for its owner only; nothing is put where others can write.
    """
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        if distrust(os.stat(directory)) is not None:
            return False
        _write(path, data)
    except OSError:
        return False
    return True


def _write(path: str, data: bytes) -> None:
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}{TEMPORARY}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(temporary, flags, 0o600), "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def remove(path: str) -> None:
    """Remove the file at *path* if that is possible."""
    try:
        os.unlink(path)
    except OSError:
        return
