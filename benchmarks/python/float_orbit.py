"""Logistic map: a float orbit of which each step depends on the last."""

from __future__ import annotations


def bench(n: int) -> float:
    x = 0.3
    total = 0.0
    for _ in range(n):
        x = 3.9 * x * (1.0 - x)
        total += x
    return total


def main() -> float:
    return bench(700000)
