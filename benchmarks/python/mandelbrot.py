"""Mandelbrot escape counts on a square grid, pure float arithmetic."""

from __future__ import annotations


def bench(size: int) -> int:
    total = 0
    for y in range(size):
        ci = 2.4 * y / size - 1.2
        for x in range(size):
            cr = 3.0 * x / size - 2.1
            zr = 0.0
            zi = 0.0
            n = 0
            while n < 60:
                r2 = zr * zr
                i2 = zi * zi
                if r2 + i2 > 4.0:
                    break
                zi = 2.0 * zr * zi + ci
                zr = r2 - i2 + cr
                n += 1
            total += n
    return total


def main() -> int:
    return bench(190)
