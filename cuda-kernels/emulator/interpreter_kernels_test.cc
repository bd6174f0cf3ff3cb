// Kernels as they are really written, compiled by nvcc: results must be those of plain C++, bit for
// bit.
#include <cmath>
#include <random>

#include "interpreter_checks.h"
#include "interpreter_numbers.h"

using namespace muond;
using namespace muond::check;

namespace {

DeviceMemory& memory() {
  static DeviceMemory memory(0, uint64_t{8} << 30);
  return memory;
}

const Module& module() {
  static auto module =
      Module::load(fileText("interpreter_kernels/right.ptx"), "right.ptx", memory());
  return *module;
}

template <class... A>
void launch(const std::string& name, Dim grid, Dim block, const A&... arguments) {
  check::launch(memory(), module(), name, grid, block, 0, 42, arguments...);
}

std::vector<float> gaussian(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) v = normal(random);
  return x;
}

double warpSum(std::vector<double> lanes) {
  for (int d = 16; d > 0; d >>= 1)
    for (int i = 0; i + d < 32; i++) lanes[i] += lanes[i + d];
  return lanes[0];
}

double sumOfSquares(const std::vector<float>& x) {
  std::vector<double> total(32);
  for (int w = 0; w < 8; w++) {
    std::vector<double> lanes(32);
    for (size_t i = 0; i < x.size(); i++)
      if (i % 256 / 32 == size_t(w))
        lanes[i % 32] = std::fma(double(x[i]), double(x[i]), lanes[i % 32]);
    total[w] = warpSum(lanes);
  }
  return warpSum(total);
}

}  // namespace

TEST(a_reduction_with_shuffles) {
  for (size_t n : {1, 31, 256, 1000, 4097}) {
    std::vector<float> x = gaussian(n, 1);
    Array<float> X(memory(), x);
    Array<double> sum(memory(), 1);
    launch("sumOfSquares", {1, 1, 1}, {256, 1, 1}, X, int64_t(n), sum);
    CHECK_EQUAL(sum.read()[0], sumOfSquares(x));
  }
}

TEST(a_transpose_in_tiles) {
  for (auto [rows, cols] : {std::pair{1, 1}, {32, 32}, {33, 65}, {70, 31}}) {
    std::vector<float> x = gaussian(size_t(rows) * cols, 2);
    Array<float> X(memory(), x), Y(memory(), x.size());
    launch("transpose", {uint32_t(cols + 31) / 32, uint32_t(rows + 31) / 32, 1}, {32, 8, 1}, X, Y,
           rows, cols);
    std::vector<float> y = Y.read();
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < cols; j++) CHECK_EQUAL(y[size_t(j) * rows + i], x[size_t(i) * cols + j]);
  }
}

// nvcc leaves it to ptxas whether this product is fused into the difference; the interpreter does
// not fuse.
TEST(a_cholesky_factor) {
  for (int n : {1, 17, 64}) {
    int64_t ld = n + 3;
    std::vector<float> b = gaussian(size_t(n) * n, 3), a(n * ld);
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++)
        for (int k = 0; k < n; k++) a[i * ld + j] += b[i * n + k] * b[j * n + k] + (i == j);
    Array<float> A(memory(), a);
    launch("cholesky", {1, 1, 1}, {256, 1, 1}, A, n, ld);
    for (int k = 0; k < n; k++) {
      float pivot = a[k * ld + k] = std::sqrt(a[k * ld + k]);
      for (int j = k + 1; j < n; j++) a[k * ld + j] /= pivot;
      for (int i = k + 1; i < n; i++)
        for (int j = i; j < n; j++) a[i * ld + j] -= a[k * ld + i] * a[k * ld + j];
    }
    std::vector<float> r = A.read();
    for (int i = 0; i < n; i++)
      for (int j = i; j < n; j++) CHECK_EQUAL(r[i * ld + j], a[i * ld + j]);
  }
}

