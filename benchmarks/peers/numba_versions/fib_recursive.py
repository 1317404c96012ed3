"""Recursive Fibonacci: call and return cost."""

from __future__ import annotations

from numba import int64, njit


@njit(int64(int64))
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


@njit
def bench(n):
    return fib(n)
