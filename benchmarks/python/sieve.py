"""Sieve of Eratosthenes on a list of bool."""

from __future__ import annotations


def bench(n: int) -> int:
    flags = [True] * (n + 1)
    count = 0
    for p in range(2, n + 1):
        if flags[p]:
            count += 1
            for m in range(p * p, n + 1, p):
                flags[m] = False
    return count


def main() -> int:
    return bench(300000)
