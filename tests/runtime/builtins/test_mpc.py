import pytest

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8, U16, U32, U64
from stoffel.model.builtins.declaration import SHARE, SHARES
from stoffel.model.builtins.mpc import NO_ENGINE
from stoffel.model.builtins.table import BY_NAME
from stoffel.model.foreign import CallbackError

UNANSWERED = [row for row in BY_NAME.values() if NO_ENGINE in row.errors]


def given(library, row, share):
    """Return arguments of the kinds that a row wants, with *share* for shares."""
    kinds = {SHARE: share, SHARES: library.array(share, share)}
    return [kinds.get(parameter.kinds, 5) for parameter in row.parameters]


def outcome(library, row, arguments):
    with pytest.raises((CallbackError, VMError)) as raised:
        library.call(row.name, *arguments)
    return str(raised.value), getattr(raised.value, "kind", None)


@pytest.mark.parametrize("row", UNANSWERED, ids=[row.name for row in UNANSWERED])
def test_what_needs_an_engine_checks_its_arguments_first(library, row):
    share = library.object(__type="Share")
    assert outcome(library, row, given(library, row, share)) == ("MPC engine not configured", ErrorKind.MPC)
    if row.minimum:
        assert outcome(library, row, []) == (f"{row.name} expects {row.expects}", None)
    if row.maximum is not None:
        assert outcome(library, row, [share] * (row.maximum + 1)) == (f"{row.name} expects {row.expects}", None)
    if not any(parameter.kinds in (SHARE, SHARES) for parameter in row.parameters):
        return
    for other, text in [
        (5, "Expected Share object or Share value, got 5"),
        ("x", 'Expected Share object or Share value, got "x"'),
        (library.object(), "Object is not a Share: missing __type field"),
        (library.object(__type="Point"), 'Object is not a Share: its __type is "Point"'),
        (library.object(__type=7), "Object is not a Share: its __type is 7"),
    ]:
        assert outcome(library, row, given(library, row, other)) == (text, None)


def test_one_value_in_the_place_of_an_array_of_shares_is_looked_at_itself(library):
    assert library.error("Share.batch_mul", True, True) == "Expected Share object or Share value, got true"
    assert library.error("Share.batch_open", library.array()) == "MPC engine not configured"


@pytest.mark.parametrize("name", [row.name for row in UNANSWERED if not row.expects])
def test_where_the_number_of_arguments_is_not_checked_any_is_taken(library, name):
    assert library.error(name) == "MPC engine not configured"


def test_without_an_engine_nothing_is_ready(library):
    assert library.call("Mpc.is_ready", "ignored") is False


def test_no_value_is_a_share_of_verifiable_secret_sharing_unless_it_says_so(library):
    for other in (5, None, library.array(), library.object(), library.object(__type="Share")):
        assert library.call("Avss.is_avss_share", other) is False
    assert library.call("Avss.is_avss_share", library.object(__type="AvssShare")) is True
    assert library.error("Avss.is_avss_share") == "Avss.is_avss_share expects 1 argument: value"


def test_there_are_no_clients(library):
    for which in ("clients", "input_clients", "output_clients"):
        assert library.call(f"ClientStore.get_number_{which}", 1) == 0
    assert library.error("ClientStore.take_share", 3, 0) == "No client at index 3"
    assert library.error("ClientStore.take_share_bool", U8(0), 0) == "No client at index 0"
    assert library.error("ClientStore.take_share_fixed", 1, 0) == "No client at index 1"
    assert library.error("ClientStore.take_share", "x") == "client index must be a non-negative integer"


def test_random_bytes_come_from_the_machine(library):
    array = library.call("Mpc.rand")
    assert bytes(library.items(array)) == bytes(range(32))


@pytest.mark.parametrize(("bits", "cls"), [(8, U8), (16, U16), (U8(32), U32), (64, U64)])
def test_a_random_integer_has_the_width_asked_for(library, bits, cls):
    value = library.call("Mpc.rand_int", bits)
    assert type(value) is cls
    assert value == int.from_bytes(bytes(range(int(bits) // 8)), "little")


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (-8, "bit_length must be a non-negative integer"),
        ("8", "bit_length must be a non-negative integer"),
        (0, "bit_length must be a positive integer"),
        (12, "Unsupported bit_length 12. Must be 8, 16, 32, or 64"),
    ],
)
def test_other_widths_are_refused(library, bits, text):
    assert library.error("Mpc.rand_int", bits) == text
    assert library.error("Mpc.rand_int") == "Mpc.rand_int expects 1 argument: bit_length (8, 16, 32, or 64)"
