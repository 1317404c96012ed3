/* What every C version of a benchmark program shares: 64-bit arithmetic checked as the machine checks it, and memory. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn __attribute__((cold, unused)) void fail(const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(1);
}

static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

static inline int64_t add(int64_t a, int64_t b)
{
    int64_t result;
    if (__builtin_expect(__builtin_add_overflow(a, b, &result), 0))
        fail("Integer overflow in ADD operation");
    return result;
}

static inline int64_t sub(int64_t a, int64_t b)
{
    int64_t result;
    if (__builtin_expect(__builtin_sub_overflow(a, b, &result), 0))
        fail("Integer overflow in SUB operation");
    return result;
}

static inline int64_t mul(int64_t a, int64_t b)
{
    int64_t result;
    if (__builtin_expect(__builtin_mul_overflow(a, b, &result), 0))
        fail("Integer overflow in MUL operation");
    return result;
}

static inline int64_t quotient(int64_t a, int64_t b)
{
    if (__builtin_expect(b == 0, 0))
        fail("Division by zero");
    if (__builtin_expect(b == -1 && a == INT64_MIN, 0))
        fail("Integer overflow in DIV operation");
    return a / b;
}

static inline int64_t modulo(int64_t a, int64_t b)
{
    if (__builtin_expect(b == 0, 0))
        fail("Modulo by zero");
    if (__builtin_expect(b == -1 && a == INT64_MIN, 0))
        fail("Integer overflow in MOD operation");
    return a % b;
}

#endif
