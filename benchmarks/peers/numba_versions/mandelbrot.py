"""Mandelbrot escape counts on a square grid, pure float arithmetic."""

from __future__ import annotations

from numba import njit

from benchmarks.python import mandelbrot

bench = njit(mandelbrot.bench)
