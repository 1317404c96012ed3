"""Compiled code is visible to Python's own tools: tracebacks, pdb, profilers, tracing, samplers."""

from __future__ import annotations

import cProfile
import gc
import inspect
import io
import linecache
import pdb
import pstats
import sys
import threading
import time
import traceback
from types import CodeType, FrameType
from typing import Any

import pytest

from stoffel import VirtualMachine, VMError
from stoffel.compiler.cpython.listings import listing_name, register_listing
from stoffel.compiler.emission.deopt_points import Line
from tests.compiler.units import layout
from tests.machines import SUM, failure, loaded

pytestmark = pytest.mark.usefixtures("nothing_inlined")

PROGRAM = (
    SUM
    + """
function ratio(n)
    PUSHARG r0
    CALL sum
    LDI r1, 3
    SUB r1, r0, r1
    DIV r0, r0, r1
    RET r0
end

function main(n)
    PUSHARG r0
    CALL ratio
    RET r0
end
"""
)


@pytest.fixture
def machine() -> VirtualMachine:
    """A machine that has compiled everything in the program."""
    machine = loaded(VirtualMachine(jit="always"), PROGRAM)
    assert machine.execute("main", 5) == 1
    return machine


def codes(machine: VirtualMachine) -> dict[str, CodeType]:
    """Return the code objects of a machine by the name of their VM function."""
    tier = machine.state.tier
    return {unit.function.name: code for code, unit in tier.units.by_code.items()}


def test_code_objects_carry_the_name_of_the_vm_function(machine: VirtualMachine) -> None:
    found = codes(machine)
    assert sorted(found) == ["main", "ratio", "sum"]
    assert [(code.co_name, code.co_qualname) for _, code in sorted(found.items())] == [
        (name, name) for name in ("main", "ratio", "sum")
    ]
    assert all(code.co_filename.startswith(f"<stoffel:{name}:") for name, code in found.items())


def test_every_line_of_a_code_object_is_a_vm_instruction_of_the_listing(machine: VirtualMachine) -> None:
    for name, code in codes(machine).items():
        instructions = machine.state.functions[name].function.instructions
        listing = linecache.getlines(code.co_filename)
        numbers = {number for _, _, number in code.co_lines() if number is not None}
        assert numbers <= set(range(1, len(listing) + 1))
        for text in listing:
            index, _, instruction = text.strip().partition("  ")
            assert instruction == str(instructions[int(index)])


def test_a_traceback_names_vm_functions_and_shows_their_instructions(machine: VirtualMachine) -> None:
    error = failure(machine.execute, "main", 3)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<stoffel:")]
    assert [(frame.name, frame.line) for frame in frames] == [
        ("main", "1  CALL ratio"),
        ("ratio", "4  DIV r0, r0, r1"),
    ]
    text = "".join(traceback.format_exception(error))
    name = codes(machine)["ratio"].co_filename
    assert f'  File "{name}", line {frames[1].lineno}, in ratio\n    4  DIV r0, r0, r1\n' in text
    assert "\nstoffel.errors.VMError: Division by zero\n  at function main, " in text


def test_the_positions_of_the_error_and_of_its_traceback_are_the_same(machine: VirtualMachine) -> None:
    error = failure(machine.execute, "main", 3)
    shown = [
        (frame.name, int((frame.line or "").split()[0]))
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith("<stoffel:")
    ]
    assert tuple(shown) == error.stack


def test_listings_survive_a_check_of_the_cache(machine: VirtualMachine) -> None:
    name = codes(machine)["sum"].co_filename
    linecache.checkcache()
    assert linecache.getline(name, 1) == "     0  LDI r1, 0\n"


def test_inspect_finds_the_listing(machine: VirtualMachine) -> None:
    code = codes(machine)["sum"]
    assert inspect.findsource(code) == (linecache.getlines(code.co_filename), 0)


def test_units_of_different_machines_have_listings_of_their_own(machine: VirtualMachine) -> None:
    other = loaded(VirtualMachine(jit="always"), PROGRAM.replace("function sum(n)\n", "function sum(n)\n    NOP\n"))
    assert other.execute("main", 5) == 1
    one, two = codes(machine)["sum"].co_filename, codes(other)["sum"].co_filename
    assert one != two
    assert linecache.getline(one, 2) != linecache.getline(two, 2)


