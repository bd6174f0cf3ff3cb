// Operations that pair element (i, j) with (j, i), batched. float32, n × n (negativeTranspose also
// rectangular). Grid: a block of 256 threads per pair of tiles, going on where the grid is smaller;
// two tiles of shared memory (8.25 KiB). Deterministic: each element has one writer.

#include "mirror.cuh"
#include "reduce.cuh"

/** y_ij ← f(x_ij, x_ji); y may be x, since a block has read both tiles before it writes. */
template <class F>
__device__ void eachPair(long long count, long long n, long long pairs, Floats x, Floats y, F f) {
  __shared__ Tile below;
  __shared__ Tile above;
  for (long long item = blockIdx.x; item < count * pairs; item += gridDim.x) {
    Pair at(item, pairs);
    readTile(x, at.matrix, at.row, at.col, n, n, below);
    readTile(x, at.matrix, at.col, at.row, n, n, above);
    __syncthreads();
    eachInTile(at.row, at.col, n, n, [&](int r, int c) {
      *y.at(at.matrix, at.row + r, at.col + c) = f(below.v[r][c], above.v[c][r]);
    });
    if (at.row != at.col) {
      eachInTile(at.col, at.row, n, n, [&](int r, int c) {
        *y.at(at.matrix, at.col + r, at.row + c) = f(above.v[r][c], below.v[c][r]);
      });
    }
    __syncthreads();  // before the next pair is read
  }
}

/** y ← x − xᵀ, exactly skew. */
extern "C" __global__ __launch_bounds__(256) void skew(
    long long count, long long n, long long pairs, Floats x, Floats y) {
  eachPair(count, n, pairs, x, y, [](float here, float mirrored) { return here - mirrored; });
}

/** y ← (x + xᵀ) / 2, exactly symmetric. */
extern "C" __global__ __launch_bounds__(256) void symmetrize(
    long long count, long long n, long long pairs, Floats x, Floats y) {
  eachPair(
      count, n, pairs, x, y, [](float here, float mirrored) { return 0.5f * (here + mirrored); });
}

/** y (n × m) ← −xᵀ, x m × n; across and down: tiles of x. */
extern "C" __global__ __launch_bounds__(256) void negativeTranspose(
    long long count, long long m, long long n, long long down, long long across, Floats x,
    Floats y) {
  __shared__ Tile tile;
  for (long long item = blockIdx.x; item < count * down * across; item += gridDim.x) {
    long long line = item / across;
    long long col = (item - line * across) * SIDE;
    long long matrix = line / down;
    long long row = (line - matrix * down) * SIDE;
    readTile(x, matrix, row, col, m, n, tile);
    __syncthreads();
    eachInTile(col, row, n, m, [&](int r, int c) {
      *y.at(matrix, col + r, row + c) = -tile.v[c][r];
    });
    __syncthreads();  // before the next tile is read
  }
}

/** Both triangles of c ← c + β e + δ I; e is symmetric, or null, and not c. */
extern "C" __global__ __launch_bounds__(256) void mirrorSymmetric(
    long long count, long long n, long long pairs, Floats c, float beta, Floats e, float delta) {
  mirror(count, n, pairs, c, Whole(), 1, [&](long long k, long long i, long long j, float value) {
    if (e.data != nullptr) {
      value += beta * *e.at(k, i, j);
    }
    return i == j ? value + delta : value;
  });
}

/** The upper triangle of c ← −(the lower one)ᵀ, its diagonal ← +0. */
extern "C" __global__ __launch_bounds__(256) void mirrorSkew(
    long long count, long long n, long long pairs, Floats c) {
  mirror(count, n, pairs, c, Whole(), -1, [](long long k, long long i, long long j, float value) {
    return i == j ? 0.0f : value;
  });
}

/**
 * Σ (x_ij + x_ji)², part by part in float64: part p of matrix k takes the pairs of tiles p, p +
 * parts, …, to sums[k * parts + p]; with one part, its root to sums[k]. A block per part.
 */
extern "C" __global__ __launch_bounds__(256) void symmetricPart(
    long long count, long long n, long long pairs, long long parts, Floats x, double* sums) {
  __shared__ Tile below;
  __shared__ Tile above;
  for (long long item = blockIdx.x; item < count * parts; item += gridDim.x) {
    long long matrix = item / parts;
    double sum = 0;
    for (long long p = item - matrix * parts; p < pairs; p += parts) {
      Pair at(p, pairs);
      readTile(x, matrix, at.row, at.col, n, n, below);
      readTile(x, matrix, at.col, at.row, n, n, above);
      __syncthreads();
      double times = at.row == at.col ? 1 : 2;
      eachInTile(at.row, at.col, n, n, [&](int r, int c) {
        double both = below.v[r][c] + above.v[c][r];
        sum += times * (both * both);
      });
      __syncthreads();  // before the next pair is read
    }
    sum = reduceBlock<Sum>(sum);
    if (threadIdx.x == 0) {
      sums[item] = parts == 1 ? sqrt(sum) : sum;
    }
  }
}
