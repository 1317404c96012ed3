"""Memory of arrays in kernels: what is in one stays there when it grows."""

from __future__ import annotations

import pytest

from tests.compiler.kernels.programs import alike, counting


@pytest.mark.parametrize("make", ["r9 = create_array()", "LDI r5, 3\nr9 = array_repeat(r10, r5)"])
def test_an_array_that_grows_many_times_keeps_its_elements(make: str) -> None:
    setup = f"r10 = create_array()\nLDI r6, 3\n_ = array_push(r10, r6)\n{make}"
    (kernel,) = alike(counting(setup, "MUL r5, r1, r1\n_ = array_push(r9, r5)", rounds=300))
    assert kernel["left"] == 0
