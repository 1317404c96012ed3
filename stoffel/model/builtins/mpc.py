"""The rows of the builtins for bytes, curves, and multi-party computation."""

from __future__ import annotations

from typing import Final

from stoffel.model.builtins.declaration import (
    ANYTHING,
    ARRAY,
    BOOL,
    BYTES,
    COPIES,
    COUNT,
    CREATES,
    ENGINE,
    INTEGER,
    OBJECT,
    READS,
    SHARE,
    SHARES,
    STRING,
    UNENUMERABLE,
    UNSIGNED,
    Builtin,
    Effect,
    Kinds,
    More,
    Parameter,
)

_RANDOM: Final[frozenset[Effect]] = frozenset({"gives another result each time"})

_SHARE: Final = Parameter("share", SHARE)
_BITS: Final = Parameter("bit_length", INTEGER)
_VALUE: Final = Parameter("value")
_CURVE: Final = Parameter("curve_name", STRING)
_ELEMENT: Final = Parameter("field_bytes", BYTES)
_POINT: Final = Parameter("point_bytes", BYTES)
_CLIENT: Final = Parameter("client_id", INTEGER)

NO_ENGINE: Final = "MPC engine not configured"
"""What every builtin that needs an engine says without one."""
NO_SHARE: Final = ("Expected Share object or Share value, got {value}", "Object is not a Share: {reason}")
"""What the builtins on shares say of an argument that is none."""

_SAMPLES: Final = {
    SHARE: '{"__type": "Share"}',
    SHARES: '[{"__type": "Share"}]',
    BYTES: 'Bytes.from_string("abc")',
    STRING: '"abc"',
}
"""Arguments of the examples, by kind."""


def _engine(
    name: str,
    parameters: tuple[Parameter, ...],
    result: Kinds,
    summary: str,
    *,
    expects: str = "",
    more: More = "ignored",
    receiver: str = "",
) -> Builtin:
    """Return the row of a builtin that needs an engine; where *expects* is empty the arguments are not counted."""
    kinds = [parameter.kinds for parameter in parameters]
    arguments = ", ".join([_SAMPLES.get(kind, "5") for kind in kinds])
    errors = NO_SHARE if SHARE in kinds else (*NO_SHARE, UNENUMERABLE) if SHARES in kinds else ()
    return Builtin(
        name,
        parameters,
        result,
        summary,
        f"{name}({arguments})",
        f"error: {NO_ENGINE}",
        ENGINE,
        expects,
        more=more,
        errors=(*errors, NO_ENGINE),
        receiver=receiver,
    )


def _method(name: str, parameters: tuple[Parameter, ...], result: Kinds, summary: str) -> Builtin:
    """Return the row of a method of shares."""
    return _engine(name, (_SHARE, *parameters), result, summary, receiver="Share")


_OTHER: Final = (Parameter("other", SHARE),)

METHODS: Final = (
    _method("Share.add", _OTHER, OBJECT, "Return the share of the sum of two secrets."),
    _method("Share.sub", _OTHER, OBJECT, "Return the share of the difference of two secrets."),
    _method("Share.neg", (), OBJECT, "Return the share of the negated secret."),
    _method("Share.add_scalar", (Parameter("scalar"),), OBJECT, "Return the share of the secret plus a clear number."),
    _method("Share.mul_scalar", (Parameter("scalar"),), OBJECT, "Return the share of the secret times a clear number."),
    _method("Share.mul", _OTHER, OBJECT, "Return the share of the product of two secrets."),
    _method("Share.mul_field", (_ELEMENT,), OBJECT, "Return the share of the secret times a field element."),
    _method("Share.add_field", (_ELEMENT,), OBJECT, "Return the share of the secret plus a field element."),
    _method("Share.retag", (_BITS,), OBJECT, "Return the same share as one of another bit length."),
    _method("Share.open", (), ANYTHING, "Reveal a secret to all parties."),
    # The reference machine registers this one method under its bare name, so it has no qualified form.
    _method("open_fixed", (), ANYTHING, "Reveal a secret fixed-point number to all parties."),
    _method("Share.send_to_client", (_CLIENT,), BOOL, "Send the share to a client, who learns the secret."),
    _method("Share.open_exp", (_CURVE,), BYTES, "Reveal the curve's generator to the power of the secret."),
    _method("Share.open_field", (), BYTES, "Reveal a secret as a field element."),
    _method(
        "Share.open_exp_custom",
        (Parameter("generator_bytes", BYTES),),
        BYTES,
        "Reveal a generator to the power of the secret.",
    ),
    _method("Share.get_type", (), STRING, "Return the name of the type of the secret."),
    _method("Share.get_party_id", (), COUNT, "Return the number of the party that holds the share."),
    _method("Share.get_commitment", (Parameter("index", INTEGER),), BYTES, "Return one commitment to the share."),
    _method("Share.commitment_count", (), COUNT, "Return the number of commitments to the share."),
    _method("Share.has_commitments", (), BOOL, "Tell whether there are commitments to the share."),
)

