"""Matrix product on lists of lists of int."""

from __future__ import annotations


def build(n: int, seed: int) -> list[list[int]]:
    out = []
    x = seed
    for _ in range(n):
        row = []
        for _ in range(n):
            x = (x * 137 + 29) % 1009
            row.append(x)
        out.append(row)
    return out


def bench(n: int) -> int:
    a = build(n, 1)
    b = build(n, 2)
    check = 0
    for i in range(n):
        row = a[i]
        for j in range(n):
            s = 0
            for k in range(n):
                s += row[k] * b[k][j]
            check = (check * 3 + s) % 1000000007
    return check


def main() -> int:
    return bench(90)
