"""The library does what a literal model of the rules does: random calls on shared tables, results and errors alike."""

from __future__ import annotations

import random

import pytest

from stoffel.errors import VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.elements import specialise
from stoffel.model.foreign import CallbackError
from stoffel.model.text import diagnostic
from stoffel.model.values import Array, Object
from tests.runtime.builtins.library import Library
from tests.runtime.builtins.model import BOUNDS, I64_MAX, UNIT, Model, ModelError

CLASSES = {kind.name: cls for cls, kind in INTEGER_KINDS.items()}
MOST_NAMED = 8
"""Tables that calls are about; more would be met too seldom."""
LONGEST = 300
"""Elements of an array from which on nothing that makes it longer is called: twice 300 is enough to see."""

SIGNATURES = {
    "get_field": ("TK", "AI", "SI", "VK"),
    "set_field": ("TKV", "AIV", "AIN"),
    "get_or_create_array_field": ("TK", "AI"),
    "len": ("A", "S"),
    "array_push": ("AV", "ANN"),
    "append": ("AV", "AN", "AVT"),
    "extend": ("AA",),
    "array_concat": ("AA",),
    "array_repeat": ("AM",),
    "array_equals": ("AA",),
    "copy": ("A",),
    "count": ("AN", "AT"),
    "index": ("AN", "ANI", "ANII", "AT"),
    "contains": ("AN", "TK", "SS", "AT"),
    "pop": ("A", "AI"),
    "delete": ("AI",),
    "remove": ("AN", "AT"),
    "insert": ("AIV", "AIN"),
    "clear": ("A",),
    "reverse": ("A",),
    "sort": ("A",),
    "range": ("MM", "MMM", "EEI"),
    "slice": ("AII", "AIII", "SIII", "AOO", "AOOI"),
}
"""What sorts of arguments the builtins are called with: A an array, T a table, I an index, O an omitted bound, N one of
a few numbers, S a string, K a key, V anything, M an index or no integer, E an I64 at the upper end or just above. A few
are anything instead, but not of M and E, on which the size of a result depends."""

NUMBERS = [("I64", 0), ("I64", 1), ("I64", 2), ("Float", 0.0), ("Float", -0.0), ("Float", 1.5)]
STRINGS = [("String", text) for text in ("", "a", "b", "abc", "ä€😀b")]
NO_INTEGERS = [
    *STRINGS,
    *(("Float", number) for number in (float("nan"), float("-nan"), float("inf"), 1.0, 2.0**53, 2.0**53 + 2)),
    ("Bool", False),
    ("Bool", True),
    UNIT,
]
EDGES = [(kind, edge) for kind, edges in BOUNDS.items() for edge in (*edges, 0, 1, 2) if kind != "I64" or abs(edge) < 3]
LARGE = [("I64", I64_MAX), ("I64", 2**53), ("I64", 2**53 + 1), ("U64", 2**63)]
NEAR_THE_END = [("I64", I64_MAX - less) for less in range(4)] + [("U64", I64_MAX), ("U64", I64_MAX + 1)]
OMITTED = [UNIT, ("I64", I64_MAX), ("U64", I64_MAX), ("U64", 2**64 - 1), ("I64", 1), ("I64", -2)]
FAMILIES = [
    NUMBERS,
    STRINGS,
    NEAR_THE_END,
    [("Bool", False), ("Bool", True)],
    [edge for edge in EDGES if edge[0] == "U8"],
    [edge for edge in EDGES if edge[0] == "I64"],
    [("Float", 0.5), ("Float", -0.0), ("Float", 2.0)],
    [*LARGE, ("Float", 2.0**53), ("Float", 2.0**53 + 2)],
    [("Float", float("nan")), ("Float", float("-nan")), ("Float", 0.0), ("Float", -0.0)],
]
"""Values that are found together: an array of one family can have typed storage, be sorted, be searched."""


def index(chance):
    edge = chance.choice([3, 8, 40])
    return "I64", chance.randint(-edge, edge)


