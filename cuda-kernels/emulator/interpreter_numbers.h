#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

/** Numbers as NVIDIA's devices compute them: bits, canonical NaNs, half precision. */
namespace muond {

inline uint32_t bits(float x) {
  uint32_t b;
  std::memcpy(&b, &x, 4);
  return b;
}
inline uint64_t bits(double x) {
  uint64_t b;
  std::memcpy(&b, &x, 8);
  return b;
}
inline float asFloat(uint32_t b) {
  float x;
  std::memcpy(&x, &b, 4);
  return x;
}
inline double asDouble(uint64_t b) {
  double x;
  std::memcpy(&x, &b, 8);
  return x;
}

/** Every float32 result that is a NaN is this one. */
constexpr uint32_t kNan32 = 0x7fffffffu;
constexpr uint16_t kNan16 = 0x7fff;

inline float canonical(float x) { return x != x ? asFloat(kNan32) : x; }
/** A float64 NaN keeps the payload of the first NaN among the sources, as x86 and NVIDIA do. */
inline double canonical(double x) { return x; }

/** .ftz: a subnormal number counts as a zero of its sign. */
inline float flushed(float x) {
  uint32_t b = bits(x);
  return (b & 0x7f800000u) == 0 ? asFloat(b & 0x80000000u) : x;
}

/**
 * The 16 high bits of a rounded float32: right shift of the significand by `shift` bits, to nearest
 * even. `magnitude` has no sign.
 */
inline uint32_t shiftedToNearestEven(uint32_t magnitude, uint32_t shift) {
  uint32_t half = (1u << shift) >> 1, odd = magnitude >> shift & 1;
  return (magnitude + half - 1 + odd) >> shift;
}

/** To bfloat16, to nearest even; a NaN becomes 0x7fff. */
inline uint16_t toBfloat16(float x) {
  uint32_t b = bits(x);
  if (x != x) return kNan16;
  return static_cast<uint16_t>((b + 0x7fffu + (b >> 16 & 1)) >> 16);
}

/** To bfloat16, towards zero. */
inline uint16_t toBfloat16TowardsZero(float x) {
  return x != x ? kNan16 : static_cast<uint16_t>(bits(x) >> 16);
}

inline float fromBfloat16(uint16_t h) { return canonical(asFloat(static_cast<uint32_t>(h) << 16)); }

/** To float16, to nearest even; a NaN becomes 0x7fff. */
inline uint16_t toFloat16(float x) {
  uint32_t b = bits(x), magnitude = b & 0x7fffffffu, sign = b >> 16 & 0x8000u;
  // Normal: the exponent's bias goes from 127 to 15; a carry of the rounding goes into the
  // exponent, up to infinity.
  uint32_t normal = shiftedToNearestEven(magnitude - (112u << 23), 13);
  // Subnormal: float32's adder rounds at the last place of 2^-24 when 0.5 is added.
  uint32_t subnormal = bits(asFloat(magnitude) + 0.5f) - 0x3f000000u;
  uint32_t h = magnitude < 0x38800000u ? subnormal : magnitude >= 0x47800000u ? 0x7c00u : normal;
  return static_cast<uint16_t>(magnitude > 0x7f800000u ? kNan16 : sign | h);
}

/** To float16, towards zero: too large a number becomes the largest finite one. */
inline uint16_t toFloat16TowardsZero(float x) {
  uint32_t b = bits(x), magnitude = b & 0x7fffffffu, sign = b >> 16 & 0x8000u;
  if (magnitude > 0x7f800000u) return kNan16;
  if (magnitude == 0x7f800000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7bffu);
  if (magnitude >= 0x38800000u)
    return static_cast<uint16_t>(sign | (magnitude - (112u << 23)) >> 13);
  return static_cast<uint16_t>(sign | static_cast<uint32_t>(asFloat(magnitude) * 16777216.0f));
}

inline float fromFloat16(uint16_t h) {
  uint32_t magnitude = h & 0x7fffu, sign = (h & 0x8000u) << 16;
  float subnormal = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
  uint32_t normal = (magnitude << 13) + (112u << 23);
  uint32_t b = magnitude < 0x400u    ? bits(subnormal)
               : magnitude < 0x7c00u ? normal
                                     : normal + (112u << 23);
  return magnitude > 0x7c00u ? asFloat(kNan32) : asFloat(b | sign);
}

}  // namespace muond
