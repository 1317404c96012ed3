/*
 * Worker: for each line "N REPETITIONS" of standard input run bench(N) so often and print "SECONDS RESULT".
 *
 * The program is included (-DPROGRAM='"int_loop.c"'), so that its result type is known here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include PROGRAM

typedef __typeof__(bench(0)) result_type;

#define FORMAT                                                                                                         \
    _Generic((result_type)0, double: "%.9f %.17g\n", int64_t: "%.9f %" PRId64 "\n", uint64_t: "%.9f %" PRIu64 "\n")

/* Without noipa the compiler could see that repeating it changes nothing. */
static __attribute__((noipa)) result_type once(int64_t n)
{
    return bench(n);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(void)
{
    int64_t n, repetitions;
    while (scanf("%" SCNd64 " %" SCNd64, &n, &repetitions) == 2) {
        result_type result = 0;
        double start = now();
        for (int64_t i = 0; i < repetitions; i++)
            result = once(n);
        printf(FORMAT, now() - start, result);
        fflush(stdout);
    }
    return 0;
}
