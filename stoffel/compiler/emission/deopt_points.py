"""Where compiled code can be left, and how the activation record is rebuilt there.

Every line of a unit is one VM instruction at one place of the code object (copies made by threading have lines of their
own), and a line number is all that a suspended or failing Python frame needs to tell. A :class:`Site` says, for one
way of leaving at a line, where the interpreter goes on and where each place's value is.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, final

from stoffel.compiler.analysis.facts import CLASS, I64, KIND_RANGES, Fact
from stoffel.compiler.emission.global_names import ARGUMENTS_LOCAL
from stoffel.compiler.flow.decoding import Layout
from stoffel.model.code import Code
from stoffel.model.values import Operand, Value

if TYPE_CHECKING:
    from stoffel.compiler.flow.spliced import Inlined, Splice

BEFORE: Final = 0
"""Leaving before the instruction has done anything: the interpreter executes it."""
DURING: Final = 1
"""Suspended in a call: the arguments are taken, the result will arrive in register 0."""
AFTER: Final = 2
"""Leaving after a foreign call whose result is in place."""
TAKEN: Final = 3
"""Leaving on the branch's taken edge, at its target."""
NEXT: Final = 4
"""Leaving on the other edge, at its target."""

ENTRY: Final = 5
"""Leaving at the entry after a poll."""
DEPTH: Final = 7
"""Leaving at the entry because there is no room for the record."""
HANDOVER: Final = 6
"""Leaving before an instruction that only the interpreter executes."""
BOUNDS: Final = 8
"""Leaving at the entry because a value is not within the bounds guessed for it."""
LOOP: Final = 9
"""Leaving before an instruction of a loop after a poll in passing."""


@final
class Known:
    """The place holds a value known at compile time."""

    __slots__ = ("fact", "value")

    def __init__(self, fact: Fact) -> None:
        self.value = fact.constant
        self.fact = fact


@final
class Held:
    """The place's value is in the Python local *name*; *raw* is the integer kind it is a plain int for, or 0."""

    __slots__ = ("name", "raw")

    def __init__(self, name: str, raw: int = 0) -> None:
        self.name = name
        self.raw = raw


@final
class Length:
    """The place holds the length of the array in the Python local *name*."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@final
class Top:
    """The place's value is on top of the evaluation stack: the next instruction takes it, and nobody else needs it."""

    __slots__ = ()
    name = ""


@final
class Sum:
    """The place holds the I64 in the Python local *name* plus *amount*."""

    __slots__ = ("amount", "name")

    def __init__(self, name: str, amount: int) -> None:
        self.name = name
        self.amount = amount


class Order:
    """The compare flag is the order of two values that are still at hand."""

    __slots__ = ("form", "left", "right")

    def __init__(self, left: Known | Held | Sum, right: Known | Held | Sum, form: str) -> None:
        self.left = left
        self.right = right
        self.form = form


Spot = Known | Held | Length | Sum | Top


class Site:
    """One way of leaving at one line: where the interpreter resumes, and the spots of all places and of the flag.

    ``doubtful`` is the spot of an integer that may have overflowed; then this is not the way.
    """

    __slots__ = ("doubtful", "flag", "resume", "spots")

    def __init__(
        self, resume: int, spots: tuple[Spot | None, ...], flag: int | Order | Held, doubtful: Held | None = None
    ) -> None:
        self.resume = resume
        self.spots = spots
        self.flag = flag
        self.doubtful = doubtful

    def holds(self, variables: dict[str, Any]) -> bool:
        """Return whether this is the way to leave, given the frame's Python locals."""
        if self.doubtful is None:
            return True
        least, greatest = KIND_RANGES[self.doubtful.raw or I64]
        return bool(least <= variables[self.doubtful.name] <= greatest)


