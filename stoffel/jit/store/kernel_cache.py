"""Object code of kernels on disk: one file for each key, safe to share between processes, never trusted blindly.

What is in a file is executed, so a file counts only if it is complete and undamaged (SHA-256), was made under the same
host identity, and neither it nor the directory belongs to another user or can be written by one. Everything else is a
miss. A file takes its place by renaming, complete or not at all. Where nothing can be kept, nothing is.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from time import time
from typing import Any, Final

from stoffel.compiler.refusal import Refusal
from stoffel.jit.store import files
from stoffel.jit.store.digest import sha256
from stoffel.notices import say_once

DEFAULT_LIMIT: Final = 256 << 20
"""Most bytes that are kept; the least recently used entries go first."""

LIMIT_VARIABLE: Final = "STOFFEL_CACHE_MIB"
"""Environment variable that sets the limit, in MiB."""

_MAGIC: Final = b"stfkern\n"
_VERSION: Final = 1
_FIXED: Final = struct.Struct("<8sI32s")
"""Magic bytes, format version, SHA-256 of what follows."""
_LENGTHS: Final = struct.Struct("<4Q")
"""Lengths of key, host identity, metadata (JSON) and object code, which follow in this order and end the file."""

_SUFFIX: Final = ".kernel"
_ABANDONED: Final = 3600.0
"""Seconds after which a temporary file belongs to a writer that is gone."""
_PUTS_BETWEEN_COUNTS: Final = 100
"""Entries that are stored before what other processes have stored is counted again."""


class Entry:
    """What was stored under a key: machine code as an object file, and *meta*, data for JSON."""

    __slots__ = ("meta", "object_code")

    def __init__(self, object_code: bytes, meta: dict[str, Any]) -> None:
        self.object_code: Final = object_code
        self.meta: Final = meta


class Information:
    """What :meth:`Cache.info` tells.

    *directory* is None if there is none; *problem* is the sentence that says why nothing is kept, or None. *entries*
    and *size* (bytes) count what is stored, *limit* is the most bytes that are kept.
    """

    __slots__ = ("directory", "entries", "limit", "problem", "size")

    def __init__(self, directory: str | None, problem: str | None, entries: int, size: int, limit: int) -> None:
        self.directory: Final = directory
        self.problem: Final = problem
        self.entries: Final = entries
        self.size: Final = size
        self.limit: Final = limit


def _host_identity() -> str:
    from stoffel.compiler.kernels.codegen.llvm import host_identity

    return host_identity()


class Cache:
    """Object code in the files of *directory*, which is made when it is needed; None keeps nothing.

    *reason* says, for people, why there is no directory. *limit* is in bytes. *host* gives the identity under which
    object code is made and may be loaded; it is asked when there is something to compare with. One object may be used
    by several threads.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None,
        *,
        limit: int = DEFAULT_LIMIT,
        host: Callable[[], str] = _host_identity,
        reason: str = "the cache is off",
    ) -> None:
        # Where the process is may change later.
        self.directory: Final = None if directory is None else os.path.abspath(directory)
        self.limit: Final = limit
        self._host = host
        self._reason = reason
        self._size = 0
        self._puts = 0

    def get(self, key: str) -> Entry | None:
        """Return what was stored under *key* on a host like this, or None. Nothing is raised for what is wrong there.

        A file that is of no use (damaged, of another format or host) is removed.
        """
        if self.directory is None:
            return None
        path = self._path(key)
        try:
            data = self._read(path)
        except OSError:
            return None
        if data is None:
            return None
        entry = self._decode(data, key)
        if entry is None:
            files.remove(path)
        else:
            _touch(path)
        return entry

    def has(self, key: str) -> bool:
        """Return whether there is a file for *key*; whether it is of use only :meth:`get` tells."""
        return self.directory is not None and os.path.exists(self._path(key))

    def put(self, key: str, object_code: bytes, meta: dict[str, Any]) -> bool:
        """Store *object_code*, just made on this host, and *meta* under *key*; return whether that was possible.

        *meta* is made of what JSON knows, and comes back as JSON gives it. Raises TypeError if it is not.
        """
        if self.directory is None:
            return False
        data = self._encode(key, object_code, meta)
        if len(data) > self.limit:
            return False
        if not files.keep(self._path(key), data):
            return False
        self._count(len(data))
        return True

    def info(self) -> Information:
        """Return where the cache is, what is in it, and why it is not used if it is not."""
        if self.directory is None:
            return Information(None, self._reason, 0, 0, self.limit)
        sizes = [length for _, length, _ in self._entries()]
        return Information(self.directory, self._problem(), len(sizes), sum(sizes), self.limit)

    def clear(self) -> int:
        """Remove all entries, and what dead writers left; return how many entries were removed.

        Raises OSError for a directory that cannot be read or changed.
        """
        removed = 0
        if self.directory is None:
            return removed
        try:
            with os.scandir(self.directory) as found:
                items = [item for item in found if _is_entry(item.name) or _is_abandoned(item)]
        except FileNotFoundError:
            return removed
        for item in items:
            try:
                os.unlink(item.path)
            except FileNotFoundError:
                continue  # another process was quicker
            removed += _is_entry(item.name)
        return removed

    # Files

    def _path(self, key: str) -> str:
        assert self.directory is not None
        return os.path.join(self.directory, sha256(key.encode()).hexdigest() + _SUFFIX)

    def _read(self, path: str) -> bytes | None:
        """Return the content of a file that nobody else can have written. Raises OSError."""
        assert self.directory is not None
        handle = files.open_to_read(path)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or files.distrust(found) or files.distrust(os.stat(self.directory)):
                return None
            # A short read is found out like any other damage.
            return os.read(handle, found.st_size + 1) if found.st_size <= self.limit else b""
        finally:
            os.close(handle)

    def _encode(self, key: str, object_code: bytes, meta: dict[str, Any]) -> bytes:
        import json

        text = json.dumps(meta, separators=(",", ":"))
        parts = (key.encode(), self._host().encode(), text.encode(), object_code)
        body = _LENGTHS.pack(*map(len, parts)) + b"".join(parts)
        return _FIXED.pack(_MAGIC, _VERSION, sha256(body).digest()) + body

    def _decode(self, data: bytes, key: str) -> Entry | None:
        """Return the entry in *data*, None if it is not a whole and undamaged one for *key* and this host."""
        start = _FIXED.size + _LENGTHS.size
        if len(data) < start:
            return None
        magic, version, digest = _FIXED.unpack_from(data)
        body = memoryview(data)[_FIXED.size :]
        if (magic, version) != (_MAGIC, _VERSION) or sha256(body).digest() != digest:
            return None
        lengths = _LENGTHS.unpack_from(body)
        if start + sum(lengths) != len(data):
            return None
        parts = []
        for length in lengths:
            parts.append(data[start : start + length])
            start += length
        if parts[0] != key.encode():
            return None
        import json

        try:
            return Entry(parts[3], json.loads(parts[2])) if parts[1] == self._host().encode() else None
        except (Refusal, ValueError):
            return None

    def _entries(self) -> list[tuple[int, int, str]]:
        """Return time of the last use (ns), size and path of every entry; remove what dead writers left."""
        assert self.directory is not None
        entries = []
        try:
            with os.scandir(self.directory) as found:
                for item in found:
                    if _is_entry(item.name):
                        try:
                            state = item.stat(follow_symlinks=False)
                        except OSError:
                            continue  # another process has removed it
                        entries.append((state.st_mtime_ns, state.st_size, item.path))
                    elif _is_abandoned(item):
                        files.remove(item.path)
        except OSError:
            return entries  # what cannot be read counts as empty
        return entries

    # Size

    def _count(self, size: int) -> None:
        """Take notice of *size* stored bytes; count everything now and then, and when the limit may be passed."""
        self._size += size
        self._puts += 1
        if self._puts % _PUTS_BETWEEN_COUNTS == 1 or self._size > self.limit:
            self._size = self._shrink()

    def _shrink(self) -> int:
        """Remove what was not used for longest until nine tenths of the limit are left, if it is passed."""
        entries = self._entries()
        size = sum(length for _, length, _ in entries)
        if size > self.limit:
            for _, length, path in sorted(entries):
                if size <= self.limit * 9 // 10:
                    break
                files.remove(path)
                size -= length
        return size

    # Trust

    def _problem(self) -> str | None:
        """Return why nothing can be kept in the directory, as a sentence, or None."""
        assert self.directory is not None
        path = self.directory
        while True:
            try:
                found = os.stat(path)
                break
            except FileNotFoundError:
                if os.path.islink(path):
                    return f"{path} is a link to nothing"
                path = os.path.dirname(path)
            except OSError as error:
                return f"{path} cannot be used: {error.strerror or error}"
        if not stat.S_ISDIR(found.st_mode):
            return f"{path} is not a directory"
        if path == self.directory:
            distrust = files.distrust(found)
            if distrust is not None:
                return f"{path} {distrust}, and what is in it would be executed"
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return f"{path} cannot be written"
        return None


