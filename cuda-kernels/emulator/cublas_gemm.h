#pragma once

#include <cstdint>
#include <vector>

namespace muond {

/** How a product is computed. */
enum class Arithmetic {
  Float32,  // fused multiply-adds in float32, each rounded to nearest
  Tensor,   // sums of eight products, each sum and its accumulation truncated, as tensor cores do
};

/** The 16-bit types and TF32, as conversions of float32 bits. */
float halfToFloat(uint16_t bits);
uint16_t floatToHalf(float value);
float bfloatToFloat(uint16_t bits);
uint16_t floatToBfloat(float value);
/** The value with the 13 low bits of its mantissa cut off: tensor cores do not read them. */
float toTf32(float value);

/** A matrix that is the left (by rows) or the right (by columns) operand of a product, packed for
 * the inner loop. */
class Packed {
 public:
  enum class Side { Left, Right };
  /** `extent` rows of the left or columns of the right operand, `depth` terms. */
  Packed(Side side, int64_t extent, int64_t depth);

  /** Stores `count` values at (first.., term): consecutive rows or columns of one term. */
  void storeTerm(int64_t term, int64_t first, const float* values, int64_t count);
  /** Stores `count` values at (at, first..): consecutive terms of one row or column. */
  void storeLine(int64_t at, int64_t first, const float* values, int64_t count);

  /** The panel that begins with this row or column: `depth` times kWidth values. */
  const float* panel(int64_t first) const { return values_.data() + first * depth_; }
  int64_t extent() const { return extent_; }
  int64_t depth() const { return depth_; }

 private:
  float& at(int64_t line, int64_t term) {
    return values_[(line - line % width_) * depth_ + term * width_ + line % width_];
  }

  int64_t extent_, depth_, width_;
  std::vector<float> values_;
};

/** a times b, column-major with leading dimension a.extent(). Deterministic; another order than a
 * plain loop. */
std::vector<float> multiply(const Packed& a, const Packed& b, Arithmetic arithmetic);

}  // namespace muond
