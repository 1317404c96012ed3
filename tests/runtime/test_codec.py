import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.isa.scalars import INTEGER_KINDS, U8
from stoffel.model.tables import ENUMERABLE, ObjectStore, entries, length, lookup, set_field, store
from stoffel.model.values import Array, Closure, DanglingArray, DanglingObject, Foreign, Object
from stoffel.runtime import codec
from stoffel.runtime.codec import MAGIC, CodecError, decode, encode

BAD = "invalid persistent value data: "


def read(*parts):
    return decode(MAGIC + b"".join(parts), ObjectStore())


def reason(function, *arguments):
    with pytest.raises(CodecError) as raised:
        function(*arguments)
    return str(raised.value)


def u64(number):
    return struct.pack("<Q", number)


def test_the_format_is_tag_and_little_endian_payload():
    objects = ObjectStore()
    array = objects.create_array([1, "é"])
    set_field(table := objects.create_object(), "k", array)
    one, zero = b"\1" + u64(1), b"\1" + u64(0)
    text = b"\x0b" + u64(2) + b"\xc3\xa9"
    expected_array = b"\x0e" + u64(2) + u64(2) + zero + one + one + text
    assert encode(array) == b"STFLVAL1" + expected_array
    assert encode(table) == b"STFLVAL1" + b"\x0d" + u64(1) + b"\x0b" + u64(1) + b"k" + expected_array
    scalars = [None, U8(255), -2, True, 1.5]
    assert [encode(value)[8:] for value in scalars] == [
        b"\0",
        b"\5\xff",
        b"\1\xfe" + b"\xff" * 7,
        b"\x0a\1",
        b"\x09" + struct.pack("<d", 1.5),
    ]


INTEGERS = st.one_of(*(st.integers(kind.minimum, kind.maximum).map(cls) for cls, kind in INTEGER_KINDS.items()))
SCALARS = INTEGERS | st.none() | st.booleans() | st.text() | st.floats()


@given(SCALARS)
def test_scalars_come_back_with_type_and_bits(value):
    result = decode(encode(value), ObjectStore())
    assert type(result) is type(value)
    if type(value) is float:
        assert struct.pack("<d", result) == struct.pack("<d", value)
    else:
        assert result == value


def build(objects, plan):
    """Make tables of Python lists (arrays) and lists of pairs in a tuple (objects)."""
    if isinstance(plan, list):
        return objects.create_array([build(objects, item) for item in plan])
    if isinstance(plan, tuple):
        table = objects.create_object()
        for key, value in plan:
            set_field(table, build(objects, key), build(objects, value))
        return table
    return plan


def shape(value):
    """Describe a value without regard to table ids."""
    if isinstance(value, Array):
        return "array", length(value), [(shape(key), shape(item)) for key, item in entries(value)]
    if isinstance(value, Object):
        return "object", [(shape(key), shape(item)) for key, item in entries(value)]
    return type(value).__name__, repr(value)


PLANS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(inner, inner), max_size=4).map(tuple),
    max_leaves=20,
)


@given(PLANS)
def test_tables_come_back_with_keys_and_order(plan):
    objects = ObjectStore()
    value = build(objects, plan)
    assert shape(decode(encode(value), objects)) == shape(value)


def test_a_sparse_array_comes_back_filled_and_with_its_other_keys():
    objects = ObjectStore()
    array = objects.create_array()
    store(array, 40, "end")
    store(array, U8(1), "other")
    loaded = decode(encode(array), objects)
    assert loaded.items == [None] * 40 + ["end"]
    assert lookup(loaded, U8(1)) == "other"


def test_ids_are_given_out_parent_first_and_shared_tables_are_duplicated():
    objects = ObjectStore()
    shared = objects.create_array()
    loaded = decode(encode(objects.create_array([shared, shared])), objects)
    assert [loaded.id, *(item.id for item in loaded.items)] == [3, 4, 5]


def test_what_cannot_be_persisted_is_named():
    objects = ObjectStore()
    cyclic = objects.create_object()
    set_field(cyclic, "self", objects.create_array([cyclic]))
    huge = objects.create_array()
    store(huge, 10**12, 1)
    assert reason(encode, Closure("f")) == "cannot persist function values"
    assert reason(encode, Foreign(1)) == "cannot persist cffi_function values"
    assert reason(encode, cyclic) == "cannot persist cyclic object value with id 1"
    text = "table memory read array length failed: Array with ID 5 not found"
    assert reason(encode, DanglingArray(5)) == text
    assert reason(encode, DanglingObject(5)).endswith("failed: Object with ID 5 not found")
    assert reason(encode, huge).endswith(f"failed: Array length {10**12 + 1} is too large to enumerate")
    assert ENUMERABLE < 10**12


