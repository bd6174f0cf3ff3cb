// Normalisation and movement of rows, and their residuals. float32, sums in float64; deterministic.
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

/** y ← radius x / ‖x‖, given ‖x‖²; a row of zeros becomes (radius, 0, …, 0). */
__device__ void normalizePart(
    const Rows& shape, const Part& part, double radius, double square, const Floats& x,
    const Floats& y) {
  bool zeros = square == 0;
  double factor = zeros ? 0 : factorOf(radius, square);
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> xs = loadRow<W>(x, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      xs.v[e] = zeros && j + e == 0 ? (float)radius : (float)(factor * xs.v[e]);
    }
    storeRow<W>(xs, y, part, j, n);
  });
}

/** Whole rows. */
extern "C" __global__ __launch_bounds__(256) void normalizeRows(
    Rows shape, double radius, Floats x, Floats y) {
  eachGroup(
      shape,
      [&](const Part& row) {
        normalizePart(shape, row, radius, squares(shape, row, x), x, y);
      },
      [](long long group) {});
}

/** Cut rows, after rowSquares. */
extern "C" __global__ __launch_bounds__(256) void normalizeParts(
    Rows shape, double radius, Floats x, Floats y, const double* sums) {
  eachRowPart(shape, [&](const Part& part) {
    double square = reduceArray<Sum>(sums + part.line * shape.parts, shape.parts, 1, 0.0);
    normalizePart(shape, part, radius, square, x, y);
  });
}

/** Of v = w − step a: ‖v‖², and whether anything moves: max |a|, NaN if any is. */
struct Move {
  double square;
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
  double square = 0;
  unsigned largest = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> as = loadRow<W>(a, part, j, n);
    Pack<W> vs = moved(step, loadRow<W>(w, part, j, n), as);
#pragma unroll
    for (int e = 0; e < W; e++) {
      square += (double)vs.v[e] * vs.v[e];
      unsigned bits = __float_as_uint(as.v[e]) & 0x7fffffffu;
      largest = bits > largest ? bits : largest;
    }
  });
  Move move;
  move.square = reduceBlock<Sum>(square);
  move.largest = reduceBlock<Largest>((double)__uint_as_float(largest));
  return move;
}

/** y ← radius v / ‖v‖, or w bit for bit where nothing moves. */
__device__ void movePart(
    const Rows& shape, const Part& part, double radius, double step, const Move& move,
    const Floats& w, const Floats& a, const Floats& y) {
  bool stays = move.largest == 0 || step == 0;
  bool zeros = move.square == 0;
  double factor = zeros ? 0 : factorOf(radius, move.square);
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> ws = loadRow<W>(w, part, j, n);
    if (!stays) {
      ws = moved(step, ws, loadRow<W>(a, part, j, n));
#pragma unroll
      for (int e = 0; e < W; e++) {
        ws.v[e] = zeros && j + e == 0 ? (float)radius : (float)(factor * ws.v[e]);
      }
    }
    storeRow<W>(ws, y, part, j, n);
  });
}

/** Whole rows; eta: one number per matrix, step = radius η. */
extern "C" __global__ __launch_bounds__(256) void moveRows(
    Rows shape, double radius, const double* eta, Floats w, Floats a, Floats y) {
  eachGroup(
      shape,
      [&](const Part& row) {
        double step = radius * eta[row.matrix];
        movePart(shape, row, radius, step, moveOf(shape, row, step, w, a), w, a, y);
      },
      [](long long group) {});
}

/** Cut rows, first pass: two numbers per part. */
extern "C" __global__ __launch_bounds__(256) void moveSums(
    Rows shape, double radius, const double* eta, Floats w, Floats a, double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    Move move = moveOf(shape, part, radius * eta[part.matrix], w, a);
    if (threadIdx.x == 0) {
      double* to = parts + (part.line * shape.parts + part.from / shape.perPart) * 2;
      to[0] = move.square;
      to[1] = move.largest;
    }
  });
}

