// How far rows are from where they belong. float32, sums in float64; deterministic. Grid and blocks:
// see rows.cuh; shared memory: 64 bytes per sum. w and a: before a step; y: after it.

#include "rows.cuh"

/** ⟨w, a⟩, ‖y‖², Σ a and Σ y of a part. */
struct Products {
  double wa;
  double yy;
  double a;
  double y;
};

__device__ Products productsOf(
    const Rows& shape, const Part& part, const Floats& w, const Floats& a, const Floats& y) {
  double wa = 0;
  double yy = 0;
  double sumA = 0;
  double sumY = 0;
  eachInRow(shape, part, [&](auto pack, long long j, int n) {
    constexpr int W = decltype(pack)::width;
    Pack<W> ws = loadRow<W>(w, part, j, n);
    Pack<W> as = loadRow<W>(a, part, j, n);
    Pack<W> ys = loadRow<W>(y, part, j, n);
#pragma unroll
    for (int e = 0; e < W; e++) {
      wa += (double)ws.v[e] * as.v[e];
      yy += (double)ys.v[e] * ys.v[e];
      sumA += as.v[e];
      sumY += ys.v[e];
    }
  });
  Products products;
  products.wa = reduceBlock<Sum>(wa);
  products.yy = reduceBlock<Sum>(yy);
  products.a = reduceBlock<Sum>(sumA);
  products.y = reduceBlock<Sum>(sumY);
  return products;
}

/**
 * Σ (⟨w, a⟩ / radius)² and max |‖y‖² / radius² − 1| of some rows; centered, with ⟨1, a⟩ / √cols
 * and |⟨1, y⟩| / (radius √cols) among them.
 */
struct Residuals {
  double square;
  double excess;

  __device__ void add(const Rows& shape, double radius, int centered, const Products& of) {
    double along = of.wa / radius;
    square += along * along;
    excess = Largest::join(excess, fabs(of.yy / radius / radius - 1));
    if (centered) {
      square += of.a / (double)shape.cols * of.a;
      excess = Largest::join(excess, fabs(of.y / radius) / sqrt((double)shape.cols));
    }
  }
};

/** Whole rows; two numbers per group. */
extern "C" __global__ __launch_bounds__(256) void residuals(
    Rows shape, double radius, int centered, Floats w, Floats a, Floats y, double* groups) {
  Residuals sum = {0, 0};
  eachGroup(
      shape,
      [&](const Part& row) {
        sum.add(shape, radius, centered, productsOf(shape, row, w, a, y));
      },
      [&](long long group) {
        if (threadIdx.x == 0) {
          groups[group * 2] = sum.square;
          groups[group * 2 + 1] = sum.excess;
        }
        sum = {0, 0};
      });
}

/** Cut rows, first pass: four numbers per part. */
extern "C" __global__ __launch_bounds__(256) void residualProducts(
    Rows shape, Floats w, Floats a, Floats y, double* parts) {
  eachRowPart(shape, [&](const Part& part) {
    Products products = productsOf(shape, part, w, a, y);
    if (threadIdx.x == 0) {
      double* to = parts + (part.line * shape.parts + part.from / shape.perPart) * 4;
      to[0] = products.wa;
      to[1] = products.yy;
      to[2] = products.a;
      to[3] = products.y;
    }
  });
}

/** Second pass: a block per row makes of it a group of one row. */
extern "C" __global__ __launch_bounds__(256) void residualRows(
    Rows shape, double radius, int centered, const double* parts, double* groups) {
  for (long long line = blockIdx.x; line < shape.count * shape.rows; line += gridDim.x) {
    const double* first = parts + line * shape.parts * 4;
    Products products;
    products.wa = reduceArray<Sum>(first, shape.parts, 4, 0.0);
    products.yy = reduceArray<Sum>(first + 1, shape.parts, 4, 0.0);
    products.a = reduceArray<Sum>(first + 2, shape.parts, 4, 0.0);
    products.y = reduceArray<Sum>(first + 3, shape.parts, 4, 0.0);
    Residuals row = {0, 0};
    row.add(shape, radius, centered, products);
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
