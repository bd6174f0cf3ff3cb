#include "cublas_test.h"

#include <chrono>

#include "cublas_gemm.h"

using namespace muond;
using namespace muond::test;

namespace {

double element(const std::vector<float>& matrix, int ld, bool transposed, int i, int j) {
  return matrix[transposed ? j + i * ld : i + j * ld];
}

/** One product on the device, checked against a plain loop in double; padding beyond m rows must
 * stay as it was. */
void checkProduct(Handle blas, bool ta, bool tb, int m, int n, int k, float alpha, float beta,
                  int pad) {
  int lda = (ta ? k : m) + pad, ldb = (tb ? n : k) + pad, ldc = m + pad;
  auto a = numbers(static_cast<size_t>(lda) * (ta ? m : k), 1),
       b = numbers(static_cast<size_t>(ldb) * (tb ? k : n), 2);
  auto c = numbers(static_cast<size_t>(ldc) * n, 3);
  DeviceBytes da(a.size() * 4), db(b.size() * 4), dc(c.size() * 4);
  upload(da, a);
  upload(db, b);
  upload(dc, c);
  OK(cublasSgemm_v2(blas, ta, tb, m, n, k, &alpha, at(da), lda, at(db), ldb, &beta, at(dc), ldc));
  auto result = download(dc, c.size());
  for (int j = 0; j < n; j++) {
    for (int i = 0; i < ldc; i++) {
      double sum = 0;
      for (int l = 0; l < k && i < m; l++)
        sum += element(a, lda, ta, i, l) * element(b, ldb, tb, l, j);
      double expected =
          i < m ? alpha * sum + (beta == 0 ? 0 : beta * c[i + j * ldc]) : c[i + j * ldc];
      CHECK(std::abs(result[i + j * ldc] - expected) <= (i < m ? 1e-5 * std::sqrt(k + 1.0) : 0));
    }
  }
}

}  // namespace

TEST(products, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  for (int transposes = 0; transposes < 4; transposes++) {
    for (auto [m, n, k] :
         {std::tuple{1, 1, 1}, {33, 7, 5}, {70, 13, 300}, {32, 6, 128}, {5, 65, 129}}) {
      checkProduct(blas, transposes & 1, transposes & 2, m, n, k, 1, 0, 0);
      checkProduct(blas, transposes & 1, transposes & 2, m, n, k, -0.5f, 2, 3);
    }
  }
}

TEST(batches, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  constexpr int kCount = 3, kSize = 8, kEach = 64, kApart = 100;
  DeviceBytes a(kApart * kCount * 4), c(kApart * kCount * 4), d(kApart * kCount * 4),
      lists(3 * kCount * 8);
  auto values = numbers(kApart * kCount, 5);
  upload(a, values);
  float one = 1, zero = 0;
  OK(cublasGemmStridedBatchedEx(blas, 0, 1, kSize, kSize, kSize, &one, at(a), kFloat32, kSize,
                                kApart, at(a), kFloat32, kSize, kApart, &zero, at(c), kFloat32,
                                kSize, kApart, kCount, kCompute32, -1));
  uint64_t addresses[3 * kCount];
  for (int i = 0; i < kCount; i++) {
    addresses[i] = addresses[kCount + i] = a + i * kApart * 4;
    addresses[2 * kCount + i] = d + i * kApart * 4;
  }
  OK(cuMemcpyHtoD_v2(lists, addresses, sizeof addresses));
  auto list = [&](int which) { return reinterpret_cast<void**>(lists + which * kCount * 8); };
  OK(cublasGemmBatchedEx(blas, 0, 1, kSize, kSize, kSize, &one, list(0), kFloat32, kSize, list(1),
                         kFloat32, kSize, &zero, list(2), kFloat32, kSize, kCount, kCompute32, -1));
  for (int i = 0; i < kCount; i++) {
    auto strided = download(c + i * kApart * 4, kEach),
         listed = download(d + i * kApart * 4, kEach);
    CHECK(strided == listed);
    double expected = 0;
    for (int l = 0; l < kSize; l++)
      expected += double{values[i * kApart + 3 + l * kSize]} * values[i * kApart + 5 + l * kSize];
    CHECK(std::abs(strided[3 + 5 * kSize] - expected) < 1e-6);
  }
}

TEST(sixteen_bit_types, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  constexpr int n = 24;
  auto a = numbers(n * n, 1), b = numbers(n * n, 2);
  for (int type : {kFloat16, kBfloat16}) {
    auto narrow = [&](float value) {
      return type == kFloat16 ? floatToHalf(value) : floatToBfloat(value);
    };
    auto widen = [&](uint16_t value) {
      return type == kFloat16 ? halfToFloat(value) : bfloatToFloat(value);
    };
    std::vector<uint16_t> x(n * n), y(n * n), z(n * n);
    for (int i = 0; i < n * n; i++) x[i] = narrow(a[i]), y[i] = narrow(b[i]);
    DeviceBytes dx(n * n * 2), dy(n * n * 2), dz(n * n * 2), wide(n * n * 4);
    OK(cuMemcpyHtoD_v2(dx, x.data(), n * n * 2));
    OK(cuMemcpyHtoD_v2(dy, y.data(), n * n * 2));
    float one = 1, zero = 0;
    OK(cublasGemmEx(blas, 0, 0, n, n, n, &one, at(dx), type, n, at(dy), type, n, &zero, at(wide),
                    kFloat32, n, kCompute32, -1));
    OK(cublasGemmEx(blas, 0, 0, n, n, n, &one, at(dx), type, n, at(dy), type, n, &zero, at(dz),
                    type, n, kCompute32, -1));
    auto result = download(wide, n * n);
    OK(cuMemcpyDtoH_v2(z.data(), dz, n * n * 2));
    for (int j = 0; j < n; j++) {
      for (int i = 0; i < n; i++) {
        double expected = 0;
        for (int l = 0; l < n; l++) expected += double{widen(x[i + l * n])} * widen(y[l + j * n]);
        CHECK(std::abs(result[i + j * n] - expected) < 1e-5);
        CHECK(z[i + j * n] == narrow(result[i + j * n]));
      }
    }
  }
}

