"""Types of values inside kernels: scalars, arrays of one element type, and values that are only passed on.

Arrays are typed by unification (Milner, "A theory of type polymorphism in programming", 1978): the element type of an
array that is still empty is a cell, filled by the first use. Every type has a code, a string, by which the runtime and
the cache on disk know it.
"""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from stoffel.isa.scalars import INTEGER_KINDS

INTEGER: Final = "i"
"""Bank of values held in 64-bit integers."""
DOUBLE: Final = "d"
"""Bank of Floats."""
POINTER: Final = "p"
"""Bank of arrays."""
NOWHERE: Final = ""
"""Bank of types with one value, which is held nowhere."""


class Type:
    """A type; ``bank`` says where its values are held, ``code`` names it."""

    __slots__ = ()

    bank: str

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.code


class Scalar(Type):
    """Values of one Python class: an integer type, Float, Bool or Unit."""

    __slots__ = ("bank", "cls", "name")

    def __init__(self, cls: type, name: str, bank: str) -> None:
        self.cls = cls
        self.name = name
        self.bank = bank

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime."""
        return self.name


SCALARS: Final[dict[type, Scalar]] = {
    **{cls: Scalar(cls, kind.type_name, INTEGER) for cls, kind in INTEGER_KINDS.items()},
    float: Scalar(float, "float", DOUBLE),
    bool: Scalar(bool, "boolean", INTEGER),
    NoneType: Scalar(NoneType, "nil", NOWHERE),
}
"""Scalar types by Python class."""

I64: Final = SCALARS[int]
FLOAT: Final = SCALARS[float]
BOOL: Final = SCALARS[bool]
UNIT: Final = SCALARS[NoneType]


class Known(Type):
    """One value that is no number, known at compile time: a string constant. Held nowhere."""

    __slots__ = ("value",)

    bank = NOWHERE

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime."""
        return f"={self.value}"


class Opaque(Type):
    """Any value that the kernel only passes on; held as an index into a table of such values."""

    __slots__ = ()

    bank = INTEGER

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime."""
        return "opaque"


class Mixed(Type):
    """A place that holds values of different types on different ways here; held with a tag, and never read."""

    __slots__ = ()

    bank = INTEGER

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime."""
        return "mixed"


OPAQUE: Final = Opaque()
MIXED: Final = Mixed()


class Cell:
    """The element type of arrays: unknown at first, then one type for good (a node of a union-find forest)."""

    __slots__ = ("_content", "_parent")

    def __init__(self, content: Type | None = None) -> None:
        self._content = content
        self._parent: Cell | None = None

    @property
    def root(self) -> Cell:
        """Return the cell that stands for all that are unified with this one."""
        cell = self
        while cell._parent is not None:
            cell = cell._parent
        return cell

    @property
    def content(self) -> Type | None:
        """Return the element type, None while it is unknown."""
        return self.root._content

    def admit(self, item: Type) -> bool:
        """Make *item* the element type; return False if that contradicts what it is already, or cannot be stored."""
        root = self.root
        if root._content is None:
            if not is_element(item) or (isinstance(item, ArrayOf) and item.contains(root)):
                return False
            root._content = item
            return True
        return same_after_unifying(root._content, item)

    def unify(self, other: Cell) -> bool:
        """Make two cells one; return False if their contents contradict each other."""
        mine, theirs = self.root, other.root
        if mine is theirs:
            return True
        if mine._content is None:
            if isinstance(theirs._content, ArrayOf) and theirs._content.contains(mine):
                return False
            mine._parent = theirs
            return True
        if theirs._content is None:
            return theirs.unify(mine)
        if not same_after_unifying(mine._content, theirs._content):
            return False
        mine._parent = theirs
        return True


class ArrayOf(Type):
    """Arrays without gaps whose elements have one type."""

    __slots__ = ("cell",)

    bank = POINTER

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    @property
    def element(self) -> Type | None:
        """Return the type of the elements, None while nothing is known about them."""
        return self.cell.content

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime."""
        return f"[{'?' if self.element is None else self.element.code}"

    def contains(self, cell: Cell) -> bool:
        """Return whether *cell* occurs in the type."""
        if self.cell.root is cell:
            return True
        return isinstance(self.element, ArrayOf) and self.element.contains(cell)


def is_element(item: Type) -> bool:
    """Return whether arrays of *item* have typed storage."""
    return isinstance(item, ArrayOf) or (isinstance(item, Scalar) and item is not UNIT)


def same_after_unifying(one: Type, other: Type) -> bool:
    """Return whether two types are the same, unifying the element types of arrays."""
    if one is other:
        return True
    if isinstance(one, ArrayOf) and isinstance(other, ArrayOf):
        return one.cell.unify(other.cell)
    return isinstance(one, Known) and isinstance(other, Known) and one.value == other.value


def join(one: Type, other: Type) -> Type:
    """Return the type of a place that has either, by the way that control came."""
    if same_after_unifying(one, other):
        return one
    if isinstance(one, Known | Opaque) and isinstance(other, Known | Opaque):
        return OPAQUE
    return MIXED


def type_of_code(code: str) -> Type:
    """Return the type that *code* names: the inverse of ``Type.code``."""
    if code.startswith("["):
        return ArrayOf(Cell(None if code == "[?" else type_of_code(code[1:])))
    if code.startswith("="):
        return Known(code[1:])
    if code in ("opaque", "mixed"):
        return OPAQUE if code == "opaque" else MIXED
    return _BY_NAME[code]


_BY_NAME: Final = {scalar.name: scalar for scalar in SCALARS.values()}
