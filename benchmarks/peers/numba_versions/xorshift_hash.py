"""xorshift generator and multiplicative mixing in 64-bit unsigned integers."""

from __future__ import annotations

from numba import njit, uint64


@njit
def bench(n):
    x = uint64(88172645463325252)
    h = uint64(0)
    for _ in range(n):
        x ^= x << uint64(13)
        x ^= x >> uint64(7)
        x ^= x << uint64(17)
        h ^= (x >> uint64(32)) * uint64(2654435761)
        h = (h << uint64(5)) | (h >> uint64(59))
    return h
