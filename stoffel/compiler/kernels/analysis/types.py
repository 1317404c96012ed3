"""Types of values inside kernels: scalars, arrays of one element type, objects, closures, values that are passed on.

Arrays are typed by unification (Milner, "A theory of type polymorphism in programming", 1978): the element type of an
array that is still empty is a cell, filled by the first use. Every type has a code, a string, by which the runtime and
the cache on disk know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Final, Self

from stoffel.isa.scalars import INTEGER_KINDS

INTEGER: Final = "i"
"""Bank of values held in 64-bit integers."""
DOUBLE: Final = "d"
"""Bank of Floats."""
POINTER: Final = "p"
"""Bank of arrays."""
NOWHERE: Final = ""
"""Bank of types with one value, which is held nowhere."""


VARIANT_LIMIT: Final = 8
"""Different closures that one value of a kernel can be."""
FIELD_LIMIT: Final = 48
"""Fields of an object that a kernel works on: one word has a bit for each."""


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


class Unified:
    """A node of a union-find forest (Tarjan, "Efficiency of a good but not linear set union algorithm", 1975).

    Each knows the node that it was unified with; what a set of nodes stands for is kept by their root. The sets are a
    few nodes, so paths are not compressed.
    """

    __slots__ = ("_parent",)

    def __init__(self) -> None:
        self._parent: Self | None = None

    @property
    def root(self) -> Self:
        """Return the node that stands for all that are unified with this one."""
        node = self
        while node._parent is not None:
            node = node._parent
        return node


class Cell(Unified):
    """The type of elements or of a field: unknown at first, then one type for good."""

    __slots__ = ("_content",)

    def __init__(self, content: Type | None = None) -> None:
        self._content = content
        super().__init__()

    @property
    def content(self) -> Type | None:
        """Return the type, None while it is unknown."""
        return self.root._content

    def admit(self, item: Type) -> bool:
        """Make *item* the type; return False if that contradicts what it is already, or cannot be stored."""
        root = self.root
        if root._content is None:
            if not is_element(item) or _mentions(item, root):
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
            if theirs._content is not None and _mentions(theirs._content, mine):
                return False
            mine._parent = theirs
            return True
        if theirs._content is None:
            return theirs.unify(mine)
        if not same_after_unifying(mine._content, theirs._content):
            return False
        mine._parent = theirs
        return True


class Row(Unified):
    """The fields that objects are seen to have, in the order in which they get them."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, Cell] | None = None) -> None:
        self._fields: dict[str, Cell] = {} if fields is None else fields
        super().__init__()

    @property
    def fields(self) -> dict[str, Cell]:
        """Return the types of the fields by name."""
        return self.root._fields

    def admit(self, name: str, item: Type) -> bool:
        """Let field *name* hold *item*; return False if that contradicts what it is already, or cannot be stored."""
        root = self.root
        cell = root._fields.get(name)
        if cell is not None:
            return cell.admit(item) and not _mentions(item, root)
        if len(root._fields) >= FIELD_LIMIT or not is_element(item) or _mentions(item, root):
            return False
        root._fields[name] = Cell(item)
        return True

    def unify(self, other: Row) -> bool:
        """Make two rows one, with the fields of both; return False if fields contradict each other."""
        mine, theirs = self.root, other.root
        if mine is theirs:
            return True
        for name, cell in theirs._fields.items():
            known = mine._fields.get(name)
            if known is None:
                if len(mine._fields) >= FIELD_LIMIT or (cell.content is not None and _mentions(cell.content, mine)):
                    return False
                mine._fields[name] = cell
            elif not known.unify(cell):
                return False
        theirs._parent = mine
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


class RecordOf(Type):
    """Objects whose fields have string keys known at compile time."""

    __slots__ = ("row",)

    bank = POINTER

    def __init__(self, row: Row) -> None:
        self.row = row

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime: each field's name behind its length, then its type."""
        fields = (
            f"{len(name)}:{name}{'?' if cell.content is None else cell.content.code}"
            for name, cell in self.row.fields.items()
        )
        return "{" + ",".join(fields) + "}"


