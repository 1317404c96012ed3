"""Functions and objects of the standard library as the checker knows them.

The tables are written in the language itself and read by its own parser, each line when its name is first used. What a
function does at run time, and how many arguments it takes there, is the machine's table
(:mod:`stoffel.model.builtins.table`); a test holds both together. A parameter with a default may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from stoffel.lang.lexer import tokenize
from stoffel.lang.parser import Parser
from stoffel.lang.source import Source
from stoffel.lang.syntax import TypeName
from stoffel.lang.types import NAMED, SHARE, UNKNOWN, VOID, Type, list_of, secret

_FUNCTIONS: Final = """\
print(*values)
type[T](value: T) -> string
to_string[T](value: T) -> string
assert(condition: bool, message: string = "")
len[T](array: list[T]) -> int64
range(start: int64, stop: int64, step: int64 = 1) -> list[int64]
slice[T](value: T, start: int64, stop: int64, step: int64 = 1) -> T
contains[T, U](container: T, value: U) -> bool
append[T](array: list[T], value: T)
extend[T](array: list[T], values: list[T])
insert[T](array: list[T], index: int64, value: T)
copy[T](array: list[T]) -> list[T]
count[T](array: list[T], value: T) -> int64
index[T](array: list[T], value: T, start: int64 = 0, stop: int64 = 0) -> int64
pop[T](array: list[T], index: int64 = 0) -> T
delete[T](array: list[T], index: int64)
remove[T](array: list[T], value: T)
clear[T](array: list[T])
reverse[T](array: list[T])
sort[T](array: list[T])
create_closure(function_name: string) -> Closure
create_closure_with_upvalue(function_name: string, upvalue_name: string) -> Closure
call_closure[T](closure: Closure) -> T
call_closure_with_arg[T, U](closure: Closure, value: T) -> U
get_upvalue[T](name: string) -> T
set_upvalue[T](name: string, value: T)
reveal[T](value: secret T) -> T
"""

_METHODS: Final = """\
LocalStorage.store[T](key: string, value: T) -> bool
LocalStorage.load[T](key: string) -> T
LocalStorage.retrieve[T](key: string) -> T
LocalStorage.load_share(key: string) -> Share
LocalStorage.delete(key: string) -> bool
LocalStorage.exists(key: string) -> bool
Bytes.concat(left: bytes, right: bytes) -> bytes
Bytes.from_string(value: string) -> bytes
Crypto.sha256(message: bytes) -> bytes
Crypto.sha512(message: bytes) -> bytes
Crypto.hash_to_g1(message: bytes) -> bytes
Crypto.hash_to_field(message: bytes, curve_name: string) -> bytes
Crypto.field_inv(field_bytes: bytes, curve_name: string) -> bytes
Crypto.point_x_to_field(point_bytes: bytes, curve_name: string) -> bytes
Crypto.field_to_scalar_bytes(field_bytes: bytes, curve_name: string) -> bytes
Crypto.point_to_sec1(point_bytes: bytes, curve_name: string) -> bytes
Mpc.party_id() -> int64
Mpc.n_parties() -> int64
Mpc.threshold() -> int64
Mpc.is_ready() -> bool
Mpc.instance_id() -> uint64
Mpc.protocol_name() -> string
Mpc.curve() -> string
Mpc.field() -> string
Mpc.has_capability(capability: string) -> bool
Mpc.capabilities() -> list[string]
Mpc.rand() -> bytes
Mpc.rand_int(bit_length: int64) -> uint64
ClientStore.take_share(client_id: int64, share_id: int64) -> Share
ClientStore.take_share_bool(client_id: int64, share_id: int64) -> Share
ClientStore.take_share_fixed(client_id: int64, share_id: int64) -> Share
ClientStore.get_number_clients() -> int64
ClientStore.get_number_input_clients() -> int64
ClientStore.get_number_output_clients() -> int64
MpcOutput.send_to_client[T](client_id: int64, value: T) -> bool
Share.from_clear(value: int64) -> Share
Share.from_clear_int(value: int64, bit_length: int64) -> Share
Share.from_clear_uint(value: uint64, bit_length: int64) -> Share
Share.from_clear_fixed(value: fix64, total_bits: int64, frac_bits: int64) -> Share
Share.add(share1: Share, share2: Share) -> Share
Share.sub(share1: Share, share2: Share) -> Share
Share.mul(share1: Share, share2: Share) -> Share
Share.neg(share: Share) -> Share
Share.add_scalar(share: Share, scalar: int64) -> Share
Share.mul_scalar[T](share: Share, scalar: T) -> Share
Share.mul_field(share: Share, field_bytes: bytes) -> Share
Share.add_field(share: Share, field_bytes: bytes) -> Share
Share.retag(share: Share, bit_length: int64) -> Share
Share.random() -> Share
Share.random_field() -> Share
Share.random_int(bit_length: int64) -> Share
Share.batch_mul(lefts: list[Share], rights: list[Share]) -> list[Share]
Share.open(share: Share) -> int64
Share.reveal[T](share: Share) -> T
Share.open_fixed(share: Share) -> fix64
Share.open_exp(share: Share, curve_name: string) -> bytes
Share.open_field(share: Share) -> bytes
Share.open_exp_custom(share: Share, generator_bytes: bytes) -> bytes
Share.get_commitment(share: Share, index: int64) -> bytes
Share.send_to_client(share: Share, client_id: int64) -> bool
Share.interpolate_local(shares: list[Share]) -> int64
Share.get_type(share: Share) -> string
Share.get_party_id(share: Share) -> int64
Share.commitment_count(share: Share) -> int64
Share.has_commitments(share: Share) -> bool
Share.batch_open(shares: list[Share]) -> list[Object]
Share.batch_open_fixed[T](shares: list[Share]) -> list[T]
Field.from_int(value: int64) -> bytes
Field.zero() -> bytes
Field.one() -> bytes
Field.add(a: bytes, b: bytes) -> bytes
Field.sub(a: bytes, b: bytes) -> bytes
Field.mul(a: bytes, b: bytes) -> bytes
Field.neg(a: bytes) -> bytes
Field.inverse(a: bytes) -> bytes
Field.sqrt(a: bytes) -> bytes
Field.is_zero(field_bytes: bytes) -> bool
Field.eq(a: bytes, b: bytes) -> bool
Rbc.broadcast(message: string) -> int64
Rbc.receive(from_party: int64, timeout_ms: int64) -> string
Rbc.receive_any(timeout_ms: int64) -> RbcResult
Avss.get_commitment(share: AvssShare, index: int64) -> bytes
Avss.get_key_name(share: AvssShare) -> string
Avss.commitment_count(share: AvssShare) -> int64
Avss.is_avss_share[T](value: T) -> bool
"""

MACHINE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "create_closure_with_upvalue": "create_closure",
        "call_closure_with_arg": "call_closure",
        "reveal": "Share.open",
        "LocalStorage.load_share": "LocalStorage.load",
        "Share.reveal": "Share.open",
        "Share.open_fixed": "Share.open",
        "Share.batch_open_fixed": "Share.batch_open",
    }
)
"""What functions of the library are called at run time, where it is not their own name."""

HIDDEN: Final = frozenset(
    (
        "create_array",
        "create_object",
        "get_field",
        "set_field",
        "array_push",
        "array_length",
        "array_concat",
        "array_repeat",
        "array_equals",
        "get_or_create_array_field",
    )
)
"""Builtins of the machine that code is made of and that have no name in the language."""


def _by_name(lines: str) -> dict[str, str]:
    return {line[: min(line.index(mark) for mark in "([" if mark in line)]: line for line in lines.splitlines()}


FUNCTIONS: Final = MappingProxyType(_by_name(_FUNCTIONS))
"""Lines of the functions by name."""
METHODS: Final = MappingProxyType(_by_name(_METHODS))
"""Lines of the functions of builtin objects by qualified name."""
OBJECTS: Final = tuple(dict.fromkeys([*(name.partition(".")[0] for name in METHODS), "Share"]))
"""Names of the builtin objects."""
RESERVED: Final = HIDDEN | {MACHINE_NAMES.get(name, name) for name in FUNCTIONS if "." not in name} - {"Share.open"}
"""Names that no function of a program can have: a machine has them already."""


class Signature:
    """What a call of a function needs to know.

    *parameters* are pairs of name and type, *required* how many arguments there must be at least; a *variadic*
    function takes any number of the last parameter's type. *target* is the name that the machine calls.
    """

    __slots__ = ("name", "parameters", "required", "result", "target", "variadic")

    def __init__(
        self,
        name: str,
        parameters: tuple[tuple[str, Type], ...],
        required: int,
        result: Type,
        target: str,
        *,
        variadic: bool = False,
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.required = required
        self.result = result
        self.target = target
        self.variadic = variadic


def library_type(written: TypeName, type_parameters: tuple[str, ...]) -> Type:
    """Return the type that *written* stands for in a line of the tables."""
    if written.name in type_parameters:
        return Type("parameter", written.name)
    arguments = tuple([library_type(inner, type_parameters) for inner in written.arguments])
    if written.name == "secret":
        return secret(arguments[0])
    if written.name == "list":
        return list_of(arguments[0])
    return NAMED.get(written.name) or (SHARE if written.name == "Share" else Type("object", written.name))


@cache
def signature(name: str) -> Signature | None:
    """Return the signature of the function *name*, or of ``Object.method``; None if there is none."""
    line = FUNCTIONS.get(name) or METHODS.get(name)
    if line is None:
        return None
    header = line[len(name) :]
    parser = Parser("", tokenize(Source(f"def f{header} {{.builtin.}}")), ())
    function = parser.read_def()
    types = function.type_parameters
    parameters = tuple(
        [(one.name, library_type(one.annotation, types) if one.annotation else UNKNOWN) for one in function.parameters]
    )
    variadic = any(one.is_variadic for one in function.parameters)
    required = sum(one.default is None and not one.is_variadic for one in function.parameters)
    result = library_type(function.result, types) if function.result else VOID
    return Signature(name, parameters, required, result, MACHINE_NAMES.get(name, name), variadic=variadic)
