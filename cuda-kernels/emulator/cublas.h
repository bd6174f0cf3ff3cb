#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cublas_gemm.h"
#include "driver_call.h"

namespace muond {

/** cudaDataType. */
enum class Type : int { Float32 = 0, Float64 = 1, Float16 = 2, Bfloat16 = 14 };
constexpr uint64_t bytesOf(Type type) {
  return type == Type::Float64 ? 8 : type == Type::Float32 ? 4 : 2;
}

/** cublasComputeType. */
enum class Compute : int {
  Float32 = 68,
  Float32Pedantic = 69,
  Float32FastFloat16 = 74,
  Float32FastBfloat16 = 75,
  Float32FastTf32 = 77,
};

/** cublasMath_t: the mode that turns float32 products into TF32. */
constexpr int kTf32Math = 3;

/** A cuBLAS handle. */
struct Library {
  Handle handle = nullptr;
  std::shared_ptr<Context> context;
  std::string site;
  std::shared_ptr<Stream> stream;
  bool devicePointers = false;
  int mathMode = 0;
  int atomics = 0;
  int multiprocessors = 0;
  uint64_t workspace = 0, workspaceBytes = 0;  // 0: the library's own
};

Handles<Library>& libraries();
/** A live handle of the current context, whose stream is usable. */
std::shared_ptr<Library> usableLibrary(Handle handle);
/** Runs the body of a cuBLAS call; results of the driver's kind become cublasStatus_t. */
int statusOf(int code);
template <class Body>
int library(const char* name, Body&& body) {
  return statusOf(call(name, std::forward<Body>(body)));
}

/** Matrices of one batch: `count` of them `stride` elements apart, or at the addresses stored at
 * `list`. */
struct Operand {
  const char* name;
  uint64_t address;
  Type type;
  int64_t rows, columns, ld;  // as stored, column-major
  int64_t stride = 0;
  bool list = false;

  /** Where matrix `index` is; the device holds the list. */
  uint64_t locate(int64_t index, const Device& memory, const std::string& who) const;
  /** The bytes of matrix `index`; not for lists. */
  Access access(int64_t index, bool write) const;
  void check() const;
};

/** C = alpha op(A) op(B) + beta C, `count` times. */
struct Product {
  bool transposeA, transposeB;
  int64_t m, n, k, count;
  const void *alpha, *beta;
  Operand a, b, c;
  Compute compute;
  char triangle = 0;  // 'L' or 'U': only that triangle of C is written (and read)
};

/** Checks a product and puts it on the handle's stream. */
void submitProduct(Call& call, Library& library, const Product& product);

}  // namespace muond
