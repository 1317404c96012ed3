"""Typed storage of arrays: what goes in comes out, and what ordinary access makes of it."""

import ctypes
import struct
import sys
from array import array as buffer_of

import pytest

from stoffel.errors import VMError
from stoffel.isa.scalars import I8, I16, I32, I64_MAX, I64_MIN, INTEGER_KINDS, U8, U16, U32, U64
from stoffel.model import elements, tables
from stoffel.model.elements import FORMATS, specialise, typed
from stoffel.model.values import (
    Array,
    DanglingArray,
    SparseArray,
    TypedArray,
    key_of,
    new_array,
    new_object,
    same,
    type_name,
)

NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_0123))[0]
FLOATS = [0.0, -0.0, 1.5, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), NAN_WITH_PAYLOAD]
SAMPLES = {
    **{
        cls: [cls(number) for number in (kind.minimum, kind.maximum, kind.minimum + 1, 0, 1)]
        for cls, kind in INTEGER_KINDS.items()
    },
    float: FLOATS,
    bool: [True, False, True],
}


def exact(items):
    """Return values as plain data that differs if class or bits do."""
    return [(type(item), struct.pack("<d", item) if type(item) is float else item) for item in items]


def array_of(*items):
    return new_array(7, list(items))


def typed_array(*items):
    array = array_of(*items)
    assert specialise(array) is type(items[0])
    return array