SHARING: Final = (
    _engine("Share.from_clear", (_VALUE,), OBJECT, "Return the share of a clear value."),
    *METHODS,
    _engine("Share.from_clear_int", (_VALUE, _BITS), OBJECT, "Return the share of a clear signed integer."),
    _engine("Share.from_clear_uint", (_VALUE, _BITS), OBJECT, "Return the share of a clear unsigned integer."),
    _engine(
        "Share.from_clear_fixed",
        (_VALUE, Parameter("total_bits", INTEGER), Parameter("frac_bits", INTEGER)),
        OBJECT,
        "Return the share of a clear number as a fixed-point number.",
    ),
    _engine(
        "Share.batch_mul",
        (Parameter("lefts", SHARES), Parameter("rights", SHARES)),
        SHARES,
        "Return the shares of the products of many pairs of secrets, in one round.",
    ),
    _engine("Share.batch_open", (Parameter("shares", SHARES),), ARRAY, "Reveal many secrets in one round."),
    _engine("Share.open_duplicate", (_SHARE,), ANYTHING, "Reveal a secret whose share the parties hold twice."),
    _engine("Share.random", (), OBJECT, "Return the share of a random secret."),
    _engine("Share.random_field", (), OBJECT, "Return the share of a random field element."),
    _engine("Share.random_int", (_BITS,), OBJECT, "Return the share of a random integer."),
    _engine(
        "Share.interpolate_local",
        (Parameter("share", SHARES), _BITS),
        ANYTHING,
        "Return the secret that an array of shares determines, without the other parties.",
        expects="2 arguments: share, bit_length",
        more="refused",
    ),
)


def _about(name: str, result: Kinds, summary: str) -> Builtin:
    return _engine(name, (), result, summary)


MPC: Final = (
    Builtin(
        "Mpc.is_ready",
        (),
        BOOL,
        "Tell whether an MPC engine is ready; without one it is false.",
        "Mpc.is_ready()",
        "false",
        more="ignored",
    ),
    Builtin(
        "Mpc.rand",
        (),
        BYTES,
        "Return 32 random bytes.",
        "len(Mpc.rand())",
        "32",
        CREATES | _RANDOM,
        more="ignored",
        makes="32",
    ),
    Builtin(
        "Mpc.rand_int",
        (_BITS,),
        UNSIGNED,
        "Return a random unsigned integer of so many bits.",
        "type(Mpc.rand_int(16))",
        '"uint16"',
        _RANDOM,
        "1 argument: bit_length (8, 16, 32, or 64)",
        errors=(
            "bit_length must be a non-negative integer",
            "bit_length must be a positive integer",
            "Unsupported bit_length {n}. Must be 8, 16, 32, or 64",
        ),
    ),
    _about("Mpc.party_id", COUNT, "Return the number of this party."),
    _about("Mpc.n_parties", COUNT, "Return the number of parties."),
    _about("Mpc.threshold", COUNT, "Return how many parties may be corrupt."),
    _about("Mpc.instance_id", UNSIGNED, "Return the number of this computation."),
    _about("Mpc.protocol_name", STRING, "Return the name of the protocol."),
    _about("Mpc.curve", STRING, "Return the name of the curve."),
    _about("Mpc.field", STRING, "Return the name of the field."),
    _about("Mpc.capabilities", ARRAY, "Return the names of what the engine can do."),
    _engine(
        "Mpc.has_capability",
        (Parameter("capability", STRING),),
        BOOL,
        "Tell whether the engine can do something.",
        expects="1 argument: capability",
        more="refused",
    ),
)


def _clients(sort: str) -> Builtin:
    name = f"ClientStore.get_number_{sort}clients"
    summary = f"Return the number of {sort.replace('_', ' ')}clients; without an MPC engine it is 0."
    return Builtin(name, (), COUNT, summary, f"{name}()", "0", more="ignored")


def _take(name: str, what: str) -> Builtin:
    return Builtin(
        f"ClientStore.{name}",
        (_CLIENT, Parameter("share_id", INTEGER, optional=True)),
        OBJECT,
        f"Take the share of {what} that a client has given; without an MPC engine there are no clients.",
        f"ClientStore.{name}(0, 0)",
        "error: No client at index 0",
        ENGINE,
        "at least 1 argument: client index",
        more="ignored",
        errors=("client index must be a non-negative integer", "No client at index {i}"),
    )


