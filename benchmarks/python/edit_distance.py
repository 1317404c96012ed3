"""Edit distance of two pseudo-random sequences: a dynamic-programming table of nested lists."""

from __future__ import annotations


def sequence(n: int, seed: int) -> list[int]:
    out = []
    x = seed
    for _ in range(n):
        x = (x * 16807) % 2147483647
        out.append(x % 4)
    return out


def bench(n: int) -> int:
    a = sequence(n, 1)
    b = sequence(n, 2)
    table = []
    for i in range(n + 1):
        row = []
        for j in range(n + 1):
            row.append(i + j)
        table.append(row)
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            best = table[i - 1][j] + 1
            left = table[i][j - 1] + 1
            if left < best:
                best = left
            diagonal = table[i - 1][j - 1]
            if a[i - 1] != b[j - 1]:
                diagonal += 1
            if diagonal < best:
                best = diagonal
            table[i][j] = best
    return table[n][n]


def main() -> int:
    return bench(400)
