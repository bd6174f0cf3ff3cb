// Centering, normalisation and movement of rows. float32, sums in float64; deterministic.
// Grid and blocks: see rows.cuh; shared memory: 64 bytes per sum. y may be x (or w).

#include "rows.cuh"

/** radius / ‖x‖, given ‖x‖² > 0; NaN for an infinite row, as for one with a NaN. */
__device__ inline double factorOf(double radius, double square) {
  double norm = sqrt(square);
  return norm <= 1.7976931348623157e308 ? radius / norm : norm - norm;
}

/** squares[line * parts + part] ← ‖x‖² of each part of each row. */
extern "C" __global__ __launch_bounds__(256) void rowSquares(
    Rows shape, Floats x, double* sums) {
  eachRowPart(shape, [&](const Part& part) {
    double square = squares(shape, part, x);
    if (threadIdx.x == 0) {
      sums[part.line * shape.parts + part.from / shape.perPart] = square;
    }
  });
}

/**
 * What a row of zeros becomes, element by element: (radius, 0, …, 0), or centered (radius / √2,
 * −radius / √2, 0, …).
 */
__device__ inline float instead(double radius, int centered, long long j) {
  double first = centered ? 0.70710678118654752440 * radius : radius;
  return j == 0 ? (float)first : j == 1 && centered ? -(float)first : 0.0f;
}

/** y ← radius x / ‖x‖, given ‖x‖²; for a row of zeros see above. */
__device__ void normalizePart(
    const Rows& shape, const Part& part, double radius, int centered, double square,
    const Floats& x, const Floats& y) {
  bool zeros = square == 0;
  double factor = zeros ? 0 : factorOf(radius, square);
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> xs = loadRow<W>(x, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      xs.v[e] = zeros ? instead(radius, centered, j + e) : (float)(factor * xs.v[e]);
    }
    storeRow<W>(xs, y, part, j, n);
  });
}

/** Whole rows. */
extern "C" __global__ __launch_bounds__(256) void normalizeRows(
    Rows shape, double radius, int centered, Floats x, Floats y) {
  eachGroup(
      shape,
      [&](const Part& row) {
        normalizePart(shape, row, radius, centered, squares(shape, row, x), x, y);
      },
      [](long long group) {});
}

/** Cut rows, after rowSquares. */
extern "C" __global__ __launch_bounds__(256) void normalizeParts(
    Rows shape, double radius, int centered, Floats x, Floats y, const double* sums) {
  eachRowPart(shape, [&](const Part& part) {
    double square = reduceArray<Sum>(sums + part.line * shape.parts, shape.parts, 1, 0.0);
    normalizePart(shape, part, radius, centered, square, x, y);
  });
}

/** ‖x − mean‖² as a part of ‖x‖² up to which the elements of a row count as equal: rounding. */
constexpr double EQUAL_ELEMENTS = 1e-14;

/** Σ (x − origin) and Σ (x − origin)² of a row or a part of one. */
struct Spread {
  double origin;
  double sum;
  double square;

  __device__ double mean(long long n) const { return origin + sum / (double)n; }

  /** ‖x − mean‖² over n elements. */
  __device__ double around(long long n) const {
    double left = square - sum / (double)n * sum;
    double all = square + origin * (2 * sum + (double)n * origin);
    return left <= EQUAL_ELEMENTS * all ? 0 : left;
  }
};

/** Around the row's first element, so that the sums of equal elements are exactly 0. */
__device__ Spread spreadOf(const Rows& shape, const Part& part, const Floats& x) {
  double origin = *x.at(part.matrix, part.row, 0);
  double sum = 0;
  double square = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> xs = loadRow<W>(x, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      if (e < n) {
        double off = xs.v[e] - origin;
        sum += off;
        square += off * off;
      }
    }
  });
  Spread spread;
  spread.origin = origin;
  spread.sum = reduceBlock<Sum>(sum);
  spread.square = reduceBlock<Sum>(square);
  return spread;
}

/** y ← x − mean, or 0 where that is rounding; NaN stays NaN. */
__device__ void centerPart(
    const Rows& shape, const Part& part, const Spread& spread, const Floats& x, const Floats& y) {
  double mean = spread.mean(shape.cols);
  bool none = spread.around(shape.cols) == 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> xs = loadRow<W>(x, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      xs.v[e] = none ? 0.0f : (float)(xs.v[e] - mean);
    }
    storeRow<W>(xs, y, part, j, n);
  });
}

/** Whole rows: y ← x − mean, row by row. */
extern "C" __global__ __launch_bounds__(256) void centerRows(Rows shape, Floats x, Floats y) {
  eachGroup(
      shape,
      [&](const Part& row) {
        Spread spread = spreadOf(shape, row, x);
        __syncthreads();  // y may be x, of which every thread has read the first element
        centerPart(shape, row, spread, x, y);
      },
      [](long long group) {});
}

