#include "cublas.h"

using namespace muond;

namespace {

/** One of the calls below, as it came: what they have in common. */
struct Arguments {
  int transposeA, transposeB;
  int64_t m, n, k;
  const void *alpha, *a;
  int typeA;
  int64_t ldA, strideA;
  const void* b;
  int typeB;
  int64_t ldB, strideB;
  const void *beta, *c;
  int typeC;
  int64_t ldC, strideC, count;
  int compute;
  bool lists;
};

bool transposed(int operation) {
  if (operation < 0 || operation > 2)
    throw Fault(CUDA_INVALID_VALUE, format("operation %d is unknown", operation));
  return operation != 0;
}

Compute computeType(int value) {
  switch (value) {
    case 68:
    case 69:
    case 74:
    case 75:
    case 77:
      return static_cast<Compute>(value);
    default:
      throw Fault(CUDA_NOT_SUPPORTED, format("compute type %d is not supported", value));
  }
}

int multiplyMatrices(const char* name, Handle handle, const Arguments& in) {
  return library(name, [&](Call& call) {
    std::shared_ptr<Library> library = usableLibrary(handle);
    bool ta = transposed(in.transposeA), tb = transposed(in.transposeB);
    auto address = [](const void* pointer) { return reinterpret_cast<uint64_t>(pointer); };
    Product product{
        ta,
        tb,
        in.m,
        in.n,
        in.k,
        in.count,
        in.alpha,
        in.beta,
        {"operand A", address(in.a), static_cast<Type>(in.typeA), ta ? in.k : in.m,
         ta ? in.m : in.k, in.ldA, in.strideA, in.lists},
        {"operand B", address(in.b), static_cast<Type>(in.typeB), tb ? in.n : in.k,
         tb ? in.k : in.n, in.ldB, in.strideB, in.lists},
        {"C", address(in.c), static_cast<Type>(in.typeC), in.m, in.n, in.ldC, in.strideC, in.lists},
        computeType(in.compute)};
    submitProduct(call, *library, product);
  });
}

/** C = alpha op(A) op(A)^T + beta C, of which one triangle is written. */
int multiplySelf(const char* name, Handle handle, int uplo, int operation, int64_t n, int64_t k,
                 const float* alpha, const float* a, int64_t ldA, const float* beta, float* c,
                 int64_t ldC) {
  return library(name, [&](Call& call) {
    std::shared_ptr<Library> library = usableLibrary(handle);
    if (uplo != 0 && uplo != 1)
      throw Fault(CUDA_INVALID_VALUE, format("fill mode %d is unknown", uplo));
    bool t = transposed(operation);
    Operand operand{"operand A", reinterpret_cast<uint64_t>(a), Type::Float32, t ? k : n, t ? n : k,
                    ldA};
    Product product{t,
                    !t,
                    n,
                    n,
                    k,
                    1,
                    alpha,
                    beta,
                    operand,
                    operand,
                    {"C", reinterpret_cast<uint64_t>(c), Type::Float32, n, n, ldC},
                    Compute::Float32,
                    uplo == 0 ? 'L' : 'U'};
    submitProduct(call, *library, product);
  });
}

}  // namespace

// Each call has a twin with 64-bit integers.
#define CALLS(Int, suffix)                                                                         \
  int cublasSgemm_v2##suffix(Handle handle, int ta, int tb, Int m, Int n, Int k,                   \
                             const float* alpha, const float* a, Int lda, const float* b, Int ldb, \
                             const float* beta, float* c, Int ldc) {                               \
    return multiplyMatrices(                                                                       \
        __func__, handle,                                                                          \
        {ta, tb, m, n, k, alpha, a, 0, lda, 0, b, 0, ldb, 0, beta, c, 0, ldc, 0, 1, 68, false});   \
  }                                                                                                \
  int cublasSgemmStridedBatched##suffix(Handle handle, int ta, int tb, Int m, Int n, Int k,        \
                                        const float* alpha, const float* a, Int lda, long long sa, \
                                        const float* b, Int ldb, long long sb, const float* beta,  \
                                        float* c, Int ldc, long long sc, Int count) {              \
    return multiplyMatrices(__func__, handle,                                                      \
                            {ta, tb,  m,  n,    k, alpha, a,   0,  lda,   sa, b,                   \
                             0,  ldb, sb, beta, c, 0,     ldc, sc, count, 68, false});             \
  }                                                                                                \
  int cublasSgemmBatched##suffix(Handle handle, int ta, int tb, Int m, Int n, Int k,               \
                                 const float* alpha, const float* const* a, Int lda,               \
                                 const float* const* b, Int ldb, const float* beta,                \
                                 float* const* c, Int ldc, Int count) {                            \
    return multiplyMatrices(__func__, handle,                                                      \
                            {ta, tb,  m, n,    k, alpha, a,   0, lda,   0,  b,                     \
                             0,  ldb, 0, beta, c, 0,     ldc, 0, count, 68, true});                \
  }                                                                                                \
  int cublasGemmEx##suffix(Handle handle, int ta, int tb, Int m, Int n, Int k, const void* alpha,  \
                           const void* a, int at, Int lda, const void* b, int bt, Int ldb,         \
                           const void* beta, void* c, int ct, Int ldc, int compute, int) {         \
    return multiplyMatrices(__func__, handle,                                                      \
                            {ta, tb,  m, n,    k, alpha, a,   at, lda, 0,       b,                 \
                             bt, ldb, 0, beta, c, ct,    ldc, 0,  1,   compute, false});           \
  }                                                                                                \
  int cublasGemmBatchedEx##suffix(Handle handle, int ta, int tb, Int m, Int n, Int k,              \
                                  const void* alpha, const void* const* a, int at, Int lda,        \
                                  const void* const* b, int bt, Int ldb, const void* beta,         \
                                  void* const* c, int ct, Int ldc, Int count, int compute, int) {  \
    return multiplyMatrices(__func__, handle,                                                      \
                            {ta, tb,  m, n,    k, alpha, a,   at, lda,   0,       b,               \
                             bt, ldb, 0, beta, c, ct,    ldc, 0,  count, compute, true});          \
  }                                                                                                \
  int cublasGemmStridedBatchedEx##suffix(                                                          \
      Handle handle, int ta, int tb, Int m, Int n, Int k, const void* alpha, const void* a,        \
      int at, Int lda, long long sa, const void* b, int bt, Int ldb, long long sb,                 \
      const void* beta, void* c, int ct, Int ldc, long long sc, Int count, int compute, int) {     \
    return multiplyMatrices(__func__, handle,                                                      \
                            {ta, tb,  m,  n,    k, alpha, a,   at, lda,   sa,      b,              \
                             bt, ldb, sb, beta, c, ct,    ldc, sc, count, compute, false});        \
  }                                                                                                \
  int cublasSsyrk_v2##suffix(Handle handle, int uplo, int operation, Int n, Int k,                 \
                             const float* alpha, const float* a, Int lda, const float* beta,       \
                             float* c, Int ldc) {                                                  \
    return multiplySelf(__func__, handle, uplo, operation, n, k, alpha, a, lda, beta, c, ldc);     \
  }

extern "C" {
CALLS(int, )
CALLS(int64_t, _64)
}  // extern "C"
