"""Generated numeric programs run alike in the interpreter and in kernels; and they do reach kernels, shown by count.

Making machine code takes most of the time. A program that runs in several ways finds its kernels on disk.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.compiler.kernels.analysis.inference import Family
from stoffel.compiler.kernels.analysis.types import type_of_code
from stoffel.compiler.kernels.codegen import builtins, operations
from stoffel.compiler.kernels.codegen.lowering import _ACTIONS
from stoffel.compiler.refusal import Refusal
from stoffel.model import elements
from tests.compiler.generators.numeric import make_numeric_case
from tests.compiler.generators.numeric_closures import make_closure_case
from tests.compiler.minimising import minimised
from tests.compiler.oracle import KERNELS, KERNELS_LEFT, compare, run

PROGRAMS = int(os.environ.get("STOFFEL_KERNEL_PROGRAMS", "240"))
"""Programs of the ordinary run."""
REDUCE = os.environ.get("STOFFEL_REDUCE", "1") != "0"
PARTS = 16
EXAMINED = 80
"""Programs that are counted."""
EXAMINED_WITH_CLOSURES = 20
"""The same of programs with closures."""


@pytest.mark.parametrize("part", range(PARTS))
def test_generated_numeric_programs_run_alike_in_kernels(part: int) -> None:
    for seed in range(PROGRAMS * part // PARTS, PROGRAMS * (part + 1) // PARTS):
        forced = [KERNELS_LEFT[seed // 3 % len(KERNELS_LEFT)]] if seed % 3 == 0 else []
        difference = compare(make_numeric_case(random.Random(seed)), [KERNELS, *forced])
        if difference is not None:
            pytest.fail(f"seed {seed}\n{(minimised(difference) if REDUCE else difference).report()}")


@pytest.mark.parametrize("part", range(PARTS // 4))
def test_generated_programs_with_closures_run_alike_in_kernels(part: int) -> None:
    for seed in range(PROGRAMS * part // PARTS, PROGRAMS * (part + 1) // PARTS):
        forced = [KERNELS_LEFT[seed // 2 % len(KERNELS_LEFT)]] if seed % 2 == 0 else []
        difference = compare(make_closure_case(random.Random(seed)), [KERNELS, *forced])
        if difference is not None:
            pytest.fail(f"seed {seed}\n{(minimised(difference) if REDUCE else difference).report()}")


class Reach:
    """What the programs reached."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.forms: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.builtins: Counter[str] = Counter()
        self.types: Counter[str] = Counter()

    def inspect(self, machine: VirtualMachine) -> None:
        tier: Any = machine.state.tier
        for name, counters in machine.jit_statistics()["functions"].items():
            for kernel in counters["kernels"]:
                self.events["entries"] += kernel["runs"]
                self.events["left"] += kernel["left"]
                self.events["mismatches"] += kernel["mismatches"]
                self.events["returned"] += kernel["runs"] - kernel["left"]
                self.events["entered in mid-function"] += bool(kernel["entry"]) and kernel["runs"] > 0
                self.types.update(kernel["types"])
                if kernel["runs"]:
                    self._look_at(tier.units, machine.state.functions[name], kernel)

    def _look_at(self, units: Any, code: Any, kernel: dict[str, Any]) -> None:
        family = Family(units.environment, units.environment.instructions_of)
        # A function that the run has given up since is one that this analysis refuses.
        with contextlib.suppress(Refusal):
            family.analyse(code, kernel["entry"], [type_of_code(item) for item in kernel["types"]])
        for instance in family.instances:
            for typed in instance.blocks.values():
                for action in typed.actions:
                    self.forms[action.form] += 1
                    if action.form == "operation":
                        self.operations[action.detail] += 1
                    elif action.form == "builtin":
                        self.builtins[action.detail] += 1
                    elif action.form == "compare":
                        self.operations["CMP"] += 1


def _counted(events: Counter[str], name: str, plain: Any) -> Any:
    def counted(*arguments: Any) -> Any:
        events[name] += 1
        return plain(*arguments)

    return counted


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    found = Reach()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace_buffer", "typed"):
            patch.setattr(elements, name, _counted(found.events, name, getattr(elements, name)))
        for seed in range(EXAMINED):
            run(make_numeric_case(random.Random(seed)), KERNELS, inspect=found.inspect)
        for seed in range(EXAMINED_WITH_CLOSURES):
            run(make_closure_case(random.Random(seed)), KERNELS, inspect=found.inspect)
        yield found


def test_programs_enter_kernels_and_leave_them_and_return_from_them(reach: Reach) -> None:
    wanted = {"entries": 80, "left": 60, "returned": 5, "entered in mid-function": 20, "mismatches": 1}
    assert {event for event, count in wanted.items() if reach.events[event] < count} == set(), reach.events


def test_kernels_make_arrays_and_let_arrays_grow(reach: Reach) -> None:
    wanted = {"typed": 20, "replace_buffer": 20}
    assert {event for event, count in wanted.items() if reach.events[event] < count} == set(), reach.events


def test_kernels_have_every_operation_and_every_form_of_action(reach: Reach) -> None:
    written = {name for name, row in operations.OPERATIONS.items() if row.lower is not None}
    assert (written - reach.operations.keys(), _ACTIONS.keys() - reach.forms - {"nothing"}) == (
        set(),
        set(),
    )


def test_kernels_have_every_builtin_of_theirs(reach: Reach) -> None:
    assert builtins.LOWERINGS.keys() - reach.builtins.keys() == set()


def test_kernels_are_entered_with_nested_arrays_and_arrays_of_every_bank(reach: Reach) -> None:
    assert {"[int64", "[float", "[boolean", "[[int64", "opaque", "float", "boolean"} - reach.types.keys() == set()


def test_kernels_are_entered_with_closures(reach: Reach) -> None:
    assert sum(count for kind, count in reach.types.items() if kind.startswith("(")) >= 5, reach.types
