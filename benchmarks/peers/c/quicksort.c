/* Own quicksort (Hoare partition) on a pseudo-random array. */
#include "peer.h"

static void quicksort(int64_t *a, int64_t lo, int64_t hi)
{
    int64_t i = lo, j = hi, pivot = a[quotient(add(lo, hi), 2)];
    while (i <= j) {
        while (a[i] < pivot)
            i = add(i, 1);
        while (a[j] > pivot)
            j = sub(j, 1);
        if (i <= j) {
            int64_t t = a[i];
            a[i] = a[j];
            a[j] = t;
            i = add(i, 1);
            j = sub(j, 1);
        }
    }
    if (lo < j)
        quicksort(a, lo, j);
    if (i < hi)
        quicksort(a, i, hi);
}

static int64_t bench(int64_t n)
{
    int64_t *a = allocate((size_t)n, sizeof *a);
    int64_t x = 12345;
    for (int64_t i = 0; i < n; i++) {
        x = modulo(add(mul(x, 1103515245), 12345), 2147483648);
        a[i] = x;
    }
    quicksort(a, 0, sub(n, 1));
    int64_t check = 0;
    for (int64_t k = 0; k < n; k = add(k, 97)) {
        if (k > 0 && a[k - 1] > a[k])
            fail("sorted");
        check = modulo(add(mul(check, 31), a[k]), 1000000007);
    }
    free(a);
    return check;
}
