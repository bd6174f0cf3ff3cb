#pragma once

#include "operand.cuh"

/**
 * A way through a batch in stored order, pack by pack. Rows that follow each other without a gap in
 * every operand count as one. A thread divides once, to find its first place; from there it goes on
 * by carrying, as an odometer does, with the distance that the launcher has divided beforehand.
 */
struct Walk {
  long long packs;   // of all matrices
  long long rows;    // of a matrix
  long long cols;    // elements of a row
  long long perRow;  // packs of a row, the last one possibly incomplete
  long long stepMatrices, stepRows, stepPacks;  // one stride
  long long width;  // 4 or 1
};

/** A pack's first element, and how many of its elements exist. */
struct Place {
  long long matrix, row, col;
  int n;
};

/** Calls body(Pack<W>(), place) for the packs from, from + stride, … below end. */
template <int W, class Body>
__device__ void eachPack(
    const Walk& walk, long long from, long long end, long long stride, Body body) {
  if (from >= end) {
    return;
  }
  Place at;
  long long line = from / walk.perRow;
  long long pack = from - line * walk.perRow;
  at.matrix = line / walk.rows;
  at.row = line - at.matrix * walk.rows;
  for (; from < end; from += stride) {
    at.col = pack * W;
    at.n = W == 1 ? 1 : least(walk.cols - at.col, W);
    body(Pack<W>(), at);
    pack += walk.stepPacks;
    at.row += walk.stepRows;
    at.matrix += walk.stepMatrices;
    if (pack >= walk.perRow) {
      pack -= walk.perRow;
      at.row++;
    }
    if (at.row >= walk.rows) {
      at.row -= walk.rows;
      at.matrix++;
    }
  }
}

template <class Body>
__device__ void eachPackOf(
    const Walk& walk, long long from, long long end, long long stride, Body body) {
  if (walk.width == 4) {
    eachPack<4>(walk, from, end, stride, body);
  } else {
    eachPack<1>(walk, from, end, stride, body);
  }
}

/** All packs, shared out over the grid. */
template <class Body>
__device__ void eachPackOfGrid(const Walk& walk, Body body) {
  eachPackOf(
      walk,
      (long long)blockIdx.x * blockDim.x + threadIdx.x,
      walk.packs,
      (long long)gridDim.x * blockDim.x,
      body);
}

template <int W>
__device__ Pack<W> load(const Floats& x, const Place& at) {
  return Pack<W>::load(x.at(at.matrix, at.row, at.col), at.n);
}

template <int W>
__device__ void store(const Pack<W>& pack, const Floats& x, const Place& at) {
  pack.store(x.at(at.matrix, at.row, at.col), at.n);
}
