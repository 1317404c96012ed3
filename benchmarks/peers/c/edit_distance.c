/* Edit distance of two pseudo-random sequences: a dynamic-programming table of nested arrays. */
#include "peer.h"

static int64_t *sequence(int64_t n, int64_t seed)
{
    int64_t *out = allocate((size_t)n, sizeof *out);
    int64_t x = seed;
    for (int64_t i = 0; i < n; i++) {
        x = modulo(mul(x, 16807), 2147483647);
        out[i] = modulo(x, 4);
    }
    return out;
}

static int64_t bench(int64_t n)
{
    int64_t *a = sequence(n, 1), *b = sequence(n, 2);
    int64_t **table = allocate((size_t)add(n, 1), sizeof *table);
    for (int64_t i = 0; i <= n; i++) {
        table[i] = allocate((size_t)add(n, 1), sizeof **table);
        for (int64_t j = 0; j <= n; j++)
            table[i][j] = add(i, j);
    }
    for (int64_t i = 1; i <= n; i++) {
        for (int64_t j = 1; j <= n; j++) {
            int64_t best = add(table[i - 1][j], 1), left = add(table[i][j - 1], 1);
            if (left < best)
                best = left;
            int64_t diagonal = table[i - 1][j - 1];
            if (a[i - 1] != b[j - 1])
                diagonal = add(diagonal, 1);
            if (diagonal < best)
                best = diagonal;
            table[i][j] = best;
        }
    }
    int64_t result = table[n][n];
    for (int64_t i = 0; i <= n; i++)
        free(table[i]);
    free(table);
    free(a);
    free(b);
    return result;
}