CLIENTS: Final = (
    _clients(""),
    _clients("input_"),
    _clients("output_"),
    _take("take_share", "an integer"),
    _take("take_share_bool", "a Bool"),
    _take("take_share_fixed", "a fixed-point number"),
    _engine(
        "MpcOutput.send_to_client",
        (_CLIENT, Parameter("value", SHARE)),
        BOOL,
        "Send the share of an output to a client, who learns it.",
    ),
)

_A: Final = Parameter("a", BYTES)
_B: Final = Parameter("b", BYTES)

FIELD: Final = (
    _engine(
        "Field.from_int",
        (Parameter("value", INTEGER),),
        BYTES,
        "Return an integer as an element of the engine's field.",
        expects="1 argument: value (int)",
        more="refused",
    ),
    _engine("Field.zero", (), BYTES, "Return the zero of the field.", expects="no arguments", more="refused"),
    _engine("Field.one", (), BYTES, "Return the one of the field.", expects="no arguments", more="refused"),
    _engine("Field.add", (_A, _B), BYTES, "Return the sum of two field elements."),
    _engine("Field.sub", (_A, _B), BYTES, "Return the difference of two field elements."),
    _engine("Field.mul", (_A, _B), BYTES, "Return the product of two field elements."),
    _engine("Field.neg", (_A,), BYTES, "Return a field element negated."),
    _engine("Field.inverse", (_A,), BYTES, "Return the inverse of a field element."),
    _engine("Field.sqrt", (_A,), BYTES, "Return a square root of a field element."),
    _engine("Field.is_zero", (_A,), BOOL, "Tell whether a field element is zero."),
    _engine("Field.eq", (_A, _B), BOOL, "Tell whether two field elements are equal."),
)

_TIMEOUT: Final = Parameter("timeout_ms", INTEGER)

BROADCAST: Final = (
    _engine("Rbc.broadcast", (Parameter("message", STRING),), COUNT, "Broadcast a message reliably to all parties."),
    _engine("Rbc.receive", (Parameter("from_party", INTEGER), _TIMEOUT), STRING, "Wait for a broadcast of one party."),
    _engine("Rbc.receive_any", (_TIMEOUT,), OBJECT, "Wait for a broadcast of any party."),
)

_AVSS: Final = Parameter("avss_share")

AVSS: Final = (
    _engine(
        "Avss.get_commitment",
        (_AVSS, Parameter("index", INTEGER)),
        BYTES,
        "Return one commitment to a share of verifiable secret sharing.",
        expects="2 arguments: avss_share, index",
    ),
    _engine(
        "Avss.get_key_name",
        (_AVSS,),
        STRING,
        "Return the name of the key that the share belongs to.",
        expects="1 argument: avss_share",
        more="refused",
    ),
    _engine(
        "Avss.commitment_count",
        (_AVSS,),
        COUNT,
        "Return the number of commitments to the share.",
        expects="1 argument: avss_share",
        more="refused",
    ),
    Builtin(
        "Avss.is_avss_share",
        (_VALUE,),
        BOOL,
        "Tell whether a value is a share of verifiable secret sharing: an object of the type AvssShare.",
        "Avss.is_avss_share(5)",
        "false",
        READS,
        "1 argument: value",
    ),
)

_NO_BYTES: Final = ("Expected byte array", "Expected U8 at index {i}", UNENUMERABLE)


def _digest(name: str, algorithm: str, size: int) -> Builtin:
    return Builtin(
        f"Crypto.{name}",
        (Parameter("data", BYTES),),
        BYTES,
        f"Return the {algorithm} digest of a byte array.",
        f'len(Crypto.{name}(Bytes.from_string("abc")))',
        str(size),
        COPIES,
        "1 argument: data (byte array)",
        errors=_NO_BYTES,
        work="size(data)",
        makes=str(size),
    )


HASHES: Final = (
    Builtin(
        "Bytes.from_string",
        (Parameter("string", STRING),),
        BYTES,
        "Return the UTF-8 bytes of a string as a byte array.",
        'Bytes.from_string("ab")',
        "[97u8, 98u8]",
        CREATES,
        "1 argument: string",
        errors=("Argument must be a string",),
        work="size(string)",
        makes="utf8(string)",
    ),
    Builtin(
        "Bytes.concat",
        (_A, _B),
        BYTES,
        "Return the bytes of both byte arrays as a new one.",
        'Bytes.concat(Bytes.from_string("a"), [0u8])',
        "[97u8, 0u8]",
        COPIES,
        "2 arguments: a, b",
        more="ignored",
        errors=_NO_BYTES,
        work="size(a) + size(b)",
        makes="size(a) + size(b)",
    ),
    _digest("sha256", "SHA-256", 32),
    _digest("sha512", "SHA-512", 64),
)

