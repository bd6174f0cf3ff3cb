#pragma once

#include "tiles.cuh"

/** How elements are kept: as float32. */
struct Whole {
  __device__ float read(float element) const { return element; }
  __device__ float write(float value) const { return value; }
};

/**
 * Completes c, of which the elements (i, j), i ≥ j, are known and the others neither read nor
 * initialised: f(k, i, j, c_ij) becomes element (i, j) of matrix k, and sign times it (j, i).
 */
template <class T, class Kept, class F>
__device__ void mirror(
    long long count, long long n, long long pairs, const Operand<T>& c, Kept kept, float sign,
    F f) {
  __shared__ Tile tile;
  for (long long item = blockIdx.x; item < count * pairs; item += gridDim.x) {
    Pair at(item, pairs);
    bool diagonal = at.row == at.col;
    eachInTile(at.row, at.col, n, n, [&](int r, int s) {
      if (!diagonal || r >= s) {
        T* to = c.at(at.matrix, at.row + r, at.col + s);
        T element = kept.write(f(at.matrix, at.row + r, at.col + s, kept.read(*to)));
        *to = element;
        tile.v[r][s] = kept.read(element);
      }
    });
    __syncthreads();
    eachInTile(at.col, at.row, n, n, [&](int r, int s) {
      if (!diagonal || r < s) {
        *c.at(at.matrix, at.col + r, at.row + s) = kept.write(sign * tile.v[s][r]);
      }
    });
    __syncthreads();  // before the next tile is read
  }
}