@pytest.fixture(params=SAMPLES, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_every_kind_comes_back_exactly(kind):
    array = array_of(*SAMPLES[kind])
    array.extra = {"key": 1}
    assert specialise(array) is kind
    assert (type(array), array.buffer.typecode, array.kind) == (TypedArray, FORMATS[kind], kind)
    assert exact(tables.elements(array)) == exact(SAMPLES[kind])
    array.generalise()
    assert type(array) is Array
    assert exact(array.items) == exact(SAMPLES[kind])
    assert (array.id, array.extra) == (7, {"key": 1})
    assert not hasattr(array, "buffer")


def test_single_elements_are_read_and_written_exactly_without_the_list(kind):
    values = SAMPLES[kind]
    array = typed_array(*values, *values)
    for index, value in enumerate(values):
        assert exact([tables.lookup(array, index)]) == exact([value])
    for index, value in enumerate(reversed(values)):
        tables.store(array, index, value)
    assert type(array) is TypedArray
    assert exact(array.items) == exact([*reversed(values), *values])


def test_the_formats_are_words_of_64_bits_and_bytes_for_bools():
    assert {kind: (FORMATS[kind], buffer_of(FORMATS[kind]).itemsize) for kind in FORMATS} == {
        **dict.fromkeys((int, I32, I16, I8, U8, U16, U32), ("q", 8)),
        U64: ("Q", 8),
        float: ("d", 8),
        bool: ("b", 1),
    }


@pytest.mark.parametrize(
    "items",
    [
        [1, True],
        [True, 1],
        [1, U8(1)],
        [U8(1), U16(1)],
        [1, 1.0],
        [1, None],
        [None],
        ["text"],
        [1, "text"],
        [new_object(3)],
        [new_array(3, [])],
        [],
    ],
    ids=str,
)
def test_other_elements_keep_their_list(items):
    array = new_array(1, items)
    assert specialise(array) is None
    assert type(array) is Array
    assert array.items is items


def test_an_array_with_gaps_or_without_a_table_is_left_alone():
    sparse = new_array(1, [1, 2])
    tables.store(sparse, 100, 3)
    assert (specialise(sparse, int), type(sparse), tables.length(sparse)) == (None, SparseArray, 101)
    dangling = DanglingArray(1)
    assert (specialise(dangling, int), type(dangling)) == (None, DanglingArray)


def test_an_array_without_elements_gets_the_kind_that_is_wanted(kind):
    array = array_of()
    assert specialise(array, kind) is kind
    assert (type(array), tables.length(array), tables.elements(array)) == (TypedArray, 0, [])
    assert specialise(array) is kind
    assert specialise(array, I16) is I16
    assert array.buffer.typecode == "q"


def test_what_is_wanted_does_not_matter_where_there_are_elements():
    array = typed_array(1.5)
    assert specialise(array, int) is float
    assert specialise(array_of("text"), int) is None
    assert specialise(array_of(), str) is None


def test_the_list_goes_when_the_buffer_comes():
    array = array_of(1, 2)
    items = array.items
    before = sys.getrefcount(items)
    specialise(array)
    assert sys.getrefcount(items) == before - 1


def test_a_typed_array_is_the_array_that_it_was():
    array = array_of(1, 2)
    table = {key_of(array): "found"}
    specialise(array)
    assert table[key_of(array)] == "found"
    assert (repr(array), type_name(array), same(array, array)) == ("Array(7)", "array", True)
    assert same(array, array_of(1, 2)) is False
    assert type(tables.dangling(array)) is DanglingArray
    tables.require(array)


def test_items_gives_the_list_back_for_good():
    array = typed_array(1, 2)
    array.items.append(3)
    assert (type(array), array.items) == (Array, [1, 2, 3])


def test_new_items_replace_the_storage():
    array = typed_array(1, 2)
    tables.replace(array, ["new"])
    assert (type(array), array.items) == (Array, ["new"])


def test_an_array_made_of_a_buffer_takes_it_over():
    buffer = buffer_of("q", [250, 7])
    array = typed(9, U8, buffer)
    assert array.buffer is buffer
    assert (array.id, array.extra, exact(array.items)) == (9, None, exact([U8(250), U8(7)]))


@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_native_memory_becomes_the_elements(kind, count):
    array = typed_array(*SAMPLES[kind][:3])
    values = (SAMPLES[kind] * 3)[-count:] if count else []
    memory = bytearray(buffer_of(FORMATS[kind], values).tobytes())
    native = (ctypes.c_char * len(memory)).from_buffer(memory)
    elements.replace_buffer(array, ctypes.addressof(native), count)
    assert (type(array), tables.length(array)) == (TypedArray, count)
    assert exact(array.items) == exact(values)


def test_what_is_written_at_the_address_is_an_element():
    array = typed_array(1, 2, 3)
    address = array.buffer.buffer_info()[0]
    ctypes.c_int64.from_address(address + array.buffer.itemsize).value = I64_MIN
    assert tables.elements(array) == [1, I64_MIN, 3]
    elements.replace_buffer(array, address, 2)
    assert tables.elements(array) == [1, I64_MIN]


# Ordinary access


@pytest.mark.parametrize(
    ("kind", "value"), [(int, True), (int, U8(1)), (int, 1.0), (U8, 1), (bool, 1), (float, 1), (U64, I64_MAX), (I8, "")]
)
@pytest.mark.parametrize("index", [1, 3])
def test_a_value_of_another_kind_makes_the_array_ordinary(kind, value, index):
    items = (SAMPLES[kind] * 2)[:3]
    array = typed_array(*items)
    tables.store(array, index, value)
    assert type(array) is Array
    assert exact(array.items) == exact([*items[:index], value, *items[index + 1 :]])


def test_pushing_fitting_values_keeps_the_storage():
    array = typed_array(1, 2, 3)
    assert tables.push(array, [4, 5]) == 5
    assert (type(array), tables.length(array)) == (TypedArray, 5)
    assert tables.push(array, [6, True]) == 7
    assert type(array) is Array
    assert exact(array.items) == exact([1, 2, 3, 4, 5, 6, True])


def test_a_write_past_the_end_fills_or_leaves_a_gap_as_ever():
    array = typed_array(1)
    tables.store(array, 3, 4)
    assert (type(array), array.items) == (Array, [1, None, None, 4])
    array = typed_array(1)
    tables.store(array, 40, 4)
    assert (type(array), tables.length(array), tables.lookup(array, 20)) == (SparseArray, 41, tables.ABSENT)
    with pytest.raises(VMError, match="exceeds VM integer range"):
        tables.store(typed_array(1), I64_MAX, 1)


def test_other_keys_are_kept_beside_the_storage():
    array = typed_array(1)
    for key in ("key", -1, 0.0, U8(0), True):
        assert tables.lookup(array, key) is tables.ABSENT
        tables.store(array, key, "other")
        assert tables.lookup(array, key) == "other"
    assert type(array) is TypedArray
    assert tables.entries(array)[:2] == [(0, 1), ("key", "other")]
    assert tables.elements(array) == [1]


def test_as_many_accesses_as_there_are_elements_give_the_list_back():
    array = typed_array(1, 2, 3)
    for index in range(3):
        assert tables.lookup(array, index) == index + 1
    assert type(array) is TypedArray
    assert tables.lookup(array, 0) == 1
    assert type(array) is Array


def test_an_array_that_only_grows_gets_its_list_back_too():
    array = typed_array(1, 2, 3)
    for number in range(3):
        tables.store(array, tables.length(array), number)
    assert type(array) is TypedArray
    tables.push(array, [9])
    assert (type(array), array.items) == (Array, [1, 2, 3, 0, 1, 2, 9])


def test_asking_for_all_elements_twice_gives_the_list_back():
    array = typed_array(1, 2, 3)
    assert (tables.elements(array), type(array)) == ([1, 2, 3], TypedArray)
    assert (tables.elements(array), type(array)) == ([1, 2, 3], Array)
    assert tables.elements(array) is not array.items


def test_specialising_again_starts_the_count_anew():
    array = typed_array(1, 2, 3)
    for _ in range(20):
        tables.lookup(array, 0)
        tables.lookup(array, 1)
        assert specialise(array) is int
    assert type(array) is TypedArray


def test_the_length_is_no_access():
    array = typed_array(1)
    assert [tables.length(array) for _ in range(5)] == [1] * 5
    assert type(array) is TypedArray
