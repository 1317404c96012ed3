"""The numeric benchmark programs as a person would write them for numba: int64 that wraps, NumPy arrays for lists.

``PROGRAMS`` maps the name of a program to its compiled ``bench(n)``. Where the hand-written Python is fit for numba as it
stands, that is what is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import int64, njit, uint64

from benchmarks.python import collatz, float_orbit, int_loop, mandelbrot


@njit(int64(int64))
def fib_recursive(n):
    if n < 2:
        return n
    return fib_recursive(n - 1) + fib_recursive(n - 2)


@njit
def xorshift_hash(n):
    x = uint64(88172645463325252)
    h = uint64(0)
    for _ in range(n):
        x ^= x << uint64(13)
        x ^= x >> uint64(7)
        x ^= x << uint64(17)
        h ^= (x >> uint64(32)) * uint64(2654435761)
        h = (h << uint64(5)) | (h >> uint64(59))
    return h


@njit
def _gcd(a, b):
    while b > 0:
        a, b = b, a % b
    return a


@njit
def gcd(n):
    total = 0
    for i in range(1, n + 1):
        total += _gcd(i * 7919 % 1000003, i * 104729 % 999983)
    return total


@njit
def sieve(n):
    flags = np.ones(n + 1, dtype=np.bool_)
    count = 0
    for p in range(2, n + 1):
        if flags[p]:
            count += 1
            for m in range(p * p, n + 1, p):
                flags[m] = False
    return count


@njit
def _build_int(n, seed):
    out = np.empty((n, n), dtype=np.int64)
    x = seed
    for i in range(n):
        for j in range(n):
            x = (x * 137 + 29) % 1009
            out[i, j] = x
    return out


@njit
def matmul_int(n):
    a = _build_int(n, 1)
    b = _build_int(n, 2)
    check = 0
    for i in range(n):
        for j in range(n):
            s = 0
            for k in range(n):
                s += a[i, k] * b[k, j]
            check = (check * 3 + s) % 1000000007
    return check


@njit
def _build_float(n, seed):
    out = np.empty((n, n), dtype=np.float64)
    x = seed
    for i in range(n):
        for j in range(n):
            x = x * 3.9 * (1.0 - x)
            out[i, j] = x
    return out


@njit
def matmul_float(n):
    a = _build_float(n, 0.25)
    b = _build_float(n, 0.75)
    check = 0.0
    for i in range(n):
        for j in range(n):
            s = 0.0
            for k in range(n):
                s += a[i, k] * b[k, j]
            check = check * 0.5 + s
    return check


@njit("void(int64[::1], int64, int64)")
def _quicksort(a, lo, hi):
    i = lo
    j = hi
    pivot = a[(lo + hi) // 2]
    while i <= j:
        while a[i] < pivot:
            i += 1
        while a[j] > pivot:
            j -= 1
        if i <= j:
            a[i], a[j] = a[j], a[i]
            i += 1
            j -= 1
    if lo < j:
        _quicksort(a, lo, j)
    if i < hi:
        _quicksort(a, i, hi)


@njit
def quicksort(n):
    a = np.empty(n, dtype=np.int64)
    x = 12345
    for i in range(n):
        x = (x * 1103515245 + 12345) % 2147483648
        a[i] = x
    _quicksort(a, 0, n - 1)
    check = 0
    for k in range(0, n, 97):
        if k > 0:
            assert a[k - 1] <= a[k]
        check = (check * 31 + a[k]) % 1000000007
    return check


@njit
def _sequence(n, seed):
    out = np.empty(n, dtype=np.int64)
    x = seed
    for i in range(n):
        x = (x * 16807) % 2147483647
        out[i] = x % 4
    return out


@njit
def edit_distance(n):
    a = _sequence(n, 1)
    b = _sequence(n, 2)
    table = np.empty((n + 1, n + 1), dtype=np.int64)
    for i in range(n + 1):
        for j in range(n + 1):
            table[i, j] = i + j
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            best = table[i - 1, j] + 1
            left = table[i, j - 1] + 1
            if left < best:
                best = left
            diagonal = table[i - 1, j - 1]
            if a[i - 1] != b[j - 1]:
                diagonal += 1
            if diagonal < best:
                best = diagonal
            table[i, j] = best
    return table[n, n]


@njit
def _inv_sqrt(d):
    x = d
    if d < 1.0:
        x = 1.0
    for _ in range(8):
        x = 0.5 * (x + d / x)
    return 1.0 / x


@njit
def nbody(steps):
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
                r = _inv_sqrt(dx * dx + dy * dy + 0.01)
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


@njit
def _add3(a, b, c):
    return a + b + c


@njit
def _wrap(x, m):
    if x >= m:
        return x - m
    return x


@njit
def _pick(flag, a, b):
    if flag:
        return a
    return b


@njit
def small_calls(n):
    acc = 0
    for i in range(n):
        acc = _wrap(_add3(acc, i, 7) % 2000003, 1000003)
        acc = _pick(acc % 2 == 0, acc + 1, acc)
    return acc


PROGRAMS: dict[str, Callable[[int], Any]] = {
    "collatz": njit(collatz.bench),
    "edit_distance": edit_distance,
    "fib_recursive": fib_recursive,
    "float_orbit": njit(float_orbit.bench),
    "gcd": gcd,
    "int_loop": njit(int_loop.bench),
    "mandelbrot": njit(mandelbrot.bench),
    "matmul_float": matmul_float,
    "matmul_int": matmul_int,
    "nbody": nbody,
    "quicksort": quicksort,
    "sieve": sieve,
    "small_calls": small_calls,
    "xorshift_hash": xorshift_hash,
}
