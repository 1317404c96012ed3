"""Limits: exact, the same in every way of running, and nobody can swallow them."""

import threading
import time

import pytest

from stoffel import ErrorKind, Limits, VirtualMachine, VMError, assemble
from tests.ways import WAYS

LOOP = """
function main()
    LDI r1, 0
    LDI r2, 1
again:
    ADD r1, r1, r2
    PUSHARG r1
    CALL step
    JMP again
end
function step(x)
    PUSHARG r0
    CALL array_of
    RET r0
end
function array_of(x)
    CALL create_array
    RET r0
end
"""
DOUBLE = """
function main()
    LDI r1, "0123456789abcdef"
again:
    ADD r1, r1, r1
    JMP again
end
"""
PUSHES = """
function main()
    LDI r1, 1
again:
    PUSHARG r1
    JMP again
end
"""
OBJECT = """
function main()
    CALL create_object
    MOV r3, r0
    LDI r1, 0
    LDI r2, 1
again:
    PUSHARG r3
    PUSHARG r1
    PUSHARG r1
    CALL set_field
    ADD r1, r1, r2
    JMP again
end
"""
ARRAY = OBJECT.replace("create_object", "create_array")
PRINTS = """
function main()
    LDI r1, "äb"
again:
    PUSHARG r1
    CALL print
    JMP again
end
"""


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request):
    return request.param


def loaded(way, source, **options):
    made = way.machine(cache="off", **options)
    made.load(assemble(source))
    return made


def failure(machine, *arguments, **options):
    with pytest.raises(VMError) as raised:
        machine.execute("main", *arguments, **options)
    error = raised.value
    assert error.kind is ErrorKind.LIMIT
    return str(error), error.function, error.instruction, error.stack


def test_the_instruction_after_the_last_one_that_is_allowed_fails(way):
    machine = loaded(way, LOOP)
    places = []
    for count in range(22):
        text, function, instruction, stack = failure(machine, limits=Limits(instructions=count))
        assert text == f"Instruction limit of {count} exceeded"
        assert stack[-1] == (function, instruction)
        places.append((function, instruction))
    round_ = [
        *[("main", index) for index in (2, 3, 4)],
        *[("step", index) for index in (0, 1)],
        *[("array_of", index) for index in (0, 1)],
        ("step", 2),
        ("main", 5),
    ]
    assert places == [("main", 0), ("main", 1), *round_, *round_, *round_[:2]]


def test_a_program_that_is_as_long_as_its_limit_ends(way):
    machine = loaded(way, "function main()\n LDI r0, 5\n NOP\nend")
    assert machine.execute("main", limits=Limits(instructions=2)) == 5
    assert failure(machine, limits=Limits(instructions=1))[1:3] == ("main", 1)


def test_a_run_begins_with_all_of_its_limit_and_without_one_there_is_none(way):
    machine = loaded(way, "function main()\n LDI r0, 5\n RET r0\nend", limits=Limits(instructions=2))
    assert [machine.execute("main") for _ in range(3)] == [5] * 3
    machine.limits = Limits(instructions=1)
    failure(machine)
    assert machine.execute("main", limits=Limits()) == 5
    machine.limits = None
    assert machine.execute("main") == 5
    assert machine.function("main")() == 5


@pytest.mark.parametrize(
    ("source", "limits", "text", "instruction"),
    [
        (DOUBLE, Limits(), "String of 33554432 bytes exceeds the limit of 16777216", 1),
        (DOUBLE, Limits(string=127), "String of 128 bytes exceeds the limit of 127", 1),
        (DOUBLE, Limits(allocation=16 + 8 * 2 + 32 + 64 + 128 - 1), "Allocation limit of 255 units exceeded", 1),
        (DOUBLE, Limits(memory=1000), "Memory limit of 1000 units exceeded", 1),
        (PUSHES, Limits(stack=10), "Argument stack of 11 values exceeds the limit of 10", 1),
        (OBJECT, Limits(object=10), "Object of 11 fields exceeds the limit of 10", 7),
        (ARRAY, Limits(array=10), "Array of 11 elements exceeds the limit of 10", 7),
        (ARRAY, Limits(allocation=8 * 4 + 64 + 8 * 10), "Allocation limit of 176 units exceeded", 7),
        (OBJECT, Limits(memory=5000), "Memory limit of 5000 units exceeded", 7),
    ],
)
def test_single_values_and_memory_are_limited_before_they_are_made(way, source, limits, text, instruction):
    machine = loaded(way, source)
    found = failure(machine, limits=limits)
    assert found == (text, "main", instruction, (("main", instruction),))
    assert failure(machine, limits=limits) == found


