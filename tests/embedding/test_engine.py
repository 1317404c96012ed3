"""The engine: which tier a machine gets for each mode."""

from __future__ import annotations

from typing import Any

import pytest

from stoffel import VirtualMachine
from stoffel.embedding.engine import MODES, Engine, mode_named
from tests.machines import SUM, loaded


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_result(mode: Any) -> None:
    machine = loaded(VirtualMachine(jit=mode, cache="off"), SUM)
    assert (machine.execute("sum", 5000), machine.jit) == (sum(range(5000)), mode)


def test_a_mode_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="jit must be one of off, auto, always, no-kernels, kernels, not 'fast'"):
        mode_named("fast")
    with pytest.raises(ValueError, match="not 'fast'"):
        Engine("fast")


def test_statistics_of_a_machine_that_compiles_nothing_are_its_mode() -> None:
    assert VirtualMachine().jit_statistics()["mode"] == "off"


def test_modes_that_compile_at_once_do_so_at_the_first_call() -> None:
    machine = loaded(VirtualMachine(jit="always", cache="off"), SUM)
    machine.execute("sum", 3)
    assert machine.jit_statistics()["functions"]["sum"]["units"] == 1
    waiting = loaded(VirtualMachine(jit="auto", cache="off"), SUM)
    waiting.execute("sum", 3)
    assert waiting.jit_statistics()["functions"] == {}


def test_an_engine_is_cloned_with_its_settings() -> None:
    other = Engine("always", "somewhere").clone()
    assert (other.mode, other.cache) == ("always", "somewhere")


@pytest.mark.parametrize(("mode", "learns"), [("off", False), ("auto", True), ("always", True), ("kernels", False)])
def test_modes_that_wait_learn_from_runs(mode: Any, learns: bool) -> None:
    assert MODES[mode].learns is learns
