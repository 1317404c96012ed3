"""The builtins of multi-party computation, as a machine without an engine answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8, U16, U32, U64
from stoffel.model.builtins import mpc
from stoffel.model.builtins.declaration import SHARE, SHARES, Builtin
from stoffel.model.foreign import CallbackError
from stoffel.model.tables import ABSENT, elements, field
from stoffel.model.text import diagnostic
from stoffel.model.values import Array, Object, Operand, Value
from stoffel.runtime.builtins import arguments as args
from stoffel.runtime.builtins.byte_arrays import from_bytes
from stoffel.runtime.builtins.registry import Family
from stoffel.runtime.resolution import receiver_type

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

_ROWS: Final = (*mpc.SHARING, *mpc.MPC, *mpc.CLIENTS, *mpc.FIELD, *mpc.BROADCAST, *mpc.AVSS)
FAMILY = Family(*_ROWS)


def _declare_unanswered(row: Builtin) -> None:
    """Have a builtin that needs an engine check what its row says of its arguments, and fail."""
    kinds = [parameter.kinds for parameter in row.parameters]

    @FAMILY.builtin(row.name)
    def unanswered(_state: VMState, *arguments: Any) -> Value:
        for kind, argument in zip(kinds, arguments, strict=False):
            if kind is SHARES and isinstance(argument, Array):
                for item in elements(argument):
                    _require_share(item)
            elif kind is SHARE or kind is SHARES:
                _require_share(argument)
        raise VMError(mpc.NO_ENGINE, ErrorKind.MPC)


def _require_share(value: Operand) -> None:
    """Raise CallbackError unless *value* is a share: an object whose ``"__type"`` is ``"Share"``."""
    if not isinstance(value, Object):
        raise CallbackError(f"Expected Share object or Share value, got {diagnostic(value)}")
    declared = field(value, "__type")
    if declared is ABSENT:
        raise CallbackError("Object is not a Share: missing __type field")
    if declared != "Share":
        raise CallbackError(f"Object is not a Share: its __type is {diagnostic(declared)}")


for _row in _ROWS:
    if mpc.NO_ENGINE in _row.errors:
        _declare_unanswered(_row)


@FAMILY.builtin("Mpc.is_ready")
def is_ready(_state: VMState) -> bool:
    """Tell whether an engine is ready: there is none."""
    return False


@FAMILY.builtin("Mpc.rand")
def rand(state: VMState) -> Array:
    """Return 32 random bytes as a byte array."""
    return from_bytes(state, state.random_bytes(32))


_UNSIGNED: Final[dict[int, type[U8 | U16 | U32 | U64]]] = {8: U8, 16: U16, 32: U32, 64: U64}


@FAMILY.builtin("Mpc.rand_int")
def rand_int(state: VMState, bit_length: Operand) -> Operand:
    """Return a random unsigned integer of *bit_length* bits."""
    if not args.is_integer(bit_length) or bit_length < 0:
        raise CallbackError("bit_length must be a non-negative integer")
    if bit_length == 0:
        raise CallbackError("bit_length must be a positive integer")
    if bit_length not in _UNSIGNED:
        raise CallbackError(f"Unsupported bit_length {int(bit_length)}. Must be 8, 16, 32, or 64")
    return _UNSIGNED[bit_length](int.from_bytes(state.random_bytes(bit_length // 8), "little"))


@FAMILY.builtin("ClientStore.get_number_clients")
@FAMILY.builtin("ClientStore.get_number_input_clients")
@FAMILY.builtin("ClientStore.get_number_output_clients")
def get_number_clients(_state: VMState) -> int:
    """Return the number of clients: without an engine there are none."""
    return 0


@FAMILY.builtin("ClientStore.take_share")
@FAMILY.builtin("ClientStore.take_share_bool")
@FAMILY.builtin("ClientStore.take_share_fixed")
def take_share(_state: VMState, client: Operand, *_share: Operand) -> Operand:
    """Take a share that a client has given: without an engine there are no clients."""
    if not args.is_integer(client) or client < 0:
        raise CallbackError("client index must be a non-negative integer")
    raise VMError(f"No client at index {int(client)}", ErrorKind.CLIENT_INPUT)


@FAMILY.builtin("Avss.is_avss_share")
def is_avss_share(_state: VMState, value: Value) -> bool:
    """Tell whether *value* is a share of verifiable secret sharing: its type is AvssShare."""
    return receiver_type(value) == "AvssShare"


FUNCTIONS: Final = FAMILY.complete(__name__)
