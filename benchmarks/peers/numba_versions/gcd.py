"""Greatest common divisors by Euclid's algorithm in a function of its own."""

from __future__ import annotations

from numba import njit


@njit
def gcd(a, b):
    while b > 0:
        a, b = b, a % b
    return a


@njit
def bench(n):
    total = 0
    for i in range(1, n + 1):
        total += gcd(i * 7919 % 1000003, i * 104729 % 999983)
    return total
