"""Integer loop with arithmetic and branches."""

from __future__ import annotations

from numba import njit

from benchmarks.python import int_loop

bench = njit(int_loop.bench)
