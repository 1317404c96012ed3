"""What inference knows about a value: which kinds it can be, its range, its constant.

A kind is one bit, so a set of kinds is an int and joining is ``|``. Facts are immutable. A value whose only kind is one
of the integer widths besides I64 is held *raw* in compiled code: as a plain int, put into its class where it escapes.
"""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from stoffel.isa.scalars import INTEGER_KINDS, constant_key
from stoffel.model.builtins.declaration import Kinds
from stoffel.model.values import (
    TYPE_NAMES,
    Array,
    Closure,
    Foreign,
    Object,
)

_REPRESENTATIVES: Final = (*INTEGER_KINDS, float, bool, str, NoneType, Object, Array, Closure, Foreign)

BIT: Final[dict[type, int]] = {cls: 1 << index for index, cls in enumerate(_REPRESENTATIVES)}
"""The bit of each kind, by its Python class."""
CLASS: Final[dict[int, type]] = {bit: cls for cls, bit in BIT.items()}
"""The Python class of a single kind's bit."""

I64: Final = BIT[int]
FLOAT: Final = BIT[float]
BOOL: Final = BIT[bool]
STRING: Final = BIT[str]
UNIT: Final = BIT[NoneType]
OBJECT: Final = BIT[Object]
ARRAY: Final = BIT[Array]
CLOSURE: Final = BIT[Closure]
PRIVATE: Final = 1 << len(_REPRESENTATIVES)
"""A closure that compiled code has made and that, if nothing has shared it since, only registers hold."""
FORGOTTEN: Final = PRIVATE << 1
"""On some way here, what a field or upvalue holds is not remembered: no kind, but joined like one."""
INTEGERS: Final = sum(BIT[cls] for cls in INTEGER_KINDS)
RAW: Final = INTEGERS & ~I64
"""Kinds held raw when they are the only possible one."""
NUMBERS: Final = INTEGERS | FLOAT
ANY: Final = (1 << len(_REPRESENTATIVES)) - 1

_BY_NAME: Final = {name: cls for cls, name in TYPE_NAMES.items() if cls in BIT}
_KIND_OF: Final[dict[type, int]] = {cls: BIT[_BY_NAME[name]] for cls, name in TYPE_NAMES.items()}


def kind_of_class(cls: type) -> int:
    """Return the kind bit of the machine values of a Python class."""
    return _KIND_OF[cls]


def kind_of(value: object) -> int:
    """Return the kind bit of a machine value."""
    return _KIND_OF[type(value)]


