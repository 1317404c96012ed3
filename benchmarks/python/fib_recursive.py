"""Recursive Fibonacci: call and return cost."""

from __future__ import annotations


def fib(n: int) -> int:
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def bench(n: int) -> int:
    return fib(n)


def main() -> int:
    return bench(28)