/** Cut rows, first pass: three numbers per part. */
extern "C" __global__ __launch_bounds__(256) void rowSpreads(
    Rows shape, Floats x, double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    Spread spread = spreadOf(shape, part, x);
    if (threadIdx.x == 0) {
      double* to = parts + (part.line * shape.parts + part.from / shape.perPart) * 3;
      to[0] = spread.origin;
      to[1] = spread.sum;
      to[2] = spread.square;
    }
  });
}

/** Second pass. */
extern "C" __global__ __launch_bounds__(256) void centerParts(
    Rows shape, Floats x, Floats y, const double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    const double* first = parts + part.line * shape.parts * 3;
    Spread spread;
    spread.origin = first[0];  // not x's, which another block may have overwritten
    spread.sum = reduceArray<Sum>(first + 1, shape.parts, 3, 0.0);
    spread.square = reduceArray<Sum>(first + 2, shape.parts, 3, 0.0);
    centerPart(shape, part, spread, x, y);
  });
}

/** Of v = w − step a: Σ v and ‖v‖², and whether anything moves: max |a|, NaN if any is. */
struct Move {
  Spread v;
  double largest;
};

template <int W>
__device__ Pack<W> moved(double step, const Pack<W>& w, const Pack<W>& a) {
  Pack<W> v;
#pragma unroll
  for (int e = 0; e < W; e++) {
    v.v[e] = (float)(w.v[e] - step * a.v[e]);
  }
  return v;
}

__device__ Move moveOf(
    const Rows& shape, const Part& part, double step, const Floats& w, const Floats& a) {
  double sum = 0;
  double square = 0;
  unsigned largest = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> as = loadRow<W>(a, part, j, n);
    Pack<W> vs = moved(step, loadRow<W>(w, part, j, n), as);
#pragma unroll
    for (int e = 0; e < W; e++) {
      sum += vs.v[e];
      square += (double)vs.v[e] * vs.v[e];
      unsigned bits = __float_as_uint(as.v[e]) & 0x7fffffffu;
      largest = bits > largest ? bits : largest;
    }
  });
  Move move;
  move.v.origin = 0;
  move.v.sum = reduceBlock<Sum>(sum);
  move.v.square = reduceBlock<Sum>(square);
  move.largest = reduceBlock<Largest>((double)__uint_as_float(largest));
  return move;
}

/** y ← radius v / ‖v‖, centered v − mean for v, or w bit for bit where nothing moves. */
__device__ void movePart(
    const Rows& shape, const Part& part, double radius, int centered, double step,
    const Move& move, const Floats& w, const Floats& a, const Floats& y) {
  bool stays = move.largest == 0 || step == 0;
  double square = centered ? move.v.around(shape.cols) : move.v.square;
  double mean = centered ? move.v.mean(shape.cols) : 0;
  bool zeros = square == 0;
  double factor = zeros ? 0 : factorOf(radius, square);
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> ws = loadRow<W>(w, part, j, n);
    if (!stays) {
      ws = moved(step, ws, loadRow<W>(a, part, j, n));
#pragma unroll
      for (int e = 0; e < W; e++) {
        ws.v[e] =
            zeros ? instead(radius, centered, j + e) : (float)(factor * (ws.v[e] - mean));
      }
    }
    storeRow<W>(ws, y, part, j, n);
  });
}

/** Whole rows; eta: one number per matrix, step = radius η. */
extern "C" __global__ __launch_bounds__(256) void moveRows(
    Rows shape, double radius, int centered, const double* eta, Floats w, Floats a, Floats y) {
  eachGroup(
      shape,
      [&](const Part& row) {
        double step = radius * eta[row.matrix];
        Move move = moveOf(shape, row, step, w, a);
        movePart(shape, row, radius, centered, step, move, w, a, y);
      },
      [](long long group) {});
}

/** Cut rows, first pass: three numbers per part. */
extern "C" __global__ __launch_bounds__(256) void moveSums(
    Rows shape, double radius, const double* eta, Floats w, Floats a, double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    Move move = moveOf(shape, part, radius * eta[part.matrix], w, a);
    if (threadIdx.x == 0) {
      double* to = parts + (part.line * shape.parts + part.from / shape.perPart) * 3;
      to[0] = move.v.sum;
      to[1] = move.v.square;
      to[2] = move.largest;
    }
  });
}

/** Second pass. */
extern "C" __global__ __launch_bounds__(256) void moveParts(
    Rows shape, double radius, int centered, const double* eta, Floats w, Floats a, Floats y,
    const double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    const double* first = parts + part.line * shape.parts * 3;
    Move move;
    move.v.origin = 0;
    move.v.sum = reduceArray<Sum>(first, shape.parts, 3, 0.0);
    move.v.square = reduceArray<Sum>(first + 1, shape.parts, 3, 0.0);
    move.largest = reduceArray<Largest>(first + 2, shape.parts, 3, 0.0);
    movePart(shape, part, radius, centered, radius * eta[part.matrix], move, w, a, y);
  });
}