class _Nothing:
    """The type of :data:`NOTHING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()
"""Stands for "no constant" and "no hint", since None is Unit."""


class Fact:
    """What is known about a value.

    ``mask`` is the set of kinds it can be (0: no value reaches here). ``low`` and ``high`` bound it when its only kind
    is an integer one. ``constant`` is the value if it is known, else NOTHING. ``hint`` is a value like those seen, from
    which guesses are made; it says nothing certain.
    """

    __slots__ = ("constant", "high", "hint", "low", "mask")

    def __init__(self, mask: int, low: int = 0, high: int = 0, constant: Any = NOTHING, hint: Any = NOTHING) -> None:
        self.mask = mask
        self.low = low
        self.high = high
        self.constant = constant
        self.hint = hint

    @property
    def is_constant(self) -> bool:
        """True if the value is known."""
        return self.constant is not NOTHING

    def __repr__(self) -> str:
        if self.is_constant:
            return repr(self.constant)
        names = "|".join(TYPE_NAMES[cls] for cls, bit in BIT.items() if bit & self.mask) if self.mask != ANY else "any"
        if self.mask in KIND_RANGES and (self.low, self.high) != KIND_RANGES[self.mask]:
            names += f"[{self.low}..{self.high}]"
        return names


KIND_RANGES: Final = {BIT[cls]: (kind.minimum, kind.maximum) for cls, kind in INTEGER_KINDS.items()}
"""Least and greatest value of each integer kind, by its bit."""

_PLAIN: Final[dict[int, Fact]] = {}


def of_kinds(mask: int) -> Fact:
    """Return the fact that knows the kinds only."""
    fact = _PLAIN.get(mask)
    if fact is None:
        low, high = KIND_RANGES.get(mask, (0, 0))
        fact = _PLAIN[mask] = Fact(mask, low, high)
    return fact


UNKNOWN: Final = of_kinds(ANY)
IMPOSSIBLE: Final = of_kinds(0)


FORGOTTEN_FACT: Final = of_kinds(FORGOTTEN)


def public(fact: Fact) -> Fact:
    """Return what holds for a value after it has been shared."""
    if not fact.mask & PRIVATE:
        return fact
    return with_hint(of_kinds(fact.mask & ~PRIVATE | CLOSURE), fact.hint)


def of_constant(value: Any) -> Fact:
    """Return the fact of a known value."""
    mask = kind_of(value)
    if mask & INTEGERS:
        return Fact(mask, int(value), int(value), value)
    return Fact(mask, 0, 0, value)


def of_range(mask: int, low: int, high: int) -> Fact:
    """Return the fact of an integer kind with bounds, cut to what the kind can hold."""
    least, greatest = KIND_RANGES[mask]
    return Fact(mask, low if low > least else least, high if high < greatest else greatest)


UNIT_FACT: Final = of_constant(None)
TRUE_FACT: Final = of_constant(True)
FALSE_FACT: Final = of_constant(False)


def of_result(kinds: Kinds) -> Fact:
    """Return what is known about a value of which the declaration of a builtin says so much."""
    if not kinds.classes:
        return UNKNOWN
    mask = sum(BIT[cls] for cls in kinds.classes)
    if mask == UNIT:
        return UNIT_FACT
    return of_kinds(mask) if kinds.minimum is None else of_range(mask, kinds.minimum, KIND_RANGES[mask][1])


def with_hint(fact: Fact, hint: Any) -> Fact:
    """Return *fact* with another hint."""
    if hint is fact.hint:
        return fact
    return Fact(fact.mask, fact.low, fact.high, fact.constant, hint)


def join(one: Fact, other: Fact) -> Fact:
    """Return what holds for a value that is either."""
    if one is other or other.mask == 0:
        return one
    if one.mask == 0:
        return other
    hint = one.hint if one.hint is not NOTHING else other.hint
    mask = one.mask | other.mask
    both = one.constant is not NOTHING and other.constant is not NOTHING
    if both and constant_key(one.constant) == constant_key(other.constant):
        return one
    if mask in KIND_RANGES:
        low = one.low if one.low < other.low else other.low
        high = one.high if one.high > other.high else other.high
        if one.constant is NOTHING and low == one.low and high == one.high and hint is one.hint:
            return one
        return Fact(mask, low, high, NOTHING, hint)
    if mask == one.mask and one.constant is NOTHING and hint is one.hint:
        return one
    return with_hint(of_kinds(mask), hint)


def widen(old: Fact, new: Fact) -> Fact:
    """Return *new*, a fact at least as wide as *old*, with every bound that moved set to a landmark.

    The landmarks short of the kind's limit (widening with thresholds; Blanchet et al., "A static analyzer for large
    safety-critical software", 2003) are where the counter of a loop that is tested at its end comes to rest, so that
    it needs no overflow check.
    """
    if new is old or new.mask not in KIND_RANGES or old.mask != new.mask:
        return new
    least, greatest = KIND_RANGES[new.mask]
    low, high = new.low, new.high
    if low < old.low:
        low = next(limit for limit in (0, least // 2, least + 1, least) if limit <= low)
    if high > old.high:
        high = next(limit for limit in (greatest // 2, greatest - 1, greatest) if limit >= high)
    return Fact(new.mask, low, high, NOTHING, new.hint)


def equal(one: Fact, other: Fact) -> bool:
    """Return whether two facts say the same; hints do not count."""
    return one is other or (
        one.mask == other.mask
        and one.low == other.low
        and one.high == other.high
        and (one.constant is NOTHING) == (other.constant is NOTHING)
        and (one.constant is NOTHING or constant_key(one.constant) == constant_key(other.constant))
    )


def interchangeable(one: Fact, other: Fact) -> bool:
    """Return whether two facts are the same for whatever is made of them; their hints are the same object."""
    if one.hint is not other.hint or one.constant is not other.constant:
        return False
    return one.mask == other.mask and one.low == other.low and one.high == other.high


def is_raw(fact: Fact) -> bool:
    """Return whether a value with this fact is held as a plain int in compiled code."""
    return bool(fact.mask & RAW) and fact.mask in KIND_RANGES
