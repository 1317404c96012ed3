"""Edit distance of two pseudo-random sequences: a dynamic-programming table of nested lists."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def sequence(n, seed):
    out = np.empty(n, dtype=np.int64)
    x = seed
    for i in range(n):
        x = (x * 16807) % 2147483647
        out[i] = x % 4
    return out


@njit
def bench(n):
    a = sequence(n, 1)
    b = sequence(n, 2)
    table = np.empty((n + 1, n + 1), dtype=np.int64)
    for i in range(n + 1):
        for j in range(n + 1):
            table[i, j] = i + j
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            best = table[i - 1, j] + 1
            left = table[i, j - 1] + 1
            if left < best:
                best = left
            diagonal = table[i - 1, j - 1]
            if a[i - 1] != b[j - 1]:
                diagonal += 1
            if diagonal < best:
                best = diagonal
            table[i, j] = best
    return table[n, n]
