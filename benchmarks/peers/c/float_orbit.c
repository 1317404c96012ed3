/* Logistic map: a float orbit of which each step depends on the last. */
#include "peer.h"

static double bench(int64_t n)
{
    double x = 0.3, total = 0.0;
    for (int64_t i = 0; i < n; i = add(i, 1)) {
        x = 3.9 * x * (1.0 - x);
        total += x;
    }
    return total;
}