/** Second pass. */
extern "C" __global__ __launch_bounds__(256) void moveParts(
    Rows shape, double radius, const double* eta, Floats w, Floats a, Floats y,
    const double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    const double* first = parts + part.line * shape.parts * 2;
    Move move;
    move.square = reduceArray<Sum>(first, shape.parts, 2, 0.0);
    move.largest = reduceArray<Largest>(first + 1, shape.parts, 2, 0.0);
    movePart(shape, part, radius, radius * eta[part.matrix], move, w, a, y);
  });
}

/** ⟨w, a⟩ and ‖y‖² of a part. */
struct Products {
  double wa;
  double yy;
};

__device__ Products productsOf(
    const Rows& shape, const Part& part, const Floats& w, const Floats& a, const Floats& y) {
  double wa = 0;
  double yy = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> ws = loadRow<W>(w, part, j, n);
    Pack<W> as = loadRow<W>(a, part, j, n);
    Pack<W> ys = loadRow<W>(y, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      wa += (double)ws.v[e] * as.v[e];
      yy += (double)ys.v[e] * ys.v[e];
    }
  });
  Products products;
  products.wa = reduceBlock<Sum>(wa);
  products.yy = reduceBlock<Sum>(yy);
  return products;
}

/** Σ (⟨w, a⟩ / radius)² and max |‖y‖² / radius² − 1| of some rows. */
struct Residuals {
  double square;
  double excess;

  __device__ void add(double radius, const Products& of) {
    double along = of.wa / radius;
    square += along * along;
    excess = Largest::join(excess, fabs(of.yy / radius / radius - 1));
  }
};

/** Whole rows; two numbers per group. */
extern "C" __global__ __launch_bounds__(256) void residuals(
    Rows shape, double radius, Floats w, Floats a, Floats y, double* groups) {
  Residuals sum = {0, 0};
  eachGroup(
      shape,
      [&](const Part& row) { sum.add(radius, productsOf(shape, row, w, a, y)); },
      [&](long long group) {
        if (threadIdx.x == 0) {
          groups[group * 2] = sum.square;
          groups[group * 2 + 1] = sum.excess;
        }
        sum = {0, 0};
      });
}

/** Cut rows, first pass: two numbers per part. */
extern "C" __global__ __launch_bounds__(256) void residualProducts(
    Rows shape, Floats w, Floats a, Floats y, double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    Products products = productsOf(shape, part, w, a, y);
    if (threadIdx.x == 0) {
      double* to = parts + (part.line * shape.parts + part.from / shape.perPart) * 2;
      to[0] = products.wa;
      to[1] = products.yy;
    }
  });
}

/** Second pass: a block per row makes of it a group of one row. */
extern "C" __global__ __launch_bounds__(256) void residualRows(
    Rows shape, double radius, const double* parts, double* groups) {
  for (long long line = blockIdx.x; line < shape.count * shape.rows; line += gridDim.x) {
    const double* first = parts + line * shape.parts * 2;
    Products products;
    products.wa = reduceArray<Sum>(first, shape.parts, 2, 0.0);
    products.yy = reduceArray<Sum>(first + 1, shape.parts, 2, 0.0);
    Residuals row = {0, 0};
    row.add(radius, products);
    if (threadIdx.x == 0) {
      groups[line * 2] = row.square;
      groups[line * 2 + 1] = row.excess;
    }
  }
}

/** Last: tangency[k] ← √(Σ square / rows), orthogonality[k] ← the largest excess; a block each. */
extern "C" __global__ __launch_bounds__(256) void finishResiduals(
    Rows shape, const double* groups, double* tangency, double* orthogonality) {
  for (long long k = blockIdx.x; k < shape.count; k += gridDim.x) {
    const double* first = groups + k * shape.groups * 2;
    double square = reduceArray<Sum>(first, shape.groups, 2, 0.0);
    double excess = reduceArray<Largest>(first + 1, shape.groups, 2, 0.0);
    if (threadIdx.x == 0) {
      tangency[k] = sqrt(square / (double)shape.rows);
      orthogonality[k] = excess;
    }
  }
}
