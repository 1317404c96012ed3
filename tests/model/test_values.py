import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import I8, I64_MAX, I64_MIN, INTEGER_KINDS, U8, U64
from stoffel.model import values
from stoffel.model.tables import ObjectStore
from stoffel.model.values import Closure, Foreign, check_value, key_of, same, type_name, value_of

STORE = ObjectStore()
TABLES = [STORE.create_array(), STORE.create_array(), STORE.create_object(), STORE.create_object()]
SMALL_INTEGERS = (
    st.integers(-2, 2) | st.integers(0, 2).map(U8) | st.integers(-2, 2).map(I8) | st.integers(0, 2).map(U64)
)
SCALARS = (
    SMALL_INTEGERS
    | st.sampled_from([0.0, -0.0, 1.0, 2.0, float("nan"), float("-nan"), float("inf")])
    | st.booleans()
    | st.none()
    | st.sampled_from(["", "1", "a"])
    | st.sampled_from(TABLES)
    | st.integers(1, 2).map(Foreign)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.builds(
        Closure, st.sampled_from("fg"), st.lists(st.tuples(st.sampled_from("ab"), inner), max_size=2).map(tuple)
    ),
    max_leaves=4,
)


def model_equal(left, right):
    """Equality as the rules put it, case by case."""
    if type(left) is not type(right):
        return False
    if type(left) is float:
        return left == right or (left != left and right != right)
    if type(left) is Closure:
        return (
            left.function == right.function
            and len(left.upvalues) == len(right.upvalues)
            and all(
                one[0] == other[0] and model_equal(one[1], other[1])
                for one, other in zip(left.upvalues, right.upvalues, strict=True)
            )
        )
    if left in TABLES or type(left) is Foreign:
        return left.id == right.id
    return left == right


@given(VALUES, VALUES)
def test_equality_of_values_and_of_keys_is_that_of_the_rules(left, right):
    expected = model_equal(left, right)
    assert same(left, right) is expected
    assert (key_of(left) == key_of(right)) is expected
    if expected:
        assert hash(key_of(left)) == hash(key_of(right))


def nested(innermost, depth, captures=1):
    """Closures that capture each other, *depth* deep."""
    value = innermost
    for _ in range(depth):
        value = Closure("f", (("held", value),) * captures)
    return value


@pytest.mark.parametrize(("depth", "captures"), [(10_000, 1), (100, 2)])
def test_closures_are_compared_however_deep_they_are_nested(depth, captures):
    left = nested(7, depth, captures)
    for innermost, expected in ((7, True), (8, False), (U8(7), False)):
        right = nested(innermost, depth, captures)
        assert same(left, right) is expected
        assert (key_of(left) == key_of(right)) is expected
    assert hash(key_of(left)) == hash(key_of(nested(7, depth, captures)))
    assert same(left, nested(7, depth + 1, captures)) is False


@given(VALUES)
def test_a_key_gives_its_value_back(value):
    back = value_of(key_of(value))
    assert back is value or (type(back) is type(value) and same(back, value))


def test_one_is_five_different_keys():
    values = [1, U8(1), 1.0, True, "1"]
    assert len({key_of(value) for value in values}) == 5


def test_every_integer_width_has_its_type_name():
    names = [type_name(cls(1)) for cls in INTEGER_KINDS]
    assert names == ["int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("value", [0, I64_MIN, I64_MAX, U64(2**64 - 1), 1.5, True, "é", None, Foreign(1), Closure("f")])
def test_machine_values_pass_the_check(value):
    assert check_value(value, "argument 1") is value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**63, "argument 1: 9223372036854775808 does not fit int64; use stoffel.U64 for larger values"),
        (-(10**500), "argument 1: the integer does not fit int64; use stoffel.U64 for larger values"),
        ("a\ud800", "argument 1: the string holds a lone surrogate at 1"),
    ],
)
def test_what_does_not_fit_is_refused(value, text):
    with pytest.raises(VMError) as raised:
        check_value(value, "argument 1")
    assert (str(raised.value), raised.value.kind) == (text, ErrorKind.MESSAGE)


@pytest.mark.parametrize("value", [b"bytes", [1], {}, 1j, object(), int])
def test_other_python_values_are_refused_by_type(value):
    with pytest.raises(VMError) as raised:
        check_value(value, "argument 1")
    assert str(raised.value).startswith(f"argument 1: a Python {type(value).__name__} is not a machine value; ") is True


def test_the_table_of_shapes_does_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "_SHAPES", {})
    monkeypatch.setattr(values, "SHAPES", 100)
    for number in range(1000):
        assert values.shape_of(f"f{number}", ("a",)) == (f"f{number}", ("a",))
        assert values.shape_of("f", ()) is values.shape_of("f", ())
    assert len(values._SHAPES) <= 100
