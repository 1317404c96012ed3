"""Arrays against a literal model of the rules, with operations in random order."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import I8, I64_MAX, U8
from stoffel.model import tables
from stoffel.model.foreign import CallbackError
from stoffel.model.text import display
from stoffel.model.values import Array, Closure, DanglingArray, DanglingObject, SparseArray
from tests.runtime.builtins.library import Library

INTEGERS = (int, I8, U8)


def identity(key):
    if type(key) is float:
        return float, "nan" if key != key else key + 0.0
    return type(key), key


class Model:
    """The rules word by word: dense part E, everything else X, length L."""

    def __init__(self):
        self.dense = []
        self.others = {}
        self.length = 0

    def set(self, key, value):
        if type(key) is int and key >= 0:
            if key + 1 > I64_MAX:
                raise ValueError(f"Array length {key + 1} exceeds VM integer range")
            self.length = max(self.length, key + 1)
            if key < 32:
                while len(self.dense) <= key:
                    self.dense.append(None)
                self.dense[key] = value
                return
        first = self.others.get(identity(key), (key,))[0]
        self.others[identity(key)] = first, value

    def get(self, key):
        """Return (found, value)."""
        if type(key) is int and 0 <= key < min(self.length, len(self.dense)):
            return True, self.dense[key]
        if identity(key) in self.others:
            return True, self.others[identity(key)][1]
        return False, None

    def values(self):
        return [self.get(index)[1] for index in range(self.length)]

    def rebuild(self, values):
        self.others = {name: pair for name, pair in self.others.items() if type(pair[0]) is not int or pair[0] < 0}
        self.dense, self.length = [], 0
        for index, value in enumerate(values):
            self.set(index, value)

    def entries(self):
        indexed = list(enumerate(self.dense))
        far = sorted(pair for pair in self.others.values() if type(pair[0]) is int and pair[0] >= 0)
        rest = [pair for pair in self.others.values() if type(pair[0]) is not int or pair[0] < 0]
        return indexed + far + rest

    # The builtins, in terms of the above.

    def key(self, key):
        if type(key) in INTEGERS and key < 0:
            index = self.length + int(key)
            if index < 0:
                raise ValueError(f"array index {int(key)} out of range (length {self.length})")
            return index
        return key

    def get_field(self, key):
        key = self.key(key)
        found, value = self.get(key)
        if not found and type(key) in INTEGERS:
            raise ValueError(f"array index {int(key)} out of range (length {self.length})")
        return value

    def set_field(self, key, value):
        self.set(self.key(key), value)

    def append(self, *values):
        for value in values:
            self.set(self.length, value)

    def extend(self):
        self.append(*self.values())

    def pop(self, *index):
        values = self.values()
        if not values:
            raise ValueError("pop from empty list")
        taken = self.take(values, index[0] if index else -1)
        self.rebuild(values)
        return taken

    def delete(self, index):
        values = self.values()
        self.take(values, index)
        self.rebuild(values)

    def take(self, values, index):
        if not -len(values) <= index < len(values):
            raise ValueError("list index out of range")
        return values.pop(index)

    def insert(self, index, value):
        values = self.values()
        values.insert(index, value)
        self.rebuild(values)

    def reverse(self):
        self.rebuild(self.values()[::-1])

    def clear(self):
        self.rebuild([])

    def count(self, value):
        return sum(identity(value) == identity(other) for other in self.values())

    def display(self):
        items = ["()" if value is None else str(value) for value in self.values()[:16]]
        if self.length > 16:
            items.append(f"...({self.length - 16} more)")
        return f"[{', '.join(items)}]"


FAR = st.sampled_from([30, 31, 32, 33, 40, 500])
INDEXES = st.integers(-45, 45)
KEYS = (
    st.integers(0, 5)
    | INDEXES
    | FAR
    | st.sampled_from([U8(0), U8(3), I8(-1), I8(-40), I8(2), 1.0, 0.0, -0.0, float("nan"), True, "k", None, I64_MAX])
)
VALUES = st.none() | st.integers(0, 9)
OPERATIONS = st.one_of(
    st.tuples(st.just("get_field"), KEYS),
    st.tuples(st.just("set_field"), KEYS, VALUES),
    st.tuples(st.just("set_field"), FAR, VALUES),
    st.tuples(st.just("append"), VALUES),
    st.tuples(st.just("append"), VALUES, VALUES),
    st.tuples(st.just("extend")),
    st.tuples(st.just("pop")),
    st.tuples(st.just("pop"), INDEXES),
    st.tuples(st.just("delete"), INDEXES),
    st.tuples(st.just("insert"), INDEXES, VALUES),
    st.tuples(st.just("reverse")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("count"), VALUES),
)


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except (CallbackError, VMError, ValueError) as error:
        return "error", str(error)


@settings(max_examples=300)
@given(st.lists(OPERATIONS, max_size=25), st.booleans())
def test_an_array_does_what_the_rules_say(operations, hooked):
    library, model = Library(), Model()
    library.watches_tables = hooked
    array = library.array()
    for name, *arguments in operations:
        if name == "extend" and model.length > 2000:
            continue
        given_ = [array] if name == "extend" else arguments
        actual = attempt(library.call, name, array, *given_)
        assert actual == attempt(getattr(model, name), *arguments)
        assert library.call("len", array) == model.length
    assert tables.elements(array) == model.values()
    assert list(map(repr, tables.entries(array))) == list(map(repr, model.entries()))
    assert display(array) == model.display()
    assert [tables.element(array, index) for index in range(model.length)] == model.values()


def test_entries_can_be_limited():
    array = tables.ObjectStore().create_array([1, 2, 3])
    tables.store(array, "k", 4)
    assert tables.entries(array, 2) == [(0, 1), (1, 2)]
    assert tables.entries(array)[3:] == [("k", 4)]


def test_an_object_keeps_the_key_that_was_first_inserted():
    table = tables.ObjectStore().create_object()
    tables.set_field(table, 0.0, "a")
    tables.set_field(table, -0.0, "b")
    assert list(map(repr, tables.entries(table))) == ["(0.0, 'b')"]


def test_raw_negative_keys_are_entries_beside_the_elements():
    array = tables.ObjectStore().create_array([1])
    tables.store(array, -1, "minus")
    assert (tables.lookup(array, -1), tables.length(array)) == ("minus", 1)
    tables.replace(array, [])
    assert tables.lookup(array, -1) == "minus"


def test_a_write_past_the_integer_range_changes_nothing():
    array = tables.ObjectStore().create_array([1])
    with pytest.raises(VMError) as raised:
        tables.store(array, I64_MAX, 0)
    assert str(raised.value) == "Array length 9223372036854775808 exceeds VM integer range"
    assert raised.value.kind == ErrorKind.TABLE_MEMORY
    assert (type(array), array.items) == (Array, [1])
    tables.store(array, I64_MAX - 1, 0)
    with pytest.raises(VMError) as raised:
        tables.push(array, [1])
    assert str(raised.value) == "Array length overflow while pushing values"
    assert tables.length(array) == I64_MAX


def test_an_array_with_a_gap_becomes_dense_when_it_is_rebuilt():
    array = tables.ObjectStore().create_array()
    tables.store(array, 32, "end")
    assert type(array) is SparseArray
    tables.replace(array, tables.elements(array))
    assert (type(array), len(array.items)) == (Array, 33)


@pytest.mark.parametrize(
    "operation",
    [
        tables.length,
        tables.elements,
        tables.entries,
        lambda array: tables.lookup(array, 0),
        lambda array: tables.store(array, 0, 1),
        lambda array: tables.store(array, "k", 1),
        lambda array: tables.push(array, [1]),
        lambda array: tables.replace(array, []),
    ],
)
def test_no_operation_touches_a_dangling_array(operation):
    array = DanglingArray(3)
    with pytest.raises(VMError) as raised:
        operation(array)
    assert (str(raised.value), raised.value.kind) == ("Array with ID 3 not found", ErrorKind.TABLE_MEMORY)
    assert not hasattr(array, "items")


@pytest.mark.parametrize(
    "operation",
    [tables.entries, lambda table: tables.field(table, "k"), lambda table: tables.set_field(table, "k", 1)],
)
def test_no_operation_touches_a_dangling_object(operation):
    with pytest.raises(VMError) as raised:
        operation(DanglingObject(3))
    assert str(raised.value) == "Object with ID 3 not found"


def test_dangling_handles_keep_kind_and_id():
    store = tables.ObjectStore()
    assert repr(tables.dangling(store.create_object())) == "Object(1)"
    assert repr(tables.dangling(store.create_array())) == "Array(2)"


def test_a_table_that_nothing_refers_to_is_freed_even_if_it_contains_itself():
    store = tables.ObjectStore()
    array, table = store.create_array(), store.create_object()
    array.items.append(Closure("f", (("table", table),)))
    tables.set_field(table, "array", array)
    references = [weakref.ref(array), weakref.ref(table)]
    del array, table
    gc.collect()
    assert [reference() for reference in references] == [None, None]
