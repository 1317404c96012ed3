"""How much memory can be reached from the records of a run, in the units of limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from stoffel.model.builtins.costs import utf8
from stoffel.model.values import Array, Closure, Object, Operand, SparseArray, TypedArray, Value, value_of
from stoffel.runtime.limits import ELEMENT_UNITS, TABLE_UNITS

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord

_TABLES: Final = frozenset({Array, SparseArray, TypedArray, Object, Closure})
_HELD: Final = frozenset({*_TABLES, str})


def units_of(records: Iterable[ActivationRecord]) -> int:
    """Return the units of memory of *records* and of all that can be reached from them."""
    total = 0
    pending: list[Any] = []
    for record in records:
        total += ELEMENT_UNITS * record.code.register_count
        spill = [] if record.spill is None else record.spill.values()
        for values in (record.registers, record.arguments, record.stack, spill, [item for _, item in record.upvalues]):
            pending.extend(values)
        pending.append(record.closure)
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        kind = type(value)
        if kind is str:
            if id(value) not in seen:
                seen.add(id(value))
                total += utf8(value)
        elif kind in _TABLES and id(value) not in seen:
            seen.add(id(value))
            parts = list(_parts(value))
            total += TABLE_UNITS + ELEMENT_UNITS * len(parts)
            pending.extend(part for part in parts if type(part) in _HELD)
    return total


def _parts(value: Operand) -> Iterator[Value]:
    """Yield what a table or closure holds, keys that are strings or tables not counted apart."""
    if type(value) is Closure:
        for _, item in value.upvalues:
            yield item
    elif type(value) is Object:
        for key, item in value.fields.items():
            yield item
            held = value_of(key)
            if type(held) in _TABLES:
                yield held
    else:
        if type(value) is TypedArray:
            yield from repeat(None, len(value.buffer))
        else:
            yield from value.prefix if type(value) is SparseArray else value.items
        yield from (value.extra or {}).values()
