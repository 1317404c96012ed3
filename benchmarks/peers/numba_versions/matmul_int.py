"""Matrix product on lists of lists of int."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def build(n, seed):
    out = np.empty((n, n), dtype=np.int64)
    x = seed
    for i in range(n):
        for j in range(n):
            x = (x * 137 + 29) % 1009
            out[i, j] = x
    return out


@njit
def bench(n):
    a = build(n, 1)
    b = build(n, 2)
    check = 0
    for i in range(n):
        for j in range(n):
            s = 0
            for k in range(n):
                s += a[i, k] * b[k, j]
            check = (check * 3 + s) % 1000000007
    return check
