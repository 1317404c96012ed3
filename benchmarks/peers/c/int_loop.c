/* Integer loop with arithmetic and branches. */
#include "peer.h"

static int64_t bench(int64_t n)
{
    int64_t acc = 1;
    for (int64_t i = 0; i < n; i = add(i, 1)) {
        acc = modulo(add(mul(acc, 31), i), 1000003);
        if (modulo(acc, 7) == 3)
            acc = add(acc, 5);
    }
    return acc;
}
