/* Reading and writing the fields of a structure in a loop. */
#include "peer.h"

struct particle {
    int64_t x, y, vx, vy, bounces;
};

static int64_t bench(int64_t n)
{
    struct particle *p = allocate(1, sizeof *p);
    *p = (struct particle){.x = 10, .y = 20, .vx = 3, .vy = -2, .bounces = 0};
    for (int64_t i = 0; i < n; i = add(i, 1)) {
        p->x = add(p->x, p->vx);
        p->y = add(p->y, p->vy);
        if (p->x > 1000) {
            p->vx = sub(0, p->vx);
            p->bounces = add(p->bounces, 1);
        }
        if (p->x < 0) {
            p->vx = sub(0, p->vx);
            p->bounces = add(p->bounces, 1);
        }
        if (p->y > 700) {
            p->vy = sub(0, p->vy);
            p->bounces = add(p->bounces, 1);
        }
        if (p->y < 0) {
            p->vy = sub(0, p->vy);
            p->bounces = add(p->bounces, 1);
        }
    }
    int64_t result = add(add(mul(p->bounces, 1000000), mul(p->x, 1000)), p->y);
    free(p);
    return result;
}
