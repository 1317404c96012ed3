"""Type descriptors: what a function record says about its parameters and its result.

Types are descriptive; nothing is checked against them at run time. One table, :data:`TYPE_ROWS`, gives tag, fields and
text of every form; the binary reader, the writer and the text form all follow it.

Text form: ``int64 uint8 float string bool None void secret T list[T] dict[K, V] fix32 <unknown>``, an object type is
its name, a generic type ``Name[A, B]``, a type variable ``$Name`` (the dollar keeps it apart from an object type). A
name that is not a plain dotted identifier, or that would be taken for a built-in type, stands in double quotes.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn

from stoffel.isa.quoting import ESCAPES, is_bare_name, quote

MAX_TYPE_DEPTH: Final = 200
"""Deepest nesting of a type; a limit of ours, so that hostile files cannot exhaust the stack."""


class Field(Enum):
    """One field of a type descriptor, in file order after the tag byte."""

    SIGNED = "signed flag"
    WIDTH = "bit width"
    NAME = "name"
    TYPE = "type"
    TYPES = "types"


class TypeRow(NamedTuple):
    """One form of type descriptor."""

    tag: int
    kind: str
    fields: tuple[Field, ...]
    text: str
    """The text form for a type without fields, else the word or mark it begins with (empty: it begins with a name)."""
    noun: str = ""
    """What format errors call the form (its width, its name)."""


TYPE_ROWS: Final[tuple[TypeRow, ...]] = (
    TypeRow(0, "integer", (Field.SIGNED, Field.WIDTH), "int", "integer function type"),
    TypeRow(1, "float", (), "float"),
    TypeRow(2, "string", (), "string"),
    TypeRow(3, "bool", (), "bool"),
    TypeRow(4, "nil", (), "None"),
    TypeRow(5, "void", (), "void"),
    TypeRow(6, "secret", (Field.TYPE,), "secret"),
    TypeRow(7, "list", (Field.TYPE,), "list"),
    TypeRow(8, "dict", (Field.TYPE, Field.TYPE), "dict"),
    TypeRow(9, "object", (Field.NAME,), "", "function type object name"),
    TypeRow(10, "generic", (Field.NAME, Field.TYPES), "", "function generic type name"),
    TypeRow(11, "variable", (Field.NAME,), "$", "function type variable name"),
    TypeRow(12, "unknown", (), "<unknown>"),
    TypeRow(13, "fixed64", (), "fix64"),
    TypeRow(14, "fixed", (Field.WIDTH,), "fix", "fixed-point function type"),
)

ROW_OF_KIND: Final[dict[str, TypeRow]] = {row.kind: row for row in TYPE_ROWS}
_PLAIN: Final[dict[str, TypeRow]] = {row.text: row for row in TYPE_ROWS if not row.fields}
_BRACKETED: Final[dict[str, TypeRow]] = {
    row.text: row for row in TYPE_ROWS if row.fields and set(row.fields) == {Field.TYPE} and row.kind != "secret"
}


class Type:
    """An immutable type descriptor; equal and hashed by content.

    Made by :func:`integer`, :func:`fixed`, :func:`secret`, :func:`list_of`, :func:`dict_of`, :func:`object_type`,
    :func:`generic`, :func:`variable`, :func:`parse_type` and the constants of this module. *row* is its form and
    *values* are the values of the row's fields. Raises ValueError when a field is out of range or the type is nested
    deeper than :data:`MAX_TYPE_DEPTH`, TypeError when a field has the wrong type.
    """

    __slots__ = ("row", "values", "depth", "_hash")

    row: TypeRow
    values: tuple[Any, ...]
    depth: int
    """Number of nested descriptors, 1 for a type without inner types."""
    _hash: int

    def __init__(self, row: TypeRow, values: tuple[Any, ...] = ()) -> None:
        if row.kind == "fixed" and values == (64,):
            row, values = ROW_OF_KIND["fixed64"], ()  # the canonical form
        depth = 1
        for field, value in zip(row.fields, values, strict=True):
            inner: tuple[Any, ...] = ()
            if field is Field.WIDTH:
                if type(value) is not int or not 1 <= value <= 255:
                    raise ValueError(f"{row.noun} bit width must be an int from 1 to 255, not {value!r}")
            elif field is Field.SIGNED:
                if type(value) is not bool:
                    raise TypeError(f"the signed flag must be a bool, not {value!r}")
            elif field is Field.NAME:
                if not isinstance(value, str):
                    raise TypeError(f"{row.noun} must be a str, not {value!r}")
            else:
                inner = value if field is Field.TYPES else (value,)
            for item in inner:
                if not isinstance(item, Type):
                    raise TypeError(f"{row.kind} type: {item!r} is not a Type")
                depth = max(depth, item.depth + 1)
        if depth > MAX_TYPE_DEPTH:
            raise ValueError(too_deep())
        put = object.__setattr__
        put(self, "row", row)
        put(self, "values", values)
        put(self, "depth", depth)
        put(self, "_hash", hash((row.tag, values)))

    @property
    def kind(self) -> str:
        """Name of the form: ``"integer"``, ``"list"``, ``"object"`` ...; both fixed-point forms are ``"fixed"``."""
        return "fixed" if self.row.kind == "fixed64" else self.row.kind

    @property
    def width(self) -> int | None:
        """Bits of an integer or fixed-point type, else None."""
        found: int | None = 64 if self.row.kind == "fixed64" else self._field(Field.WIDTH)
        return found

    @property
    def signed(self) -> bool | None:
        """Whether an integer type is signed, None for other types."""
        found: bool | None = self._field(Field.SIGNED)
        return found

    @property
    def name(self) -> str | None:
        """Name of an object type, generic type or type variable, else None."""
        found: str | None = self._field(Field.NAME)
        return found

    @property
    def arguments(self) -> tuple[Type, ...]:
        """The inner types, in order."""
        found: tuple[Type, ...] = ()
        for field, value in zip(self.row.fields, self.values, strict=True):
            if field is Field.TYPE:
                found += (value,)
            elif field is Field.TYPES:
                found += value
        return found

    def _field(self, wanted: Field) -> Any:
        fields = self.row.fields
        return self.values[fields.index(wanted)] if wanted in fields else None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("types are immutable")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Type):
            return NotImplemented
        return self is other or (
            self._hash == other._hash and self.row.tag == other.row.tag and self.values == other.values
        )

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Type, (self.row, self.values)

    def __repr__(self) -> str:
        return f"<Type {self}>"

    def __str__(self) -> str:
        """The text form; :func:`parse_type` reads it back."""
        row = self.row
        if not row.fields:
            return row.text
        if row.kind == "integer":
            return f"{'' if self.signed else 'u'}{row.text}{self.width}"
        if row.kind == "fixed":
            return f"{row.text}{self.width}"
        if row.kind == "secret":
            return f"{row.text} {self.values[0]}"
        head = row.text if self.name is None else row.text + _format_name(self.name)
        if row.kind in ("object", "variable"):
            return head
        return f"{head}[{', '.join(map(str, self.arguments))}]"


def too_deep() -> str:
    """Return the text of the error for a type that is nested too deeply."""
    return f"function type nesting exceeds maximum supported depth {MAX_TYPE_DEPTH}"


def _plain(kind: str) -> Type:
    return Type(ROW_OF_KIND[kind])


UNKNOWN: Final = _plain("unknown")
FLOAT: Final = _plain("float")
STRING: Final = _plain("string")
BOOL: Final = _plain("bool")
NIL: Final = _plain("nil")
VOID: Final = _plain("void")


def integer(width: int, *, signed: bool = True) -> Type:
    """Return the integer type of *width* bits (1 to 255)."""
    return Type(ROW_OF_KIND["integer"], (signed, width))


def fixed(width: int = 64) -> Type:
    """Return the fixed-point type of *width* bits (1 to 255)."""
    return Type(ROW_OF_KIND["fixed"], (width,))


def secret(inner: Type) -> Type:
    """Return the type of secret values of type *inner*."""
    return Type(ROW_OF_KIND["secret"], (inner,))


def list_of(element: Type) -> Type:
    """Return the type of lists of *element*."""
    return Type(ROW_OF_KIND["list"], (element,))


def dict_of(key: Type, value: Type) -> Type:
    """Return the type of dictionaries from *key* to *value*."""
    return Type(ROW_OF_KIND["dict"], (key, value))


def object_type(name: str) -> Type:
    """Return the object type called *name*."""
    return Type(ROW_OF_KIND["object"], (name,))


def generic(name: str, *arguments: Type) -> Type:
    """Return the generic type *name* applied to *arguments* (possibly none)."""
    return Type(ROW_OF_KIND["generic"], (name, arguments))


def variable(name: str) -> Type:
    """Return the type variable called *name*."""
    return Type(ROW_OF_KIND["variable"], (name,))


# Text form -----------------------------------------------------------------------------------------------------------

_NAME_START: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_NAME_REST: Final = _NAME_START | frozenset("0123456789.")


class TypeSyntaxError(ValueError):
    """Text is not a type. *position* is the 0-based index in the text where it went wrong."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def _sized(word: str) -> tuple[TypeRow, bool, str] | None:
    """Split a word such as ``uint8`` into its row, signedness and digits; None for other words."""
    stem = word.rstrip("0123456789")
    digits = word[len(stem) :]
    if digits and stem in ("int", "uint", "fix"):
        return ROW_OF_KIND["fixed" if stem == "fix" else "integer"], stem == "int", digits
    return None


