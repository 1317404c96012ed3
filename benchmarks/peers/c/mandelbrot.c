/* Mandelbrot escape counts on a square grid, pure float arithmetic. */
#include "peer.h"

static int64_t bench(int64_t size)
{
    int64_t total = 0;
    for (int64_t y = 0; y < size; y = add(y, 1)) {
        double ci = 2.4 * (double)y / (double)size - 1.2;
        for (int64_t x = 0; x < size; x = add(x, 1)) {
            double cr = 3.0 * (double)x / (double)size - 2.1, zr = 0.0, zi = 0.0;
            int64_t n = 0;
            bool inside = true;
            while (inside) {
                double r2 = zr * zr, i2 = zi * zi;
                if (r2 + i2 > 4.0) {
                    inside = false;
                } else {
                    zi = 2.0 * zr * zi + ci;
                    zr = r2 - i2 + cr;
                    n = add(n, 1);
                    if (n >= 60)
                        inside = false;
                }
            }
            total = add(total, n);
        }
    }
    return total;
}
