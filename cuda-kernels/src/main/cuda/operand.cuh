#pragma once

/** Where a batch lies: element (i, j) of matrix k at data[k * stride + i * ld + j]. */
template <class T>
struct Operand {
  T* data;
  long long stride;
  long long ld;

  __device__ T* at(long long matrix, long long row, long long col) const {
    return data + matrix * stride + row * ld + col;
  }
};

using Floats = Operand<float>;

/** Neighbours in a row that one thread takes at once: 4 where every operand is aligned, else 1. */
template <int W>
struct Pack {
  static constexpr int width = W;

  float v[W];

  /** The first n of W elements, the others 0. */
  static __device__ Pack load(const float* from, int n) {
    Pack p;
    if constexpr (W == 4) {
      if (n == 4) {
        float4 q = *reinterpret_cast<const float4*>(from);
        p.v[0] = q.x;
        p.v[1] = q.y;
        p.v[2] = q.z;
        p.v[3] = q.w;
        return p;
      }
    }
#pragma unroll
    for (int e = 0; e < W; e++) {
      p.v[e] = e < n ? from[e] : 0.0f;
    }
    return p;
  }

  __device__ void store(float* to, int n) const {
    if constexpr (W == 4) {
      if (n == 4) {
        *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
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
};

__device__ inline int least(long long a, int b) { return a < b ? (int)a : b; }
