"""The value types of the machine and what holds for all of them: names, keys, equality.

Host values are Python values: I64 is ``int``, Float ``float``, Bool ``bool``, String ``str``, Unit ``None``; the other
integer widths are the ``int`` subclasses of :mod:`stoffel.isa.scalars`. A table value *is* the table (a Python
reference), so a table that no value refers to is freed by Python itself, and ids only name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import I64_MAX, I64_MIN, INTEGER_KINDS

if TYPE_CHECKING:
    from array import array as Buffer  # noqa: N812 - `array` is what functions here are given


class Object:
    """A table from any value to any value; ``fields`` maps the :func:`key_of` a key to its value, oldest key first."""

    __slots__ = ("__weakref__", "fields", "id")

    id: int
    fields: dict[Any, Value]

    # No constructor: compiled code makes a table and sets its attributes itself, which takes half as long.

    def __repr__(self) -> str:
        return f"Object({self.id})"


def new_object(identity: int) -> Object:
    """Return a new empty object; a machine's are numbered by its :class:`~stoffel.model.tables.ObjectStore`."""
    table = Object()
    table.id = identity
    table.fields = {}
    return table


class Array:
    """An array table without absent gaps: index i of 0 to length-1 is ``items[i]``.

    ``extra`` holds the entries whose key is not an I64 index (``None`` while there are none), by :func:`key_of`. An
    array with absent gaps is a :class:`SparseArray`, one whose elements are kept as machine numbers a
    :class:`TypedArray`; code that has checked ``type(value) is Array`` may read and write ``items`` within its length,
    and append to it, without further thought.
    """

    __slots__ = ("__weakref__", "extra", "id", "items", "length", "prefix")

    id: int
    items: list[Value]
    extra: dict[Any, Value] | None
    length: int
    """Number of elements; set in a SparseArray only."""
    prefix: list[Value]
    """Gapless start; set in a SparseArray only."""
    buffer: Buffer[Any]
    """The elements as machine numbers; a TypedArray has it only, like the next two."""
    kind: type
    """The Python class of all elements."""
    allowance: int
    """Accesses of single elements by ordinary code that are left before the array takes its list back."""

    def __repr__(self) -> str:
        return f"Array({self.id})"


def new_array(identity: int, items: list[Value]) -> Array:
    """Return a new array that takes over *items*; numbered like objects."""
    table = Array()
    table.id = identity
    table.items = items
    table.extra = None
    return table


class SparseArray(Array):
    """An array with a gap: ``prefix`` is its gapless start, indexes from there on are in ``extra`` or absent.

    An Array becomes one when a write leaves an absent gap and stays one until its elements are rebuilt (the state
    changes by assigning ``__class__``, so that a check of the exact type is all that the common path needs). It has no
    ``items``: compiled code takes the presence of that attribute for the check.
    """

    __slots__ = ()


def machine_values(kind: type, buffer: Buffer[Any]) -> list[Value]:
    """Return the numbers in *buffer* as machine values of the Python class *kind*, bit for bit."""
    if kind is int or kind is float:
        return buffer.tolist()
    if kind is bool:
        return list(map(bool, buffer))
    return list(map(partial(int.__new__, kind), buffer))


LENT: Final = 1 << 62
"""Allowance of a typed array on which a kernel works: ordinary code must neither resize nor replace its buffer."""


def in_use() -> VMError:
    """Return the error of touching, in a signal handler, what the kernel works on that the handler interrupts."""
    return VMError("The table is in use by compiled code that a signal handler has interrupted", ErrorKind.TABLE_MEMORY)


