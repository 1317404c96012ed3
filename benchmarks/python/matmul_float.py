"""Matrix product on lists of lists of float."""

from __future__ import annotations


def build(n: int, seed: float) -> list[list[float]]:
    out = []
    x = seed
    for _ in range(n):
        row = []
        for _ in range(n):
            x = x * 3.9 * (1.0 - x)
            row.append(x)
        out.append(row)
    return out


def bench(n: int) -> float:
    a = build(n, 0.25)
    b = build(n, 0.75)
    check = 0.0
    for i in range(n):
        row = a[i]
        for j in range(n):
            s = 0.0
            for k in range(n):
                s += row[k] * b[k][j]
            check = check * 0.5 + s
    return check


def main() -> float:
    return bench(90)
