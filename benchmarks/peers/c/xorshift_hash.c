/* xorshift generator and multiplicative mixing in 64-bit unsigned integers. */
#include "peer.h"

static uint64_t multiply(uint64_t a, uint64_t b)
{
    uint64_t result;
    if (__builtin_expect(__builtin_mul_overflow(a, b, &result), 0))
        fail("Integer overflow in MUL operation");
    return result;
}

static uint64_t bench(int64_t n)
{
    uint64_t x = 88172645463325252u, h = 0;
    for (int64_t i = 0; i < n; i = add(i, 1)) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        h ^= multiply(x >> 32, 2654435761u);
        h = h << 5 | h >> 59;
    }
    return h;
}
