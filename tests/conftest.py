"""What holds for the whole suite: nothing is timed, and every code object that the translator makes is verified."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from stoffel import VirtualMachine
from stoffel.compiler.cpython.verifier import check_unit
from stoffel.compiler.emission.deopt_points import Unit
from stoffel.compiler.flow import inlining
from stoffel.jit import mishaps, unit_globals
from stoffel.jit.policy import thresholds
from stoffel.jit.translating import Translator
from tests.machines import Make, loaded
from tests.ways import WAYS

# A suite that was started in the background by a shell without job control ignores Ctrl-C, and so would the processes
# that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Kernels are kept in a directory of this run, which its processes share: the user's own cache stays as it is. Set here
# and not by a fixture, because the programs that are started while tests are collected are to have it too.
CACHE = "STOFFEL_CACHE_DIR"
_made_here = "PYTEST_XDIST_WORKER" not in os.environ
if _made_here:
    os.environ[CACHE] = tempfile.mkdtemp(prefix="stoffel-kernels-")


def pytest_unconfigure() -> None:
    if _made_here:
        shutil.rmtree(Path(os.environ[CACHE]), ignore_errors=True)


# A busy machine must not fail a test: no example is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


# No test depends on how long something takes: kernels are made where a mode makes them at once, or a test samples.
thresholds.TICKS = ()

# Loops of a few rounds are to be counted in several stretches.
unit_globals.STRETCH = 5

# What goes wrong in the compilers fails the test.
mishaps.forgiven = False


def refuse_unsafe(unit: Unit) -> None:
    """Fail the test in which an unsafe code object was made, instead of running it."""
    faults = check_unit(unit)
    if faults:
        pytest.fail(f"unsafe code object for {unit.function.name}: {'; '.join(faults[:5])}")


@pytest.fixture(autouse=True, scope="session")
def _every_unit_is_checked() -> None:
    Translator.inspect = staticmethod(refuse_unsafe)


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def machine(request: pytest.FixtureRequest) -> Make:
    """Return a function that makes a machine, with the functions of an assembly text if one is given."""

    def make(text: str = "", **options: Any) -> VirtualMachine:
        return loaded(request.param.machine(**options), text)

    return make


@pytest.fixture
def nothing_inlined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call be one, however small the function is."""
    monkeypatch.setattr(inlining, "MOST", 0)
