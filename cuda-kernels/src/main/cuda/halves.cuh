#pragma once

/** 16-bit numbers as their bits. Widening is exact; narrowing rounds to nearest, ties to even. */

enum Type { FLOAT32, BFLOAT16, FLOAT16 };

__device__ inline float widenFloat16(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

__device__ inline unsigned short toFloat16(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

__device__ inline float widenBfloat16(unsigned short bits) {
  return __uint_as_float((unsigned)bits << 16);
}

__device__ inline unsigned short toBfloat16(float value) {
  unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return (unsigned short)(bits >> 16 | 0x40);  // NaN stays NaN, made quiet
  }
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

__device__ inline float widen(int type, unsigned short bits) {
  return type == BFLOAT16 ? widenBfloat16(bits) : widenFloat16(bits);
}

__device__ inline unsigned short narrow(int type, float value) {
  return type == BFLOAT16 ? toBfloat16(value) : toFloat16(value);
}

/** The first n of W halves of a pack: 8 bytes at once where W is 4. */
template <int W>
__device__ void storeHalves(const unsigned short (&v)[W], unsigned short* to, int n) {
  if constexpr (W == 4) {
    if (n == 4) {
      *reinterpret_cast<uint2*>(to) = make_uint2(
          (unsigned)v[1] << 16 | v[0], (unsigned)v[3] << 16 | v[2]);
      return;
    }
  }
#pragma unroll
  for (int e = 0; e < W; e++) {
    if (e < n) {
      to[e] = v[e];
    }
  }
}

template <int W>
__device__ void loadHalves(const unsigned short* from, int n, unsigned short (&v)[W]) {
  if constexpr (W == 4) {
    if (n == 4) {
      uint2 q = *reinterpret_cast<const uint2*>(from);
      v[0] = (unsigned short)q.x;
      v[1] = (unsigned short)(q.x >> 16);
      v[2] = (unsigned short)q.y;
      v[3] = (unsigned short)(q.y >> 16);
      return;
    }
  }
#pragma unroll
  for (int e = 0; e < W; e++) {
    v[e] = e < n ? from[e] : 0;
  }
}
