/* The limit of a Bloop step on this machine: two passes, 7 n floats of traffic, nothing allocated.
 *
 * The first pass reads a and e for the inner products, block by block; the second reads g, a and e
 * and writes d and the new e. d may be a itself.
 */
#include <stdint.h>

#define BLOCK 4096

void limit_step(const float *g, const float *a, float *e, float *d, int64_t n, float lam,
                float rho) {
  double ae = 0, ee = 0;
#pragma omp parallel for schedule(static) reduction(+ : ae, ee)
  for (int64_t start = 0; start < n; start += BLOCK) {
    int64_t end = start + BLOCK < n ? start + BLOCK : n;
    float x = 0, y = 0;
#pragma omp simd reduction(+ : x, y)
    for (int64_t i = start; i < end; i++) {
      x += a[i] * e[i];
      y += e[i] * e[i];
    }
    ae += x;
    ee += y;
  }
  float k = ee > 0 ? (float)(lam * ae / ee) : 0.0f;
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; i++) {
    float main_i = g[i], ema_i = e[i];
    d[i] = main_i + lam * a[i] - k * ema_i;
    e[i] = ema_i + rho * (main_i - ema_i);
  }
}