TEST(momentum_aligned_or_not) {
  for (bool nesterov : {false, true})
    for (size_t n : {4096, 4097}) {
      std::vector<float> g = gaussian(n, 4), m = gaussian(n, 5);
      Array<float> G(memory(), g), M(memory(), m), taken(memory(), n);
      launch("momentum", {5, 1, 1}, {256, 1, 1}, 0.9f, int(nesterov), G, M, taken, int64_t(n));
      std::vector<float> r = G.read(), t = taken.read();
      for (size_t i = 0; i < n; i++) {
        float expected = std::fma(0.9f, m[i], g[i]);
        CHECK_EQUAL(r[i], expected);
        CHECK_EQUAL(t[i], nesterov ? std::fma(0.9f, expected, g[i]) : expected);
      }
    }
}

TEST(wire_types) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); i++) all[i] = uint16_t(i);
  Array<uint16_t> from(memory(), all), back(memory(), all.size());
  Array<float> to(memory(), all.size());
  for (int type : {1, 2}) {
    Array<unsigned long long> bad(memory(), std::vector<unsigned long long>{~0ull});
    launch("receive", {7, 1, 1}, {256, 1, 1}, type, from, to, int64_t(all.size()), bad);
    std::vector<float> x = to.read();
    uint32_t infinity = type == 1 ? 0x7f80 : 0x7c00;
    CHECK_EQUAL(bad.read()[0], infinity);
    for (uint32_t i = 0; i < all.size(); i++) {
      bool nan = (i & 0x7fff) > infinity;
      if (nan)
        CHECK(x[i] != x[i]);
      else if (type == 1)
        CHECK_EQUAL(bits(x[i]), i << 16);
      else
        CHECK_EQUAL(
            double(x[i]),
            ((i & 0x7c00) == 0x7c00 ? INFINITY
                                    : (i & 0x7c00 ? 1024 + (i & 1023) : (i & 1023)) *
                                          std::ldexp(1.0, int(std::max(i >> 10 & 31, 1u)) - 25)) *
                (i & 0x8000 ? -1 : 1));
    }
    launch("send", {3, 1, 1}, {256, 1, 1}, type, to, back, int64_t(all.size()));
    std::vector<uint16_t> b = back.read();
    for (uint32_t i = 0; i < all.size(); i++)
      CHECK_EQUAL(b[i], (i & 0x7fff) > infinity ? 0x7fff : i);
  }
}

TEST(a_split_into_halves) {
  std::vector<float> x = gaussian(1000, 6);
  Array<float> X(memory(), x);
  Array<uint16_t> hi(memory(), x.size()), lo(memory(), x.size());
  launch("splitHalf", {4, 1, 1}, {256, 1, 1}, X, hi, lo, int64_t(x.size()));
  std::vector<uint16_t> h = hi.read(), l = lo.read();
  for (size_t i = 0; i < x.size(); i++)
    CHECK(std::fabs(fromFloat16(h[i]) + fromFloat16(l[i]) / 2048.0 - x[i]) <=
          std::fabs(x[i]) * 0x1p-22 + 0x1p-36);
}

TEST(scalars_as_arguments) {
  struct Values {
    double v[256];
  } values;
  for (int i = 0; i < 256; i++) values.v[i] = i * 0.1;
  Array<double> to(memory(), 200);
  launch("setScalars", {1, 1, 1}, {256, 1, 1}, values, to, 200);
  std::vector<double> t = to.read();
  for (int i = 0; i < 200; i++) CHECK_EQUAL(t[i], values.v[i]);
}

