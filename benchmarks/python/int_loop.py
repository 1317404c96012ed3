"""Integer loop with arithmetic and branches."""

from __future__ import annotations


def bench(n: int) -> int:
    acc = 1
    for i in range(n):
        acc = (acc * 31 + i) % 1000003
        if acc % 7 == 3:
            acc += 5
    return acc


def main() -> int:
    return bench(1000000)
