"""Sieve of Eratosthenes on a list of bool."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def bench(n):
    flags = np.ones(n + 1, dtype=np.bool_)
    count = 0
    for p in range(2, n + 1):
        if flags[p]:
            count += 1
            for m in range(p * p, n + 1, p):
                flags[m] = False
    return count