def test_what_is_not_reachable_any_more_is_not_memory(way):
    source = """
function main(n)
    LDI r2, 0
    LDI r3, 1
    LDI r4, 100
again:
    PUSHARG r2
    PUSHARG r4
    CALL range
    ADD r2, r2, r3
    LDI r2, 0
    SUB r1, r1, r3
    CMP r1, r2
    JMPGT again
    RET r2
end
""".replace("main(n)", "main(unused, n)")
    machine = loaded(way, source)
    assert machine.execute("main", 0, 50, limits=Limits(memory=3000)) == 0
    with pytest.raises(VMError, match="Allocation limit of 3000"):
        machine.execute("main", 0, 50, limits=Limits(allocation=3000))


@pytest.mark.parametrize(
    ("limits", "lines", "text"),
    [
        (Limits(output=11), 2, "Output limit of 11 bytes exceeded"),
        (Limits(output=12), 3, "Output limit of 12 bytes exceeded"),
        (Limits(lines=4), 4, "Output limit of 4 lines exceeded"),
        (Limits(output=0), 0, "Output limit of 0 bytes exceeded"),
        (Limits(lines=2, string=None, array=None, object=None, stack=None), 2, "Output limit of 2 lines exceeded"),
    ],
)
def test_a_print_that_exceeds_the_output_writes_nothing(way, limits, lines, text):
    printed = []
    machine = loaded(way, PRINTS, output=printed.append)
    assert failure(machine, limits=limits) == (text, "main", 2, (("main", 2),))
    assert printed == ["äb"] * lines


def test_builtins_pay_before_they_work(way):
    source = """
function main(n)
    LDI r1, 0
    PUSHARG r1
    PUSHARG r0
    CALL range
    RET r0
end
"""
    machine = loaded(way, source)
    assert len(machine.to_python(machine.execute("main", 6400, limits=Limits(instructions=105)))) == 6400
    assert failure(machine, 6400, limits=Limits(instructions=104))[1:3] == ("main", 4)
    began = time.perf_counter()
    assert failure(machine, 1 << 60, limits=Limits(instructions=10**9))[1:3] == ("main", 3)
    assert time.perf_counter() - began < 10


def test_a_string_that_contains_itself_many_times_is_not_displayed(way):
    machine = loaded(way, "function show()\n CALL nested\n PUSHARG r0\n CALL to_string\n RET r0\nend")
    machine.register_foreign_function("nested", lambda: [[["x" * 1_000_000] * 16] * 16] * 16)
    with pytest.raises(VMError, match=r"String of 409\d+ bytes exceeds the limit of 16777216") as raised:
        machine.execute("show", limits=Limits())
    assert raised.value.kind is ErrorKind.LIMIT


def test_a_foreign_function_cannot_swallow_a_limit(way):
    machine = loaded(way, LOOP.replace("CALL step", "CALL swallow"))
    caught = []

    def swallow(context):
        try:
            context.call("step", 1)
        except VMError as error:
            caught.append(error)
            raise ValueError("something else") from None

    def forget(context):
        for _ in range(3):
            try:
                context.call("array_of", 1)
            except VMError as error:
                caught.append(error)
        return 5

    machine.register_foreign_function("swallow", swallow)
    assert failure(machine, limits=Limits(instructions=16))[0] == "Instruction limit of 16 exceeded"
    assert len(caught) == 1
    machine.unregister_foreign_function("swallow")
    machine.register_foreign_function("swallow", forget)
    caught.clear()
    found = failure(machine, limits=Limits(instructions=16))
    assert found[0] == "Instruction limit of 16 exceeded"
    assert found[3] == (("main", 4),)
    assert {error.kind for error in caught} == {ErrorKind.LIMIT}
    # The machine can be used afterwards.
    assert machine.to_python(machine.execute("array_of", 1)) == []


def test_a_run_inside_another_pays_for_both(way):
    machine = loaded(way, LOOP.replace("CALL step", "CALL inner"))
    texts = []

    def inner(context):
        try:
            machine.execute("step", 1, limits=Limits(instructions=3))
        except VMError as error:
            texts.append(str(error))
            raise
        return 1

    machine.register_foreign_function("inner", inner)
    assert failure(machine, limits=Limits(instructions=1000))[0] == "Instruction limit of 3 exceeded"
    machine.unregister_foreign_function("inner")

    def rich(context):
        machine.execute("step", 1, limits=Limits(instructions=30))
        return 1

    machine.register_foreign_function("inner", rich)
    # Two before the loop; each round takes four, and five inside.
    found = failure(machine, limits=Limits(instructions=2 + 9 + 3 + 2))
    assert found[0] == "Instruction limit of 16 exceeded"
    assert found[3][-1] == ("array_of", 0)


