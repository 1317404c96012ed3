/* Matrix product on arrays of arrays of double. */
#include "peer.h"

static double **build(int64_t n, double seed)
{
    double **out = allocate((size_t)n, sizeof *out);
    double x = seed;
    for (int64_t i = 0; i < n; i++) {
        out[i] = allocate((size_t)n, sizeof **out);
        for (int64_t j = 0; j < n; j++) {
            x = x * 3.9 * (1.0 - x);
            out[i][j] = x;
        }
    }
    return out;
}

static void release(double **matrix, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        free(matrix[i]);
    free(matrix);
}

static double bench(int64_t n)
{
    double **a = build(n, 0.25), **b = build(n, 0.75);
    double check = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double *row = a[i];
        for (int64_t j = 0; j < n; j++) {
            double s = 0.0;
            for (int64_t k = 0; k < n; k++)
                s = s + row[k] * b[k][j];
            check = check * 0.5 + s;
        }
    }
    release(a, n);
    release(b, n);
    return check;
}