class Line:
    """One line of a unit: the VM instruction, and the sites there by way of leaving.

    ``guards`` are the kinds guessed for sources of the instruction, as pairs of position and kind; ``reads`` are the
    spots of the values that it reads, for the error that it may raise.
    """

    __slots__ = ("_splice", "guards", "index", "reads", "sites")

    def __init__(self, index: int, splice: Splice, guards: tuple[tuple[int, int], ...] = ()) -> None:
        self.index = index
        self.guards = guards
        self.sites: dict[int, Site] = {}
        self.reads: tuple[Spot | None, ...] = ()
        self._splice = splice

    @property
    def text(self) -> str:
        """The instruction as a line of a listing."""
        return self._splice.text(self.index)


class Unit:
    """A translation of one VM function from one entry: a code object and what is needed to leave it.

    ``entry`` is the index of the VM instruction it starts at, ``result`` what is known about what it returns,
    ``raw_arguments`` the integer kinds of the arguments it takes as plain ints, by position. ``calls`` is the number of
    records that it must have room for to call VM functions, 0 if it calls none; ``suspends`` says whether it makes any
    call that may look at its records or run code of the host. ``polled`` are the constants that the code object has in
    cells, in the order of its free variables.
    """

    __slots__ = (
        "arguments",
        "calls",
        "captured",
        "code",
        "entry",
        "function",
        "layout",
        "lines",
        "polled",
        "raw_arguments",
        "result",
        "suspends",
    )

    def __init__(
        self,
        function: Code,
        entry: int,
        code: CodeType,
        lines: list[Line],
        layout: Layout,
        result: Fact,
        arguments: tuple[str, ...],
        raw_arguments: dict[int, int],
        calls: int,
        captured: tuple[str, ...] | None,
        polled: tuple[object, ...],
    ) -> None:
        self.function = function
        self.entry = entry
        self.code = code
        self.lines = lines
        self.layout = layout
        self.result = result
        self.arguments = arguments
        self.raw_arguments = raw_arguments
        self.calls = calls
        self.suspends = calls > 0 or any(DURING in line.sites for line in lines)
        self.captured = captured
        self.polled = polled

    @property
    def has_frame(self) -> bool:
        """Whether it takes over a record, and has its arguments, upvalues and closure as they are there."""
        return ARGUMENTS_LOCAL in self.arguments

    def line(self, number: int) -> Line:
        """Return the line with the given number, which counts from 1."""
        return self.lines[number - 1]

    @property
    def inlined(self) -> Sequence[Inlined]:
        """The calls that are inlined, in the order of their instructions."""
        return self.layout.splice.inlined

    def position(self, index: int) -> tuple[Code, int]:
        """Return the function that instruction *index* of the unit belongs to, and its index there."""
        return self.layout.splice.position(index)

    def positions(self, index: int) -> list[tuple[Code, int]]:
        """Return the same for the calls around it too that are inlined, outermost first."""
        return self.layout.splice.positions(index)


def value_at(spot: Spot, variables: dict[str, Any]) -> Operand:
    """Return the machine value at a spot, given the frame's Python locals."""
    if type(spot) is Known:
        return spot.value
    if type(spot) is Length:
        return len(variables[spot.name].items)
    if type(spot) is Sum:
        return variables[spot.name] + spot.amount
    assert isinstance(spot, Held)
    value = variables[spot.name]
    return boxed(value, spot.raw) if spot.raw else value


def boxed(value: int, raw: int) -> Value:
    """Return a plain int as a value of the integer kind *raw* (0: as it is)."""
    return int.__new__(CLASS[raw], value) if raw else value


def flag_at(flag: int | Order | Held, variables: dict[str, Any]) -> int:
    """Return the compare flag at a site."""
    if type(flag) is int:
        return flag
    if type(flag) is Held:
        return int(variables[flag.name])
    assert isinstance(flag, Order)
    left, right = value_at(flag.left, variables), value_at(flag.right, variables)
    order: int = (left > right) - (left < right)
    return order