def test_calls_by_the_host_are_limited_too(way):
    machine = loaded(way, LOOP)
    with pytest.raises(VMError, match="Array of 100 elements exceeds the limit of 10"):
        machine.execute("range", 0, 100, limits=Limits(array=10))
    machine.register_foreign_function("many", lambda context: list(range(context[0])))
    with pytest.raises(VMError, match="Array of 11 elements exceeds the limit of 10") as raised:
        machine.execute("many", 11, limits=Limits(array=10))
    assert raised.value.kind is ErrorKind.LIMIT


STORES = """
function main(n)
    LDI r2, "k"
    LDI r1, 0
    PUSHARG r1
    PUSHARG r0
    CALL range
    PUSHARG r2
    PUSHARG r0
    CALL LocalStorage.store
    PUSHARG r2
    CALL LocalStorage.load
    PUSHARG r0
    CALL len
    RET r0
end
"""


def test_values_in_storage_are_limited(way):
    machine = loaded(way, STORES, storage=":memory:")
    # Magic, tag and counts of the array, then for each element a tagged key and a tagged value.
    size = 8 + 17 + 18 * 100
    assert machine.execute("main", 100, limits=Limits(storage=size)) == 100
    expected = f"Storage limit of {size - 1} bytes exceeded", "main", 7, (("main", 7),)
    assert failure(machine, 100, limits=Limits(storage=size - 1)) == expected
    machine.load(assemble('function get()\n LDI r0, "k"\n PUSHARG r0\n CALL LocalStorage.load\n RET r0\nend'))
    with pytest.raises(VMError, match=r"Storage limit of 100 bytes") as raised:
        machine.execute("get", limits=Limits(storage=100))
    assert raised.value.kind is ErrorKind.LIMIT
    assert raised.value.instruction == 2


def test_depth_and_reentry_are_limited_for_one_run(way):
    source = "function main(x)\n PUSHARG r0\n CALL main\n RET r0\nend"
    machine = loaded(way, source)
    with pytest.raises(VMError, match="Call depth exceeds 7"):
        machine.execute("main", 1, limits=Limits(depth=7, stack=None, string=None, array=None, object=None))
    assert machine.max_call_depth == 250_000
    machine.register_foreign_function("again", lambda context: context.call("turn"))
    machine.load(assemble("function turn()\n CALL again\nend"))
    with pytest.raises(VMError, match="Re-entry depth exceeds 3"):
        machine.execute("turn", limits=Limits(reentry=3))
    assert machine.max_reentry == 200


@pytest.mark.parametrize("source", [LOOP, OBJECT, ARRAY])
def test_time_is_limited(way, source):
    machine = loaded(way, source)
    limits = Limits(seconds=0.05, string=None, array=None, object=None, stack=None)
    assert failure(machine, limits=limits)[0] == "Time limit of 0.05 seconds exceeded"
    assert failure(machine, limits=Limits(seconds=0))[0] == "Time limit of 0 seconds exceeded"
    # Within a run that has more time, and around one that has more.
    machine.register_foreign_function("inner", lambda: machine.execute("main", limits=limits))
    machine.load(assemble("function run()\n CALL inner\nend"))
    with pytest.raises(VMError, match=r"Time limit of 0\.05"):
        machine.execute("run", limits=Limits(seconds=100))


def test_hooks_see_nothing_of_the_instruction_that_is_one_too_many(way):
    machine = loaded(way, LOOP)
    for count in (0, 1, 7, 30):
        expected = failure(machine, limits=Limits(instructions=count))
        seen = []
        from stoffel.runtime.events import BeforeInstructionExecute

        hook = machine.register_hook(BeforeInstructionExecute, lambda event, context, seen=seen: seen.append(event))
        assert failure(machine, limits=Limits(instructions=count)) == expected
        assert len(seen) == count
        machine.unregister_hook(hook)


@pytest.mark.parametrize("source", [LOOP, OBJECT, PRINTS])
def test_an_interrupt_ends_a_run(way, source):
    machine = loaded(way, source, output=lambda line: None)
    assert not machine.interrupt("nothing runs")
    timer = threading.Timer(0.05, machine.interrupt, ["enough"])
    timer.start()
    assert failure(machine)[0] == "Interrupted: enough"
    timer.join()
    assert machine.execute("len", "abc") == 3


