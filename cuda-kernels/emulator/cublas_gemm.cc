#include "cublas_gemm.h"

#include <cmath>
#include <cstring>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace muond {
namespace {

// Two vectors by six columns: twelve accumulators, and as many sums of the Tensor arithmetic, fit
// the registers.
#ifdef __AVX512F__
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(4)));

constexpr int kVectors = 2;
constexpr int kRows = kVectors * kLanes;
constexpr int kColumns = 6;
constexpr int64_t kDepth = 128;  // terms that are summed before they are added to the rest
constexpr int64_t kBlock = 256;  // rows of the left operand that stay in the cache
constexpr int64_t kTerms = 8;    // products of one tensor core instruction

struct Tile {
  Vector sums[kColumns][kVectors];
};

void add(Tile& tile, const Tile& more) {
  for (int column = 0; column < kColumns; column++) {
    for (int v = 0; v < kVectors; v++) tile.sums[column][v] += more.sums[column][v];
  }
}

inline void accumulate(Tile& tile, const float* a, const float* b, int64_t terms) {
  for (int64_t term = 0; term < terms; term++, a += kRows, b += kColumns) {
    Vector left[kVectors];
    std::memcpy(left, a, sizeof left);
    for (int column = 0; column < kColumns; column++) {
      for (int v = 0; v < kVectors; v++) tile.sums[column][v] += left[v] * b[column];
    }
  }
}

__attribute__((noinline)) void tileFloat32(Tile& tile, const float* a, const float* b,
                                           int64_t terms) {
  Tile sums{};
  accumulate(sums, a, b, terms);
  tile = sums;
}

__attribute__((noinline)) void tileTensor(Tile& tile, const float* a, const float* b,
                                          int64_t terms) {
  Tile sums{};
  for (int64_t done = 0; done < terms; done += kTerms) {
    Tile few{};
    accumulate(few, a + done * kRows, b + done * kColumns, std::min(kTerms, terms - done));
    add(sums, few);
  }
  tile = sums;
}

/** Rounds towards zero while it lives. */
class Truncating {
 public:
  explicit Truncating(bool wanted) : before_(_mm_getcsr()) {
    if (wanted) _mm_setcsr(before_ | _MM_ROUND_TOWARD_ZERO);
  }
  ~Truncating() { _mm_setcsr(before_); }

 private:
  unsigned before_;
};

__attribute__((noinline)) void addTile(const Tile& tile, std::vector<float>& c, int64_t rows,
                                       int64_t columns, int64_t i, int64_t j) {
  int64_t height = std::min<int64_t>(kRows, rows - i),
          width = std::min<int64_t>(kColumns, columns - j);
  for (int64_t column = 0; column < width; column++) {
    float values[kRows];
    std::memcpy(values, tile.sums[column], sizeof values);
    float* target = c.data() + (j + column) * rows + i;
    for (int64_t row = 0; row < height; row++) target[row] += values[row];
  }
}

template <class To, class From>
To bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

}  // namespace

Packed::Packed(Side side, int64_t extent, int64_t depth)
    : extent_(extent), depth_(depth), width_(side == Side::Left ? kRows : kColumns) {
  values_.assign(static_cast<size_t>((extent + width_ - 1) / width_ * width_ * depth), 0.0f);
}

void Packed::storeTerm(int64_t term, int64_t first, const float* values, int64_t count) {
  for (int64_t i = 0; i < count; i++) at(first + i, term) = values[i];
}

void Packed::storeLine(int64_t line, int64_t first, const float* values, int64_t count) {
  float* target = &at(line, first);
  for (int64_t i = 0; i < count; i++) target[i * width_] = values[i];
}

std::vector<float> multiply(const Packed& a, const Packed& b, Arithmetic arithmetic) {
  int64_t rows = a.extent(), columns = b.extent(), depth = a.depth();
  std::vector<float> c(static_cast<size_t>(rows * columns), 0.0f);
  Truncating truncating(arithmetic == Arithmetic::Tensor);
  for (int64_t term = 0; term < depth; term += kDepth) {
    int64_t terms = std::min(kDepth, depth - term);
    for (int64_t block = 0; block < rows; block += kBlock) {
      for (int64_t j = 0; j < columns; j += kColumns) {
        for (int64_t i = block; i < std::min(block + kBlock, rows); i += kRows) {
          Tile tile;
          const float* left = a.panel(i) + term * kRows;
          const float* right = b.panel(j) + term * kColumns;
          arithmetic == Arithmetic::Tensor ? tileTensor(tile, left, right, terms)
                                           : tileFloat32(tile, left, right, terms);
          addTile(tile, c, rows, columns, i, j);
        }
      }
    }
  }
  return c;
}

float bfloatToFloat(uint16_t value) { return bits<float>(static_cast<uint32_t>(value) << 16); }

uint16_t floatToBfloat(float value) {
  uint32_t word = bits<uint32_t>(value);
  if (std::isnan(value)) return 0x7fff;
  return static_cast<uint16_t>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}

float halfToFloat(uint16_t value) { return static_cast<float>(bits<_Float16>(value)); }

uint16_t floatToHalf(float value) {
  return std::isnan(value) ? 0x7fff : bits<uint16_t>(static_cast<_Float16>(value));
}

float toTf32(float value) {
  return std::isnan(value) ? value : bits<float>(bits<uint32_t>(value) & ~0x1fffU);
}

}  // namespace muond
