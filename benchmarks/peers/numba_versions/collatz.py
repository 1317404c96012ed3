"""Longest Collatz chain below n."""

from __future__ import annotations

from numba import njit

from benchmarks.python import collatz

bench = njit(collatz.bench)
