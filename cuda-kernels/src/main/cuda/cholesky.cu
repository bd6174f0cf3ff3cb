// Cholesky QR in panels of up to 64 columns: the pieces between the engine's GEMMs. float32, row-
// major; x = RᵀR with R upper triangular, of which only the upper triangle is read and written.
// Deterministic: each element has one writer, and no sums are shared.

#include "reduce.cuh"
#include "operand.cuh"

constexpr int PANEL = 64;

/** A unit in the last place of 1: what subtraction leaves of a number, if no more, is rounding. */
constexpr float SUBTRACTION_ERROR = 0x1p-23f;

struct LargestOrNaN {
  static __device__ float join(float a, float b) { return a >= b || a != a ? a : b; }
};

/**
 * x ← x + σ I, σ = relative · max diag(x) + absolute, and diagonal[k * n + i] ← the new diagonal. A
 * block of 256 threads per matrix.
 */
extern "C" __global__ __launch_bounds__(256) void choleskyShift(
    long long count, long long n, double relative, double absolute, Floats x, float* diagonal) {
  for (long long k = blockIdx.x; k < count; k += gridDim.x) {
    float largest = 0;
    for (long long i = threadIdx.x; i < n; i += blockDim.x) {
      largest = LargestOrNaN::join(largest, *x.at(k, i, i));
    }
    double shift = relative * reduceBlock<LargestOrNaN>(largest) + absolute;
    for (long long i = threadIdx.x; i < n; i += blockDim.x) {
      float* at = x.at(k, i, i);
      float shifted = (float)(*at + shift);
      *at = shifted;
      diagonal[k * n + i] = shifted;
    }
  }
}

/**
 * What is divided by: the pivot, unless it is but the rounding of a diagonal element from which
 * others were subtracted. Then that element itself, as if the shift were so much larger in this
 * place: RᵀR is still no less than x, so x R⁻¹ has no singular value above 1, and the dependent
 * column adds next to nothing to it. NaN stays NaN.
 */
__device__ inline float pivot(float left, float original) {
  if (left <= SUBTRACTION_ERROR * original || left <= 0) {
    return original > 0 ? original : 1.0f;
  }
  return left;
}

/**
 * Factors the diagonal block of `size` ≤ 64 that begins at x.data, in place; `diagonal` is that of
 * choleskyShift at the block's first row, of n elements per matrix. A block of 256 threads per
 * matrix, 16.5 KiB of shared memory. Rows are divided by their pivots' roots at the end only, so
 * that one barrier per row is enough.
 */
extern "C" __global__ __launch_bounds__(256) void choleskyDiagonal(
    long long count, long long n, int size, Floats x, const float* diagonal) {
  __shared__ float a[PANEL][PANEL + 1];
  __shared__ float original[PANEL];
  int col = threadIdx.x % PANEL;
  int firstRow = threadIdx.x / PANEL;
  int rowsAtOnce = blockDim.x / PANEL;
  for (long long k = blockIdx.x; k < count; k += gridDim.x) {
    if (threadIdx.x < size) {
      original[threadIdx.x] = diagonal[k * n + threadIdx.x];
    }
    for (int i = firstRow; i < size; i += rowsAtOnce) {
      if (i <= col && col < size) {
        a[i][col] = *x.at(k, i, col);
      }
    }
    for (int j = 0; j < size; j++) {
      __syncthreads();
      float inverse = 1 / pivot(a[j][j], original[j]);
      for (int i = j + 1 + firstRow; i < size; i += rowsAtOnce) {
        if (i <= col && col < size) {
          a[i][col] -= a[j][i] * inverse * a[j][col];
        }
      }
    }
    __syncthreads();
    for (int i = firstRow; i < size; i += rowsAtOnce) {
      if (i <= col && col < size) {
        float root = sqrtf(pivot(a[i][i], original[i]));
        *x.at(k, i, col) = i == col ? root : a[i][col] / root;
      }
    }
    __syncthreads();  // before the next matrix is read
  }
}

/** An upper triangular block in shared memory, and the reciprocals of its diagonal. */
struct Triangle {
  float r[PANEL][PANEL];
  float reciprocal[PANEL];
};

/** Reads R, completed by the identity. */
__device__ void readTriangle(const Floats& r, long long k, int size, Triangle& triangle) {
  for (int at = threadIdx.x; at < PANEL * PANEL; at += blockDim.x) {
    int i = at / PANEL;
    int j = at % PANEL;
    float value = i == j ? 1.0f : 0.0f;
    if (i <= j && j < size) {
      value = *r.at(k, i, j);
    }
    triangle.r[i][j] = value;
    if (i == j) {
      triangle.reciprocal[i] = 1 / value;
    }
  }
}

/** Unknowns that a thread keeps in registers. */
constexpr int GROUP = 16;

