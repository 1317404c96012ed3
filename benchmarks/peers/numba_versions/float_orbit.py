"""Logistic map: a float orbit of which each step depends on the last."""

from __future__ import annotations

from numba import njit

from benchmarks.python import float_orbit

bench = njit(float_orbit.bench)
