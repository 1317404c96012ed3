/* Longest Collatz chain below n. */
#include "peer.h"

static int64_t bench(int64_t n)
{
    int64_t best = 0, start = 1;
    for (int64_t i = 1; i < n; i = add(i, 1)) {
        int64_t x = i, steps = 0;
        while (x > 1) {
            if (modulo(x, 2) == 0)
                x = quotient(x, 2);
            else
                x = add(mul(3, x), 1);
            steps = add(steps, 1);
        }
        if (steps > best) {
            best = steps;
            start = i;
        }
    }
    return add(mul(best, 1000000), start);
}
