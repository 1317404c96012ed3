"""The units of a machine: what translating leaves as it was."""

from __future__ import annotations

import gc
import weakref

import pytest

from stoffel import VirtualMachine
from tests.machines import SUM_BY_CALL, loaded


@pytest.mark.parametrize("enabled", [True, False])
def test_translating_leaves_the_collector_of_garbage_as_it_was(enabled: bool) -> None:
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        assert loaded(VirtualMachine(jit="always"), SUM_BY_CALL).execute("main", 5) == 10
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_garbage_of_the_host_is_still_found_however_much_is_translated() -> None:
    """Objects that are made old before their time stay for long after they have become garbage."""

    class Cycle:
        def __init__(self) -> None:
            self.own = self

    gc.collect()
    cycle = weakref.ref(Cycle())
    assert loaded(VirtualMachine(jit="always"), SUM_BY_CALL).execute("main", 5) == 10
    gc.collect(0)
    gc.collect(1)
    assert cycle() is None
