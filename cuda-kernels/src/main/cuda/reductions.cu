// Reductions of float32 matrices to one number each, accumulated in float64 in an order that depends
// on the shape alone: deterministic. Stage 1: a block of 32 to 256 threads per part of a matrix
// (perPart packs), to parts[k * parts + p]; stage 2 (finish…): a warp per matrix joins its parts.
// With one part, stage 1 gives the result itself. Shared memory: 64 bytes.

#include "reduce.cuh"
#include "walk.cuh"

/** How matrices are cut: `parts` parts of perPart packs, the last one shorter. */
struct Cut {
  long long count;
  long long parts;
  long long perPart;
};

/** The sum, its square root where a norm is asked for. */
__device__ inline double finished(double sum, int root) { return root ? sqrt(sum) : sum; }

/** Calls body(pack, place) for this thread's packs of every part, and end(item) after each part. */
template <class Body, class End>
__device__ void eachPart(const Walk& walk, const Cut& cut, Body body, End end) {
  long long perMatrix = walk.rows * walk.perRow;
  for (long long item = blockIdx.x; item < cut.count * cut.parts; item += gridDim.x) {
    long long matrix = item / cut.parts;
    long long from = (item - matrix * cut.parts) * cut.perPart;
    long long to = from + cut.perPart < perMatrix ? from + cut.perPart : perMatrix;
    long long start = matrix * perMatrix;
    eachPackOf(walk, start + from + threadIdx.x, start + to, blockDim.x, body);
    end(item);
  }
}

/** The largest |element|, NaN if any element is. */
extern "C" __global__ __launch_bounds__(256) void maxAbs(
    Walk walk, Cut cut, Floats x, double* parts) {
  // As integers, absolute values are ordered like the numbers, and NaN is above infinity.
  unsigned largest = 0;
  eachPart(
      walk,
      cut,
      [&](auto pack, const Place& at) {
        constexpr int W = decltype(pack)::width;
        Pack<W> xs = load<W>(x, at);
#pragma unroll
        for (int e = 0; e < W; e++) {
          unsigned bits = __float_as_uint(xs.v[e]) & 0x7fffffffu;
          largest = bits > largest ? bits : largest;
        }
      },
      [&](long long item) {
        double joined = reduceBlock<Largest>((double)__uint_as_float(largest));
        if (threadIdx.x == 0) {
          parts[item] = joined;
        }
        largest = 0;
      });
}

/** ⟨x, y⟩, or with root ‖x‖ (y being x). */
extern "C" __global__ __launch_bounds__(256) void sumOfProducts(
    Walk walk, Cut cut, Floats x, Floats y, int root, double* parts) {
  double sum = 0;
  eachPart(
      walk,
      cut,
      [&](auto pack, const Place& at) {
        constexpr int W = decltype(pack)::width;
        Pack<W> xs = load<W>(x, at);
        Pack<W> ys = root ? xs : load<W>(y, at);
#pragma unroll
        for (int e = 0; e < W; e++) {
          sum += (double)xs.v[e] * ys.v[e];
        }
      },
      [&](long long item) {
        double joined = reduceBlock<Sum>(sum);
        if (threadIdx.x == 0) {
          parts[item] = cut.parts == 1 ? finished(joined, root) : joined;
        }
        sum = 0;
      });
}

/** ‖x − y‖. */
extern "C" __global__ __launch_bounds__(256) void distance(
    Walk walk, Cut cut, Floats x, Floats y, double* parts) {
  double sum = 0;
  eachPart(
      walk,
      cut,
      [&](auto pack, const Place& at) {
        constexpr int W = decltype(pack)::width;
        Pack<W> xs = load<W>(x, at);
        Pack<W> ys = load<W>(y, at);
#pragma unroll
        for (int e = 0; e < W; e++) {
          double difference = (double)xs.v[e] - ys.v[e];
          sum += difference * difference;
        }
      },
      [&](long long item) {
        double joined = reduceBlock<Sum>(sum);
        if (threadIdx.x == 0) {
          parts[item] = cut.parts == 1 ? sqrt(joined) : joined;
        }
        sum = 0;
      });
}

/** The index i · cols + j of the first element that is not finite, or −1. cols: of a matrix. */
extern "C" __global__ __launch_bounds__(256) void firstNonFinite(
    Walk walk, Cut cut, Floats x, long long cols, unsigned long long* parts) {
  unsigned long long first = ~0ull;
  eachPart(
      walk,
      cut,
      [&](auto pack, const Place& at) {
        constexpr int W = decltype(pack)::width;
        Pack<W> xs = load<W>(x, at);
#pragma unroll
        for (int e = 0; e < W; e++) {
          // Not yet first: a thread's indices grow.
          if ((__float_as_uint(xs.v[e]) & 0x7f800000u) == 0x7f800000u && first == ~0ull) {
            first = at.row * cols + at.col + e;
          }
        }
      },
      [&](long long item) {
        unsigned long long joined = reduceBlock<Smallest>(first);
        if (threadIdx.x == 0) {
          parts[item] = joined;
        }
        first = ~0ull;
      });
}

/** Calls body with matrix k's parts joined by one warp; blocks of 128 threads. */
template <class Join, class T, class Body>
__device__ void finish(long long count, long long parts, const T* from, T none, Body body) {
  long long warp = (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  for (long long k = warp; k < count; k += (long long)gridDim.x * (blockDim.x / 32)) {
    T joined = none;
    for (long long p = threadIdx.x % 32; p < parts; p += 32) {
      joined = Join::join(joined, from[k * parts + p]);
    }
    joined = reduceWarp<Join>(joined);
    if (threadIdx.x % 32 == 0) {
      body(k, joined);
    }
  }
}

/** s[k] ← the sum of matrix k's parts, or its square root. */
extern "C" __global__ __launch_bounds__(128) void finishSums(
    long long count, long long parts, const double* from, int root, double* s) {
  finish<Sum>(count, parts, from, 0.0, [&](long long k, double sum) {
    s[k] = finished(sum, root);
  });
}

/** s[k] ← the largest of matrix k's parts. */
extern "C" __global__ __launch_bounds__(128) void finishMaxima(
    long long count, long long parts, const double* from, double* s) {
  finish<Largest>(count, parts, from, 0.0, [&](long long k, double largest) { s[k] = largest; });
}

/** s[k] ← the smallest of matrix k's parts, as unsigned numbers. */
extern "C" __global__ __launch_bounds__(128) void finishFirst(
    long long count, long long parts, const unsigned long long* from, unsigned long long* s) {
  finish<Smallest>(
      count, parts, from, ~0ull, [&](long long k, unsigned long long first) { s[k] = first; });
}