VariantKey = tuple[str, tuple[str, ...]]
"""Function and names of upvalues of a closure."""


class Variants(Unified):
    """The closures that a value can be: types of the upvalues by function and names."""

    __slots__ = ("_cells",)

    def __init__(self, cells: dict[VariantKey, list[Cell]]) -> None:
        self._cells = cells
        super().__init__()

    @property
    def cells(self) -> dict[VariantKey, list[Cell]]:
        """Return the types of the upvalues of each variant."""
        return self.root._cells

    def unify(self, other: Variants) -> bool:
        """Make two nodes one, with the variants of both; return False if upvalues contradict each other."""
        mine, theirs = self.root, other.root
        if mine is theirs:
            return True
        for key, cells in theirs._cells.items():
            known = mine._cells.get(key)
            if known is None:
                if len(mine._cells) >= VARIANT_LIMIT:
                    return False
                mine._cells[key] = cells
            elif not all(one.unify(two) for one, two in zip(known, cells, strict=True)):
                return False
        theirs._parent = mine
        return True


class ClosureOf(Type):
    """Closures of known functions that nothing but registers holds, so that an upvalue can be written back in place."""

    __slots__ = ("variants",)

    bank = POINTER

    def __init__(self, variants: Variants) -> None:
        self.variants = variants

    @property
    def code(self) -> str:
        """Return the name of the type for the runtime: that of each variant."""
        return "(" + ",".join(variant_code(key, cells) for key, cells in self.variants.cells.items()) + ")"


def variant_code(key: VariantKey, cells: list[Cell]) -> str:
    """Return the name of a kind of closure: the function's behind its length, then upvalues like a record's fields."""
    function, names = key
    return f"{len(function)}:{function}{RecordOf(Row(dict(zip(names, cells, strict=True)))).code}"


def _mentions(kind: Type, node: Cell | Row) -> bool:
    """Return whether a cell or row occurs in a type, which would then be infinite."""
    if isinstance(kind, ArrayOf):
        if kind.cell.root is node:
            return True
        return kind.element is not None and _mentions(kind.element, node)
    if isinstance(kind, RecordOf):
        if kind.row.root is node:
            return True
        return any(
            cell.root is node or (cell.content is not None and _mentions(cell.content, node))
            for cell in kind.row.fields.values()
        )
    return False


def is_element(item: Type) -> bool:
    """Return whether arrays and objects of the kernel can hold values of a type."""
    return isinstance(item, ArrayOf | RecordOf) or (isinstance(item, Scalar) and item is not UNIT)


def same_after_unifying(one: Type, other: Type) -> bool:
    """Return whether two types are the same, unifying what tables hold."""
    if one is other:
        return True
    if isinstance(one, ArrayOf) and isinstance(other, ArrayOf):
        return one.cell.unify(other.cell)
    if isinstance(one, RecordOf) and isinstance(other, RecordOf):
        return one.row.unify(other.row)
    if isinstance(one, ClosureOf) and isinstance(other, ClosureOf):
        return one.variants.unify(other.variants)
    return isinstance(one, Known) and isinstance(other, Known) and one.value == other.value


def join(one: Type, other: Type) -> Type:
    """Return the type of a place that has either, by the way that control came."""
    if same_after_unifying(one, other):
        return one
    if isinstance(one, Known | Opaque) and isinstance(other, Known | Opaque):
        return OPAQUE
    return MIXED


def words(kind: Type) -> str:
    """Return what a value of the type is called in sentences for people."""
    if isinstance(kind, Known):
        return "a string"
    if isinstance(kind, ArrayOf):
        return "an array"
    if isinstance(kind, RecordOf):
        return "an object"
    if isinstance(kind, ClosureOf):
        return "a closure"
    if isinstance(kind, Opaque):
        return "a value that is no number"
    return {"nil": "Unit", "mixed": "a value of several types"}.get(kind.code, kind.code)


