import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from stoffel import Limits, VirtualMachine
from stoffel.errors import ErrorKind, VMError
from stoffel.runtime.storage import SQLiteStorage, StorageError, open_storage


@pytest.fixture
def opened():
    backends = []

    def open_(path):
        backends.append(SQLiteStorage(str(path)))
        return backends[-1]

    yield open_
    for backend in backends:
        backend.close()


def failure(function, *arguments):
    with pytest.raises(StorageError) as raised:
        function(*arguments)
    return str(raised.value)


def test_none_means_no_storage_and_an_object_is_taken_as_it_is():
    backend = SQLiteStorage(":memory:")
    assert open_storage(None) is None
    assert open_storage(backend) is backend


def test_a_path_means_a_file(tmp_path):
    backend = open_storage(tmp_path / "store.db")
    backend.store(b"k", b"v")
    backend.close()
    again = open_storage(str(tmp_path / "store.db"))
    assert again.retrieve(b"k") == b"v"
    again.close()


OTHERWISE = (
    "storage must be None, a path, ':memory:' or an object with the methods store, retrieve, delete and exists, not a "
)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("", "storage path must be a non-empty text, not ''"),
        (5, OTHERWISE + "int"),
        ({}, OTHERWISE + "dict"),
        (SQLiteStorage, OTHERWISE + "type"),
    ],
)
def test_anything_else_is_refused(spec, text):
    with pytest.raises(VMError) as raised:
        open_storage(spec)
    assert (str(raised.value), raised.value.kind) == (text, ErrorKind.STORAGE)


def test_the_four_operations(opened):
    backend = opened(":memory:")
    assert backend.exists(b"k") is False
    assert backend.retrieve(b"k") is None
    assert backend.delete(b"k") is False
    backend.store(b"k", b"one")
    backend.store(b"k", b"two")
    backend.store(b"", b"")
    assert (backend.retrieve(b"k"), backend.retrieve(b""), backend.exists(b"")) == (b"two", b"", True)
    assert backend.delete(b"k") is True
    assert backend.exists(b"k") is False


def test_the_file_is_created_at_the_first_use(opened, tmp_path):
    backend = opened(tmp_path / "store.db")
    assert list(tmp_path.iterdir()) == []
    backend.exists(b"k")
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_what_is_stored_survives_the_death_of_the_process(opened, tmp_path):
    code = (
        "import os, sys; from stoffel.runtime.storage import SQLiteStorage as S; "
        "S(sys.argv[1]).store(b'k', b'v'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "store.db")], check=False)
    assert opened(tmp_path / "store.db").retrieve(b"k") == b"v"


def test_a_directory_and_a_missing_directory_are_named(opened, tmp_path):
    path = str(tmp_path)
    assert failure(opened(path).retrieve, b"k") == f"{path!r}: is a directory"
    missing = str(tmp_path / "no" / "store.db")
    assert (
        failure(opened(missing).retrieve, b"k") == f"{missing!r}: the directory {str(tmp_path / 'no')!r} does not exist"
    )


def test_a_file_that_is_no_database_is_refused_and_left_alone(opened, tmp_path):
    path = tmp_path / "text"
    path.write_text("this is not a database, but long enough to be looked at " * 30)
    before = path.read_bytes()
    assert failure(opened(path).store, b"k", b"v") == f"{str(path)!r}: file is not a database"
    assert path.read_bytes() == before


def test_a_path_with_a_null_character_is_refused(opened):
    assert failure(opened("a\0b").exists, b"k").startswith("'a\\x00b': embedded null ") is True


def test_a_read_only_database_can_be_read(opened, tmp_path):
    path = tmp_path / "store.db"
    opened(path).store(b"k", b"v")
    backend = opened(path)
    assert backend.retrieve(b"k") == b"v"
    # File permissions do not bind every user, so the connection itself is told.
    backend._connection.execute("PRAGMA query_only = ON")
    assert backend.retrieve(b"k") == b"v"
    assert "readonly" in failure(backend.store, b"k", b"w")


def test_a_locked_database_is_reported(opened, tmp_path):
    path = tmp_path / "store.db"
    backend = opened(path)
    backend.store(b"k", b"v")
    backend.busy_timeout = 0
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert failure(backend.store, b"k", b"w") == f"{str(path)!r}: database is locked"
    other.execute("ROLLBACK")
    other.close()
    backend.store(b"k", b"w")
    assert backend.retrieve(b"k") == b"w"


def test_a_file_is_made_for_its_owner_alone(opened, tmp_path):
    path = tmp_path / "store.db"
    before = os.umask(0)
    try:
        opened(path).store(b"k", b"v")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_waiting_for_a_locked_database_ends_when_the_run_does(tmp_path):
    path = tmp_path / "store.db"
    machine = VirtualMachine(storage=SQLiteStorage(str(path), busy_timeout=1000))
    assert machine.execute("LocalStorage.store", "k", 5) is True
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    timer = threading.Timer(0.05, machine.interrupt, ["no more waiting"])
    timer.start()
    with pytest.raises(VMError, match="Interrupted: no more waiting") as raised:
        machine.execute("LocalStorage.store", "k", 6)
    assert raised.value.kind is ErrorKind.LIMIT
    timer.join()
    limits = Limits(seconds=0.05)
    with pytest.raises(VMError, match=r"Time limit of 0\.05 seconds exceeded"):
        machine.execute("LocalStorage.store", "k", 6, limits=limits)
    other.execute("ROLLBACK")
    other.close()
    assert machine.execute("LocalStorage.load", "k") == 5


def test_another_programs_database_is_left_alone_unless_it_is_to_be_used(opened, tmp_path):
    path = tmp_path / "theirs.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE accounts (name)")
    other.commit()
    other.close()
    before = path.read_bytes()
    for attempt in (lambda: opened(path).store(b"k", b"v"), lambda: opened(path).exists(b"k")):
        assert failure(attempt) == (
            f"{str(path)!r}: the database is another program's: it has tables, but not local_storage; "
            "SQLiteStorage(path, adopt=True) adds that"
        )
    assert path.read_bytes() == before
    adopting = SQLiteStorage(str(path), adopt=True)
    adopting.store(b"k", b"v")
    adopting.close()
    assert opened(path).retrieve(b"k") == b"v"


def test_a_foreign_database_with_a_table_of_that_name_is_reported(opened, tmp_path):
    path = tmp_path / "store.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE local_storage (key, value)")
    other.execute("INSERT INTO local_storage VALUES (?, 'text')", (b"k",))
    other.commit()
    other.close()
    assert failure(opened(path).retrieve, b"k") == f"{str(path)!r}: the stored value is not a byte string"


def test_threads_share_a_backend(opened, tmp_path):
    backend = opened(tmp_path / "store.db")

    def work(number):
        for step in range(10):
            backend.store(b"%d" % number, b"%d" % step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [backend.retrieve(b"%d" % number) for number in range(4)] == [b"9"] * 4


def test_a_full_disk_is_reported(opened):
    backend = opened(":memory:")
    backend.store(b"k", b"v")
    backend._connection.execute("PRAGMA max_page_count = 4")
    assert failure(backend.store, b"big", os.urandom(100_000)) == "':memory:': database or disk is full"
    assert (backend.exists(b"big"), backend.retrieve(b"k")) == (False, b"v")
