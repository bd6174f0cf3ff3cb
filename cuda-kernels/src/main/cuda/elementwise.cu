// Element-wise operations: one pass, each thread on its own elements, so that operands may be the
// same matrices (never others that overlap). Deterministic. float32 in and out; coefficients are
// made in float64 and rounded once. Grid: enough blocks of 256 threads to fill the device, which go
// on from pack to pack; no shared memory. Scalars: double[count], one per matrix.

#include "polynomial.cuh"
#include "walk.cuh"

/** y ← α x + β y, where α = alpha · alphas[k] (alphas may be null); with β = 0, y is not read. */
extern "C" __global__ __launch_bounds__(256) void combine(
    Walk walk, double alpha, const double* alphas, Floats x, float beta, Floats y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    float a = (float)(alphas == nullptr ? alpha : alpha * alphas[at.matrix]);
    Pack<W> xs = load<W>(x, at);
    if (beta == 0) {
#pragma unroll
      for (int e = 0; e < W; e++) {
        xs.v[e] *= a;
      }
    } else {
      Pack<W> ys = load<W>(y, at);
#pragma unroll
      for (int e = 0; e < W; e++) {
        xs.v[e] = a * xs.v[e] + beta * ys.v[e];
      }
    }
    store<W>(xs, y, at);
  });
}

/** y ← x / s[k], or 0 where s[k] is 0; in float64, as 1 / s may overflow where x / s does not. */
extern "C" __global__ __launch_bounds__(256) void divide(
    Walk walk, Floats x, const double* s, Floats y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    double by = s[at.matrix];
    double factor = by == 0 ? 0 : 1 / by;
    Pack<W> xs = load<W>(x, at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      xs.v[e] = (float)(factor * xs.v[e]);
    }
    store<W>(xs, y, at);
  });
}

/** y ← x where s[k] is 0, otherwise unchanged. */
extern "C" __global__ __launch_bounds__(256) void copyWhereZero(
    Walk walk, const double* s, Floats x, Floats y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    if (s[at.matrix] == 0) {
      store<W>(load<W>(x, at), y, at);
    }
  });
}

/** x ← 0. */
extern "C" __global__ __launch_bounds__(256) void zero(Walk walk, Floats x) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    Pack<W> zeros = {};
    store<W>(zeros, x, at);
  });
}

/** y ← y / max(1, √s[k]); where nothing changes, nothing is read or written. NaN stays NaN. */
extern "C" __global__ __launch_bounds__(256) void capBySquareRoot(
    Walk walk, const double* s, Floats y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    double square = s[at.matrix];
    if (square <= 1) {
      return;
    }
    float factor = (float)(1 / sqrt(square));
    Pack<W> ys = load<W>(y, at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      ys.v[e] *= factor;
    }
    store<W>(ys, y, at);
  });
}

/**
 * p ← f^{−1/4} (a I + b f^{−1/2} s + c f^{−1} s2), f = f[k], or 0 where f is 0. All n × n; p may be
 * s or s2. The walk knows rows (they are not joined), as the diagonal must be found.
 */
extern "C" __global__ __launch_bounds__(256) void scaledPolynomial(
    Walk walk, double a, double b, double c, const double* f, Floats s, Floats s2, Floats p) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    ScaledPolynomial scaled(a, b, c, f[at.matrix]);
    Pack<W> first = load<W>(s, at);
    Pack<W> second = load<W>(s2, at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      first.v[e] = scaled.at(first.v[e], second.v[e], at.row == at.col + e);
    }
    store<W>(first, p, at);
  });
}

/** g ← β m + g; taken ← g, or with ahead (Nesterov) onward · g − β m, onward = 1 + β. */
extern "C" __global__ __launch_bounds__(256) void momentum(
    Walk walk, float beta, float onward, int ahead, Floats g, Floats m, Floats taken) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    Pack<W> gs = load<W>(g, at);
    Pack<W> ms = load<W>(m, at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      gs.v[e] = beta * ms.v[e] + gs.v[e];
    }
    store<W>(gs, g, at);
    if (ahead) {
#pragma unroll
      for (int e = 0; e < W; e++) {
        gs.v[e] = onward * gs.v[e] - beta * ms.v[e];
      }
    }
    store<W>(gs, taken, at);
  });
}

/** x ← x + δ I, x n × n: a thread per diagonal element. */
extern "C" __global__ __launch_bounds__(256) void addIdentity(
    long long count, long long n, float delta, Floats x) {
  long long stride = (long long)gridDim.x * blockDim.x;
  for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < count * n;
       at += stride) {
    long long matrix = at / n;
    long long i = at - matrix * n;
    *x.at(matrix, i, i) += delta;
  }
}
