// Operands of tensor cores, 16 bits an element: rounded from float32 and back, and what msign does to
// them between its products. Element-wise ones: a thread per pack of 1 or 4 elements, no shared
// memory; mirrors: a block per pair of tiles, one of them (4.1 KiB) in shared memory. Blocks of 256,
// which go on where the grid is smaller. Deterministic: each element has one writer. `type` says
// which 16 bits. Scalars: double[count], one per matrix.

#include "halves.cuh"
#include "mirror.cuh"
#include "polynomial.cuh"
#include "walk.cuh"

using Halves = Operand<unsigned short>;

/** y ← α x / s[k] rounded to `type`, or 0 where s[k] is 0; without the divisor where s is null. */
extern "C" __global__ __launch_bounds__(256) void toHalf(
    Walk walk, int type, double alpha, const double* s, Floats x, Halves y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    double by = s == nullptr ? 1 : s[at.matrix];
    double factor = by == 0 ? 0 : alpha / by;
    Pack<W> xs = load<W>(x, at);
    unsigned short halves[W];
#pragma unroll
    for (int e = 0; e < W; e++) {
      halves[e] = narrow(type, (float)(factor * xs.v[e]));
    }
    storeHalves<W>(halves, y.at(at.matrix, at.row, at.col), at.n);
  });
}

/** y ← x, widened from `type`. */
extern "C" __global__ __launch_bounds__(256) void fromHalf(
    Walk walk, int type, Halves x, Floats y) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    unsigned short halves[W];
    loadHalves<W>(x.at(at.matrix, at.row, at.col), at.n, halves);
    Pack<W> ys;
#pragma unroll
    for (int e = 0; e < W; e++) {
      ys.v[e] = widen(type, halves[e]);
    }
    store<W>(ys, y, at);
  });
}

/**
 * x = high + 2⁻¹¹ · low in float16, with 22 bits of x: high is x rounded, and what that leaves is
 * exact in float32. |x| must be below 65520, and loses bits below 2⁻¹⁴.
 */
extern "C" __global__ __launch_bounds__(256) void splitHalf(
    Walk walk, Floats x, Halves high, Halves low) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    Pack<W> xs = load<W>(x, at);
    unsigned short highs[W];
    unsigned short lows[W];
#pragma unroll
    for (int e = 0; e < W; e++) {
      highs[e] = toFloat16(xs.v[e]);
      lows[e] = toFloat16((xs.v[e] - widenFloat16(highs[e])) * 2048);
    }
    storeHalves<W>(highs, high.at(at.matrix, at.row, at.col), at.n);
    storeHalves<W>(lows, low.at(at.matrix, at.row, at.col), at.n);
  });
}

/**
 * p ← f^{−1/4} (a I + b f^{−1/2} s + c f^{−1} s2), f = f[k], or 0 where f is 0; s and p of `type`, s2
 * float32, all n × n. The walk knows rows, as the diagonal must be found.
 */
extern "C" __global__ __launch_bounds__(256) void scaledPolynomialHalf(
    Walk walk, int type, double a, double b, double c, const double* f, Halves s, Floats s2,
    Halves p) {
  eachPackOfGrid(walk, [&](auto pack, const Place& at) {
    constexpr int W = decltype(pack)::width;
    ScaledPolynomial scaled(a, b, c, f[at.matrix]);
    unsigned short halves[W];
    loadHalves<W>(s.at(at.matrix, at.row, at.col), at.n, halves);
    Pack<W> second = load<W>(s2, at);
#pragma unroll
    for (int e = 0; e < W; e++) {
      float value = scaled.at(widen(type, halves[e]), second.v[e], at.row == at.col + e);
      halves[e] = narrow(type, value);
    }
    storeHalves<W>(halves, p.at(at.matrix, at.row, at.col), at.n);
  });
}

/** How elements are kept: in 16 bits. */
struct Kept {
  int type;

  __device__ float read(unsigned short element) const { return widen(type, element); }
  __device__ unsigned short write(float value) const { return narrow(type, value); }
};

/** Both triangles of c ← c + β e + δ I, c of `type`; e is symmetric, or null, and not c. */
extern "C" __global__ __launch_bounds__(256) void mirrorSymmetricHalf(
    long long count, long long n, long long pairs, int type, Halves c, float beta, Halves e,
    float delta) {
  Kept kept = {type};
  mirror(count, n, pairs, c, kept, 1, [&](long long k, long long i, long long j, float value) {
    if (e.data != nullptr) {
      value += beta * kept.read(*e.at(k, i, j));
    }
    return i == j ? value + delta : value;
  });
}

/** The upper triangle of c ← −(the lower one)ᵀ, its diagonal ← +0; c of `type`. */
extern "C" __global__ __launch_bounds__(256) void mirrorSkewHalf(
    long long count, long long n, long long pairs, int type, Halves c) {
  mirror(count, n, pairs, c, Kept{type}, -1, [](long long k, long long i, long long j, float v) {
    return i == j ? 0.0f : v;
  });
}
