"""The generated programs reach everything that the compiled tier does; what is not reached is not tested."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from stoffel import VirtualMachine, VMError
from stoffel.compiler.analysis import calls
from stoffel.compiler.analysis.ir import ARGUMENT, AROUND, PLACE, UPVALUE
from stoffel.compiler.emission import selection
from stoffel.compiler.emission.deopt_points import LOOP, TAKEN
from stoffel.compiler.emission.global_names import CLOSURE_LOCAL, STRETCH
from stoffel.compiler.emission.unit_emitter import UnitEmitter
from stoffel.isa.function import Function
from stoffel.isa.instruction import Instruction
from stoffel.isa.program import Program
from stoffel.isa.table import ROWS, OperandKind
from stoffel.jit import suspension
from stoffel.jit.code_tier import CompiledTier
from stoffel.jit.deoptimisation import REASONS
from stoffel.jit.exits import Exits
from stoffel.model.code import Code
from stoffel.runtime.frames import Captures

from .generators import make_case
from .oracle import run, way_for

PROGRAMS = 6000
"""Most programs that are run, the first of those in ``test_differential.py``; no more once everything is reached."""
REFUSALS = (
    "argument stack has no static shape at instruction",
    "the function has no instructions",
    "registers, more than the",
    "is executed by the interpreter only",
    "calls are nested too deeply to be analysed",
)
"""Part of every sentence by which a function is left to the interpreter."""
SOURCES = {
    ARGUMENT: "an argument",
    PLACE: "an argument of an inlined call",
    UPVALUE: "an upvalue",
    AROUND: "the records around",
}
"""Where a plain call has its upvalues from."""
FOUND = ("a compiled frame", "a record of the interpreter", "nowhere")
CAPTURING = ("entered by the interpreter", "taken over in mid-loop", "left")
"""What compiled code does with plain calls of functions that declare upvalues, besides calling them."""


class Reach:
    """What a run over many programs has come by."""

    def __init__(self) -> None:
        self.forms: Counter[str] = Counter()
        self.in_loops: Counter[str] = Counter()
        self.opened_in_loops: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.guesses_failed_in_loops = 0
        self.entries_in_mid_run = 0
        self.toggled_in_compiled_code = 0
        self.left_in_passing = 0
        self.left_between_stretches = 0
        self.captured: Counter[int] = Counter()
        self.found_around: Counter[str] = Counter()
        self.calls_that_captured: Counter[str] = Counter()

    def missing(self) -> dict[str, set[str]]:
        """Return what has not been reached yet, by subject."""
        once = {
            "a guess failed in a loop": self.guesses_failed_in_loops,
            "an entry in mid-loop": self.entries_in_mid_run,
            "hooks switched on in compiled code": self.toggled_in_compiled_code,
            "left by a poll in passing": self.left_in_passing,
            "left between two stretches of a loop": self.left_between_stretches,
        }
        return {
            "instructions in loops": {row.name for row in ROWS} - self.in_loops.keys(),
            "builtins opened in loops": calls._EXPANSIONS.keys() - self.opened_in_loops.keys(),
            "forms": selection.FORMS.keys() - self.forms.keys(),
            "reasons": set(REASONS.values()) - self.reasons.keys(),
            "refusals": set(REFUSALS) - self.refusals.keys(),
            "sources of what plain calls capture": {SOURCES[sort] for sort in SOURCES.keys() - self.captured.keys()},
            "records in which captured variables are found": {*FOUND} - self.found_around.keys(),
            "what becomes of plain calls that have captured": {*CAPTURING} - (+self.calls_that_captured).keys(),
            "events": {name for name, count in once.items() if not count},
        }

    def inspect(self, machine: VirtualMachine) -> None:
        statistics = machine.jit_statistics()
        for counters in statistics["functions"].values():
            if counters["refusal"] is not None:
                self.refusals.update(part for part in REFUSALS if part in counters["refusal"])
        tier = machine.state.tier
        if not isinstance(tier, CompiledTier):
            return  # nothing became hot
        self.entries_in_mid_run += sum(unit.entry > 0 for unit in tier.units.by_code.values())


def loops_of(code: Code) -> list[range]:
    """Return the stretches of instructions from the target of a jump backwards to the jump."""
    found = []
    for index, instruction in enumerate(code.instructions()):
        position = instruction.op.position(OperandKind.LABEL)
        if position is not None:
            target = code.function.labels[instruction.operands[position]]
            if target <= index:
                found.append(range(target, index + 1))
    return found


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    found = Reach()
    with pytest.MonkeyPatch.context() as patch:
        for name, form in selection.FORMS.items():
            patch.setitem(selection.FORMS, name, _counting(found.forms, name, form))
        for name, opener in calls._EXPANSIONS.items():
            patch.setitem(calls.EXPANSIONS, name, _opening(found.opened_in_loops, name, opener))
        block, missed, left = UnitEmitter._block, Exits._missed, Exits._drop
        entered = CompiledTier._run

        def emit_block(self, typed, following):  # type: ignore[no-untyped-def]
            loops = loops_of(self.code)
            for index in {*typed.block.body, typed.block.branch_at}:
                if index < len(self.splice.instructions) and any(index in loop for loop in loops):
                    found.in_loops[self.splice.instructions[index].name] += 1
            for node in typed.nodes:
                if node.form == "capturing_call":
                    found.captured.update(capture.sort for capture in node.detail[2])
            block(self, typed, following)

        def miss(self, unit, line, *others):  # type: ignore[no-untyped-def]
            found.guesses_failed_in_loops += any(line.index in loop for loop in loops_of(unit.function))
            missed(self, unit, line, *others)

        def drop(self, frame, unit, line, way, sort=None):  # type: ignore[no-untyped-def]
            reason = REASONS[way if sort is None else sort]
            found.reasons[reason] += 1
            found.calls_that_captured["left"] += type(frame.f_locals.get(CLOSURE_LOCAL)) is Captures
            found.left_in_passing += way == LOOP
            at_a_loop = reason == REASONS[TAKEN] and way != LOOP
            found.left_between_stretches += at_a_loop and STRETCH in unit.code.co_names
            forced = self.attention.every > 0 and not self.state.attention
            found.toggled_in_compiled_code += self.state.hooks.active and not forced
            left(self, frame, unit, line, way, sort)

        def enter(self, unit, function, room, arguments):  # type: ignore[no-untyped-def]
            if any(type(argument) is Captures for argument in arguments):
                found.calls_that_captured[CAPTURING[unit.entry > 0]] += 1
            return entered(self, unit, function, room, arguments)

        patch.setattr(suspension, "variable_at", _finding(found.found_around, suspension.variable_at, FOUND[0], ""))
        patch.setattr(suspension, "find_in", _finding(found.found_around, suspension.find_in, FOUND[1], FOUND[2]))
        patch.setattr(CompiledTier, "_run", enter)
        patch.setattr(UnitEmitter, "_block", emit_block)
        patch.setattr(Exits, "_missed", miss)
        patch.setattr(Exits, "_drop", drop)
        _meet_near_the_recursion_limit(found)
        for seed in range(PROGRAMS):
            run(make_case(random.Random(seed)), way_for(seed), inspect=found.inspect)
            if not any(found.missing().values()):
                break
        yield found


def _meet_near_the_recursion_limit(found: Reach) -> None:
    """Have functions compiled where the host's stack is too short for it but not for running them."""
    program = Program([Function("main", [Instruction("ADD", 0, 0, 0), Instruction("RET", 0)], parameters=["p0"])])
    refused = "calls are nested too deeply to be analysed"
    for spare in range(10, 120):
        machine = VirtualMachine(jit="always")
        machine.load(program)
        depth = sys.getrecursionlimit() - _depth() - spare
        try:
            assert _deeper(depth, lambda machine=machine: machine.execute("main", 4)) == 8
        except (RecursionError, VMError):
            continue
        found.inspect(machine)
        if refused in found.refusals:
            return


