"""Typed storage cannot be told from outside: to builtins, hosts, compiled code and programs it is an ordinary array."""

import itertools
import random
import struct

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from stoffel import VirtualMachine, VMError
from stoffel.compiler import pipeline
from stoffel.compiler.refusal import Refusal
from stoffel.isa.scalars import I8, I64_MAX, U8, U64
from stoffel.model import elements, tables
from stoffel.model.foreign import CallbackError, ForeignFunction
from stoffel.model.values import Array, Object, TypedArray, value_of
from stoffel.runtime.builtins import equality, lists
from stoffel.runtime.builtins.catalogue import MPC_BUILTINS, STANDARD_LIBRARY
from tests.compiler import oracle
from tests.compiler.generators import make_case
from tests.machines import loaded


def plain(value, seen=()):
    """Return *value* as plain data, tables with their ids and contents, NaNs by their bits."""
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if any(value is table for table in seen):
        return "again", value.id
    if isinstance(value, Array):
        pairs = tables.entries(value)
        return "array", value.id, tables.length(value), [plain(item, (*seen, value)) for pair in pairs for item in pair]
    if isinstance(value, Object):
        return "object", value.id, [(plain(value_of(k)), plain(v, (*seen, value))) for k, v in value.fields.items()]
    return type(value).__name__, str(value)


class Host:
    """A machine whose builtins are called one by one; *is_typed* says whether arrays get typed storage before."""

    def __init__(self, is_typed):
        self.is_typed = is_typed
        self.lines = []
        self.machine = VirtualMachine(jit="off", output=self.lines.append, storage=":memory:")
        self.state = self.machine.state
        self.state.random_bytes = bytes

    def array(self, *items):
        return self.state.objects.create_array(list(items))

    def call(self, name, *arguments):
        """Return what a builtin gives or how it fails."""
        if self.is_typed:
            for argument in arguments:
                if isinstance(argument, Array):
                    elements.specialise(argument, int)
        try:
            return "gives", plain(self.state.functions[name].call(self.state, list(arguments)))
        except (CallbackError, VMError) as error:
            return "fails", type(error), str(error)

    def close(self):
        self.state.storage.close()


@pytest.fixture
def hosts():
    pair = Host(False), Host(True)
    yield pair
    for host in pair:
        host.close()


ARRAYS = [(), (3, 1, 2), (2.5, -0.0, 2.5), (True, False), (U8(104), U8(105)), (U64(2**64 - 1), U64(0)), (I8(-1),) * 40]
OTHERS = [0, 1, -1, 7, U8(1), 2.5, True, None, "k", I64_MAX]
NAMES = [function.name for function in STANDARD_LIBRARY + MPC_BUILTINS]


def choices():
    """Yield tuples of arguments with at least one array; a tuple stands for an array of its elements."""
    for first in ARRAYS:
        yield (first,)
        yield from ((first, other) for other in ARRAYS + OTHERS)
        yield from (("k", first), (first, first, first), (first, 0, first))
        for rest in itertools.product([0, 1, -2, None, U8(1)], [0, 2, -1, 2.5], [1, -1]):
            yield first, *rest[:2]
            yield first, *rest


@pytest.mark.parametrize("name", NAMES)
def test_builtins_do_the_same_to_typed_arrays(hosts, name):
    for choice in choices():
        shown = []
        for host in hosts:
            given = [host.array(*item) if isinstance(item, tuple) else item for item in choice]
            shown.append((host.call(name, *given), [plain(item) for item in given]))
        ordinary, typed = shown
        assert typed == ordinary, choice
    assert hosts[1].lines == hosts[0].lines


@pytest.mark.parametrize("name", [function.name for function in lists.FUNCTIONS + equality.FUNCTIONS])
def test_the_limit_on_lengths_is_the_same(hosts, name, monkeypatch):
    monkeypatch.setattr(tables, "ENUMERABLE", 2)
    test_builtins_do_the_same_to_typed_arrays(hosts, name)


def test_the_same_array_twice_is_no_problem(hosts):
    for name in ("extend", "array_concat", "array_equals", "append", "count"):
        shown = []
        for host in hosts:
            array = host.array(1, 2)
            shown.append((host.call(name, array, array), plain(array)))
        assert shown[0] == shown[1]


