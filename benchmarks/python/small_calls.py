"""Many calls of tiny functions with several arguments."""

from __future__ import annotations


def add3(a: int, b: int, c: int) -> int:
    return a + b + c


def wrap(x: int, m: int) -> int:
    if x >= m:
        return x - m
    return x


def pick(flag: bool, a: int, b: int) -> int:
    if flag:
        return a
    return b


def bench(n: int) -> int:
    acc = 0
    for i in range(n):
        acc = wrap(add3(acc, i, 7) % 2000003, 1000003)
        acc = pick(acc % 2 == 0, acc + 1, acc)
    return acc


def main() -> int:
    return bench(250000)
