"""The units of a machine: what translating leaves as it was."""

from __future__ import annotations

import gc

import pytest

from stoffel import VirtualMachine
from tests.machines import SUM_BY_CALL, loaded


@pytest.mark.parametrize("enabled", [True, False])
def test_translating_leaves_the_collector_of_garbage_as_it_was(enabled: bool) -> None:
    was, frozen = gc.isenabled(), gc.get_freeze_count()
    (gc.enable if enabled else gc.disable)()
    try:
        assert loaded(VirtualMachine(jit="always"), SUM_BY_CALL).execute("main", 5) == 10
        assert (gc.isenabled(), gc.get_freeze_count()) == (enabled, frozen)
    finally:
        (gc.enable if was else gc.disable)()


def test_what_the_host_has_frozen_stays_frozen() -> None:
    kept = [[number] for number in range(100)]
    gc.freeze()
    try:
        assert loaded(VirtualMachine(jit="always"), SUM_BY_CALL).execute("main", 5) == 10
        assert gc.get_freeze_count() >= len(kept)
    finally:
        gc.unfreeze()
