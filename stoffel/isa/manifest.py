"""The manifest of a program: what its multi-party parts would need.

A clear machine keeps it and otherwise ignores it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

BACKENDS: Final[tuple[str, ...]] = ("HoneyBadger", "AVSS")
"""Names of the protocol back ends, by tag."""

CURVES: Final[tuple[str, ...]] = ("BLS12-381", "BN254", "Curve25519", "Ed25519", "secp256k1", "secp256r1")
"""Names of the elliptic curves, by tag."""

U64_MAX: Final = (1 << 64) - 1


class ShareKind(NamedTuple):
    """One kind of secret share."""

    name: str
    tag: int
    fields: tuple[str, ...]
    """What format errors call its numbers, each a ``u32``."""


SHARE_KINDS: Final[tuple[ShareKind, ...]] = (
    ShareKind("SecretInt", 0, ("SecretInt bit length",)),
    ShareKind("SecretFixedPoint", 1, ("fixed-point total bits", "fixed-point fractional bits")),
    ShareKind("SecretUInt", 2, ("SecretUInt bit length",)),
)
_KIND_BY_NAME: Final = {kind.name: kind for kind in SHARE_KINDS}


class _Record:
    """An immutable record, compared and hashed by the values of its slots."""

    __slots__: tuple[str, ...] = ()

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


def _check_int(what: str, value: object, maximum: int | None = None) -> int:
    if type(value) is not int:
        raise TypeError(f"{what} must be an int, not {type(value).__name__} {value!r}")
    if value < 0 or (maximum is not None and value > maximum):
        raise ValueError(
            f"{what} must be from 0 to {maximum}, not {value}" if maximum else f"{what} is negative: {value}"
        )
    return value


class ShareType(_Record):
    """Type of one secret input or output: *kind* is the name of a :data:`SHARE_KINDS` row, *bits* its (total) length.

    *fraction* is the number of fractional bits of a ``"SecretFixedPoint"``, 0 for the others. A secret Bool is a
    ``SecretInt`` of one bit. Raises ValueError for numbers that make no sense.
    """

    __slots__ = ("kind", "bits", "fraction")

    kind: str
    bits: int
    fraction: int

    def __init__(self, kind: str, bits: int, fraction: int = 0) -> None:
        row = _KIND_BY_NAME.get(kind)
        if row is None:
            raise ValueError(f"unknown share type {kind!r}; there are {', '.join(_KIND_BY_NAME)}")
        has_fraction = len(row.fields) == 2
        if _check_int(row.fields[0], bits) == 0:
            noun = "total_bits" if has_fraction else "bit_length"
            raise ValueError(f"invalid {kind} metadata in IO manifest: {noun} must be a positive integer")
        if _check_int("fractional bits", fraction) and not has_fraction:
            raise ValueError(f"{kind} has no fractional bits")
        if fraction >= bits:
            raise ValueError(f"invalid {kind} metadata in IO manifest: frac_bits must be less than total_bits")
        put = object.__setattr__
        put(self, "kind", kind)
        put(self, "bits", bits)
        put(self, "fraction", fraction)

    @property
    def row(self) -> ShareKind:
        """The kind's row in :data:`SHARE_KINDS`."""
        return _KIND_BY_NAME[self.kind]


class Client(_Record):
    """What one client sends and receives: *slot* (unsigned, 64 bits), types of *inputs* and *outputs*."""

    __slots__ = ("slot", "inputs", "outputs")

    slot: int
    inputs: tuple[ShareType, ...]
    outputs: tuple[ShareType, ...]

    def __init__(self, slot: int, inputs: Iterable[ShareType] = (), outputs: Iterable[ShareType] = ()) -> None:
        put = object.__setattr__
        put(self, "slot", _check_int("client slot", slot, U64_MAX))
        put(self, "inputs", _all_of(ShareType, inputs))
        put(self, "outputs", _all_of(ShareType, outputs))


class Demand(_Record):
    """Preprocessing material a run consumes (each number unsigned, 64 bits).

    *dynamic* says that the true amounts depend on the run.
    """

    __slots__ = ("triples", "randoms", "prandbits", "prandints", "dynamic")

    triples: int
    randoms: int
    prandbits: int
    prandints: int
    dynamic: bool

    def __init__(
        self, triples: int = 0, randoms: int = 0, prandbits: int = 0, prandints: int = 0, dynamic: bool = False
    ) -> None:
        put = object.__setattr__
        put(self, "triples", _check_int("triples", triples, U64_MAX))
        put(self, "randoms", _check_int("randoms", randoms, U64_MAX))
        put(self, "prandbits", _check_int("prandbits", prandbits, U64_MAX))
        put(self, "prandints", _check_int("prandints", prandints, U64_MAX))
        if type(dynamic) is not bool:
            raise TypeError(f"dynamic must be a bool, not {dynamic!r}")
        put(self, "dynamic", dynamic)


class Manifest(_Record):
    """Back end, curve, clients and preprocessing demand of a program; the defaults are those of a file without one.

    *backend* is a name of :data:`BACKENDS`, *curve* one of :data:`CURVES`. Raises ValueError for another name.
    """

    __slots__ = ("backend", "curve", "clients", "demand")

    backend: str
    curve: str
    clients: tuple[Client, ...]
    demand: Demand

    def __init__(
        self,
        backend: str = BACKENDS[0],
        curve: str = CURVES[0],
        clients: Iterable[Client] = (),
        demand: Demand | None = None,
    ) -> None:
        for what, name, known in (("backend", backend, BACKENDS), ("curve", curve, CURVES)):
            if name not in known:
                raise ValueError(f"unknown {what} {name!r}; there are {', '.join(known)}")
        if demand is not None and not isinstance(demand, Demand):
            raise TypeError(f"{demand!r} is not a Demand")
        put = object.__setattr__
        put(self, "backend", backend)
        put(self, "curve", curve)
        put(self, "clients", _all_of(Client, clients))
        put(self, "demand", demand or Demand())


def _all_of(cls: type, items: Iterable[Any]) -> tuple[Any, ...]:
    found = tuple(items)
    for item in found:
        if not isinstance(item, cls):
            raise TypeError(f"{item!r} is not a {cls.__name__}")
    return found
