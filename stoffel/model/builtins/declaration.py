"""What one builtin is declared to be: a row of the table, with everything about it but its implementation."""

from __future__ import annotations

from types import NoneType
from typing import Final, Literal

from stoffel.isa.scalars import INTEGER_KINDS, U8, U16, U32, U64
from stoffel.model.values import Array, Closure, Object

# Plain classes and strings here: making named tuple and enumeration classes took half of the time in which the whole
# table is loaded (python -X importtime).

Effect = Literal[
    "reads tables",
    "changes tables",
    "creates tables",
    "looks at activation records",
    "changes activation records",
    "calls a VM function",
    "runs code of the host",
    "fires hook events of its own",
    "gives another result each time",
    "needs an MPC engine",
]
"""What a call does besides computing its result from its arguments."""

More = Literal["refused", "ignored", "taken like the last one"]
"""What happens to arguments beyond the parameters."""


class Kinds:
    """The kinds of values that a parameter takes or a result has.

    *words* is how the manual calls them. *classes* has one class for each kind (``Array`` stands for every sort of
    array) and is empty if every kind is possible. *minimum* is the least value, if the only kind is I64 and there is
    one besides the kind's own.
    """

    __slots__ = ("classes", "minimum", "words")

    def __init__(self, words: str, classes: tuple[type, ...] = (), minimum: int | None = None) -> None:
        self.words = words
        self.classes = classes
        self.minimum = minimum


ANYTHING: Final = Kinds("any value")
UNIT: Final = Kinds("Unit", (NoneType,))
BOOL: Final = Kinds("Bool", (bool,))
INTEGER: Final = Kinds("integer of any width", tuple(INTEGER_KINDS))
COUNT: Final = Kinds("I64, at least 0", (int,), 0)
UNSIGNED: Final = Kinds("U8, U16, U32 or U64", (U8, U16, U32, U64))
STRING: Final = Kinds("String", (str,))
ARRAY: Final = Kinds("array", (Array,))
OBJECT: Final = Kinds("object", (Object,))
TABLE: Final = Kinds("array or object", (Array, Object))
SEQUENCE: Final = Kinds("array or String", (Array, str))
CONTAINER: Final = Kinds("array, object or String", (Array, Object, str))
CLOSURE: Final = Kinds("closure", (Closure,))
BYTES: Final = Kinds("byte array (array of U8)", (Array,))
KEY: Final = Kinds("String or byte array", (str, Array))
SHARE: Final = Kinds("share", (Object,))
SHARES: Final = Kinds("array of shares", (Array,))


class Parameter:
    """One parameter; optional ones come last."""

    __slots__ = ("kinds", "name", "optional")

    def __init__(self, name: str, kinds: Kinds = ANYTHING, *, optional: bool = False) -> None:
        self.name = name
        self.kinds = kinds
        self.optional = optional


NO_EFFECTS: Final[frozenset[Effect]] = frozenset()


