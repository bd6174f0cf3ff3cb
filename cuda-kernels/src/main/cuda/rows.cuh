#pragma once

#include "operand.cuh"
#include "reduce.cuh"

/**
 * Row-by-row operations, rows being those of the memory. A block of 32 to 256 threads, the more the
 * longer the rows, works on one row at a time. Short rows: a block takes the rows of a group one
 * after the other, and reads a row again while it is still in the cache. Long rows (one may have
 * billions of elements) are cut into parts: a block per part, and a kernel per pass, each of which
 * joins the sums that the parts of its row left in the pass before.
 */
struct Rows {
  long long count;     // matrices
  long long rows;      // of each
  long long cols;
  long long groups;    // of rows, in each matrix; 1 row each where rows are cut
  long long perGroup;  // rows, fewer in the last group
  long long parts;     // of a row
  long long perPart;   // elements, a multiple of 4; fewer in the last part
  long long width;     // of a pack: 4 or 1
};

/** Elements [from, to) of row `row` of matrix `matrix`; `line` counts the rows of all matrices. */
struct Part {
  long long matrix, row, line, from, to;
};

/** Calls body(part) for each part of each row, shared out over the blocks. */
template <class Body>
__device__ void eachRowPart(const Rows& shape, Body body) {
  long long items = shape.count * shape.rows * shape.parts;
  for (long long item = blockIdx.x; item < items; item += gridDim.x) {
    Part part;
    part.line = item / shape.parts;
    part.matrix = part.line / shape.rows;
    part.row = part.line - part.matrix * shape.rows;
    part.from = (item - part.line * shape.parts) * shape.perPart;
    part.to = part.from + shape.perPart < shape.cols ? part.from + shape.perPart : shape.cols;
    body(part);
  }
}

/** Calls body(part) for the whole rows of each group of rows, and end(group's number) after it. */
template <class Body, class End>
__device__ void eachGroup(const Rows& shape, Body body, End end) {
  for (long long item = blockIdx.x; item < shape.count * shape.groups; item += gridDim.x) {
    Part part;
    part.matrix = item / shape.groups;
    long long first = (item - part.matrix * shape.groups) * shape.perGroup;
    long long last = first + shape.perGroup < shape.rows ? first + shape.perGroup : shape.rows;
    part.from = 0;
    part.to = shape.cols;
    for (part.row = first; part.row < last; part.row++) {
      part.line = part.matrix * shape.rows + part.row;
      body(part);
    }
    end(item);
  }
}

template <int W, class Body>
__device__ void eachPackOfPart(const Part& part, Body body) {
  for (long long j = part.from + threadIdx.x * W; j < part.to; j += blockDim.x * W) {
    body(Pack<W>(), j, W == 1 ? 1 : least(part.to - j, W));
  }
}

/** Calls body(pack, j, n) for this thread's packs of n elements from column j on. */
template <class Body>
__device__ void eachInRow(const Rows& shape, const Part& part, Body body) {
  if (shape.width == 4) {
    eachPackOfPart<4>(part, body);
  } else {
    eachPackOfPart<1>(part, body);
  }
}

template <int W>
__device__ Pack<W> loadRow(const Floats& x, const Part& part, long long j, int n) {
  return Pack<W>::load(x.at(part.matrix, part.row, j), n);
}

template <int W>
__device__ void storeRow(
    const Pack<W>& pack, const Floats& x, const Part& part, long long j, int n) {
  pack.store(x.at(part.matrix, part.row, j), n);
}

/** ‖x‖² of a part, in float64, where no square of a float32 overflows or vanishes. */
__device__ inline double squares(const Rows& shape, const Part& part, const Floats& x) {
  double sum = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> xs = loadRow<W>(x, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      sum += (double)xs.v[e] * xs.v[e];
    }
  });
  return reduceBlock<Sum>(sum);
}
