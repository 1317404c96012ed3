"""A dictionary with computed string keys."""

from __future__ import annotations


def bench(n: int) -> int:
    table: dict[str, int] = {}
    hits = 0
    x = 1
    for _ in range(n):
        x = (x * 16807) % 2147483647
        key = "k" + str(x % 5000)
        if key in table:
            table[key] += 1
            hits += 1
        else:
            table[key] = 1
    return hits * 100 + table["k" + str(x % 5000)]


def main() -> int:
    return bench(300000)
