"""Local storage backends: where ``LocalStorage`` builtins keep the byte form of values."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from stoffel import forks
from stoffel.errors import ErrorKind, VMError

if TYPE_CHECKING:
    import sqlite3


class StorageError(Exception):
    """A backend failed; the text is the reason."""


@runtime_checkable
class Storage(Protocol):
    """What a backend offers. Any exception that a method raises is reported as the reason of the failure."""

    def store(self, key: bytes, value: bytes) -> None:
        """Keep *value* under *key*, replacing what was there."""

    def retrieve(self, key: bytes) -> bytes | None:
        """Return what is kept under *key*, or None."""

    def delete(self, key: bytes) -> bool:
        """Forget *key*; tell whether it was there."""

    def exists(self, key: bytes) -> bool:
        """Tell whether something is kept under *key*."""


def open_storage(spec: object) -> Storage | None:
    """Return the backend that *spec* stands for.

    None means no storage; a path means an SQLite file, created at the first use, and ``":memory:"`` a database that
    lives as long as the backend; an object with the methods of :class:`Storage` is taken as it is. Raises VMError (kind
    Storage) for anything else.
    """
    if spec is None:
        return None
    if isinstance(spec, str | os.PathLike):
        path = os.fspath(spec)
        if isinstance(path, str) and path:
            return SQLiteStorage(path)
        raise VMError(f"storage path must be a non-empty text, not {path!r}", ErrorKind.STORAGE)
    if isinstance(spec, Storage) and not isinstance(spec, type):
        return spec
    raise VMError(
        f"storage must be None, a path, ':memory:' or an object with the methods store, retrieve, delete and exists, "
        f"not a {type(spec).__name__}",
        ErrorKind.STORAGE,
    )


_NAME: Final = "local_storage"
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
_CREATE: Final = "CREATE TABLE IF NOT EXISTS local_storage (key BLOB PRIMARY KEY, value BLOB NOT NULL)"


BUSY_TIMEOUT: Final = 5.0
"""Seconds for which a database is waited for that another process has locked."""
_PAUSE: Final = 0.002


class _Waiting(threading.local):
    """What this thread calls while it waits for a database; it may raise to end that."""

    look_up: Callable[[], object] | None = None


WAITING: Final = _Waiting()


class SQLiteStorage:
    """A backend in an SQLite database. Every store is one durable transaction; threads may share the object.

    The file is made for its owner alone. A database that another process has locked is waited for, *busy_timeout*
    seconds at most. A database that has other tables and not this one is another program's: it is used only if *adopt*
    says so.
    """

    __slots__ = ("__weakref__", "_connection", "_inherited", "_lock", "adopt", "busy_timeout", "path")

    path: str

    def __init__(self, path: str, *, busy_timeout: float = BUSY_TIMEOUT, adopt: bool = False) -> None:
        self.path = path
        self.busy_timeout = busy_timeout
        self.adopt = adopt
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inherited: sqlite3.Connection | None = None
        forks.renew(self)

    def renew_after_fork(self) -> None:
        """Open the file anew when it is next used: connections must not be used, nor closed, in a forked process."""
        self._lock = threading.Lock()
        if self.path != ":memory:":
            self._inherited, self._connection = self._connection, None

    def store(self, key: bytes, value: bytes) -> None:
        """Keep *value* under *key*; raise StorageError if the database refuses."""
        self._run("INSERT OR REPLACE INTO local_storage (key, value) VALUES (?, ?)", key, value)

    def retrieve(self, key: bytes) -> bytes | None:
        """Return what is kept under *key*, or None; raise StorageError if the database cannot be read."""
        rows, _ = self._run("SELECT value FROM local_storage WHERE key = ?", key)
        if not rows:
            return None
        value = rows[0][0]
        if not isinstance(value, bytes):
            raise StorageError(f"{self.path!r}: the stored value is not a byte string")
        return value

    def delete(self, key: bytes) -> bool:
        """Forget *key*; tell whether it was there; raise StorageError if the database refuses."""
        return self._run("DELETE FROM local_storage WHERE key = ?", key)[1] > 0

    def exists(self, key: bytes) -> bool:
        """Tell whether something is kept under *key*; raise StorageError if the database cannot be read."""
        return bool(self._run("SELECT 1 FROM local_storage WHERE key = ?", key)[0])

    def close(self) -> None:
        """Close the database; a later use opens it again (an in-memory one is empty then)."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    def _run(self, statement: str, *parameters: bytes) -> tuple[list[tuple[object, ...]], int]:
        """Run one statement; return its rows and the number of rows it changed."""
        try:
            # Here, not above: a machine that never uses its storage should not pay for loading SQLite.
            import sqlite3
        except ImportError:
            raise StorageError("this Python was built without the sqlite3 module") from None
        end = monotonic() + self.busy_timeout
        try:
            while True:
                try:
                    with self._lock:
                        cursor = self._open().execute(statement, parameters)
                        try:
                            return cursor.fetchall(), cursor.rowcount
                        finally:
                            cursor.close()
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or monotonic() >= end:
                        raise
                # Not inside SQLite, which nothing interrupts, and without our lock.
                if WAITING.look_up is not None:
                    WAITING.look_up()
                sleep(_PAUSE)
        except (sqlite3.Error, OverflowError, ValueError) as error:
            raise StorageError(f"{self.path!r}: {self._reason(error)}") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            import sqlite3

            if self.path != ":memory:":
                # SQLite would make a file that all may read.
                with suppress(OSError, ValueError):
                    os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            # isolation_level None: each statement is its own transaction, on disk when it returns.
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0)
            try:
                found = [name for (name,) in connection.execute(_TABLES)]
                if found and _NAME not in found and not self.adopt:
                    raise StorageError(
                        f"{self.path!r}: the database is another program's: it has tables, but not {_NAME}; "
                        f"SQLiteStorage(path, adopt=True) adds that"
                    )
                if _NAME not in found:
                    connection.execute(_CREATE)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _reason(self, error: Exception) -> str:
        """Return the database's reason; SQLite does not say why a file cannot be opened, so that is looked up."""
        if "unable to open" in str(error):
            if os.path.isdir(self.path):  # noqa: PTH112 - pathlib costs start-up time
                return "is a directory"
            folder = os.path.dirname(self.path) or "."  # noqa: PTH120
            if not os.path.isdir(folder):  # noqa: PTH112
                return f"the directory {folder!r} does not exist"
        return str(error)
