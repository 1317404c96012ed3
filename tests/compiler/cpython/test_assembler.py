"""The door to the ``bytecode`` library: code objects put together from assembled pieces are those of the library."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from bytecode import Bytecode

import stoffel
from stoffel.compiler.cpython.verifier import Instruction, check, decode, exception_table
from stoffel.compiler.cpython.writer import Writer
from stoffel.compiler.emission.deopt_points import Unit
from stoffel.jit.translating import Translator

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = sorted((ROOT / "benchmarks" / "programs").glob("*.O0.stflb"))

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "AND": operator.and_,
    "OR": operator.or_,
    "XOR": operator.xor,
    "SHL": operator.lshift,
    "SHR": operator.rshift,
}
WHAT_A_CODE_OBJECT_IS = [name for name in dir(CodeType) if name.startswith("co_") and name not in ("co_lnotab",)]


@pytest.fixture
def units() -> Iterator[list[Unit]]:
    """Return the list to which all units compiled in the test are added."""
    found: list[Unit] = []
    before = Translator.inspect
    Translator.inspect = found.append
    yield found
    Translator.inspect = before


def different(one: CodeType, other: CodeType) -> list[str]:
    """Return what is different. The library numbers locals anew where one instruction has two: they go by name."""
    names = [name for name in WHAT_A_CODE_OBJECT_IS if not callable(getattr(one, name))]
    by_name: dict[str, Callable[[CodeType], Any]] = {
        "co_code": lambda code: [(item.offset, item.name, argument(code, item)) for item in decode(code)],
        "co_varnames": lambda code: (code.co_varnames[: code.co_argcount], set(code.co_varnames)),
    }
    looks = {name: by_name.get(name, operator.attrgetter(name)) for name in names}
    return [name for name, look in looks.items() if look(one) != look(other)]


def argument(code: CodeType, item: Instruction) -> object:
    """Return the argument of an instruction, the names of the locals if that is what it stands for."""
    if "_FAST_" in item.name.replace("_FAST_BORROW", "_FAST"):
        return code.co_varnames[item.argument >> 4], code.co_varnames[item.argument & 15]
    return code.co_varnames[item.argument] if "_FAST" in item.name else item.argument


@pytest.mark.parametrize("path", PROGRAMS, ids=[path.name for path in PROGRAMS])
def test_code_objects_are_those_that_the_library_makes_of_their_instructions(path: Path, units: list[Unit]) -> None:
    """The library's long way: jumps, stack depth, exception table and lines are all computed by it."""
    machine = stoffel.VirtualMachine(jit="always")
    machine.load(stoffel.load(path))
    machine.execute("bench", 3)
    assert units
    for unit in units:
        remade = Bytecode.from_code(unit.code).to_code()
        if not unit.polled:
            assert different(unit.code, remade) == []
            continue
        # A constant that has come into a cell keeps its number, and its handler drops the values below it.
        assert set(different(unit.code, remade)) <= {"co_code", "co_consts", "co_exceptiontable", "co_stacksize"}
        assert instructions(unit.code) == instructions(remade)
        assert handled(unit.code) == handled(remade)


def handled(code: CodeType) -> list[tuple[int, int, int, bool]]:
    return [(entry.start, entry.end, entry.target, entry.lasti) for entry in exception_table(code)]


def instructions(code: CodeType) -> list[tuple[str, int, object]]:
    """Return the instructions with their constants, wherever these are."""
    return [
        (item.name, item.offset, code.co_consts[item.argument] if item.name == "LOAD_CONST" else argument(code, item))
        for item in decode(code)
    ]


def writer(*arguments: str) -> Writer:
    return Writer("f", "<f>", list(arguments))


def run(code: CodeType, *arguments: Any, **names: Any) -> Any:
    assert check(code) == []
    assert different(code, Bytecode.from_code(code).to_code()) == []
    return FunctionType(code, {"__builtins__": {}, **names})(*arguments)