class TypedArray(Array):
    """An array without gaps whose elements are all of one numeric kind and live in a flat buffer.

    These are storage strategies (Bolz, Diekmann and Tratt, "Storage strategies for collections in dynamically typed
    languages", 2013). To programs and hosts it is the array that it was: asking for ``items`` gives it its list back
    and makes it an ordinary :class:`Array`. So code that knows nothing of typed storage is right, and compiled code,
    which takes that attribute for the check of an array without gaps, needs no other way. Everything else that there
    is to typed storage is in :mod:`stoffel.model.elements`.
    """

    if TYPE_CHECKING:
        __slots__ = ("allowance", "buffer", "kind")
    else:
        # The slots of the other classes under other names: arrays that are never typed pay nothing, not even memory.
        __slots__ = ()
        buffer = Array.__dict__["prefix"]
        kind = Array.__dict__["length"]
        allowance = Array.__dict__["items"]

    def __init__(self, identity: int, kind: type, buffer: Buffer[Any]) -> None:
        self.id = identity
        self.extra = None
        self.kind = kind
        self.buffer = buffer
        self.allowance = len(buffer)

    @property
    def items(self) -> list[Value]:
        return self.generalise()

    @items.setter
    def items(self, items: list[Value]) -> None:
        # Nothing is called between the first step and the last, so no signal and no other thread sees half of it.
        del self.buffer
        del self.kind
        self.__class__ = Array  # type: ignore[assignment]
        self.items = items

    def generalise(self) -> list[Value]:
        """Become an ordinary array and return its list of elements; raises VMError while a kernel works on it."""
        if self.allowance >= LENT:
            raise in_use()
        items = machine_values(self.kind, self.buffer)
        self.items = items
        return items


class DanglingObject(Object):
    """A handle to an object that this machine lacks (a constant of a program that was cloned); no ``fields``."""

    __slots__ = ()

    def __init__(self, identity: int) -> None:
        self.id = identity


class DanglingArray(Array):
    """A handle to an array that this machine does not have (a constant of a program that was cloned); no ``items``."""

    __slots__ = ()

    def __init__(self, identity: int) -> None:
        self.id = identity


Shape = tuple[str, tuple[str, ...]]
"""Function and upvalue names of a closure."""

_SHAPES: dict[Shape, Shape] = {}
SHAPES: Final = 10_000
"""Shapes of which the process keeps the one object; then it begins anew. A shape that has two objects costs compiled
code a guess that fails, nothing else."""


def shape_of(function: str, names: tuple[str, ...]) -> Shape:
    """Return the one object for closures of *function* with upvalues of these names."""
    shape = function, names
    if len(_SHAPES) >= SHAPES:
        _SHAPES.clear()
    return _SHAPES.setdefault(shape, shape)


class Closure:
    """A function name and captured upvalues, as ``(name, value)`` pairs in order of capture.

    Immutable, but for one case: while only registers hold it (``shared`` is False, which compiled code keeps track of),
    writing an upvalue back changes the closure itself, because nobody can tell that from replacing it in all registers.
    ``shape`` is one object for all closures with the same function and upvalue names.
    """

    __slots__ = ("__weakref__", "function", "shape", "shared", "upvalues")

    function: str
    upvalues: tuple[tuple[str, Value], ...]
    shape: Shape
    shared: bool

    def __init__(self, function: str, upvalues: tuple[tuple[str, Value], ...] = ()) -> None:
        self.function = function
        self.upvalues = upvalues
        self.shape = shape_of(function, tuple([name for name, _ in upvalues]))
        self.shared = True

    def __repr__(self) -> str:
        return f"Function({self.function})"


class Foreign:
    """A handle to a host object that was registered with a machine, whose mark is *owner* (None fits any)."""

    __slots__ = ("id", "owner")

    id: int

    def __init__(self, identity: int, owner: object = None) -> None:
        self.id = identity
        self.owner = owner

    def __eq__(self, other: object) -> bool:
        return type(other) is Foreign and other.id == self.id

    def __hash__(self) -> int:
        return hash((Foreign, self.id))

    def __repr__(self) -> str:
        return f"Foreign({self.id})"


Value: TypeAlias = int | float | bool | str | Object | Array | Closure | Foreign | None
"""A machine value; the classes are those of :data:`TYPE_NAMES`, the integer widths subclasses of ``int``."""
Operand: TypeAlias = Any
"""A machine value whose class the code decides at run time, where a type checker cannot follow."""

TYPE_NAMES: Final[Mapping[type, str]] = {
    **{cls: kind.type_name for cls, kind in INTEGER_KINDS.items()},
    float: "float",
    bool: "boolean",
    str: "string",
    Object: "object",
    DanglingObject: "object",
    Array: "array",
    SparseArray: "array",
    TypedArray: "array",
    DanglingArray: "array",
    Foreign: "cffi_function",
    Closure: "function",
    NoneType: "nil",
}
"""Result of the ``type`` builtin, by Python class; also the list of what a machine value can be."""


