"""Building strings piece by piece and taking them apart again."""

from __future__ import annotations


def bench(n: int) -> int:
    check = 0
    line = ""
    for i in range(n):
        line = line + str(i % 97) + ","
        if len(line) > 400:
            commas = 0
            for ch in line:
                if ch == ",":
                    commas += 1
            check = check * 7 % 1000003 + commas + len(line)
            line = line[390:]
    return check * 1000 + len(line)


def main() -> int:
    return bench(220000)