_NO_CURVE: Final = (
    "curve_name must be a string",
    "Invalid curve name: Unknown MPC curve '{name}'. Supported curves: {names}",
)
_NO_ELEMENT: Final = (
    "field element must have 32 bytes, not {n}",
    "field element is not below the order of {curve}'s scalar field",
)
_ENCODED: Final = "point (compressed: x little-endian, then flags in the top bits of the last byte)"


_WORK_OF_CURVES: Final = 20_000
"""Elements as many as an inverse in a field takes the time of."""
_WORK_OF_POINTS: Final = 500_000
"""The same for hashing to a point."""


def _on_curve(
    name: str,
    parameter: Parameter,
    summary: str,
    example: str,
    gives: str,
    *,
    errors: tuple[str, ...],
    more: More = "refused",
) -> Builtin:
    return Builtin(
        f"Crypto.{name}",
        (parameter, _CURVE),
        BYTES,
        summary,
        example,
        gives,
        COPIES,
        f"2 arguments: {parameter.name}, curve_name",
        more=more,
        errors=(*_NO_BYTES, *_NO_CURVE, *errors),
        work=f"{_WORK_OF_CURVES} + size({parameter.name})",
        makes="33",
    )


def _two_curves(name: str) -> str:
    return f"Crypto.{name} supports secp256k1 and p-256, got {{curve}}"


_ONE: Final = "a = array_repeat([0u8], 32); set_field(a, 0, 2u8); "
_GENERATOR: Final = (
    "a = [152u8, 23u8, 248u8, 22u8, 91u8, 129u8, 242u8, 89u8, 217u8, 40u8, 206u8, 45u8, 219u8, 252u8, 155u8, 2u8, "
    "7u8, 11u8, 135u8, 206u8, 149u8, 98u8, 160u8, 85u8, 172u8, 187u8, 220u8, 249u8, 126u8, 102u8, 190u8, 121u8, 0u8]; "
)

CURVES: Final = (
    _on_curve(
        "hash_to_field",
        Parameter("hash_bytes", BYTES),
        "Return the bytes as a number, reduced modulo the order of the curve's scalar field.",
        'slice(Crypto.hash_to_field([1u8, 2u8], "p-256"), 0, 3)',
        "[2u8, 1u8, 0u8]",
        errors=(),
        more="ignored",
    ),
    _on_curve(
        "field_inv",
        _ELEMENT,
        "Return the inverse of a scalar-field element: 32 bytes, little-endian.",
        _ONE + 'get_field(Crypto.field_inv(Crypto.field_inv(a, "bn254"), "bn254"), 0)',
        "2u8",
        errors=(*_NO_ELEMENT, "field inverse is undefined for zero"),
    ),
    _on_curve(
        "field_to_scalar_bytes",
        _ELEMENT,
        "Return a scalar-field element of secp256k1 or p-256 big-endian, as their signatures have it.",
        _ONE + 'get_field(Crypto.field_to_scalar_bytes(a, "p-256"), -1)',
        "2u8",
        errors=(*_NO_ELEMENT, _two_curves("field_to_scalar_bytes")),
    ),
    _on_curve(
        "point_x_to_field",
        _POINT,
        "Return the x coordinate of a compressed point of secp256k1 or p-256, reduced modulo the order of the scalar "
        "field.",
        _GENERATOR + 'get_field(Crypto.point_x_to_field(a, "secp256k1"), 0)',
        "152u8",
        errors=("invalid {curve} point: {reason}", _two_curves("point_x_to_field")),
    ),
    _on_curve(
        "point_to_sec1",
        _POINT,
        "Return a compressed point of secp256k1 or p-256 in the compressed form of SEC 1.",
        _GENERATOR + 'slice(Crypto.point_to_sec1(a, "secp256k1"), 0, 2)',
        "[2u8, 121u8]",
        errors=("invalid {curve} point: {reason}", _two_curves("point_to_sec1")),
    ),
    Builtin(
        "Crypto.hash_to_g1",
        (Parameter("message", BYTES),),
        BYTES,
        "Return the point of BLS12-381's group G1 that a message hashes to, compressed.",
        'len(Crypto.hash_to_g1(Bytes.from_string("abc")))',
        "48",
        COPIES,
        "1 argument: message (byte array)",
        errors=_NO_BYTES,
        work=f"{_WORK_OF_POINTS} + size(message)",
        makes="48",
    ),
)
