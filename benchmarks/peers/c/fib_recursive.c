/* Recursive Fibonacci: call and return cost. */
#include "peer.h"

static int64_t fib(int64_t n)
{
    if (n < 2)
        return n;
    return add(fib(sub(n, 1)), fib(sub(n, 2)));
}

static int64_t bench(int64_t n)
{
    return fib(n);
}