TEST(divergence) {
  std::mt19937 random(7);
  std::vector<int> x(1000);
  for (int& v : x) v = int(random() % 100000);
  Array<int> X(memory(), x), Y(memory(), x.size());
  launch("diverge", {17, 1, 1}, {64, 1, 1}, X, Y, int(x.size()));
  std::vector<int> y = Y.read();
  const int table[] = {8, 4, 2, -16};
  for (size_t i = 0; i < x.size(); i++) {
    int v = x[i], s = 0;
    for (int k = 0; k < (v & 31); k++) {
      if (k % 3 == 0) continue;
      s += (k & 1) ? k * v : k - v;
      if (s > 100000) break;
    }
    switch (v % 7) {
      case 0:
        s ^= 0x5555;
        break;
      case 1:
        s = s * 31 + 7;
        break;
      case 2:
        s -= v;
        break;
      case 3:
        s = -s;
        break;
      case 4:
        s = int(unsigned(s) << (v & 7));
        break;
      case 5:
        s = s >> 3;
        break;
      default:
        s = __builtin_popcount(unsigned(s)) + (s ? __builtin_clz(unsigned(s)) : 32) +
            __builtin_ffs(s);
    }
    CHECK_EQUAL(y[i], s + table[v & 3]);
  }
  Array<unsigned> counted(memory(), 1);
  launch("counted", {1, 1, 1}, {1, 1, 1}, counted);
  CHECK_EQUAL(counted.read()[0], x.size());
}

TEST(local_memory) {
  std::vector<int> x(64 * 10);
  for (size_t i = 0; i < x.size(); i++) x[i] = int(i * i % 37);
  Array<int> X(memory(), x), Y(memory(), 64 * 16);
  launch("histogram", {1, 1, 1}, {64, 1, 1}, X, Y, 10);
  std::vector<int> y = Y.read();
  for (int t = 0; t < 64; t++)
    for (int b = 0; b < 16; b++) {
      int count = 0;
      for (int i = 0; i < 10; i++) count += (x[t * 10 + i] & 15) == b;
      CHECK_EQUAL(y[t * 16 + b], count);
    }
}

TEST(dynamic_shared_memory) {
  std::vector<float> x = gaussian(100, 8);
  Array<float> X(memory(), x);
  check::launch(memory(), module(), "reverseDynamic", {1, 1, 1}, {100, 1, 1}, 400, 1, X);
  std::vector<float> y = X.read();
  for (int i = 0; i < 100; i++) CHECK_EQUAL(y[i], x[99 - i]);
}

TEST(divisions_and_roots) {
  std::mt19937 random(9);
  std::uniform_real_distribution<double> uniform(0.1, 1000);
  std::vector<double> a(1000), b(1000);
  for (size_t i = 0; i < a.size(); i++) a[i] = uniform(random), b[i] = uniform(random);
  Array<double> A(memory(), a), B(memory(), b), Q(memory(), a.size());
  Array<float> F(memory(), a.size());
  Array<int64_t> L(memory(), a.size());
  launch("division", {4, 1, 1}, {256, 1, 1}, A, B, Q, F, L, int(a.size()));
  std::vector<double> q = Q.read();
  std::vector<float> f = F.read();
  std::vector<int64_t> l = L.read();
  for (size_t i = 0; i < a.size(); i++) {
    CHECK_EQUAL(q[i], std::sqrt(a[i] / b[i]));
    CHECK_EQUAL(f[i], std::sqrt(float(a[i]) / float(b[i])));
    int64_t n = int64_t(a[i] * 1000), d = int64_t(b[i] * 10) | 1;
    CHECK_EQUAL(l[i], n / d + n % d + std::llrint(a[i]));
  }
}

TEST(the_largest_entry_with_atomics) {
  std::vector<float> x = gaussian(5000, 10);
  x[1234] = -77;
  Array<float> X(memory(), x);
  Array<unsigned> result(memory(), std::vector<unsigned>{0});
  launch("maxAbs", {1, 1, 1}, {256, 1, 1}, X, int64_t(x.size()), result);
  CHECK_EQUAL(asFloat(result.read()[0]), 77.0f);
}

int main() { return runAll("interpreter_kernels_test"); }
