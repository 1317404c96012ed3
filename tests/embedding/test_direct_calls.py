"""Host calls of short functions go to compiled code at once, and cannot be told from others."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import U8, Closure, VirtualMachine, VMError, events
from stoffel.jit.policy import looks, thresholds
from tests.machines import failure, loaded
from tests.ways import ALL_WAYS, Way

FUNCTIONS = """
function double(x)
    ADD     r0, r0, r0
    RET     r0
end
function quotient(a, b)
    DIV     r0, r0, r1
    RET     r0
end
function first(list)
    LDI     r1, 0
    PUSHARG r0
    PUSHARG r1
    CALL    get_field
    RET     r0
end
function made()
    LDI     r1, "double"
    PUSHARG r1
    CALL    create_closure
    RET     r0
end
function around(x)
    PUSHARG r0
    CALL    double
    RET     r0
end
"""
CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("double", (21,)),
    ("double", (1.5,)),
    ("double", ("ab",)),
    ("double", (U8(200),)),
    ("double", (2**62,)),
    ("double", (2**64,)),
    ("double", (None,)),
    ("double", ()),
    ("double", (1, 2)),
    ("double", (object(),)),
    ("double", ("\ud800",)),
    ("quotient", (7, 2)),
    ("quotient", (7, 0)),
    ("quotient", (7.0, 2)),
    ("around", (4,)),
    ("made", ()),
    ("nothing", (1,)),
    ("print", ("x",)),
]
every_way = pytest.mark.parametrize("way", ALL_WAYS[1:], ids=lambda way: way.name)


def told(call: Any, *arguments: Any) -> Any:
    try:
        result = call(*arguments)
    except VMError as error:
        return error.kind, str(error).partition(" object at")[0], error.stack
    return type(result), repr(result)


def seen(machine: VirtualMachine, times: int) -> list[Any]:
    found = [told(machine.execute, name, *arguments) for _ in range(times) for name, arguments in CALLS]
    array = machine.create_array([5, 6])
    for _ in range(times):
        found += [told(machine.execute, "first", array), told(machine.execute, "first", machine.create_array([]))]
    return found


@every_way
def test_calls_give_what_they_give_in_the_interpreter(way: Way) -> None:
    outcomes = []
    for made in (ALL_WAYS[0], way):
        machine = loaded(made.machine(cache="off", output=lambda line: None), FUNCTIONS)
        outcomes.append(seen(machine, 4))
        assert machine.state.frames == []
        assert machine.state.nesting == 0
    assert outcomes[0] == outcomes[1]


@every_way
def test_a_function_as_a_callable_is_what_execute_does(way: Way) -> None:
    machine = loaded(way.machine(cache="off"), FUNCTIONS)
    double = machine.function("double")
    assert double.__name__ == "double"
    assert [double(21) for _ in range(5)] == [42] * 5
    for name, arguments in CALLS:
        if name in ("double", "quotient", "around"):
            call = machine.function(name)
            for _ in range(3):
                assert told(call, *arguments) == told(machine.execute, name, *arguments)
    assert str(failure(machine.function, "print")) == "Cannot execute foreign function print"
    assert str(failure(machine.function, "nothing")) == "Function nothing not found"


def test_such_calls_are_made_directly() -> None:
    machine = loaded(VirtualMachine(jit="always", cache="off"), FUNCTIONS)
    for _ in range(3):
        assert machine.execute("double", 21) == 42
    assert [key[0].name for key, call in machine.state.direct.items() if call] == ["double"]  # type: ignore[attr-defined]
    runs = machine.jit_statistics()["runs"]
    assert machine.execute("double", 4) == 8
    assert machine.jit_statistics()["runs"] == runs + 1
    machine.discard_source()
    assert machine.state.direct == {}
    assert machine.execute("double", 4) == 8


def test_a_machine_that_is_called_often_has_its_functions_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thresholds, "HEAT_OF_LOADING", 5000)
    machine = loaded(VirtualMachine(jit="auto", cache="off"), FUNCTIONS)
    for _ in range(500):
        assert machine.execute("double", 21) == 42
    assert any(machine.state.direct.values())


def test_hooks_see_such_calls_and_runs_inside_them_are_possible() -> None:
    machine = loaded(VirtualMachine(jit="always", cache="off"), FUNCTIONS)
    for _ in range(3):
        assert machine.execute("double", 21) == 42
    seen: list[Any] = []
    hook = machine.register_hook(events.BeforeInstructionExecute, lambda event, context: seen.append(context.cursor))
    assert machine.execute("double", 21) == 42
    assert seen == [("double", 0), ("double", 1)]
    machine.unregister_hook(hook)
    machine.register_foreign_function("inside", lambda context: machine.function("double")(context[0]))
    loaded(machine, "function outer(x)\n PUSHARG r0\n CALL inside\n RET r0\nend")
    assert [machine.execute("outer", 4) for _ in range(3)] == [8] * 3


def test_a_guess_that_fails_in_such_a_call_goes_on_in_the_interpreter() -> None:
    machine = loaded(VirtualMachine(jit="always", cache="off"), FUNCTIONS)
    array = machine.create_array([5])
    for _ in range(3):
        assert machine.execute("first", array) == 5
    machine.replace_elements(array, ["text"])
    assert machine.execute("first", array) == "text"
    machine.replace_elements(array, [])
    assert failure(machine.execute, "first", array).stack == (("first", 3),)
    assert machine.state.records == []


def test_a_closure_that_such_a_call_returns_is_the_hosts_too() -> None:
    machine = loaded(VirtualMachine(jit="always", cache="off"), FUNCTIONS)
    for _ in range(3):
        closure = machine.execute("made")
        assert isinstance(closure, Closure)
        assert machine.call(closure, 4) == 8


def test_a_function_whose_records_are_looked_at_all_the_time_is_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "SHARE", 0.0)
    machine = VirtualMachine(jit="always", cache="off")
    machine.register_foreign_function("look", lambda context: len(machine.state.frames))
    text = (
        "function main(n)\n LDI r1, 0\n LDI r2, 1\na:\n CALL look\n ADD r1, r1, r2\n CMP r1, r3\n JMPLT a\n RET r1\nend"
    )
    loaded(machine, text.replace("LDI r1, 0", "MOV r3, r0\n LDI r1, 0"))
    assert machine.execute("main", 1000) == 1000
    assert machine.jit_statistics()["functions"]["main"]["refusal"] == "the host looks at its records too often"
    assert machine.execute("main", 1000) == 1000
