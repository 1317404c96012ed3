import pytest

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8, U16
from stoffel.model.values import Closure, DanglingArray, Foreign
from stoffel.runtime.storage import SQLiteStorage


@pytest.fixture
def stored(library):
    library.storage = SQLiteStorage(":memory:")
    yield library
    library.storage.close()


def test_a_value_is_kept_until_it_is_deleted(stored):
    assert stored.call("LocalStorage.exists", "k") is False
    assert stored.call("LocalStorage.store", "k", U16(42)) is True
    assert stored.call("LocalStorage.load", "k") == U16(42)
    assert type(stored.call("LocalStorage.retrieve", "k")) is U16
    assert stored.call("LocalStorage.exists", "k") is True
    assert stored.call("LocalStorage.delete", "k") is True
    assert stored.call("LocalStorage.delete", "k") is False
    assert stored.call("LocalStorage.load", "k") is None


def test_a_string_and_its_bytes_are_the_same_key(stored):
    stored.call("LocalStorage.store", "k", "value")
    assert stored.call("LocalStorage.load", stored.array(U8(107))) == "value"


def test_tables_are_copied_both_ways(stored):
    array = stored.array(1, stored.array("inner"))
    stored.call("LocalStorage.store", "k", array)
    stored.call("append", array, "later")
    loaded = stored.call("LocalStorage.load", "k")
    assert stored.call("to_string", loaded) == "[1, [inner]]"
    assert (loaded.id, stored.items(loaded)[1].id) == (3, 4)


def test_gaps_of_a_sparse_array_come_back_as_unit(stored):
    stored.call("LocalStorage.store", "k", stored.sparse(40))
    loaded = stored.call("LocalStorage.load", "k")
    assert stored.call("len", loaded) == 41
    assert stored.call("get_field", loaded, 5) is None


def test_the_limits_hold_on_load_only(stored):
    assert stored.call("LocalStorage.store", "k", stored.array(*[0] * 70_000)) is True
    text = "Local storage load value failed: array count 70000 exceeds supported limit 65536"
    assert stored.error("LocalStorage.load", "k") == text


def test_without_a_backend_storage_is_not_configured_but_the_key_is_checked_first(library):
    for name, arguments in [("store", ("k", 1)), ("load", ("k",)), ("delete", ("k",)), ("exists", ("k",))]:
        with pytest.raises(VMError) as raised:
            library.call(f"LocalStorage.{name}", *arguments)
        assert (str(raised.value), raised.value.kind) == ("Local storage is not configured", ErrorKind.STORAGE)
    assert library.error("LocalStorage.load", 5) == "Expected byte array"
    assert library.error("LocalStorage.store", library.array(U8(1), 2), 5) == "Expected U8 at index 1"


def test_what_cannot_be_persisted_is_named(stored):
    prefix = "Local storage store value failed: "
    cyclic = stored.array()
    stored.call("append", cyclic, cyclic)
    cases = [
        (Closure("f"), "cannot persist function values"),
        (stored.array(Foreign(1)), "cannot persist cffi_function values"),
        (cyclic, "cannot persist cyclic array value with id 1"),
        (DanglingArray(9), "table memory read array length failed: Array with ID 9 not found"),
    ]
    for value, text in cases:
        assert stored.error("LocalStorage.store", "k", value) == prefix + text
    assert stored.call("LocalStorage.exists", "k") is False


class Broken:
    def __init__(self, error):
        self.error = error

    def store(self, key, value):
        raise self.error

    retrieve = delete = exists = lambda self, key: self.store(key, None)


def test_failures_of_a_hosts_backend_are_reported_with_the_operation(library):
    library.storage = Broken(OSError("no luck"))
    assert library.error("LocalStorage.store", "k", 1) == "Local storage store value failed: no luck"
    assert library.error("LocalStorage.load", "k") == "Local storage load value failed: no luck"
    assert library.error("LocalStorage.delete", "k") == "Local storage delete failed: no luck"
    assert library.error("LocalStorage.exists", "k") == "Local storage exists failed: no luck"
    library.storage = Broken(KeyError())
    assert library.error("LocalStorage.load", "k") == "Local storage load value failed: KeyError"


def test_a_backend_that_returns_no_bytes_is_reported(library):
    library.storage = Broken(OSError())
    library.storage.retrieve = lambda key: "text"
    text = "Local storage load value failed: the backend returned a str where bytes or None is expected"
    assert library.error("LocalStorage.load", "k") == text


def test_corrupt_data_is_reported(library):
    library.storage = Broken(OSError())
    library.storage.retrieve = lambda key: b"junk"
    text = "Local storage load value failed: invalid persistent value data: unknown persistent value format"
    assert library.error("LocalStorage.load", "k") == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("store", "2 arguments: key and value"),
        ("load", "1 argument: key"),
        ("retrieve", "1 argument: key"),
        ("delete", "1 argument: key"),
        ("exists", "1 argument: key"),
    ],
)
def test_wrong_argument_counts_are_reported(library, name, expected):
    for arguments in [(), ("a", "b", "c")]:
        assert library.error(f"LocalStorage.{name}", *arguments) == f"LocalStorage.{name} expects {expected}"
