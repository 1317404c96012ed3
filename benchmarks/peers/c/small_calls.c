/* Many calls of tiny functions with several arguments. */
#include "peer.h"

static int64_t add3(int64_t a, int64_t b, int64_t c)
{
    return add(add(a, b), c);
}

static int64_t wrap(int64_t x, int64_t m)
{
    return x >= m ? sub(x, m) : x;
}

static int64_t pick(bool flag, int64_t a, int64_t b)
{
    return flag ? a : b;
}

static int64_t bench(int64_t n)
{
    int64_t acc = 0;
    for (int64_t i = 0; i < n; i = add(i, 1)) {
        acc = wrap(modulo(add3(acc, i, 7), 2000003), 1000003);
        acc = pick(modulo(acc, 2) == 0, add(acc, 1), acc);
    }
    return acc;
}
