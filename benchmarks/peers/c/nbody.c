/* Gravity between five bodies, positions and velocities in arrays of double. */
#include "peer.h"

static double inv_sqrt(double d)
{
    double x = d < 1.0 ? 1.0 : d;
    for (int i = 0; i < 8; i++)
        x = 0.5 * (x + d / x);
    return 1.0 / x;
}

static double bench(int64_t steps)
{
    double px[] = {0.0, 4.84, 8.34, 12.89, 15.37}, py[] = {0.0, -1.16, 4.12, -15.11, -25.91};
    double vx[] = {0.0, 0.6, -1.01, 1.08, 0.97}, vy[] = {0.0, 2.81, 1.82, 0.86, 0.59};
    double m[] = {39.47, 0.037, 0.011, 0.0017, 0.002}, dt = 0.01;
    for (int64_t step = 0; step < steps; step = add(step, 1)) {
        for (int i = 0; i < 5; i++) {
            for (int j = i + 1; j < 5; j++) {
                double dx = px[i] - px[j], dy = py[i] - py[j];
                double r = inv_sqrt(dx * dx + dy * dy + 0.01), mag = dt * r * r * r;
                vx[i] = vx[i] - dx * m[j] * mag;
                vy[i] = vy[i] - dy * m[j] * mag;
                vx[j] = vx[j] + dx * m[i] * mag;
                vy[j] = vy[j] + dy * m[i] * mag;
            }
        }
        for (int i = 0; i < 5; i++) {
            px[i] = px[i] + dt * vx[i];
            py[i] = py[i] + dt * vy[i];
        }
    }
    double energy = 0.0;
    for (int i = 0; i < 5; i++)
        energy = energy + 0.5 * m[i] * (vx[i] * vx[i] + vy[i] * vy[i]);
    return energy;
}
