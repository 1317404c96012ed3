"""Gravity between five bodies, positions and velocities in float lists."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def inv_sqrt(d):
    x = d
    if d < 1.0:
        x = 1.0
    for _ in range(8):
        x = 0.5 * (x + d / x)
    return 1.0 / x


@njit
def bench(steps):
    px = np.array([0.0, 4.84, 8.34, 12.89, 15.37])
    py = np.array([0.0, -1.16, 4.12, -15.11, -25.91])
    vx = np.array([0.0, 0.6, -1.01, 1.08, 0.97])
    vy = np.array([0.0, 2.81, 1.82, 0.86, 0.59])
    m = np.array([39.47, 0.037, 0.011, 0.0017, 0.002])
    dt = 0.01
    for _ in range(steps):
        for i in range(5):
            for j in range(i + 1, 5):
                dx = px[i] - px[j]
                dy = py[i] - py[j]
                r = inv_sqrt(dx * dx + dy * dy + 0.01)
                mag = dt * r * r * r
                vx[i] = vx[i] - dx * m[j] * mag
                vy[i] = vy[i] - dy * m[j] * mag
                vx[j] = vx[j] + dx * m[i] * mag
                vy[j] = vy[j] + dy * m[i] * mag
        for i in range(5):
            px[i] = px[i] + dt * vx[i]
            py[i] = py[i] + dt * vy[i]
    energy = 0.0
    for i in range(5):
        energy = energy + 0.5 * m[i] * (vx[i] * vx[i] + vy[i] * vy[i])
    return energy
