"""A counter closure called in a loop; its captured state is written back."""

from __future__ import annotations

from collections.abc import Callable


def make(count: int) -> Callable[[int], int]:
    def bump(by: int) -> int:
        nonlocal count
        count = count + by
        return count

    return bump


def bench(n: int) -> int:
    bump = make(1)
    last = 0
    for i in range(n):
        last = bump(i % 3)
    return last


def main() -> int:
    return bench(350000)