/**
 * Solves xᵀR = aᵀ in place by one thread, x_j = (a_j − Σ_{l<j} x_l r_lj) / r_jj; element l at
 * x[l * distance].
 */
__device__ void solve(const Triangle& triangle, int size, float* x, long long distance) {
  float* group = x;
  for (int from = 0; from < size; from += GROUP) {
    float a[GROUP];
    float* at = group;
#pragma unroll
    for (int j = 0; j < GROUP; j++) {
      a[j] = from + j < size ? *at : 0.0f;
      at += distance;
    }
    const float* known = x;
    for (int l = 0; l < from; l++) {
#pragma unroll
      for (int j = 0; j < GROUP; j++) {
        a[j] -= *known * triangle.r[l][from + j];
      }
      known += distance;
    }
#pragma unroll
    for (int j = 0; j < GROUP; j++) {
      a[j] *= triangle.reciprocal[from + j];
#pragma unroll
      for (int l = j + 1; l < GROUP; l++) {
        a[l] -= a[j] * triangle.r[from + j][from + l];
      }
    }
    at = group;
#pragma unroll
    for (int j = 0; j < GROUP; j++) {
      if (from + j < size) {
        *at = a[j];
      }
      at += distance;
    }
    group = at;
  }
}

/**
 * x (size × cols) ← R⁻ᵀ x, R the upper triangular block of `size` ≤ 64 at r.data: a thread per
 * column, blocks of 128 for `tiles` ranges of columns, 16.25 KiB of shared memory.
 */
extern "C" __global__ __launch_bounds__(128) void solveRows(
    long long count, long long cols, long long tiles, int size, Floats r, Floats x) {
  __shared__ Triangle triangle;
  for (long long item = blockIdx.x; item < count * tiles; item += gridDim.x) {
    long long k = item / tiles;
    long long col = (item - k * tiles) * blockDim.x + threadIdx.x;
    readTriangle(r, k, size, triangle);
    __syncthreads();
    if (col < cols) {
      solve(triangle, size, x.at(k, 0, col), x.ld);
    }
    __syncthreads();  // before the next triangle is read
  }
}

/**
 * x (rows × size) ← x R⁻¹, R as above: a thread per row, blocks of 64 for `tiles` ranges of rows,
 * which pass through shared memory to be read and written along rows; 33 KiB of it.
 */
extern "C" __global__ __launch_bounds__(64) void solveColumns(
    long long count, long long rows, long long tiles, int size, Floats r, Floats x) {
  __shared__ Triangle triangle;
  __shared__ float panel[PANEL][PANEL + 1];
  for (long long item = blockIdx.x; item < count * tiles; item += gridDim.x) {
    long long k = item / tiles;
    long long row = (item - k * tiles) * PANEL;
    int height = least(rows - row, PANEL);
    readTriangle(r, k, size, triangle);
    if (threadIdx.x < size) {
      for (int i = 0; i < height; i++) {
        panel[i][threadIdx.x] = *x.at(k, row + i, threadIdx.x);
      }
    }
    __syncthreads();
    if (threadIdx.x < height) {
      solve(triangle, size, panel[threadIdx.x], 1);
    }
    __syncthreads();
    if (threadIdx.x < size) {
      for (int i = 0; i < height; i++) {
        *x.at(k, row + i, threadIdx.x) = panel[i][threadIdx.x];
      }
    }
    __syncthreads();  // before the next triangle is read
  }
}

/**
 * Each diagonal block of x, of 64 or what is left of n, ← its inverse, with zeros below the
 * diagonal; x is upper triangular. A block of 64 threads per diagonal block (`panels` of a matrix), a
 * thread per row; 33 KiB of shared memory.
 */
extern "C" __global__ __launch_bounds__(64) void invertDiagonal(
    long long count, long long n, long long panels, Floats x) {
  __shared__ Triangle triangle;
  __shared__ float inverse[PANEL][PANEL + 1];
  int row = threadIdx.x;
  for (long long item = blockIdx.x; item < count * panels; item += gridDim.x) {
    long long k = item / panels;
    long long from = (item - k * panels) * PANEL;
    int size = least(n - from, PANEL);
    Floats block = {x.at(k, from, from), x.stride, x.ld};
    readTriangle(block, 0, size, triangle);
    for (int j = 0; j < PANEL; j++) {
      inverse[row][j] = row == j ? 1.0f : 0.0f;
    }
    __syncthreads();
    if (row < size) {
      solve(triangle, size, inverse[row], 1);
    }
    __syncthreads();
    if (row < size) {
      for (int i = 0; i < size; i++) {
        *block.at(0, i, row) = row < i ? 0.0f : inverse[i][row];
      }
    }
    __syncthreads();  // before the next triangle is read
  }
}