def _is_builtin(word: str) -> bool:
    return word in _PLAIN or word in _BRACKETED or word == ROW_OF_KIND["secret"].text or _sized(word) is not None


def _format_name(name: str) -> str:
    return name if is_bare_name(name) and not _is_builtin(name) else quote(name)


def parse_type(text: str) -> Type:
    """Return the type that *text* names; spaces around it are ignored.

    ``parse_type(str(type)) == type`` for every type. Raises TypeSyntaxError (a ValueError) with the position.
    """
    found, end = scan_type(text)
    scanner = _Scanner(text, end)
    scanner.skip_space()
    if scanner.position != len(text):
        scanner.fail(f"expected the end of the type, found {text[scanner.position]!r}")
    return found


def scan_type(text: str, start: int = 0) -> tuple[Type, int]:
    """Return the type that begins at index *start* of *text*, and the index behind it.

    Raises TypeSyntaxError like :func:`parse_type`.
    """
    scanner = _Scanner(text, start)
    return scanner.type(1), scanner.position


class _Scanner:
    __slots__ = ("text", "position")

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position

    def fail(self, message: str, position: int | None = None) -> NoReturn:
        raise TypeSyntaxError(message, self.position if position is None else position)

    def skip_space(self) -> None:
        while self.text[self.position : self.position + 1] in (" ", "\t"):
            self.position += 1

    def accept(self, mark: str) -> bool:
        self.skip_space()
        if not self.text.startswith(mark, self.position):
            return False
        self.position += len(mark)
        return True

    def expect(self, mark: str, where: str) -> None:
        if not self.accept(mark):
            found = self.text[self.position : self.position + 1]
            self.fail(f"expected {mark!r} {where}, found {repr(found) if found else 'the end'}")

    def type(self, depth: int) -> Type:
        self.skip_space()
        if depth > MAX_TYPE_DEPTH:
            self.fail(too_deep())
        start = self.position
        if self.accept(UNKNOWN.row.text):
            return UNKNOWN
        if self.accept(ROW_OF_KIND["variable"].text):
            return variable(self.name())
        quoted = self.text[start : start + 1] == '"'
        word = self.name()
        if not quoted:
            if word in _PLAIN:
                return Type(_PLAIN[word])
            if word == ROW_OF_KIND["secret"].text:
                return secret(self.type(depth + 1))
            if word in _BRACKETED:
                row = _BRACKETED[word]
                inner = self.arguments(depth, f"after {word}")
                if len(inner) != len(row.fields):
                    wanted = "1 inner type" if len(row.fields) == 1 else f"{len(row.fields)} inner types"
                    self.fail(f"{word} takes {wanted}, not {len(inner)}", start)
                return Type(row, inner)
            sized = _sized(word)
            if sized is not None:
                return self.sized(word, *sized, start)
        if self.text[self.position : self.position + 1] == "[":
            return generic(word, *self.arguments(depth, "after the name"))
        return object_type(word)

    def sized(self, word: str, row: TypeRow, signed: bool, digits: str, start: int) -> Type:
        if len(digits) > 3 or digits[0] == "0" or int(digits) > 255:
            self.fail(f"{word}: the bit width must be 1 to 255, without leading zeros", start)
        return integer(int(digits), signed=signed) if row.kind == "integer" else fixed(int(digits))

    def arguments(self, depth: int, where: str) -> tuple[Type, ...]:
        self.expect("[", where)
        found: list[Type] = []
        if self.accept("]"):
            return ()
        while True:
            found.append(self.type(depth + 1))
            if self.accept("]"):
                return tuple(found)
            self.expect(",", "or ']' after an inner type")

    def name(self) -> str:
        text, start = self.text, self.position
        if text[start : start + 1] == '"':
            return self.quoted()
        if text[start : start + 1] not in _NAME_START or start >= len(text):
            self.fail(
                f"expected a type, found {text[start]!r}" if start < len(text) else "expected a type, found the end"
            )
        end = start + 1
        while end < len(text) and text[end] in _NAME_REST:
            end += 1
        self.position = end
        return text[start:end]

    def quoted(self) -> str:
        text, start = self.text, self.position
        out: list[str] = []
        at = start + 1
        while at < len(text):
            char = text[at]
            if char == '"':
                self.position = at + 1
                return "".join(out)
            if char != "\\":
                out.append(char)
                at += 1
                continue
            letter = text[at + 1 : at + 2]
            if letter in ESCAPES:
                out.append(ESCAPES[letter])
                at += 2
                continue
            close = text.find("}", at)
            digits = text[at + 3 : close] if close >= 0 and text.startswith("u{", at + 1) else ""
            if not 1 <= len(digits) <= 6 or digits.strip("0123456789abcdefABCDEF"):
                self.fail('unknown escape; \\" \\\\ \\n \\r \\t \\0 and \\u{hex} exist', at)
            if int(digits, 16) > 0x10FFFF:
                self.fail(f"\\u{{{digits}}} is not a character", at)
            out.append(chr(int(digits, 16)))
            at = close + 1
        return self.fail("the quoted name does not end", start)