def _depth() -> int:
    depth, frame = 0, sys._getframe(1)
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    return depth


def _deeper(depth: int, call: Callable[[], object]) -> object:
    return call() if depth <= 0 else _deeper(depth - 1, call)


def _counting(counter, name, form):  # type: ignore[no-untyped-def]
    def counted(*arguments):  # type: ignore[no-untyped-def]
        counter[name] += 1
        form(*arguments)

    return counted


def _finding(counter, find, name, otherwise):  # type: ignore[no-untyped-def]
    def finds(*arguments):  # type: ignore[no-untyped-def]
        result = find(*arguments)
        counter.update([name] if result[0] else [otherwise])
        return result

    return finds


def _opening(counter, name, opener):  # type: ignore[no-untyped-def]
    def opens(inference, index, arguments, facts):  # type: ignore[no-untyped-def]
        node = opener(inference, index, arguments, facts)
        if node is not None and node.form != "leave" and any(index in loop for loop in loops_of(inference.code)):
            counter[name] += 1
        return node

    return opens


def test_every_instruction_is_compiled_inside_a_loop(reach: Reach) -> None:
    assert reach.missing()["instructions in loops"] == set()


def test_every_builtin_that_is_opened_is_opened_inside_a_loop(reach: Reach) -> None:
    assert reach.missing()["builtins opened in loops"] == set()


def test_every_form_of_node_is_written(reach: Reach) -> None:
    assert reach.missing()["forms"] == set()


def test_compiled_code_is_left_for_every_reason(reach: Reach) -> None:
    assert reach.missing()["reasons"] == set()


def test_functions_are_refused_by_every_sentence(reach: Reach) -> None:
    assert reach.missing()["refusals"] == set()


def test_plain_calls_capture_from_everywhere_and_what_they_call_is_entered_taken_over_and_left(reach: Reach) -> None:
    missing = reach.missing()
    assert missing["sources of what plain calls capture"] == set()
    assert missing["records in which captured variables are found"] == set()
    assert missing["what becomes of plain calls that have captured"] == set()


def test_records_are_taken_over_guesses_fail_and_hooks_are_switched_on_in_mid_loop(reach: Reach) -> None:
    assert reach.missing()["events"] == set()