def test_a_listing_goes_with_its_code() -> None:
    name = listing_name("f")
    code = compile("1", name, "eval")
    splice = layout(1).splice
    register_listing(code, splice, [Line(0, splice)])
    assert list(linecache.getlines(name)) == ["     0  RET r0\n"]
    del code
    assert name not in linecache.cache


def test_the_listings_of_a_machine_go_with_the_machine() -> None:
    machine = loaded(VirtualMachine(jit="always"), PROGRAM)
    machine.execute("main", 5)
    names = {code.co_filename for code in codes(machine).values()}
    assert names <= set(linecache.cache)
    del machine
    gc.collect()
    assert not names & set(linecache.cache)


def test_a_traceback_keeps_its_listing_alive_after_the_machine() -> None:
    machine = loaded(VirtualMachine(jit="always"), PROGRAM)
    error = failure(machine.execute, "main", 3)
    del machine
    gc.collect()
    assert "    4  DIV r0, r0, r1\n" in "".join(traceback.format_exception(error))


def debug(machine: VirtualMachine, breakpoint_at: tuple[str, int], commands: str, *arguments: Any) -> str:
    """Run main under pdb with a breakpoint, which holds once, and scripted commands; return what pdb shows."""
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO(commands), stdout=out, nosigint=True, readrc=False)
    debugger.use_rawinput = False
    assert debugger.set_break(*breakpoint_at, temporary=True) is None
    try:
        debugger.runcall(machine.execute, "main", *arguments)
    finally:
        sys.settrace(None)
    return out.getvalue()


def test_pdb_stops_in_compiled_code_and_steps_through_vm_instructions(machine: VirtualMachine) -> None:
    name = codes(machine)["sum"].co_filename
    listing = [text.strip() for text in linecache.getlines(name)]
    line = listing.index("5  ADD r1, r1, r2") + 1
    shown = debug(machine, (name, line), "continue\nnext\nnext\nnext\nlist\nwhere\ncontinue\n", 5)
    steps = [text.removeprefix("-> ") for text in shown.splitlines() if text.startswith("-> ")]
    assert steps[1:5] == ["5  ADD r1, r1, r2", "6  ADD r2, r2, r3", "7  JMP loop", "4  JMPEQ done"]
    assert f"> {name}({line})sum()\n" in shown
    assert f"{line:3}  \t     5  ADD r1, r1, r2\n" in shown
    assert "-> 1  CALL ratio\n" in shown
    assert "-> 1  CALL sum\n" in shown


def test_pdb_shows_registers_as_locals(machine: VirtualMachine) -> None:
    name = codes(machine)["ratio"].co_filename
    line = [text.strip() for text in linecache.getlines(name)].index("4  DIV r0, r0, r1") + 1
    shown = debug(machine, (name, line), "continue\np r0\ncontinue\n", 5)
    assert "(Pdb) 10\n" in shown


def test_pdb_evaluates_what_people_ask(machine: VirtualMachine) -> None:
    name = codes(machine)["ratio"].co_filename
    line = [text.strip() for text in linecache.getlines(name)].index("4  DIV r0, r0, r1") + 1
    shown = debug(machine, (name, line), "continue\np sorted(locals())\np max(r0, 3)\npp locals()\ncontinue\n", 5)
    assert "'r0'" in shown
    assert "(Pdb) 10\n" in shown
    assert "NameError" not in shown


def test_a_program_gives_the_same_result_while_it_is_stepped(machine: VirtualMachine) -> None:
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("step\n" * 2000), stdout=out, nosigint=True, readrc=False)
    debugger.use_rawinput = False
    try:
        assert debugger.runcall(machine.execute, "main", 5) == 1
    finally:
        sys.settrace(None)
    assert out.getvalue().count("-> 5  ADD r1, r1, r2\n") == 5