def test_an_array_that_is_stored_comes_back(hosts):
    for items in ARRAYS:
        loads = []
        for host in hosts:
            assert host.call("LocalStorage.store", "k", host.array(*items)) == ("gives", ("bool", "True"))
            loads.append(host.call("LocalStorage.load", "k"))
        assert loads[0] == loads[1]


def test_hosts_see_an_ordinary_array():
    machine = VirtualMachine()
    array = machine.create_array([1, 2, 3])
    others = machine.create_object({"list": array})
    assert elements.specialise(array) is int
    assert (machine.to_python(others), repr(array), isinstance(array, Array)) == ({"list": [1, 2, 3]}, "Array(1)", True)
    elements.specialise(array)
    assert (machine.get(array, 1), machine.get(array, 5, "none"), machine.length(array)) == (2, "none", 3)
    machine.set(array, 1, "text")
    assert machine.elements(array) == [1, "text", 3]
    machine.replace_elements(array, [U8(1)])
    elements.specialise(array)
    assert (machine.push(array, U8(2)), machine.read_bytes(array)) == (2, b"\1\2")
    elements.specialise(array)
    array.items[0] = U8(9)
    assert machine.read_bytes(array) == b"\x09\2"


def test_an_annotated_foreign_function_takes_typed_arrays():
    machine = VirtualMachine()
    machine.register_foreign_function("total", lambda context: sum(context.array(0, "list").items))

    def joined(numbers: list[int], table: Array) -> int:
        return len(numbers) * 100 + tables.length(table)

    machine.register_foreign_function("joined", joined)
    array = machine.create_array([1, 2, 3])
    elements.specialise(array)
    assert machine.execute("joined", array, array) == 303
    elements.specialise(array)
    assert machine.execute("total", array) == 6


KEYS = st.one_of(st.integers(-8, 8), st.sampled_from([31, 32, 40, "k", 0.5, True, U8(2), I64_MAX, None]))
VALUES = st.one_of(
    st.integers(-3, 3), st.sampled_from([I64_MAX, 1.5, -0.0, float("nan"), True, U8(1), U64(2**63), "x"])
)
NUMBERS = st.lists(st.integers(0, 5), max_size=4)
LENGTHS = st.integers(-7, 7)


class Alike(RuleBasedStateMachine):
    """An array that gets typed storage at any time, and one that never does, under the same operations."""

    @initialize(items=st.one_of(NUMBERS, st.lists(VALUES, max_size=3), st.lists(st.booleans(), max_size=3)))
    def start(self, items):
        self.hosts = Host(False), Host(False)
        self.arrays = [host.array(*items) for host in self.hosts]
        self.events = [], []
        self.hooks = [
            host.machine.register_hook(None, lambda event, context, events=events: events.append(plain_event(event)))
            for host, events in zip(self.hosts, self.events, strict=True)
        ]
        for host, hook in zip(self.hosts, self.hooks, strict=True):
            host.machine.disable_hook(hook)

    def both(self, name, *arguments):
        ordinary, typed = (
            host.call(name, array, *(host.array(*item) if isinstance(item, list) else item for item in arguments))
            for host, array in zip(self.hosts, self.arrays, strict=True)
        )
        assert typed == ordinary

    @rule(wanted=st.sampled_from([None, int, float, bool, U8]))
    def specialise(self, wanted):
        elements.specialise(self.arrays[1], wanted)

    @rule()
    def generalise(self):
        if type(self.arrays[1]) is TypedArray:
            self.arrays[1].generalise()

    @rule(enabled=st.booleans())
    def switch_hooks(self, enabled):
        for host, hook in zip(self.hosts, self.hooks, strict=True):
            host.machine.state.watches_tables = enabled
            host.machine.state.hooks.set_enabled(hook, enabled)

    @rule(key=KEYS)
    def get(self, key):
        self.both("get_field", key)

    @rule(key=KEYS, value=VALUES)
    def set(self, key, value):
        self.both("set_field", key, value)

    @rule(key=KEYS)
    def autovivify(self, key):
        self.both("get_or_create_array_field", key)

    @rule(name=st.sampled_from(["append", "array_push"]), values=st.lists(VALUES, min_size=1, max_size=3))
    def push(self, name, values):
        self.both(name, *values)

    @rule(
        name=st.sampled_from(["len", "array_length", "copy", "pop", "reverse", "sort", "clear", "print", "to_string"])
    )
    def without_arguments(self, name):
        self.both(name)

    @rule(name=st.sampled_from(["pop", "delete"]), index=LENGTHS)
    def take(self, name, index):
        self.both(name, index)

    @rule(index=LENGTHS, value=VALUES)
    def insert(self, index, value):
        self.both("insert", index, value)

    @rule(name=st.sampled_from(["index", "count", "contains", "remove", "array_repeat"]), value=VALUES)
    def search(self, name, value):
        if name != "array_repeat" or value != I64_MAX:
            self.both(name, value)

    @rule(name=st.sampled_from(["extend", "array_concat", "array_equals"]), items=NUMBERS)
    def combine(self, name, items):
        self.both(name, items)

    @rule(start=LENGTHS, stop=LENGTHS, step=st.sampled_from([1, 2, -1]))
    def slice(self, start, stop, step):
        self.both("slice", start, stop, step)

    @invariant()
    def alike(self):
        if not hasattr(self, "arrays"):
            return
        # What is looked at must not count as an access, or every typed array would soon be ordinary: a copy is.
        ordinary, typed = self.arrays
        assert tables.length(typed) == tables.length(ordinary)
        copy = typed
        if type(typed) is TypedArray:
            copy = elements.typed(typed.id, typed.kind, typed.buffer[:])
            copy.extra = typed.extra
        assert plain(copy) == plain(ordinary)
        assert self.events[0] == self.events[1]

    def teardown(self):
        for host in getattr(self, "hosts", ()):
            host.close()


