// Steps without a constraint, element by element: one pass, each thread on its own elements.
// Deterministic. float32 in and out. Grid: enough blocks of 256 threads to fill the device, which go
// on from pack to pack; no shared memory. Scalars: float64 on the device.

#include "walk.cuh"

/** y ← the signs of x: −1, 0 or 1. y may be x. */
extern "C" __global__ __launch_bounds__(256) void signs(Walk walk, Floats x, Floats y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    Pack<W> xs = load<W>(x, at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      xs.v[e] = xs.v[e] > 0 ? 1.0f : xs.v[e] < 0 ? -1.0f : 0.0f;
    }
    store<W>(xs, y, at);
  });
}

/** y ← keep[k] w − step[k] a, and keep[k] w where step[k] a is 0. y may be w or a. */
extern "C" __global__ __launch_bounds__(256) void descend(
    Walk walk, const double* keep, const double* step, Floats w, Floats a, Floats y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    float kept = (float)keep[at.matrix];
    float rate = (float)step[at.matrix];
    Pack<W> ws = load<W>(w, at);
    Pack<W> as = load<W>(a, at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      float down = rate * as.v[e];
      float from = kept * ws.v[e];
      ws.v[e] = down == 0 ? from : from - down;
    }
    store<W>(ws, y, at);
  });
}

/**
 * AdamW's moments and direction: g ← m' = β1 m + (1 − β1) g, next ← v' = β2 v + (1 − β2) g²,
 * a ← c1 m' / (√(c2 v') + ε), NaN where v' overflows; c1 and √c2 lie at corrections.
 */
extern "C" __global__ __launch_bounds__(256) void adamw(
    Walk walk, float beta1, float beta2, float epsilon, const double* corrections, Floats m,
    Floats v, Floats g, Floats next, Floats a) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    float c1 = (float)corrections[0];
    float root = (float)corrections[1];
    Pack<W> gs = load<W>(g, at);
    Pack<W> ms = load<W>(m, at);
    Pack<W> vs = load<W>(v, at);
    Pack<W> as;
#pragma unroll
    for (int e = 0; e < W; e++) {
      ms.v[e] = beta1 * ms.v[e] + (1 - beta1) * gs.v[e];
      vs.v[e] = beta2 * vs.v[e] + (1 - beta2) * (gs.v[e] * gs.v[e]);
      float size = root * sqrtf(vs.v[e]) + epsilon;
      // Nothing divided by infinity would pass for a step of 0.
      as.v[e] = isinf(size) ? size - size : c1 * ms.v[e] / size;
    }
    store<W>(ms, g, at);
    store<W>(vs, next, at);
    store<W>(as, a, at);
  });
}
