/* Greatest common divisors by Euclid's algorithm in a function of its own. */
#include "peer.h"

static int64_t gcd(int64_t a, int64_t b)
{
    while (b > 0) {
        int64_t t = modulo(a, b);
        a = b;
        b = t;
    }
    return a;
}

static int64_t bench(int64_t n)
{
    int64_t total = 0;
    for (int64_t i = 1; i <= n; i = add(i, 1))
        total = add(total, gcd(modulo(mul(i, 7919), 1000003), modulo(mul(i, 104729), 999983)));
    return total;
}