def plain_event(event):
    return event.kind, [repr(item) for item in event]


def test_typed_and_ordinary_arrays_stay_alike_under_any_operations():
    run_state_machine_as_test(Alike)


# Compiled code

LOOP = """
function main(list, n: int64)
    MOV     r6, r0               ; the array
    MOV     r7, r1
    LDI     r2, 0                ; index
    LDI     r3, 1
    LDI     r8, 0                ; sum of lengths
again:
    CMP     r2, r7
    JMPEQ   done
    PUSHARG r6
    CALL    flip
    PUSHARG r6
    PUSHARG r2
    CALL    get_field
    MOV     r4, r0
    ADD     r4, r4, r4
    PUSHARG r6
    CALL    flip
    PUSHARG r6
    PUSHARG r2
    PUSHARG r4
    CALL    set_field
    PUSHARG r6
    CALL    flip
    PUSHARG r6
    PUSHARG r4
    CALL    append
    PUSHARG r6
    CALL    flip
    PUSHARG r6
    PUSHARG r4
    CALL    array_push
    ADD     r8, r8, r0
    PUSHARG r6
    CALL    flip
    PUSHARG r6
    CALL    len
    ADD     r8, r8, r0
    ADD     r2, r2, r3
    JMP     again
done:
    RET     r8
end
"""


def flipping(jit, calls):
    """Return a machine whose foreign function ``flip`` gives its argument typed storage at every *calls*-th call."""
    machine = loaded(VirtualMachine(jit=jit), LOOP)
    count = itertools.count(1)

    def flip(array: Array) -> None:
        if calls and next(count) % calls == 0:
            elements.specialise(array)

    machine.register_foreign_function("flip", flip)
    return machine


@pytest.mark.parametrize("every", [0, 1, 3])
@pytest.mark.parametrize("calls", [1, 2, 3, 7])
@pytest.mark.parametrize(
    "items", [(1, 2, 3), (0.5, -0.0, 1.0), (U8(1), U8(2), U8(3)), (2**61, 2**61, 2**62), (1, 2.0, 3)]
)
def test_compiled_loops_are_alike_whatever_changes_the_storage(items, calls, every):
    shown = []
    for jit, period in (("off", 0), ("off", calls), ("always", calls), ("auto", calls)):
        machine = flipping(jit, period)
        if jit == "always" and every:
            machine.state.tier.every = every
        array = machine.create_array(items)
        try:
            outcome = plain(machine.execute("main", array, 3))
        except VMError as error:
            outcome = str(error), error.stack
        shown.append((outcome, plain(array)))
    assert shown[1:] == shown[:1] * 3


