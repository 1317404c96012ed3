/* Matrix product on arrays of arrays of int64. */
#include "peer.h"

static int64_t **build(int64_t n, int64_t seed)
{
    int64_t **out = allocate((size_t)n, sizeof *out);
    int64_t x = seed;
    for (int64_t i = 0; i < n; i++) {
        out[i] = allocate((size_t)n, sizeof **out);
        for (int64_t j = 0; j < n; j++) {
            x = modulo(add(mul(x, 137), 29), 1009);
            out[i][j] = x;
        }
    }
    return out;
}

static void release(int64_t **matrix, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        free(matrix[i]);
    free(matrix);
}

static int64_t bench(int64_t n)
{
    int64_t **a = build(n, 1), **b = build(n, 2);
    int64_t check = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t *row = a[i];
        for (int64_t j = 0; j < n; j++) {
            int64_t s = 0;
            for (int64_t k = 0; k < n; k++)
                s = add(s, mul(row[k], b[k][j]));
            check = modulo(add(mul(check, 3), s), 1000000007);
        }
    }
    release(a, n);
    release(b, n);
    return check;
}
