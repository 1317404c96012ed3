"""The builtins of multi-party computation, as a machine without an engine answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import U8, U16, U32, U64
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Value
from stoffel.runtime.builtins import arguments as args
from stoffel.runtime.builtins.byte_arrays import from_bytes
from stoffel.runtime.builtins.registry import Family

if TYPE_CHECKING:
    from stoffel.runtime.state import VMState

SHARES = Family()
FAMILY = Family()

_SHARE_METHODS: Final = (
    "add",
    "sub",
    "neg",
    "add_scalar",
    "mul_scalar",
    "mul",
    "mul_field",
    "add_field",
    "retag",
    "open",
    "open_fixed",
    "send_to_client",
    "open_exp",
    "open_field",
    "open_exp_custom",
    "get_type",
    "get_party_id",
    "get_commitment",
    "commitment_count",
    "has_commitments",
)

METHODS: Final = tuple(
    # The reference machine registers this one method under its bare name, so it has no qualified form.
    ("Share", method, method if method == "open_fixed" else f"Share.{method}")
    for method in _SHARE_METHODS
)
"""Methods of shares, as ``(receiver type, method, canonical function name)``."""


def _needs_engine(_state: VMState, *_arguments: Value) -> Value:
    raise VMError("MPC engine not configured", ErrorKind.MPC)


for _name in ("Share.from_clear", *(canonical for _, _, canonical in METHODS)):
    SHARES.builtin(_name)(_needs_engine)


@FAMILY.builtin("Mpc.is_ready")
def is_ready(_state: VMState, *_arguments: Value) -> bool:
    """Tell whether an engine is ready: there is none."""
    return False


@FAMILY.builtin("Mpc.rand")
def rand(state: VMState, *_arguments: Value) -> Array:
    """Return 32 random bytes as a byte array."""
    return from_bytes(state, state.random_bytes(32))


_UNSIGNED: Final[dict[int, type[U8 | U16 | U32 | U64]]] = {8: U8, 16: U16, 32: U32, 64: U64}


@FAMILY.builtin("Mpc.rand_int", 1, 1, expects="1 argument: bit_length (8, 16, 32, or 64)")
def rand_int(state: VMState, bit_length: Value) -> Value:
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
def get_number_clients(_state: VMState, *_arguments: Value) -> int:
    """Return the number of clients: without an engine there are none."""
    return 0


@FAMILY.builtin("ClientStore.take_share", 1, expects="at least 1 argument: client index", takes=1)
@FAMILY.builtin("ClientStore.take_share_bool", 1, expects="at least 1 argument: client index", takes=1)
def take_share(_state: VMState, client: Value) -> Value:
    """Take a share that a client has given: without an engine there are no clients."""
    if not args.is_integer(client) or client < 0:
        raise CallbackError("client index must be a non-negative integer")
    raise VMError(f"No client at index {int(client)}", ErrorKind.CLIENT_INPUT)
