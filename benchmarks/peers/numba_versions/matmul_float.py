"""Matrix product on lists of lists of float."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def build(n, seed):
    out = np.empty((n, n), dtype=np.float64)
    x = seed
    for i in range(n):
        for j in range(n):
            x = x * 3.9 * (1.0 - x)
            out[i, j] = x
    return out


@njit
def bench(n):
    a = build(n, 0.25)
    b = build(n, 0.75)
    check = 0.0
    for i in range(n):
        for j in range(n):
            s = 0.0
            for k in range(n):
                s += a[i, k] * b[k, j]
            check = check * 0.5 + s
    return check