def type_name(value: Value) -> str:
    """Return the name that the ``type`` builtin gives."""
    return TYPE_NAMES[type(value)]


def check_value(value: object, what: str) -> Operand:
    """Return *value* if it is a machine value; raise VMError (kind Message) naming *what* it was meant for if not."""
    kind = type(value)
    if kind is int:
        if not I64_MIN <= value <= I64_MAX:  # type: ignore[operator]
            text = f"{what}: {_short(value)} does not fit int64; use stoffel.U64 for larger values"
            raise VMError(text, ErrorKind.MESSAGE)
    elif kind is str:
        try:
            value.encode()  # type: ignore[attr-defined]
        except UnicodeEncodeError as error:
            raise VMError(f"{what}: the string holds a lone surrogate at {error.start}", ErrorKind.MESSAGE) from None
    elif kind not in TYPE_NAMES:
        raise VMError(
            f"{what}: a Python {kind.__name__} is not a machine value; use int, float, bool, str, None, "
            f"a stoffel integer type, or a table, closure or foreign handle of the machine",
            ErrorKind.MESSAGE,
        )
    return value


def _short(value: object) -> str:
    return str(value) if isinstance(value, int) and value.bit_length() < 200 else "the integer"


class Key:
    """A table key for a value that Python would confuse with another (``1 == 1.0 == True``)."""

    __slots__ = ("identity", "value")

    def __init__(self, value: Operand, identity: tuple[Any, ...]) -> None:
        self.value = value
        self.identity = identity

    def __eq__(self, other: object) -> bool:
        if type(other) is not Key or self.identity != other.identity:
            return False
        # The identity of a closure leaves out what captured closures hold.
        return type(self.value) is not Closure or _same_closures(self.value, other.value)

    def __hash__(self) -> int:
        return hash(self.identity)


_OWN_KEYS: Final = frozenset(
    {int, str, NoneType, Object, Array, SparseArray, TypedArray, DanglingObject, DanglingArray}
)
"""Types whose values Python tells apart, hashes and compares as the machine does."""


def key_of(value: Operand) -> Any:
    """Return what stands for *value* as a dict key, so that keys are equal exactly if the values are.

    Strings, I64, Unit and tables stand for themselves, so that the common keys cost nothing.
    """
    kind = type(value)
    if kind in _OWN_KEYS:
        return value
    if kind is float:
        return Key(value, (float, "nan") if value != value else (float, value))
    if kind is Closure:
        # Closures capture closures, to any depth: of those only the shape is taken, so that nothing here recurs.
        held = [item.shape if type(item) is Closure else key_of(item) for _, item in value.upvalues]
        return Key(value, (Closure, value.shape, *held))
    if kind is Foreign:
        return Key(value, (Foreign, value.id))
    return Key(value, (kind, int(value)))


def value_of(key: Any) -> Operand:
    """Return the value that a table key stands for: the inverse of :func:`key_of`."""
    return key.value if type(key) is Key else key


def same(left: Operand, right: Operand) -> bool:
    """Structural equality of values: equal type and content, all NaNs equal, tables by identity."""
    kind = type(left)
    if kind is not type(right):
        return False
    if kind is float:
        return bool(left == right or (left != left and right != right))
    if kind is Object or isinstance(left, Array):
        return left is right
    if kind is Closure:
        return _same_closures(left, right)
    return bool(left == right)


def _same_closures(left: Closure, right: Closure) -> bool:
    """Compare function names and upvalues, through captured closures, however deep those are nested."""
    pending = [(left, right)]
    compared: set[tuple[int, int]] = set()
    while pending:
        one, other = pending.pop()
        identities = id(one), id(other)
        if one is other or identities in compared:
            continue
        compared.add(identities)
        if one.shape is not other.shape:
            return False
        for (_, item), (_, counterpart) in zip(one.upvalues, other.upvalues, strict=True):
            if type(item) is Closure and type(counterpart) is Closure:
                pending.append((item, counterpart))
            elif not same(item, counterpart):
                return False
    return True