class Builtin:
    """One row of the table.

    *summary* says in one sentence what it does. *example* is calls, separated by ``;``, and *gives* what the last of
    them gives, or ``error: TEXT``: see :mod:`stoffel.model.builtins.table` for how they are written. Too few arguments
    fail with ``NAME expects EXPECTS``, too many with ``NAME expects AT_MOST`` (*expects* if empty); *more* says what
    happens to arguments beyond the parameters. *errors* are the texts with which it fails besides, with ``{...}`` for
    what varies. *receiver* is the type of which it is a method, by the last part of its name; empty if it is none.

    What a limited run is charged are formulas in the notation of :mod:`stoffel.model.builtins.costs`: *work* is the
    elements or characters that it goes through, *text* the bytes of the string that it makes, *makes* the elements of
    the table or closure that it makes (None if it makes none), *grows* the elements that its first argument gets.
    """

    __slots__ = (
        "at_most",
        "effects",
        "errors",
        "example",
        "expects",
        "gives",
        "grows",
        "makes",
        "more",
        "name",
        "parameters",
        "receiver",
        "result",
        "summary",
        "text",
        "work",
    )

    def __init__(
        self,
        name: str,
        parameters: tuple[Parameter, ...],
        result: Kinds,
        summary: str,
        example: str,
        gives: str,
        effects: frozenset[Effect] = NO_EFFECTS,
        expects: str = "",
        *,
        at_most: str = "",
        more: More = "refused",
        errors: tuple[str, ...] = (),
        receiver: str = "",
        work: str = "0",
        text: str = "0",
        makes: str | None = None,
        grows: str = "0",
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.result = result
        self.summary = summary
        self.example = example
        self.gives = gives
        self.effects = effects
        self.expects = expects
        self.at_most = at_most
        self.more = more
        self.errors = errors
        self.receiver = receiver
        self.work = work
        self.text = text
        self.makes = makes
        self.grows = grows

    @property
    def is_free(self) -> bool:
        """True if a limited run is charged nothing for its work, whatever the arguments are."""
        return self.work == self.text == self.grows == "0" and self.makes is None

    @property
    def minimum(self) -> int:
        """Least number of arguments; 0 where the number is not checked."""
        return sum(not parameter.optional for parameter in self.parameters) if self.expects else 0

    @property
    def maximum(self) -> int | None:
        """Greatest number of arguments, None if there is no limit."""
        return len(self.parameters) if self.more == "refused" and self.expects else None

    @property
    def too_few(self) -> str:
        """The text of the error for too few arguments."""
        return f"{self.name} expects {self.expects}"

    @property
    def too_many(self) -> str:
        """The text of the error for too many arguments."""
        return f"{self.name} expects {self.at_most or self.expects}"

    @property
    def is_quiet(self) -> bool:
        """True if it neither looks at activation records nor runs code of the host: nobody sees them during a call."""
        return not self.effects & _SEEING_RECORDS

    @property
    def is_repeatable(self) -> bool:
        """True if calling it once more in place of the first call changes nothing: no table changes or takes an id."""
        return not self.effects & _CHANGING

    @property
    def calls(self) -> bool:
        """True if it calls a VM function: what its result is depends on that."""
        return "calls a VM function" in self.effects

    @property
    def changes_records(self) -> bool:
        """True if it changes activation records, which must then be the real ones."""
        return "changes activation records" in self.effects

    @property
    def needs_engine(self) -> bool:
        """True if it needs an MPC engine or the clients of one, and fails without."""
        return "needs an MPC engine" in self.effects

    @property
    def method(self) -> str:
        """The name without its type: that of the method, where the builtin is one."""
        return self.name.rpartition(".")[2]

    @property
    def signature(self) -> str:
        """Name and parameters as the manual shows them: ``slice(value, start, stop, [step])``."""
        names = [f"[{parameter.name}]" if parameter.optional else parameter.name for parameter in self.parameters]
        if self.more == "taken like the last one":
            names.append("...")
        return f"{self.name}({', '.join(names)})"


_SEEING_RECORDS: Final[frozenset[Effect]] = frozenset(
    {"looks at activation records", "changes activation records", "calls a VM function", "runs code of the host"}
)
"""Effects for which the activation records must be at hand."""
_CHANGING: Final[frozenset[Effect]] = frozenset({"changes tables", "creates tables"})
"""Effects that must not happen twice."""

READS: Final[frozenset[Effect]] = frozenset({"reads tables"})
WRITES: Final[frozenset[Effect]] = frozenset({"changes tables"})
CREATES: Final[frozenset[Effect]] = frozenset({"creates tables"})
READS_AND_WRITES: Final = READS | WRITES
COPIES: Final = READS | CREATES
ENGINE: Final[frozenset[Effect]] = frozenset({"needs an MPC engine"})

UNENUMERABLE: Final = "Array length {n} is too large to enumerate"
"""What all say that go through the elements of an array, of one that is longer than memory."""
