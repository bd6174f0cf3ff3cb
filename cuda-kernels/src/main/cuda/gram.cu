// The diagonal of a Gram matrix by a kernel of its own, since tensor cores truncate while they
// accumulate, which would bias it: x_jj ← Σ y² + shift over column (or row) j of y, in float64.
// Deterministic. For rows, rowSquares of rows.cu goes before.

#include "operand.cuh"

/**
 * sums[(k * parts + p) * cols + j] ← Σ y_ij² over rows [p · perPart, (p + 1) · perPart) of matrix k
 * (rows × cols). A block of 256 threads per part and 32 columns (`across` of them): 8 rows at once,
 * joined through 2 KiB of shared memory.
 */
extern "C" __global__ __launch_bounds__(256) void columnSquares(
    long long count, long long rows, long long cols, long long across, long long parts,
    long long perPart, Floats y, double* sums) {
  __shared__ double partial[8][32];
  int lane = threadIdx.x % 32;
  int first = threadIdx.x / 32;
  for (long long item = blockIdx.x; item < count * parts * across; item += gridDim.x) {
    long long line = item / across;
    long long col = (item - line * across) * 32 + lane;
    long long k = line / parts;
    long long from = (line - k * parts) * perPart;
    long long to = from + perPart < rows ? from + perPart : rows;
    double sum = 0;
    if (col < cols) {
      for (long long i = from + first; i < to; i += 8) {
        double value = *y.at(k, i, col);
        sum += value * value;
      }
    }
    partial[first][lane] = sum;
    __syncthreads();
    if (first == 0 && col < cols) {
      for (int i = 1; i < 8; i++) {
        sum += partial[i][lane];
      }
      sums[line * cols + col] = sum;
    }
    __syncthreads();  // before the next part is written
  }
}

/**
 * x_jj ← Σ_p sums + shift, x n × n: part p of (k, j) at sums[k * perMatrix + j * perElement + p *
 * perPart]. A thread per diagonal element.
 */
extern "C" __global__ __launch_bounds__(256) void finishDiagonal(
    long long count, long long n, long long parts, long long perMatrix, long long perElement,
    long long perPart, const double* sums, double shift, Floats x) {
  long long stride = (long long)gridDim.x * blockDim.x;
  for (long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x; at < count * n;
       at += stride) {
    long long k = at / n;
    long long j = at - k * n;
    const double* first = sums + k * perMatrix + j * perElement;
    double sum = 0;
    for (long long p = 0; p < parts; p++) {
      sum += first[p * perPart];
    }
    *x.at(k, j, j) = (float)(sum + shift);
  }
}
