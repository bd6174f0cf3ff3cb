// Pointers to the tiles of half products, for batched calls of cuBLAS. A thread per pointer triple,
// blocks of 256. Deterministic.

#include "operand.cuh"

/** A matrix of each batch: bytes from `base`, `matrix` apart, its tiles `tile` apart. */
struct Tiled {
  long long base, matrix, tile;
};

/**
 * Pointers to the tiles (i, j), i ≥ j, of c = a b: a's i-th block of rows, b's j-th block of
 * columns, c's block. Tile t of matrix k is number t · count + k; tiles are counted row by row.
 *
 * @param column bytes from a tile of c to its right neighbour
 * @param to three arrays of `tiles` · `count` pointers, one after the other
 */
extern "C" __global__ __launch_bounds__(256) void tilePointers(
    long long count, long long tiles, Tiled a, Tiled b, Tiled c, long long column, long long* to) {
  long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  long long total = count * tiles;
  if (at >= total) {
    return;
  }
  long long k = at % count;
  long long i = 0;
  long long j = at / count;
  while (j > i) {
    ++i;
    j -= i;
  }
  to[at] = a.base + k * a.matrix + i * a.tile;
  to[total + at] = b.base + k * b.matrix + j * b.tile;
  to[2 * total + at] = c.base + k * c.matrix + i * c.tile + j * column;
}