TEST(tf32_cuts_the_inputs, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(4), b(4), c(4);
  float fine = 1 + 0x1p-11f, one = 1, zero = 0;
  upload(a, {fine});
  upload(b, {1});
  OK(cublasGemmEx(blas, 0, 0, 1, 1, 1, &one, at(a), kFloat32, 1, at(b), kFloat32, 1, &zero, at(c),
                  kFloat32, 1, kTf32, -1));
  CHECK(download(c, 1)[0] == 1);
  OK(cublasSgemm_v2(blas, 0, 0, 1, 1, 1, &one, at(a), 1, at(b), 1, &zero, at(c), 1));
  CHECK(download(c, 1)[0] == fine);
  OK(cublasSetMathMode(blas, 3));
  OK(cublasSgemm_v2(blas, 0, 0, 1, 1, 1, &one, at(a), 1, at(b), 1, &zero, at(c), 1));
  CHECK(download(c, 1)[0] == 1);
}

/** Tensor cores truncate: a long sum of positive terms comes out too small, never too large. */
TEST(tensor_cores_truncate_sums, SETTINGS(), LINES()) {
  constexpr int k = 4096;
  Packed a(Packed::Side::Left, 1, k), b(Packed::Side::Right, 1, k);
  auto values = numbers(k, 9);
  double exact = 0;
  for (int l = 0; l < k; l++) {
    float value = halfToFloat(floatToHalf(std::abs(values[l])));
    a.storeLine(0, l, &value, 1);
    b.storeLine(0, l, &value, 1);
    exact += double{value} * value;
  }
  float rounded = multiply(a, b, Arithmetic::Float32)[0],
        truncated = multiply(a, b, Arithmetic::Tensor)[0];
  CHECK(truncated < rounded);
  CHECK(truncated < exact && truncated > exact * (1 - 1e-4));
  volatile float third = 1.0f, three = 3.0f;
  CHECK(third / three == 1.0f / 3.0f);  // rounding is to nearest again
}

TEST(only_a_triangle, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  constexpr int n = 20, k = 30;
  auto a = numbers(n * k, 1), c = numbers(n * n, 2);
  DeviceBytes da(n * k * 4), dc(n * n * 4);
  float alpha = 2, beta = -1;
  for (int uplo : {0, 1}) {
    upload(da, a);
    upload(dc, c);
    OK(cublasSsyrk_v2(blas, uplo, 0, n, k, &alpha, at(da), n, &beta, at(dc), n));
    auto result = download(dc, n * n);
    for (int j = 0; j < n; j++) {
      for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int l = 0; l < k; l++) sum += double{a[i + l * n]} * a[j + l * n];
        bool written = uplo == 0 ? i >= j : i <= j;
        CHECK(written ? std::abs(result[i + j * n] - (2 * sum - c[i + j * n])) < 1e-4
                      : result[i + j * n] == c[i + j * n]);
      }
    }
  }
}

TEST(scalars_on_the_device, SETTINGS(),
     LINES("cublasSgemm_v2|alpha or beta|are not within one live allocation")) {
  OnDevice device;
  AStream stream;
  Blas blas(stream);
  DeviceBytes a(4), c(4), scalars(8);
  upload(a, {3});
  upload(scalars, {2, 0});
  OK(cublasSetPointerMode_v2(blas, 1));
  OK(cublasSgemm_v2(blas, 0, 0, 1, 1, 1, at(scalars), at(a), 1, at(a), 1, at(scalars + 4), at(c),
                    1));
  CHECK(download(c, 1)[0] == 18);
  OK(cublasSgemm_v2(blas, 0, 0, 1, 1, 1, at(scalars + 8), at(a), 1, at(a), 1, at(scalars + 4),
                    at(c), 1));
  CHECK(cuStreamSynchronize(stream) >= 700);
  std::_Exit(0);
}

TEST(products_are_fast_enough, SETTINGS(), LINES()) {
  constexpr int n = 512;
  Packed a(Packed::Side::Left, n, n), b(Packed::Side::Right, n, n);
  auto values = numbers(n * n, 1);
  for (int l = 0; l < n; l++) {
    a.storeTerm(l, 0, values.data() + l * n, n);
    b.storeLine(l, 0, values.data() + l * n, n);
  }
  for (Arithmetic arithmetic : {Arithmetic::Float32, Arithmetic::Tensor}) {
    double best = 0;
    for (int i = 0; i < 5; i++) {
      auto start = std::chrono::steady_clock::now();
      multiply(a, b, arithmetic);
      std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      best = std::max(best, 2e-9 * n * n * n / time.count());
    }
    std::printf("  %s: %.1f GFlop/s on one core\n",
                arithmetic == Arithmetic::Tensor ? "tensor" : "float32", best);
    CHECK(best > 1);
  }
}