def _is_entry(name: str) -> bool:
    return _has_digest(name) and name[64:] == _SUFFIX


def _is_abandoned(item: os.DirEntry[str]) -> bool:
    """Tell whether it is the temporary file of a writer that is gone; others are still being written."""
    if not (
        _has_digest(item.name) and item.name[64:].startswith(f"{_SUFFIX}.") and item.name.endswith(files.TEMPORARY)
    ):
        return False
    try:
        return time() - item.stat(follow_symlinks=False).st_mtime > _ABANDONED
    except OSError:
        return False


def _has_digest(name: str) -> bool:
    return len(name) > 64 and not name[:64].strip("0123456789abcdef")


def _touch(path: str) -> None:
    """Note that the file was used now."""
    try:
        os.utime(path)
    except OSError:
        return


def open_cache(setting: str | os.PathLike[str] | None = None) -> Cache:
    """Return the cache that *setting* asks for: a directory, ``"off"``, or None for what the environment says.

    That is the variable STOFFEL_CACHE_DIR and, without it, the place where the platform keeps a user's caches.
    """
    found = files.directory(setting)
    return Cache(found.directory, limit=_limit(), reason=found.reason)


def _limit() -> int:
    """Return what the environment says about the limit, in bytes; what it says wrongly does not count, and is told."""
    megabytes = os.environ.get(LIMIT_VARIABLE, "")
    if megabytes.isascii() and megabytes.isdigit():
        return int(megabytes[:12]) << 20
    if megabytes:
        say_once(
            f"{LIMIT_VARIABLE} must be a whole number of MiB, such as {DEFAULT_LIMIT >> 20} (0 keeps nothing), "
            f"not {megabytes[:40]!a}: it is ignored"
        )
    return DEFAULT_LIMIT