READS = """
function first(list)
    LDI     r1, 0
    PUSHARG r0
    PUSHARG r1
    CALL    get_field
    RET     r0
end
function turns(list)
    LDI     r1, 0
    LDI     r2, 1
    LDI     r3, 5
again:
    ADD     r1, r1, r2
    CMP     r1, r3
    JMPLT   again
    PUSHARG r0
    CALL    len
    ADD     r0, r0, r1
    RET     r0
end
function main(list)
    PUSHARG r0
    CALL    first
    MOV     r1, r0
    RET     r1
end
"""


@pytest.mark.parametrize("name", ["first", "turns", "main"])
def test_a_typed_array_runs_the_units_of_ordinary_arrays(name):
    machine = loaded(VirtualMachine(jit="always"), READS)
    array = machine.create_array([4, 5])
    expected = machine.execute(name, array)
    assert machine.execute(name, array) == expected  # a unit for calls by the host is made for the second one
    units = len(machine.state.tier.units.by_code)
    for _ in range(3):
        elements.specialise(array)
        assert machine.execute(name, array) == expected
    assert len(machine.state.tier.units.by_code) == units


SQUARES = """
function squares(list, index: int64, total)
again:
    PUSHARG r0
    PUSHARG r1
    CALL    get_field
    MUL     r3, r0, r0
    ADD     r2, r2, r3
    JMP     again
end
"""


@pytest.mark.parametrize("items", [(4, 5), (0.5, 2.5), (U8(1), U8(2))])
def test_a_loop_is_compiled_alike_for_a_typed_array(items):
    codes = []
    for is_typed in (False, True):
        machine = loaded(VirtualMachine(jit="always"), SQUARES)
        array = machine.create_array(items)
        if is_typed:
            elements.specialise(array)
        values = [array, 0, items[0], None]
        key = (machine.state.functions["squares"], 0, 0, None, (*map(type, values), *[False] * 4))
        units = machine.state.tier.units
        assert units.compile_entry(key, values, [False] * 4)
        codes.append(units.entries[key].__code__.co_code)
    assert codes[0] == codes[1]


def test_a_loop_that_is_refused_is_refused_with_a_typed_array(monkeypatch):
    def refuse(*arguments):
        raise Refusal("a test")

    monkeypatch.setattr(pipeline, "translate_entry", refuse)
    machine = loaded(VirtualMachine(jit="always"), READS)
    array = machine.create_array([4, 5])
    elements.specialise(array)
    assert machine.execute("turns", array) == 7
    units = machine.state.tier.units
    code = machine.state.functions["turns"]
    key = (code, 3, 0, None, (TypedArray, int, int, int, *[False] * 4))
    assert units.compile_entry(key, [array, 0, 1, 5], [False] * 4) is False
    assert [(refused, refusal.sentence) for refused, refusal in units.environment.refusals.items()] == [
        (code, "a test")
    ]


def specialising(function):
    """Return the builtin, but giving its arguments typed storage first, and the arrays in them."""

    def call(state, arguments):
        for number, argument in enumerate(arguments):
            if isinstance(argument, Array):
                elements.specialise(argument, (int, float, bool, U8)[number % 4])
        return function.call(state, arguments)

    return ForeignFunction(function.name, call, function.declaration)


@pytest.mark.parametrize("part", range(10))
def test_generated_programs_do_not_see_storage(part, monkeypatch):
    def with_typed_arrays(case, way, printed):
        machine = machine_for(case, way, printed)
        for name, function in machine.state.functions.items():
            if isinstance(function, ForeignFunction):
                machine.state.functions[name] = specialising(function)
        return machine

    machine_for = oracle.machine_for
    for seed in range(part * 100, part * 100 + 100):
        case = make_case(random.Random(seed))
        expected = oracle.run(case, oracle.INTERPRETER)
        with monkeypatch.context() as patch:
            patch.setattr(oracle, "machine_for", with_typed_arrays)
            for way in (oracle.INTERPRETER, oracle.way_for(seed)):
                found = oracle.run(case, way)
                assert found == expected, f"seed {seed}, {way.name}\n{case.listing()}"
