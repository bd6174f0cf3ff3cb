// Numbers in float64, one per matrix, and the vector that power iteration starts from. A thread per
// number, blocks of 256. Deterministic.

#include "operand.cuh"

/** As many as fit the arguments of a kernel (4 KiB), with room to spare. */
constexpr int AT_ONCE = 256;

struct Values {
  double v[AT_ONCE];
};

/** to[i] ← values[i], count ≤ 256: how numbers reach the device without a copy. One block. */
extern "C" __global__ __launch_bounds__(256) void setScalars(
    const __grid_constant__ Values values, int count, double* to) {
  if (threadIdx.x < count) {
    to[threadIdx.x] = values.v[threadIdx.x];
  }
}

/** s[k] ← x[k] / y[k], or 0 where y[k] is 0. */
extern "C" __global__ __launch_bounds__(256) void quotient(
    long long count, const double* x, const double* y, double* s) {
  long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) {
    double by = y[k];
    s[k] = by == 0 ? 0 : x[k] / by;
  }
}

/** s[k] ← 0 where it is at most `relative` times of[k]; NaN stays. */
extern "C" __global__ __launch_bounds__(256) void zeroRounding(
    long long count, double relative, const double* of, double* s) {
  long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count && s[k] <= relative * of[k]) {
    s[k] = 0;
  }
}

/**
 * Element i of a generator that counts up by `gamma` from `seed` and mixes (SplitMix64), as a
 * number in [0, 1).
 */
__device__ inline double splitMix(unsigned long long seed, unsigned long long i) {
  constexpr unsigned long long gamma = 0x9e3779b97f4a7c15ull;
  unsigned long long z = seed + (i + 1) * gamma;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  z = z ^ z >> 31;
  return (double)(z >> 11) * 0x1p-53;
}

/**
 * v_i ← a fixed number in [0.5, 1.5), the same in every matrix (n × 1): any vector with a part along
 * the first eigenvector will do, and this one has no pattern.
 */
extern "C" __global__ __launch_bounds__(256) void powerStart(
    long long count, long long n, Floats v) {
  long long stride = (long long)gridDim.x * blockDim.x;
  for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < count * n;
       at += stride) {
    long long k = at / n;
    long long i = at - k * n;
    *v.at(k, i, 0) = (float)(0.5 + splitMix(1, i));
  }
}
