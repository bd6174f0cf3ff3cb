#pragma once

/**
 * Reductions over a block of 32, 64, 128 or 256 threads: by shuffles within the warps, then over
 * the warps in their order. Every thread gets the result, and always the same bits.
 */

struct Sum {
  static __device__ double join(double a, double b) { return a + b; }
};

/** Of numbers ≥ 0; NaN if either is, since as integers their bits are ordered so. */
struct Largest {
  static __device__ double join(double a, double b) {
    return (unsigned long long)__double_as_longlong(a) >= (unsigned long long)__double_as_longlong(b)
        ? a
        : b;
  }
};

/** Of unsigned numbers: −1 is the largest, and means none. */
struct Smallest {
  static __device__ unsigned long long join(unsigned long long a, unsigned long long b) {
    return a < b ? a : b;
  }
};

template <class Join, class T>
__device__ T reduceWarp(T x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    x = Join::join(x, __shfl_xor_sync(0xffffffffu, x, distance));
  }
  return x;
}

template <class Join, class T>
__device__ T reduceBlock(T x) {
  x = reduceWarp<Join>(x);
  if (blockDim.x == 32) {
    return x;
  }
  __shared__ T warps[8];
  if (threadIdx.x % 32 == 0) {
    warps[threadIdx.x / 32] = x;
  }
  __syncthreads();
  T joined = warps[0];
  for (int w = 1; w < blockDim.x / 32; w++) {
    joined = Join::join(joined, warps[w]);
  }
  __syncthreads();  // before a later reduction writes
  return joined;
}

/** Joins count numbers in a fixed order, with a block; the empty value is `none`. */
template <class Join, class T>
__device__ T reduceArray(const T* x, long long count, long long distance, T none) {
  T joined = none;
  for (long long i = threadIdx.x; i < count; i += blockDim.x) {
    joined = Join::join(joined, x[i * distance]);
  }
  return reduceBlock<Join>(joined);
}
