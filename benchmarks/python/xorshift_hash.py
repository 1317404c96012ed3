"""xorshift generator and multiplicative mixing in 64-bit unsigned integers."""

from __future__ import annotations

MASK = (1 << 64) - 1


def bench(n: int) -> int:
    x = 88172645463325252
    h = 0
    for _ in range(n):
        x ^= (x << 13) & MASK
        x ^= x >> 7
        x ^= (x << 17) & MASK
        h ^= (x >> 32) * 2654435761
        h = ((h << 5) & MASK) | (h >> 59)
    return h


def main() -> int:
    return bench(700000)