def test_cprofile_attributes_time_to_vm_functions(machine: VirtualMachine) -> None:
    profile = cProfile.Profile()
    assert profile.runcall(machine.execute, "main", 200_000) == 1
    statistics: Any = pstats.Stats(profile)
    own = {key[2]: row[2] for key, row in statistics.stats.items() if key[0].startswith("<stoffel:")}
    calls = {key[2]: row[0] for key, row in statistics.stats.items() if key[0].startswith("<stoffel:")}
    assert calls == {"main": 1, "ratio": 1, "sum": 1}
    assert max(own, key=lambda name: own[name]) == "sum"
    slowest = max(statistics.stats.items(), key=lambda item: item[1][2])[0]
    assert slowest[2] == "sum"


def test_tracing_functions_get_line_events_of_compiled_code(machine: VirtualMachine) -> None:
    seen: list[tuple[str, str]] = []

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith("<stoffel:"):
            return None
        if event == "line":
            text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            seen.append((frame.f_code.co_name, text.split("  ")[-1].strip()))
        return trace

    sys.settrace(trace)
    try:
        assert machine.execute("main", 5) == 1
    finally:
        sys.settrace(None)
    assert seen.count(("sum", "ADD r1, r1, r2")) == 5
    assert seen.count(("sum", "RET r1")) == 1
    assert ("ratio", "DIV r0, r0, r1") in seen


def test_lines_that_are_not_executed_are_not_covered(machine: VirtualMachine) -> None:
    code = codes(machine)["sum"]
    executed: set[int] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code is code and event == "line":
            executed.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        machine.execute("main", 0)
    finally:
        sys.settrace(None)
    covered = {linecache.getline(code.co_filename, number).split("  ")[-1].strip() for number in executed}
    assert "RET r1" in covered
    assert "ADD r1, r1, r2" not in covered


ELEMENTS = """
function main(array, length)
    MOV r2, r0
    LDI r3, 0
    LDI r4, 0
    LDI r5, 1
again:
    PUSHARG r2
    PUSHARG r3
    CALL get_field
    ADD r4, r4, r0
    ADD r3, r3, r5
    CMP r3, r1
    JMPLT again
    RET r4
end
"""


def test_what_a_tracing_function_raises_anywhere_is_never_taken_for_an_access_that_failed() -> None:
    machine = loaded(VirtualMachine(jit="always"), ELEMENTS)
    array = machine.create_array([5, 6])
    assert machine.execute("main", array, 2) == 11
    units = machine.state.tier.units.by_code
    passed = 0

    def run(last: int) -> int:
        """Run with a tracing function that raises before CPython instruction number *last* of compiled code."""
        nonlocal passed
        passed = 0

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            return count if frame.f_code in units else None

        def count(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal passed
            frame.f_trace_opcodes = True
            if event == "opcode":
                passed += 1
                if passed == last:
                    raise LookupError("from outside")
            return count

        before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # from 3.12 on, settrace looks whether any frame asks for them
        sys.settrace(trace)
        try:
            return machine.execute("main", array, 2)
        finally:
            sys.settrace(before)

    assert run(0) == 11
    instructions = passed
    assert instructions > 20
    for last in range(1, instructions + 1):
        with pytest.raises(LookupError, match="from outside"):
            run(last)


def test_a_sampler_sees_the_vm_function_that_runs(machine: VirtualMachine) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            machine.execute("main", 20_000)

    thread = threading.Thread(target=work)
    thread.start()
    names: set[str] = set()
    ends = time.monotonic() + 60
    try:
        while "sum" not in names and time.monotonic() < ends:
            frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
            while frame is not None:
                if frame.f_code.co_filename.startswith("<stoffel:"):
                    names.add(frame.f_code.co_name)
                frame = frame.f_back
            del frame
            time.sleep(0.001)
    finally:
        stop.set()
        thread.join()
    assert {"main", "ratio", "sum"} <= names


def test_errors_of_the_interpreter_have_no_frames_of_compiled_code() -> None:
    machine = loaded(VirtualMachine(jit="off"), PROGRAM)
    with pytest.raises(VMError) as caught:
        machine.execute("main", 3)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames if frame.filename.startswith("<stoffel:")] == []
