"""Whole programs, and how each of them is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from stoffel.isa.function import Function
from stoffel.isa.program import Program

from .body import Body, Callee, Grammar, Statement
from .calls import act, calls, closure, output, upvalue
from .choosing import Chooser, Drawn
from .control import assertion, branch, early, logic, loop, residue, stack, uneven
from .functions import between, bumping, chain, finish, recursive, start
from .scalars import accumulate, arithmetic, counted, floating, length, mixed, move, spill, text, turn, wild
from .tables import array, record, table
from .vocabulary import ACTIONS, KINDS


class Case(NamedTuple):
    """A program and how it is run.

    *plan* maps the number of a call of ``act`` to what it does; *depth* is the machine's ``max_call_depth`` (None: its
    default); *hooked* says whether a hook exists and is enabled from the start; a hook that has seen *patience* events
    switches all of them off, until ``act`` switches one on again.
    """

    program: Program
    arguments: tuple[Any, ...]
    plan: Mapping[int, str]
    depth: int | None = None
    hooked: bool = False
    patience: int = 1000

    def listing(self) -> str:
        """Return the case as text, for people."""
        from stoffel.isa.disassembler import disassemble

        return (
            f"; main{self.arguments!r}, plan {dict(self.plan)!r}, depth {self.depth}, hooked {self.hooked}, "
            f"patience {self.patience}\n{disassemble(self.program)}"
        )


class Size(NamedTuple):
    """How large a program becomes: about so many instructions are executed, by at most so many functions and main.

    *statements* is the range of the statements in main, *nesting* how deep loops and branches go.
    """

    budget: int
    functions: int
    statements: range
    nesting: int


SIZES: Final = (
    *[Size(400, 1, range(1, 4), 1)] * 3,
    *[Size(800, 2, range(2, 6), 2)] * 3,
    *[Size(3000, 3, range(3, 11), 3)] * 2,
)
"""Many small programs and some large ones, in which things come together that small ones have one by one."""

LEAVES: Final[tuple[tuple[Statement, int], ...]] = (
    (arithmetic, 5),
    (accumulate, 5),
    (counted, 3),
    (floating, 2),
    (logic, 1),
    (text, 2),
    (length, 1),
    (move, 3),
    (turn, 2),
    (mixed, 1),
    (spill, 2),
    (array, 4),
    (record, 2),
    (table, 1),
    (calls, 3),
    (closure, 3),
    (upvalue, 2),
    (act, 4),
    (output, 1),
    (early, 1),
)
"""Statements that nest nothing, and how often each is chosen."""
NESTING: Final[tuple[tuple[Statement, int], ...]] = (
    (branch, 6),
    (loop, 10),
    (stack, 2),
    (residue, 1),
    (assertion, 1),
    (wild, 1),
)
"""Further statements."""


def _grammar(leaves: Sequence[tuple[Statement, int]], nesting: Sequence[tuple[Statement, int]]) -> Grammar:
    few = [statement for statement, weight in leaves for _ in range(weight)]
    return Grammar(few, few + [statement for statement, weight in nesting for _ in range(weight)])


EVERYTHING: Final = _grammar(LEAVES, NESTING)
CALLING: Final = _grammar(
    [(calls, 6), (closure, 2), (arithmetic, 1), (counted, 1), (length, 1), (move, 1)], [(branch, 2), (loop, 2)]
)
"""Mostly calls."""
UNEVEN: Final = _grammar(
    [(arithmetic, 1), (move, 1), (early, 1), (length, 1)], [(uneven, 4), (branch, 1), (stack, 1), (calls, 1)]
)
"""Argument stacks that mostly have no static shape."""


def some_grammar(chooser: Chooser) -> Grammar:
    """Return the statements of one program: all of them, or for every second one about half of them.

    A program that lacks some statements has more of the others, and of what comes of them together (swarm testing:
    Groce, Zhang, Eide, Chen and Regehr, ISSTA 2012).
    """
    if chooser.randrange(2) == 0:
        return EVERYTHING
    leaves = [item for item in LEAVES if chooser.randrange(2) == 0]
    nesting = [item for item in NESTING if item[0] is loop or chooser.randrange(2) == 0]
    return _grammar(leaves or LEAVES, nesting)


class _Functions:
    """The functions of a program but main, while it is being made."""

    def __init__(self, chooser: Chooser, grammar: Grammar, kind: type) -> None:
        self.chooser = chooser
        self.grammar = grammar
        self.kind = kind
        self.callees: list[Callee] = []
        self.made: list[Function] = []

    def add(self, function: Function, callee: Callee | None) -> None:
        self.made.append(function)
        if callee is not None:
            self.callees.append(callee)

    def add_chain(self) -> None:
        self.made += chain(60)
        self.callees.append(Callee("chain59", 1, (), False, 200))

    def add_some(self, name: str) -> None:
        """Add a function that later ones may call."""
        chooser = self.chooser
        body = Body(chooser, self.grammar, list(self.callees), name, 120, self.kind)
        body.parameters = chooser.randrange(4)
        if chooser.randrange(4) == 3:
            body.letter = "q"  # what others capture is a parameter of some caller around
        integer = bool(chooser.randrange(2))
        if chooser.randrange(4) == 3:
            body.upvalues = tuple(chooser.choice(("p0", "u0", "p1")) for _ in range(2))
            if chooser.randrange(6) < 5:
                body.upvalues = tuple(dict.fromkeys(body.upvalues))
        shape = chooser.randrange(10)
        if shape in (7, 8) and body.parameters:
            self._finish_recursive(body)
            return
        if shape == 9:
            integer = False  # an empty function returns its first argument
        else:
            start(body)
            body.statements(1 + chooser.randrange(5), 2)
            finish(body, integer)
        if chooser.randrange(60) == 59:
            body.counter = TOO_MANY_REGISTERS
        self.add(body.finished(), Callee(name, body.parameters, body.upvalues, integer, body.cost + 2))

    def _finish_recursive(self, body: Body) -> None:
        """Add a function that calls itself, and the one that others call, which starts it with a small counter."""
        depth = (4, 7, 12)[self.chooser.randrange(3)]
        width = 1 + self.chooser.randrange(2) if depth == 4 else 1
        recursive(body, width)
        body.cost *= depth if width == 1 else 2**depth
        self.add(body.finished(), None)
        starter = Body(self.chooser, self.grammar, [], f"{body.name}s", 20)
        starter.parameters = body.parameters
        starter.emit("LDI", 0, depth)
        starter.call(body.name, *range(body.parameters))
        starter.emit("RET", 0)
        self.add(starter.finished(), Callee(starter.name, body.parameters, body.upvalues, False, body.cost + 5))


TOO_MANY_REGISTERS: Final = 5000
"""Declared, and more than are translated."""


def make_case(chooser: Chooser, outer: Grammar | None = None, inner: Grammar | None = None) -> Case:
    """Return a case drawn from *chooser*; main consists of statements of *outer*, what it calls of those of *inner*."""
    size = chooser.choice(SIZES)
    outer = outer or some_grammar(chooser)
    grammar = inner or outer
    kind = chooser.choice(KINDS) if chooser.randrange(2) else int
    functions = _Functions(chooser, grammar, kind)
    if chooser.randrange(400) == 399:
        functions.add_chain()
    if chooser.randrange(3) == 2:
        functions.add(*bumping(chooser, grammar, kind))
    for number in range(chooser.randrange(size.functions + 1)):
        functions.add_some(f"f{number}")
    capturing = [callee for callee in functions.callees if callee.upvalues]
    if capturing and chooser.randrange(2):
        functions.add(*between(chooser, grammar, chooser.choice(capturing), kind))
    main = Body(chooser, outer, functions.callees, "main", size.budget, kind)
    main.parameters = (1, 2, 1, 0)[chooser.randrange(4)]
    start(main)
    main.statements(chooser.choice(size.statements), size.nesting)
    finish(main, False)
    if chooser.randrange(100) == 99:
        main.counter = TOO_MANY_REGISTERS
    arguments = [main.value() if chooser.randrange(3) == 2 else main.small() for _ in range(main.parameters)]
    arguments[1:] = [value if not isinstance(value, str) else 1 for value in arguments[1:]]
    plan = {chooser.randrange(16): chooser.choice(ACTIONS) for _ in range(chooser.randrange(9))}
    depth = (None, None, None, None, None, 2, 3, 6)[chooser.randrange(8)]
    hooked = chooser.randrange(12) == 11
    patience = chooser.choice((100, 40, 400))
    return Case(Program([*functions.made, main.finished()]), tuple(arguments), plan, depth, hooked, patience)


@st.composite
def cases(draw: st.DrawFn, outer: Grammar | None = None, inner: Grammar | None = None) -> Case:
    """Cases by hypothesis, which shrinks them."""
    return make_case(Drawn(draw), outer, inner)
