"""The builtins that kernels have in machine code, and the types that they take and give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from stoffel.compiler.kernels.analysis.types import (
    BOOL,
    I64,
    UNIT,
    ArrayOf,
    Cell,
    ClosureOf,
    Known,
    Mixed,
    Opaque,
    RecordOf,
    Row,
    Scalar,
    Type,
    words,
)
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model.builtins.table import BY_NAME, complete
from stoffel.model.values import TYPE_NAMES, Array, Closure, Object

Arguments = tuple[Type, ...]
Result = Type | str
"""The type of the result, or the sentence that says why a kernel cannot make the call."""


class Typing(NamedTuple):
    """What a kernel knows of a builtin besides its declaration and how it is written: *result* types it.

    *creates* says that it makes a table of no type yet: *result* then gives a new type each time, and it is written
    with the type of what it creates. *only_reads* says that what it changes, by its declaration, is left to the
    interpreter.
    """

    result: Callable[[Arguments], Result]
    creates: bool = False
    only_reads: bool = False


def _create_array(given: Arguments) -> Result:
    if given and not (isinstance(given[0], Scalar) and given[0].cls in INTEGER_KINDS):
        return "create_array with a capacity that is no integer"
    return ArrayOf(Cell())


def _create_object(given: Arguments) -> Result:  # noqa: ARG001 - arguments are ignored
    return RecordOf(Row())


def _element(name: str, given: Arguments, count: int) -> Type | str:
    """Return the element type of the array that the first argument must be, or a sentence."""
    if len(given) != count:
        return f"{name} with {len(given)} arguments"
    array = given[0]
    if not isinstance(array, ArrayOf):
        return f"{name} of what is no array of numbers or tables"
    if name.endswith("_field") and given[1] is not I64:
        return f"{name} with a key that is no I64"
    return array


def _key(given: Arguments) -> str | None:
    """Return the key of a field access to an object, None if it is not one string known at compile time."""
    key = given[1] if len(given) > 1 else None
    return key.value if isinstance(key, Known) and type(key.value) is str else None


def _get_field(given: Arguments) -> Result:
    if given and isinstance(given[0], RecordOf):
        key = _key(given)
        if key is None:
            return "get_field of an object with a key that is not known"
        cell = given[0].row.fields.get(key)
        return (cell and cell.content) or "get_field of a field that was never set"
    array = _element("get_field", given[:2], 2)
    if isinstance(array, str):
        return array
    assert isinstance(array, ArrayOf)
    # Of an array whose elements have no type yet it is not known what is read: so far it is empty.
    return array.element or "get_field of an array of which nothing is known"


def _get_or_create(given: Arguments) -> Result:
    array = _element("get_or_create_array_field", given, 2)
    if isinstance(array, str):
        return array
    assert isinstance(array, ArrayOf)
    if not isinstance(array.element, ArrayOf):
        return "get_or_create_array_field of an array whose elements are no arrays"
    return array.element


def _stored(name: str, array: Type, value: Type) -> str | None:
    assert isinstance(array, ArrayOf)
    if array.cell.admit(value):
        return None
    if array.element is None:
        return f"{name} of {words(value)}, of which kernels have no arrays"
    return f"{name} of {words(value)} in an array of {words(array.element)}"


def _set_field(given: Arguments) -> Result:
    if len(given) > 2 and isinstance(given[0], RecordOf):
        key = _key(given)
        if key is None:
            return "set_field of an object with a key that is not known"
        return UNIT if given[0].row.admit(key, given[2]) else f"set_field of {words(given[2])} in a field of an object"
    array = _element("set_field", given[:3], 3)
    if isinstance(array, str):
        return array
    return _stored("set_field", array, given[2]) or UNIT


def _pushing(name: str, result: Type) -> Callable[[Arguments], Result]:
    def typed(given: Arguments) -> Result:
        array = _element(name, given, 2)
        if isinstance(array, str):
            return array
        return _stored(name, array, given[1]) or result

    return typed


def _length(name: str) -> Callable[[Arguments], Result]:
    def typed(given: Arguments) -> Result:
        array = _element(name, given, 1)
        return array if isinstance(array, str) else I64

    return typed


def _repeat(given: Arguments) -> Result:
    array = _element("array_repeat", given, 2)
    if isinstance(array, str):
        return array
    if given[1] is not I64:
        return "array_repeat with a count that is no I64"
    return array


def _copy(given: Arguments) -> Result:
    return _element("copy", given, 1)


def _assert(given: Arguments) -> Result:
    if not given or given[0] is not BOOL:
        return "assert of what is no Bool"
    return UNIT


def _type(given: Arguments) -> Result:
    if len(given) != 1 or isinstance(given[0], Mixed | Opaque):
        return "type of a value that is not known"
    kind = given[0]
    if isinstance(kind, ClosureOf):
        return Known(TYPE_NAMES[Closure])
    if isinstance(kind, ArrayOf | RecordOf):
        return Known(TYPE_NAMES[Array if isinstance(kind, ArrayOf) else Object])
    return Known(TYPE_NAMES[str if isinstance(kind, Known) else kind.cls])  # type: ignore[attr-defined]


_TYPINGS: Final = {
    "append": Typing(_pushing("append", UNIT)),
    "array_length": Typing(_length("array_length")),
    "array_push": Typing(_pushing("array_push", I64)),
    "array_repeat": Typing(_repeat),
    "assert": Typing(_assert),
    "copy": Typing(_copy),
    "create_array": Typing(_create_array, creates=True),
    "create_object": Typing(_create_object, creates=True),
    "get_field": Typing(_get_field),
    "get_or_create_array_field": Typing(_get_or_create, only_reads=True),
    "len": Typing(_length("len")),
    "set_field": Typing(_set_field),
    "type": Typing(_type),
}

NATIVE: Final = frozenset(_TYPINGS)
"""The builtins that kernels have in machine code."""
TYPINGS: Final[dict[str, Typing]] = complete(
    _TYPINGS, lambda row: Typing(lambda _: f"call of '{row.name}'"), "stoffel.compiler.kernels.analysis.builtin_types"
)
"""How kernels type each builtin, by name: at a call of one that they have not they end."""


def is_repeatable(name: str) -> bool:
    """Return whether a kernel may make a call of the builtin *name* once more in place of the first one."""
    return TYPINGS[name].only_reads or BY_NAME[name].is_repeatable
