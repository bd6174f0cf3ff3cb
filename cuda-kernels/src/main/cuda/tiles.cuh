#pragma once

#include "operand.cuh"

/**
 * Tiles of 32 × 32 elements, for operations that pair (i, j) with (j, i): a block of 256 threads
 * takes a tile at or below the diagonal and its mirror image through shared memory, so that both
 * are read and written along rows. The column of padding keeps columns free of bank conflicts.
 */
constexpr int SIDE = 32;
constexpr int ROWS_AT_ONCE = 8;

struct Tile {
  float v[SIDE][SIDE + 1];
};

/** Item `index` of the pairs of an n × n matrix: the tile's first row and column, row ≥ col. */
struct Pair {
  long long matrix, row, col;

  __device__ Pair(long long index, long long pairs) {
    matrix = index / pairs;
    long long rest = index - matrix * pairs;
    long long r = (long long)((sqrt(8.0 * (double)rest + 1) - 1) / 2);
    // The root is rounded.
    while (r * (r + 1) / 2 > rest) {
      r--;
    }
    while ((r + 1) * (r + 2) / 2 <= rest) {
      r++;
    }
    row = r * SIDE;
    col = (rest - r * (r + 1) / 2) * SIDE;
  }
};

/** Calls body(r, c) for the elements of a tile that begins at (row, col) of an m × n matrix. */
template <class Body>
__device__ void eachInTile(long long row, long long col, long long m, long long n, Body body) {
  int c = threadIdx.x % SIDE;
  for (int r = threadIdx.x / SIDE; r < SIDE; r += ROWS_AT_ONCE) {
    if (row + r < m && col + c < n) {
      body(r, c);
    }
  }
}

__device__ inline void readTile(
    const Floats& x, long long matrix, long long row, long long col, long long m, long long n,
    Tile& tile) {
  eachInTile(row, col, m, n, [&](int r, int c) { tile.v[r][c] = *x.at(matrix, row + r, col + c); });
}
