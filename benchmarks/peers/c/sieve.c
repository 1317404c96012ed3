/* Sieve of Eratosthenes on an array of bool. */
#include "peer.h"

static int64_t bench(int64_t n)
{
    bool *flags = allocate((size_t)add(n, 1), sizeof *flags);
    for (int64_t i = 0; i <= n; i++)
        flags[i] = true;
    int64_t count = 0;
    for (int64_t p = 2; p <= n; p = add(p, 1)) {
        if (flags[p]) {
            count = add(count, 1);
            for (int64_t m = mul(p, p); m <= n; m = add(m, p))
                flags[m] = false;
        }
    }
    free(flags);
    return count;
}