def test_nesting_is_limited_by_memory_only():
    objects = ObjectStore()
    value = objects.create_array([7])
    for _ in range(50_000):
        value = objects.create_array([value])
    loaded = decode(encode(value), objects)
    depth = 0
    while isinstance(loaded, Array):
        loaded, depth = loaded.items[0], depth + 1
    assert (loaded, depth) == (7, 50_001)


def test_tables_that_share_parts_cannot_fill_the_memory(monkeypatch):
    monkeypatch.setattr(codec, "MAXIMUM_BYTES", 10_000)
    objects = ObjectStore()
    value = objects.create_array([1, 2])
    for _ in range(60):
        value = objects.create_array([value, value])
    assert reason(encode, value) == "the value takes more than the 10000 bytes that can be loaded"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", BAD + "unknown persistent value format"),
        (b"STFLVAL2\0", BAD + "unknown persistent value format"),
        (MAGIC, BAD + "expected 1 bytes at offset 8, but input ended"),
        (MAGIC + b"\1abc", BAD + "expected 8 bytes at offset 9, but input ended"),
        (MAGIC + b"\x0c", BAD + "unknown value tag 12"),
        (MAGIC + b"\xff", BAD + "unknown value tag 255"),
        (MAGIC + b"\x0a\2", BAD + "invalid boolean byte 2"),
        (MAGIC + b"\x0b" + u64(5) + b"abc", BAD + "expected 5 bytes at offset 17, but input ended"),
        (MAGIC + b"\x0b" + u64(1) + b"\xff", BAD + "a string is not valid UTF-8"),
        (MAGIC + b"\0\0", "persistent value contains trailing bytes"),
        (MAGIC + b"\x0b" + u64(16777217), "byte count 16777217 exceeds supported limit 16777216"),
        (MAGIC + b"\x0e" + u64(65537), "array count 65537 exceeds supported limit 65536"),
        (MAGIC + b"\x0e" + u64(1) + u64(2**64 - 1), f"array entry count {2**64 - 1} exceeds supported limit 65536"),
        (MAGIC + b"\x0d" + u64(65537), "object entry count 65537 exceeds supported limit 65536"),
        (MAGIC + b"\x0e" + u64(1) + u64(1) + b"\1" + u64(1) + b"\0", BAD + "array index 1 beyond length 1"),
        (MAGIC + b"\x0e" + u64(0) + u64(1) + b"\1" + u64(0), BAD + "array index 0 beyond length 0"),
    ],
)
def test_corrupt_and_oversized_data_is_refused(data, text):
    if text.endswith("beyond length 0"):
        data += b"\0"
    assert reason(decode, data, ObjectStore()) == text


def test_a_value_over_16_mebibytes_is_refused():
    data = MAGIC + bytes(codec.MAXIMUM_BYTES)
    text = f"persistent value byte count {len(data)} exceeds supported limit 16777216"
    assert reason(decode, data, ObjectStore()) == text


def test_the_limits_themselves_are_allowed():
    size = codec.MAXIMUM_BYTES - len(MAGIC) - 9
    assert len(read(b"\x0b", u64(size), b"x" * size)) == size
    array = ObjectStore().create_array([None] * codec.MAXIMUM_ENTRIES)
    assert length(decode(encode(array), ObjectStore())) == codec.MAXIMUM_ENTRIES


def test_trailing_units_may_be_left_out():
    loaded = read(b"\x0e", u64(35), u64(1), b"\1", u64(0), b"\x0a\1")
    assert (length(loaded), lookup(loaded, 0), lookup(loaded, 34)) == (35, True, None)


@given(PLANS, st.data())
def test_damaged_data_gives_a_value_or_a_codec_error(plan, data):
    encoded = bytearray(encode(build(ObjectStore(), plan)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(encoded) - 1))
        encoded[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(encoded)))
    damaged = bytes(encoded[:cut] if data.draw(st.booleans()) else encoded)
    # Any other exception fails the test; what can be read at all can be written again.
    with contextlib.suppress(CodecError):
        again = encode(decode(damaged, ObjectStore()))
        assert encode(decode(again, ObjectStore())) == again


def test_nan_payloads_survive():
    (value,) = struct.unpack("<d", b"\1\2\3\4\5\6\xf8\xff")
    assert math.isnan(value)
    assert encode(value)[9:] == b"\1\2\3\4\5\6\xf8\xff"
    assert encode(decode(encode(value), ObjectStore())) == encode(value)
