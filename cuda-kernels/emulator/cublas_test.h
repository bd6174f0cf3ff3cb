#pragma once

#include <cmath>
#include <random>

#include "driver_test.h"

/** What the tests of cuBLAS share: its calls, and matrices of random numbers. */
extern "C" {
int cublasCreate_v2(Handle*);
int cublasDestroy_v2(Handle);
int cublasSetStream_v2(Handle, Handle);
int cublasSetWorkspace_v2(Handle, void*, size_t);
int cublasSetPointerMode_v2(Handle, int);
int cublasSetMathMode(Handle, int);
int cublasSgemm_v2(Handle, int, int, int, int, int, const float*, const float*, int, const float*,
                   int, const float*, float*, int);
int cublasSgemmStridedBatched_64(Handle, int, int, int64_t, int64_t, int64_t, const float*,
                                 const float*, int64_t, long long, const float*, int64_t, long long,
                                 const float*, float*, int64_t, long long, int64_t);
int cublasGemmEx(Handle, int, int, int, int, int, const void*, const void*, int, int, const void*,
                 int, int, const void*, void*, int, int, int, int);
int cublasGemmStridedBatchedEx(Handle, int, int, int, int, int, const void*, const void*, int, int,
                               long long, const void*, int, int, long long, const void*, void*, int,
                               int, long long, int, int, int);
int cublasGemmBatchedEx(Handle, int, int, int, int, int, const void*, const void* const*, int, int,
                        const void* const*, int, int, const void*, void* const*, int, int, int, int,
                        int);
int cublasSsyrk_v2(Handle, int, int, int, int, const float*, const float*, int, const float*,
                   float*, int);
int cublasDgemv_v2();
}

namespace muond::test {

constexpr int kFloat32 = 0, kFloat16 = 2, kBfloat16 = 14;
constexpr int kCompute32 = 68, kTf32 = 77;
constexpr int kExecutionFailed = 13, kInvalidValue = 7, kNotSupported = 15, kNotInitialized = 1;

inline float* at(DevicePointer address) { return reinterpret_cast<float*>(address); }

struct Blas {
  explicit Blas(Handle stream) {
    OK(cublasCreate_v2(&handle));
    OK(cublasSetStream_v2(handle, stream));
  }
  ~Blas() { OK(cublasDestroy_v2(handle)); }
  operator Handle() const { return handle; }
  Handle handle = nullptr;
};

inline std::vector<float> numbers(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(generator);
  return values;
}

inline void upload(DevicePointer to, const std::vector<float>& values) {
  OK(cuMemcpyHtoD_v2(to, values.data(), values.size() * 4));
}

inline std::vector<float> download(DevicePointer from, size_t count) {
  std::vector<float> values(count);
  OK(cuCtxSynchronize());
  OK(cuMemcpyDtoH_v2(values.data(), from, count * 4));
  return values;
}

}  // namespace muond::test