@pytest.mark.parametrize("symbol", COMPARISONS)
def test_comparisons_are_pythons(symbol: str) -> None:
    made = writer("a", "b")
    made.load("a")
    made.load("b")
    made.compare(symbol)
    made.give_back()
    code = made.finish()
    for a in (1, 2, 3, 1.5, float("nan")):
        for _ in range(20):  # specialised versions take over after some runs
            assert run(code, a, 2) is COMPARISONS[symbol](a, 2)


@pytest.mark.parametrize("symbol", OPERATIONS)
def test_operators_are_pythons(symbol: str) -> None:
    made = writer("a", "b")
    made.load("a")
    made.load("b")
    made.binary(symbol)
    made.give_back()
    assert run(made.finish(), 29, 3) == OPERATIONS[symbol](29, 3)


@pytest.mark.parametrize("length", [10, 250, 255, 256, 257, 300, 65_530, 65_536, 70_000])
def test_jumps_over_any_length_find_their_target(length: int) -> None:
    """Counts ``a`` down in a loop with *length* units of code in it; each round is jumped over or run."""
    made = writer("a", "skip")
    top, end, over = made.label(), made.label(), made.label()
    made.place(top)
    made.load("a")
    made.constant(0)
    made.compare("<=")
    made.if_true(end)
    made.load("a")
    made.constant(1)
    made.binary("SUB")
    made.store("a")
    made.load("skip")
    made.if_true(over)
    for _ in range(length // 2):
        made.load("a")
        made.store("b")
    made.place(over)
    made.jump_back(top)
    made.place(end)
    made.load("a")
    made.give_back()
    code = made.finish()
    assert run(code, 3, True) == 0
    assert run(code, 3, False) == 0


def test_constants_keep_their_kinds() -> None:
    values = [1, True, 1.0, 0.0, -0.0, None, "1", stoffel.U8(1), 1]
    made = writer()
    for value in values:
        made.constant(value)
    made.new_tuple(len(values))
    made.give_back()
    code = made.finish()
    assert [(type(value), str(value)) for value in run(code)] == [(type(value), str(value)) for value in values]
    assert [type(value) for value in code.co_consts].count(int) == 1


def test_more_constants_and_locals_than_a_byte_can_count() -> None:
    made = writer()
    for number in range(1000):
        made.constant(number)
        made.store(f"v{number}")
    for number in range(1000):
        made.load(f"v{number}")
    made.new_list(1000)
    made.give_back()
    assert run(made.finish()) == list(range(1000))


def test_an_exception_reaches_the_handler_with_an_empty_stack_and_goes_on() -> None:
    seen: list[BaseException] = []
    made = writer("a")
    made.begin_try()
    made.load("a")
    made.attribute("nothing")
    made.end_try()
    made.give_back()
    made.finish_handler("note")
    with pytest.raises(AttributeError) as caught:
        run(made.finish(), 5, note=seen.append)
    assert seen == [caught.value]


def test_each_line_number_covers_what_was_written_for_it() -> None:
    made = writer("a")
    made.line = 3
    made.load("a")
    made.line = 2
    made.constant(1)
    made.line = 3
    made.binary("ADD")
    made.give_back()
    code = made.finish()
    starts = {start: line for start, _, line in code.co_lines()}
    names = {starts[item.offset]: item.name for item in decode(code) if item.offset in starts}
    assert list(starts.values()) == [1, 3, 2, 3]
    assert names == {1: "RESUME", 2: "LOAD_CONST", 3: "BINARY_OP"}


def test_ways_with_different_stacks_do_not_meet() -> None:
    made = writer("a")
    label = made.label()
    made.load("a")
    made.if_true(label)
    made.load("a")
    with pytest.raises(AssertionError, match="different stacks"):
        made.place(label)


def test_a_jump_needs_its_label() -> None:
    made = writer("a")
    made.load("a")
    made.if_true(made.label())
    made.load("a")
    made.give_back()
    with pytest.raises(AssertionError, match="never placed"):
        made.finish()
