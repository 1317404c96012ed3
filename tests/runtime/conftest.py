"""The machine in every way of running, for tests of behaviour that must not depend on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stoffel import VirtualMachine
from tests.machines import loaded
from tests.ways import WAYS

Make = Callable[..., VirtualMachine]


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def machine(request: pytest.FixtureRequest) -> Make:
    """Return a function that makes a machine, with the functions of an assembly text if one is given."""

    def make(text: str = "", **options: Any) -> VirtualMachine:
        return loaded(request.param.machine(**options), text)

    return make