def test_an_interrupt_lasts_until_the_run_ends(way):
    machine = loaded(way, "function main()\n CALL act\n CALL act\n RET r0\nend\nfunction other()\n LDI r0, 1\nend")
    calls = []

    def act(context):
        calls.append(context.vm.interrupt("first"))
        assert context.vm.interrupt("second")
        with pytest.raises(VMError, match="Interrupted: first"):
            context.call("other")
        return 1

    machine.register_foreign_function("act", act)
    assert failure(machine) == ("Interrupted: first", "main", 0, (("main", 0),))
    assert calls == [True]
    assert machine.execute("other") == 1


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"instructions": -1}, ValueError),
        ({"instructions": 1.5}, TypeError),
        ({"memory": True}, TypeError),
        ({"seconds": "1"}, TypeError),
        ({"seconds": float("nan")}, ValueError),
        ({"seconds": float("inf")}, ValueError),
        ({"depth": 0}, ValueError),
        ({"speed": 1}, TypeError),
    ],
)
def test_a_limit_that_is_none_is_refused(values, error):
    with pytest.raises(error):
        Limits(**values)


def test_limits_do_not_change():
    limits = Limits(instructions=5)
    with pytest.raises(AttributeError):
        limits.instructions = 6
    with pytest.raises(TypeError, match=r"limits must be a stoffel\.Limits or None, not dict"):
        VirtualMachine(limits={"instructions": 5})


def test_a_clone_has_the_same_limits():
    machine = VirtualMachine(limits=Limits(instructions=0))
    machine.load(assemble(LOOP))
    assert failure(machine.clone())[0] == "Instruction limit of 0 exceeded"


BIG = """
function main()
    LDI r1, 0
    LDI r2, 3000000
    PUSHARG r1
    PUSHARG r2
    CALL range
    MOV r3, r0
    PUSHARG r3
    CALL begin
again:
%s
    JMP again
end
"""
LONG_WORK = {
    name: "\n".join([*(f"    PUSHARG {argument}" for argument in arguments), f"    CALL {name}"])
    for name, arguments in {
        "range": ["r1", "r2"],
        "copy": ["r3"],
        "extend": ["r0", "r3"],
        "array_concat": ["r3", "r3"],
        "array_repeat": ["r3", "r4"],
        "slice": ["r3", "r1", "r5"],
        "reverse": ["r3"],
        "sort": ["r3"],
        "count": ["r3", "r1"],
        "contains": ["r3", "r5"],
        "array_equals": ["r3", "r0"],
        "as_python": ["r3"],
        "from_python": [],
        "Crypto.sha256": ["r6"],
    }.items()
}


@pytest.mark.parametrize("name", LONG_WORK)
def test_long_builtins_and_conversions_look_whether_the_run_has_to_end(name, monkeypatch):
    machine = VirtualMachine()
    prepared = "    PUSHARG r3\n    CALL copy\n" if name in ("extend", "array_equals") else ""
    prepared += "    LDI r4, 2\n    LDI r5, 4000000\n"
    if name.startswith("Crypto"):
        prepared += "    PUSHARG r3\n    CALL as_bytes\n    MOV r6, r0\n"
    source = BIG.replace("again:\n", f"{prepared}again:\n", 1)
    machine.load(assemble(source % LONG_WORK[name]))
    # From here on nothing but the work itself can notice.
    looks = []
    look_up = type(machine.state).look_up

    def counting(state, elements=0):
        looks.append(elements)
        if len(looks) == limit[0]:
            machine.interrupt("long enough")
        look_up(state, elements)

    limit = [0]
    monkeypatch.setattr(type(machine.state), "look_up", counting)

    def as_python(values: list) -> int:
        return 1

    machine.register_foreign_function("begin", lambda context: begin())
    machine.register_foreign_function("as_python", as_python)
    machine.register_foreign_function("from_python", lambda context: [[0]] * 40_000 + list(range(200_000)))
    machine.register_foreign_function("as_bytes", lambda context: bytes(1_000_000))

    def begin():
        # What prepares the loop looks now and then too.
        limit[0] = len(looks) + 60
        return 1

    with pytest.raises(VMError, match="Interrupted: long enough") as raised:
        machine.execute("main")
    assert raised.value.kind is ErrorKind.LIMIT
    assert len(looks) <= limit[0] + 1
    assert machine.to_python(machine.create_array([1])) == [1]


def test_as_much_as_allowed_may_be_allocated_and_not_a_unit_more(way):
    inner = "function inner()\n CALL create_array\n MOV r3, r0\nend"
    machine = loaded(way, f"function main()\n CALL inner\n RET r0\nend\n{inner}")
    records = 8 * (1 + 4)
    assert machine.to_python(machine.execute("main", limits=Limits(allocation=records + 64))) == []
    assert failure(machine, limits=Limits(allocation=records + 63))[1:3] == ("inner", 0)
    assert failure(machine, limits=Limits(allocation=records - 1))[1:3] == ("main", 0)


def test_long_arrays_are_converted_whole():
    machine = VirtualMachine()
    numbers = list(range(100_000))
    assert machine.to_python(machine.create_array(numbers)) == numbers