def anything(chance, tables):
    scalars = chance.choice([EDGES, NUMBERS, NO_INTEGERS, NO_INTEGERS])
    return chance.choice(chance.choice([scalars, scalars, scalars, tables]))


def argument(chance, sort, tables):
    """Return an argument of a sort of :data:`SIGNATURES`."""
    if sort not in "ME" and chance.random() < 0.03:
        return anything(chance, tables)
    if sort in "AT":
        return chance.choice([table for table in tables if sort == "T" or table[0] == "Array"])
    if sort in "IM":
        return chance.choice(NO_INTEGERS) if sort == "M" and chance.random() < 0.1 else index(chance)
    if sort == "K":
        return chance.choice([index(chance), anything(chance, tables)])
    if sort == "V":
        return chance.choice([chance.choice(LARGE), *(anything(chance, tables) for _ in range(9))])
    return chance.choice({"N": NUMBERS, "S": STRINGS, "O": OMITTED, "E": NEAR_THE_END}[sort])


class Both:
    """The library and the model side by side: every value of one has its counterpart in the other."""

    def __init__(self):
        self.library = Library()
        self.model = Model()
        self.tables = {}
        for name in ("create_array", "create_array", "create_array", "create_object"):
            self.call(name, [])

    def real(self, value):
        kind, content = value
        return self.tables[value] if value in self.tables else CLASSES[kind](content) if kind in CLASSES else content

    def call(self, name, arguments):
        """Call the builtin in both; return both outcomes in words."""
        try:
            result = self.library.call(name, *map(self.real, arguments))
            actual = diagnostic(result)
            if isinstance(result, Array | Object):
                self.tables[type_of(result), result.id] = result
        except (CallbackError, VMError) as error:
            actual = f"error: {error}"
        try:
            expected = self.told(self.model.call(name, *arguments))
        except ModelError as error:
            expected = f"error: {error}"
        return actual, expected

    def told(self, value):
        return f"{value[0]}({value[1]})" if value[0] in ("Array", "Object") else diagnostic(self.real(value))

    def contents(self):
        """All entries of all tables, of both, in words."""
        actual, expected = {}, {}
        for handle, table in self.tables.items():
            model = self.model.tables[handle]
            actual[handle] = [tuple(map(diagnostic, pair)) for pair in tables.entries(table)]
            expected[handle] = [tuple(map(self.told, pair)) for pair in model.entries()]
            if isinstance(table, Array):
                actual[handle].append(tables.length(table))
                expected[handle].append(model.length)
        return actual, expected

    def is_long(self):
        return any(isinstance(table, Array) and tables.length(table) > LONGEST for table in self.tables.values())


def type_of(table):
    return "Array" if isinstance(table, Array) else "Object"


def calls_on_shared_tables(chance):
    """Call a few dozen builtins on the same tables; compare outcomes and the contents of all tables after each."""
    both = Both()
    named = list(both.tables)
    done = []
    for table in named:
        for value in chance.choices(chance.choice(FAMILIES), k=chance.choice([0, 1, 3, 8])):
            if table[0] == "Array":
                both.call("append", [table, value])
            else:
                both.call("set_field", [table, value, UNIT])
    for _ in range(chance.choice([10, 40])):
        if both.is_long():
            break
        if chance.random() < 0.3:
            for table in both.tables.values():
                if isinstance(table, Array):
                    specialise(table)
        name = chance.choice(sorted(SIGNATURES))
        arguments = [argument(chance, sort, named) for sort in chance.choice(SIGNATURES[name])]
        actual, expected = both.call(name, arguments)
        done.append((name, *arguments))
        assert actual == expected, done
        actual_contents, expected_contents = both.contents()
        assert actual_contents == expected_contents, done
        if len(named) < MOST_NAMED:
            named += [table for table in both.tables if table not in named]


@pytest.mark.parametrize("seed", range(8))
def test_calls_of_builtins_do_what_the_rules_say(seed):
    chance = random.Random(seed)
    for _ in range(80):
        calls_on_shared_tables(chance)
