"""Types of the language and what holds between them: widening, compatibility, type parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stoffel.isa.scalars import INTEGER_KINDS, IntegerKind

if TYPE_CHECKING:
    from stoffel.isa import types as descriptors


class Type(NamedTuple):
    """A type: *kind* with a *name* (of an integer width, an object type, a type parameter) and type arguments."""

    kind: str
    name: str
    arguments: tuple[Type, ...] = ()

    def __str__(self) -> str:
        if self.kind == "secret":
            return f"secret {self.arguments[0]}"
        if self.arguments:
            return f"{self.name}[{', '.join(map(str, self.arguments))}]"
        return self.name


INTEGERS: Final[dict[str, Type]] = {kind.type_name: Type("integer", kind.type_name) for kind in INTEGER_KINDS.values()}
KIND_OF: Final[dict[str, IntegerKind]] = {kind.type_name: kind for kind in INTEGER_KINDS.values()}
CLASS_OF: Final[dict[str, type]] = {kind.type_name: cls for cls, kind in INTEGER_KINDS.items()}
INT64: Final = INTEGERS["int64"]
UINT8: Final = INTEGERS["uint8"]
UINT64: Final = INTEGERS["uint64"]
FLOAT: Final = Type("real", "float")
FIX64: Final = Type("real", "fix64")
FIX32: Final = Type("real", "fix32")
STRING: Final = Type("string", "string")
BOOL: Final = Type("bool", "bool")
NONE: Final = Type("None", "None")
VOID: Final = Type("void", "void")
UNKNOWN: Final = Type("unknown", "<unknown>")
SHARE: Final = Type("object", "Share")


def list_of(element: Type) -> Type:
    """Return the type of lists of *element*."""
    return Type("list", "list", (element,))


def dict_of(key: Type, value: Type) -> Type:
    """Return the type of dictionaries from *key* to *value*."""
    return Type("dict", "dict", (key, value))


def secret(inner: Type) -> Type:
    """Return the secret type over *inner*."""
    return inner if inner.kind == "secret" else Type("secret", "secret", (inner,))


NAMED: Final[dict[str, Type]] = {
    **INTEGERS,
    **{kind.name.lower(): INTEGERS[kind.type_name] for kind in INTEGER_KINDS.values()},
    "int": INT64,
    **dict.fromkeys(("float", "float64", "f64"), FLOAT),
    **dict.fromkeys(("fixed", "fixed64", "fix64"), FIX64),
    **dict.fromkeys(("fixed32", "fix32"), FIX32),
    "string": STRING,
    "bool": BOOL,
    "void": VOID,
    "None": NONE,
    **dict.fromkeys(("bytes", "ByteArray"), list_of(UINT8)),
}
"""Types that a name alone stands for."""
OPAQUE: Final = ("Closure", "Object", "RbcResult", "AvssShare")
"""Object types of the library that have no methods of their own."""
NO_VALUES: Final = frozenset((*(kind.name.lower() for kind in INTEGER_KINDS.values()),))
"""Names that mean a type in the place of a type and are nothing special elsewhere."""
KNOWN_VALUES: Final = frozenset(("int", "float64", "f64", "fix32", "fix64", "bytes", "ByteArray", "float"))
"""Names of types that, used as values, have the type that they name; the others are of unknown type."""


def underlying(of: Type) -> Type:
    """Return *of* without ``secret``."""
    return of.arguments[0] if of.kind == "secret" else of


def is_numeric(of: Type) -> bool:
    """True for integers and reals."""
    return of.kind in ("integer", "real")


def is_primitive(of: Type) -> bool:
    """True for numbers, strings, bool and None."""
    return of.kind in ("integer", "real", "string", "bool", "None")


def is_unsigned(of: Type) -> bool:
    """True for the unsigned integers."""
    return of.kind == "integer" and not KIND_OF[of.name].signed


def is_hidden(of: Type) -> bool:
    """True for secrets and shares."""
    return of.kind == "secret" or of == SHARE


def fits(value: int, of: Type) -> bool:
    """True if *value* is one of the integer type *of*."""
    kind = KIND_OF[of.name]
    return kind.minimum <= value <= kind.maximum


def widens(source: Type, target: Type) -> bool:
    """True if the integer type *target* has every value of the integer type *source*."""
    inner, outer = KIND_OF[source.name], KIND_OF[target.name]
    return outer.minimum <= inner.minimum and inner.maximum <= outer.maximum


def compatible(source: Type, target: Type) -> bool:
    """True if a value of type *source* may stand where one of *target* is wanted, widening aside."""
    if source == target or UNKNOWN in (source, target):
        return True
    if source == SHARE or target == SHARE:
        return "secret" in (source.kind, target.kind)
    if source.kind == "secret" and target.kind not in ("secret", "parameter"):
        return False
    source, target = underlying(source), underlying(target)
    if "parameter" in (source.kind, target.kind) or UNKNOWN in (source, target):
        return True
    if source.kind != target.kind or source.name != target.name or len(source.arguments) != len(target.arguments):
        return False
    return all(map(compatible, source.arguments, target.arguments))


def has_parameter(of: Type) -> bool:
    """True if a type parameter occurs in *of*."""
    return of.kind == "parameter" or any(map(has_parameter, of.arguments))


def has_unknown(of: Type) -> bool:
    """True if the unknown type occurs in *of*."""
    return of == UNKNOWN or any(map(has_unknown, of.arguments))


def substitute(of: Type, bindings: dict[str, Type]) -> Type:
    """Return *of* with its type parameters replaced; those without a binding become unknown."""
    if of.kind == "parameter":
        return bindings.get(of.name, UNKNOWN)
    if not of.arguments:
        return of
    arguments = tuple([substitute(inner, bindings) for inner in of.arguments])
    return secret(arguments[0]) if of.kind == "secret" else of._replace(arguments=arguments)


def partly(of: Type, bindings: dict[str, Type]) -> Type:
    """Return *of* with the type parameters replaced that have a binding; the others stay."""
    if of.kind == "parameter":
        return bindings.get(of.name, of)
    if not of.arguments:
        return of
    return of._replace(arguments=tuple([partly(inner, bindings) for inner in of.arguments]))


def adapted(source: Type, target: Type) -> Type:
    """Return *source* with what is open in it settled by *target*: unknown parts, integers where reals are meant."""
    if source.kind in ("unknown", "parameter"):
        return target
    if source.kind == target.kind and source.arguments and len(source.arguments) == len(target.arguments):
        return source._replace(arguments=tuple(map(adapted, source.arguments, target.arguments)))
    if source.kind == "integer" and target.kind == "real":
        return target
    return source


def descriptor(of: Type) -> descriptors.Type:
    """Return the type as a function record of a program file has it."""
    from stoffel.isa import types as isa

    kind = of.kind
    if kind == "integer":
        row = KIND_OF[of.name]
        return isa.integer(row.bits, signed=row.signed)
    if kind in ("list", "dict", "secret"):
        make = {"list": isa.list_of, "dict": isa.dict_of, "secret": isa.secret}[kind]
        return make(*map(descriptor, of.arguments))  # type: ignore[operator,no-any-return]
    if kind == "object":
        return isa.object_type(of.name)
    if kind == "parameter":
        return isa.variable(of.name)
    if kind == "real" and of != FLOAT:
        return isa.fixed(64 if of == FIX64 else 32)
    plain = {"real": isa.FLOAT, "string": isa.STRING, "bool": isa.BOOL, "None": isa.NIL, "void": isa.VOID}
    return plain.get(kind, isa.UNKNOWN)
