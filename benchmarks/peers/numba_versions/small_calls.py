"""Many calls of tiny functions with several arguments."""

from __future__ import annotations

from numba import njit


@njit
def add3(a, b, c):
    return a + b + c


@njit
def wrap(x, m):
    if x >= m:
        return x - m
    return x


@njit
def pick(flag, a, b):
    if flag:
        return a
    return b


@njit
def bench(n):
    acc = 0
    for i in range(n):
        acc = wrap(add3(acc, i, 7) % 2000003, 1000003)
        acc = pick(acc % 2 == 0, acc + 1, acc)
    return acc
