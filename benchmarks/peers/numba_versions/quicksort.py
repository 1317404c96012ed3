"""Own quicksort (Hoare partition) on a pseudo-random list."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit("void(int64[::1], int64, int64)")
def quicksort(a, lo, hi):
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
        quicksort(a, lo, j)
    if i < hi:
        quicksort(a, i, hi)


@njit
def bench(n):
    a = np.empty(n, dtype=np.int64)
    x = 12345
    for i in range(n):
        x = (x * 1103515245 + 12345) % 2147483648
        a[i] = x
    quicksort(a, 0, n - 1)
    check = 0
    for k in range(0, n, 97):
        if k > 0:
            assert a[k - 1] <= a[k]
        check = (check * 31 + a[k]) % 1000000007
    return check
