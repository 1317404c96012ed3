"""Longest Collatz chain below n."""

from __future__ import annotations


def bench(n: int) -> int:
    best = 0
    start = 1
    for i in range(1, n):
        x = i
        steps = 0
        while x > 1:
            if x % 2 == 0:
                x //= 2
            else:
                x = 3 * x + 1
            steps += 1
        if steps > best:
            best = steps
            start = i
    return best * 1000000 + start


def main() -> int:
    return bench(8000)
