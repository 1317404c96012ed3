import pytest

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8, U16, U32, U64
from stoffel.runtime.builtins.catalogue import METHODS


def test_there_is_no_engine(library):
    assert library.call("Mpc.is_ready", "ignored") is False
    for name in {canonical for _, _, canonical in METHODS} | {"Share.from_clear"}:
        with pytest.raises(VMError) as raised:
            library.call(name, 1, 2)
        assert (str(raised.value), raised.value.kind) == ("MPC engine not configured", ErrorKind.MPC)


def test_there_are_no_clients(library):
    for which in ("clients", "input_clients", "output_clients"):
        assert library.call(f"ClientStore.get_number_{which}", 1) == 0
    assert library.error("ClientStore.take_share", 3, 0) == "No client at index 3"
    assert library.error("ClientStore.take_share_bool", U8(0), 0) == "No client at index 0"
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
