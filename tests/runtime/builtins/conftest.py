from __future__ import annotations

import pytest

from tests.runtime.builtins.library import Library


@pytest.fixture
def library():
    return Library()