def notation(kind: Type | None) -> str:
    """Return a type as text assembly writes it; an object as its fields, a closure as function and upvalues."""
    if kind is None:
        return "unknown"
    if isinstance(kind, Known):
        return f'"{kind.value}"'
    if isinstance(kind, ArrayOf):
        return f"list[{notation(kind.element)}]"
    if isinstance(kind, RecordOf):
        return f"object {{{_members(kind.row.fields)}}}"
    if isinstance(kind, ClosureOf):
        variants = kind.variants.cells.items()
        return " or ".join(
            f"closure {function} {{{_members(dict(zip(names, cells, strict=True)))}}}"
            for (function, names), cells in variants
        )
    return "any" if kind is OPAQUE else kind.code


def _members(cells: Mapping[str, Cell]) -> str:
    return ", ".join(f"{name}: {notation(cell.content)}" for name, cell in cells.items())


def type_of_code(code: str) -> Type:
    """Return the type that *code* names: the inverse of ``Type.code``."""
    if code.startswith("="):
        return Known(code[1:])
    if code in ("opaque", "mixed"):
        return OPAQUE if code == "opaque" else MIXED
    kind, end = _parse(code, 0)
    if kind is None or end != len(code):
        raise ValueError(f"{code!r} names no type")
    return kind


def _parse(code: str, start: int) -> tuple[Type | None, int]:
    """Return the type whose code begins at *start*, None for an unknown one, and where it ends."""
    first = code[start]
    if first == "?":
        return None, start + 1
    if first == "[":
        element, end = _parse(code, start + 1)
        return ArrayOf(Cell(element)), end
    if first == "{":
        fields, end = fields_of(code, start)
        return RecordOf(Row({name: Cell(_parse(item, 0)[0]) for name, item in fields})), end
    if first == "(":
        variants, end = variants_of(code, start)
        cells = {
            (function, tuple([name for name, _ in upvalues])): [Cell(_parse(item, 0)[0]) for _, item in upvalues]
            for function, upvalues in variants
        }
        return ClosureOf(Variants(cells)), end
    end = start
    while end < len(code) and code[end] not in ",})":
        end += 1
    return _BY_NAME[code[start:end]], end


def variants_of(code: str, start: int = 0) -> tuple[list[tuple[str, list[tuple[str, str]]]], int]:
    """Return function and upvalues (names and codes) of the variants of the closure type at *start*, and its end."""
    variants: list[tuple[str, list[tuple[str, str]]]] = []
    position = start + 1
    while code[position] != ")":
        if code[position] == ",":
            position += 1
        variant, position = variant_of(code, position)
        variants.append(variant)
    return variants, position + 1


def functions_of(code: str) -> list[str]:
    """Return the names of the functions that closures of a type run; none for any other type."""
    return [function for function, _ in variants_of(code)[0]] if code.startswith("(") else []


def variant_of(code: str, start: int = 0) -> tuple[tuple[str, list[tuple[str, str]]], int]:
    """Return function and upvalues (names and codes) of the kind of closure at *start* in a code, and where it ends."""
    colon = code.index(":", start)
    begin = colon + 1 + int(code[start:colon])
    upvalues, end = fields_of(code, begin)
    return (code[colon + 1 : begin], upvalues), end


def fields_of(code: str, start: int = 0) -> tuple[list[tuple[str, str]], int]:
    """Return names and codes of the fields of the record type whose code begins at *start*, and where that ends."""
    fields: list[tuple[str, str]] = []
    position = start + 1
    while code[position] != "}":
        if code[position] == ",":
            position += 1
        colon = code.index(":", position)
        begin = colon + 1 + int(code[position:colon])
        _, end = _parse(code, begin)
        fields.append((code[colon + 1 : begin], code[begin:end]))
        position = end
    return fields, position + 1


_BY_NAME: Final = {scalar.name: scalar for scalar in SCALARS.values()}
