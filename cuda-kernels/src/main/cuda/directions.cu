// The direction on the oblique manifold, row by row: with P the projection onto the tangent space at
// w, a ← P(g) / ‖P(g)‖, or 0 where P(g) is 0; a may be g. float32, sums in float64; deterministic.
// Grid and blocks: see rows.cuh; shared memory: 64 bytes per sum.

#include "rows.cuh"

/** A projection of this size, per √cols and with max |g| = 1, is the rounding of its two terms. */
constexpr double NORMAL_GRADIENT = 1e-7;

/** What P(g) = g − w ⟨w, g⟩ / ‖w‖² is made of. */
struct Sums {
  double gw;
  double ww;
  double largest;  // |g|, NaN if any is

  /** The same for g scaled so that its largest element is 1: no square of it overflows. */
  __device__ double scale() const { return largest == 0 ? 0 : 1 / largest; }

  __device__ double along() const { return largest == 0 || ww == 0 ? 0 : gw / largest / ww; }
};

__device__ Sums sumsOf(const Rows& shape, const Part& part, const Floats& w, const Floats& g) {
  double gw = 0;
  double ww = 0;
  unsigned largest = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> ws = loadRow<W>(w, part, j, n);
    Pack<W> gs = loadRow<W>(g, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      gw += (double)gs.v[e] * ws.v[e];
      ww += (double)ws.v[e] * ws.v[e];
      unsigned bits = __float_as_uint(gs.v[e]) & 0x7fffffffu;
      largest = bits > largest ? bits : largest;
    }
  });
  Sums sums;
  sums.gw = reduceBlock<Sum>(gw);
  sums.ww = reduceBlock<Sum>(ww);
  sums.largest = reduceBlock<Largest>((double)__uint_as_float(largest));
  return sums;
}

/** a ← P(g) / max |g|; returns ‖a‖² over the part. */
__device__ double project(
    const Rows& shape, const Part& part, const Sums& sums, const Floats& w, const Floats& g,
    const Floats& a) {
  double scale = sums.scale();
  double along = sums.along();
  double square = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> ws = loadRow<W>(w, part, j, n);
    Pack<W> gs = loadRow<W>(g, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      gs.v[e] = (float)(scale * gs.v[e] - along * ws.v[e]);
      square += (double)gs.v[e] * gs.v[e];
    }
    storeRow<W>(gs, a, part, j, n);
  });
  return reduceBlock<Sum>(square);
}

/** a ← a / ‖a‖, given ‖a‖² of the whole row; returns ⟨g, a⟩. */
__device__ double normalize(
    const Rows& shape, const Part& part, const Sums& sums, double square, const Floats& a) {
  double norm = sqrt(square);
  bool none = norm <= NORMAL_GRADIENT * sqrt((double)shape.cols);
  double factor = none ? 0 : 1 / norm;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> as = loadRow<W>(a, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      as.v[e] = (float)(factor * as.v[e]);
    }
    storeRow<W>(as, a, part, j, n);
  });
  return none ? 0 : norm * sums.largest;
}

/** Whole rows; objectives[k * groups + group] ← Σ ⟨g, a⟩ over the rows of a group. */
extern "C" __global__ __launch_bounds__(256) void directions(
    Rows shape, Floats w, Floats g, Floats a, double* objectives) {
  double objective = 0;
  eachGroup(
      shape,
      [&](const Part& row) {
        Sums sums = sumsOf(shape, row, w, g);
        double square = project(shape, row, sums, w, g, a);
        objective += normalize(shape, row, sums, square, a);
      },
      [&](long long group) {
        if (threadIdx.x == 0) {
          objectives[group] = objective;
        }
        objective = 0;
      });
}

/** Joins the sums of a row's parts: three numbers for each. */
__device__ Sums joinSums(const Rows& shape, long long line, const double* parts) {
  const double* first = parts + line * shape.parts * 3;
  Sums sums;
  sums.gw = reduceArray<Sum>(first, shape.parts, 3, 0.0);
  sums.ww = reduceArray<Sum>(first + 1, shape.parts, 3, 0.0);
  sums.largest = reduceArray<Largest>(first + 2, shape.parts, 3, 0.0);
  return sums;
}

/** Cut rows, first pass: the sums of each part. */
extern "C" __global__ __launch_bounds__(256) void directionSums(
    Rows shape, Floats w, Floats g, double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    Sums sums = sumsOf(shape, part, w, g);
    if (threadIdx.x == 0) {
      double* to = parts + (part.line * shape.parts + part.from / shape.perPart) * 3;
      to[0] = sums.gw;
      to[1] = sums.ww;
      to[2] = sums.largest;
    }
  });
}

/** Second pass: squares[line * parts + part] ← ‖P(g)‖² of each part, scaled. */
extern "C" __global__ __launch_bounds__(256) void directionProject(
    Rows shape, Floats w, Floats g, Floats a, const double* parts, double* squares) {
  eachRowPart(shape, [&](const Part& part) {
    Sums sums = joinSums(shape, part.line, parts);
    double square = project(shape, part, sums, w, g, a);
    if (threadIdx.x == 0) {
      squares[part.line * shape.parts + part.from / shape.perPart] = square;
    }
  });
}

/** Third pass; objectives[line] ← ⟨g, a⟩ of each row. */
extern "C" __global__ __launch_bounds__(256) void directionNormalize(
    Rows shape, Floats a, const double* parts, const double* squares, double* objectives) {
  eachRowPart(shape, [&](const Part& part) {
    Sums sums = joinSums(shape, part.line, parts);
    double square = reduceArray<Sum>(squares + part.line * shape.parts, shape.parts, 1, 0.0);
    double objective = normalize(shape, part, sums, square, a);
    if (threadIdx.x == 0 && part.from == 0) {
      objectives[part.line] = objective;
    }
  });
}
