"""What holds for the whole suite: nothing is timed, and every code object that the translator makes is verified."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from stoffel.compiler.checker import check_unit
from stoffel.compiler.safepoints import Unit
from stoffel.runtime.units import Units

# A busy machine must not fail a test: no example is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def refuse_unsafe(unit: Unit) -> None:
    """Fail the test in which an unsafe code object was made, instead of running it."""
    faults = check_unit(unit)
    if faults:
        pytest.fail(f"unsafe code object for {unit.function.name}: {'; '.join(faults[:5])}")


@pytest.fixture(autouse=True, scope="session")
def _every_unit_is_checked() -> None:
    Units.inspect = staticmethod(refuse_unsafe)
