"""How long recursion will go on: what is said of it on the way, and what it came to."""

from __future__ import annotations

from statistics import median

import pytest

from stoffel import VirtualMachine
from stoffel.jit.policy import warmup
from stoffel.jit.policy.recursion_forecast import Recursion
from stoffel.jit.policy.warmup import LOOKS, WarmUp
from tests.machines import loaded

FIBONACCI = """
function main(n)
    LDI r1, 2
    CMP r0, r1
    JMPLT small
    MOV r3, r0
    LDI r2, 1
    SUB r0, r3, r2
    PUSHARG r0
    CALL main
    MOV r4, r0
    SUB r0, r3, r1
    PUSHARG r0
    CALL main
    ADD r0, r0, r4
small:
    RET r0
end
"""
HANOI = """
function main(n)
    LDI r1, 0
    CMP r0, r1
    JMPEQ none
    LDI r2, 1
    SUB r3, r0, r2
    PUSHARG r3
    CALL main
    MOV r4, r0
    PUSHARG r3
    CALL main
    ADD r0, r0, r4
    ADD r0, r0, r2
none:
    RET r0
end
"""
LIST = """
function main(n)
    LDI r1, 0
    CMP r0, r1
    JMPEQ none
    LDI r2, 1
    SUB r3, r0, r2
    PUSHARG r3
    CALL main
    PUSHARG r1
    CALL main
    ADD r0, r0, r3
none:
    RET r0
end
"""
"""The second call is over at once."""
ONCE = LIST.replace("    PUSHARG r1\n    CALL main\n", "")


def watched(monkeypatch: pytest.MonkeyPatch, text: str, n: int, step: int = 1000) -> tuple[list[tuple[int, int]], int]:
    """Return the heat at each look, and how much more was expected then; and the heat in the end."""
    monkeypatch.setattr(warmup, "HEAT_OF_LOADING", 1 << 40)
    monkeypatch.setattr(warmup, "LOOKS", (1 << 40) // step)
    said = []
    look = Recursion.look

    def noted(self: Recursion, heat: int, records: object) -> object:
        found = look(self, heat, records)  # type: ignore[arg-type]
        said.append((heat, found[1]))
        return found

    monkeypatch.setattr(Recursion, "look", noted)
    machine = loaded(VirtualMachine(jit="no-kernels"), text)
    machine.execute("main", n)
    assert isinstance(machine.state.tier, WarmUp)
    return said, machine.state.tier._heat


@pytest.mark.parametrize(("text", "n"), [(FIBONACCI, 19), (HANOI, 13)])
def test_the_size_of_a_tree_is_known_early_and_roughly(text: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said, end = watched(monkeypatch, text, n)
    assert end > 100_000
    early = [(heat + more) / end for heat, more in said if heat < end // 3 and more]
    assert len(early) > len(said) // 6
    assert 1 / 4 < median(early) < 4
    # Near the end nothing much is expected.
    assert said[-1][1] < end // 10


@pytest.mark.parametrize(("text", "n"), [(LIST, 3000), (ONCE, 3000)])
def test_a_list_is_not_taken_for_a_tree(text: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said, end = watched(monkeypatch, text, n, 500)
    assert len(said) > 10
    assert max(more for _, more in said) < end


def test_recursion_that_goes_on_has_the_translator_loaded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heats = []
    load = WarmUp.load
    monkeypatch.setattr(WarmUp, "load", lambda self: heats.append((self._heat, self._limit)) or load(self))
    machine = loaded(VirtualMachine(jit="no-kernels"), FIBONACCI)
    assert machine.execute("main", 22) == 17711
    ((heat, limit),) = heats
    assert heat < 6 * limit // LOOKS
