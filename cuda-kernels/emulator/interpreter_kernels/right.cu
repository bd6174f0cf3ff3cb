// Kernels that are right, as the real ones are written: what the interpreter must run bit for bit.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

__device__ double warpSum(double x) {
  for (int d = 16; d > 0; d >>= 1) x += __shfl_down_sync(0xffffffffu, x, d);
  return x;
}

// Sum of squares of n floats by one block of 256 threads, in float64; fixed order.
extern "C" __global__ void __launch_bounds__(256) sumOfSquares(const float* x, int64_t n, double* sum) {
  __shared__ double partial[8];
  double s = 0;
  for (int64_t i = threadIdx.x; i < n; i += 256) s += double(x[i]) * x[i];
  s = warpSum(s);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x < 32) {
    s = warpSum(threadIdx.x < 8 ? partial[threadIdx.x] : 0.0);
    if (threadIdx.x == 0) *sum = s;
  }
}

// y = x transposed (rows by cols), tiles of 32 by 32, blocks of 32 by 8.
extern "C" __global__ void __launch_bounds__(256) transpose(const float* x, float* y, int rows, int cols) {
  __shared__ float tile[32][33];
  int c = blockIdx.x * 32 + threadIdx.x;
  for (int i = threadIdx.y; i < 32; i += 8) {
    int r = blockIdx.y * 32 + i;
    if (r < rows && c < cols) tile[i][threadIdx.x] = x[int64_t(r) * cols + c];
  }
  __syncthreads();
  int r = blockIdx.y * 32 + threadIdx.x;
  for (int i = threadIdx.y; i < 32; i += 8) {
    int k = blockIdx.x * 32 + i;
    if (r < rows && k < cols) y[int64_t(k) * rows + r] = tile[threadIdx.x][i];
  }
}

// Cholesky of a 64x64 block in place, upper factor, one block of 256 threads.
extern "C" __global__ void __launch_bounds__(256) cholesky(float* a, int size, int64_t ld) {
  __shared__ float s[64][65];
  for (int i = threadIdx.x; i < size * size; i += 256) s[i / size][i % size] = a[(i / size) * ld + i % size];
  __syncthreads();
  for (int k = 0; k < size; k++) {
    float pivot = sqrtf(s[k][k]);
    __syncthreads();
    for (int j = k + threadIdx.x; j < size; j += 256) s[k][j] = j == k ? pivot : s[k][j] / pivot;
    __syncthreads();
    for (int t = threadIdx.x; t < (size - k - 1) * (size - k - 1); t += 256) {
      int i = k + 1 + t / (size - k - 1), j = k + 1 + t % (size - k - 1);
      if (j >= i) s[i][j] -= s[k][i] * s[k][j];
    }
    __syncthreads();
  }
  for (int i = threadIdx.x; i < size * size; i += 256)
    if (i % size >= i / size) a[(i / size) * ld + i % size] = s[i / size][i % size];
}

// g = beta m + g; taken = g, or with Nesterov (1 + beta) g - beta m; four at a time where aligned.
extern "C" __global__ void __launch_bounds__(256)
    momentum(float beta, int nesterov, float* g, const float* m, float* taken, int64_t n) {
  int64_t stride = int64_t(gridDim.x) * blockDim.x, i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if ((((uintptr_t)g | (uintptr_t)m | (uintptr_t)taken) & 15) == 0 && n % 4 == 0) {
    for (; i < n / 4; i += stride) {
      float4 G = ((float4*)g)[i], M = ((const float4*)m)[i], r;
      r.x = beta * M.x + G.x, r.y = beta * M.y + G.y, r.z = beta * M.z + G.z, r.w = beta * M.w + G.w;
      ((float4*)g)[i] = r;
      if (nesterov) r.x = beta * r.x + G.x, r.y = beta * r.y + G.y, r.z = beta * r.z + G.z, r.w = beta * r.w + G.w;
      ((float4*)taken)[i] = r;
    }
    return;
  }
  for (; i < n; i += stride) {
    float G = g[i], r = beta * m[i] + G;
    g[i] = r;
    taken[i] = nesterov ? beta * r + G : r;
  }
}

// Wire types: 0 float32, 1 bfloat16, 2 float16; the index of the first non-finite goes to *bad.
extern "C" __global__ void __launch_bounds__(256)
    receive(int type, const void* from, float* to, int64_t count, unsigned long long* bad) {
  int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    float v = type == 0   ? ((const float*)from)[i]
              : type == 1 ? __bfloat162float(((const __nv_bfloat16*)from)[i])
                          : __half2float(((const __half*)from)[i]);
    to[i] = v;
    if (!isfinite(v)) atomicMin(bad, (unsigned long long)i);
  }
}

extern "C" __global__ void __launch_bounds__(256) send(int type, const float* from, void* to, int64_t count) {
  int64_t stride = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    if (type == 0) ((float*)to)[i] = from[i];
    if (type == 1) ((__nv_bfloat16*)to)[i] = __float2bfloat16_rn(from[i]);
    if (type == 2) ((__half*)to)[i] = __float2half_rn(from[i]);
  }
}

extern "C" __global__ void __launch_bounds__(256) splitHalf(const float* x, __half* hi, __half* lo, int64_t n) {
  int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n) return;
  hi[i] = __float2half_rn(x[i]);
  lo[i] = __float2half_rn((x[i] - __half2float(hi[i])) * 2048.0f);
}

struct Values {
  double v[256];
};
extern "C" __global__ void __launch_bounds__(256) setScalars(Values values, double* to, int n) {
  if (threadIdx.x < n) to[threadIdx.x] = values.v[threadIdx.x];
}

__device__ unsigned counter;
__constant__ float table[4] = {1.0f, 0.5f, 0.25f, -2.0f};

// Divergence of every kind: nested branches, a loop of thread-dependent length, a switch, early return.
extern "C" __global__ void __launch_bounds__(64) diverge(const int* x, int* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int v = x[i], s = 0;
  for (int k = 0; k < (v & 31); k++) {
    if (k % 3 == 0) continue;
    s += (k & 1) ? k * v : k - v;
    if (s > 100000) break;
  }
  switch (v % 7) {
    case 0: s ^= 0x5555; break;
    case 1: s = s * 31 + 7; break;
    case 2: s -= v; break;
    case 3: s = -s; break;
    case 4: s = s << (v & 7); break;
    case 5: s = s >> 3; break;
    default: s = __popc(s) + __clz(s) + __ffs(s);
  }
  y[i] = s + int(table[v & 3] * 8);
  atomicAdd(&counter, 1u);
}

extern "C" __global__ void counted(unsigned* to) { *to = counter; }

// A table on the stack, indexed by the thread's data.
extern "C" __global__ void __launch_bounds__(64) histogram(const int* x, int* y, int n) {
  int bins[16] = {};
  for (int i = 0; i < n; i++) bins[x[threadIdx.x * n + i] & 15]++;
  for (int b = 0; b < 16; b++) y[threadIdx.x * 16 + b] = bins[b];
}

extern "C" __global__ void __launch_bounds__(256) reverseDynamic(float* x) {
  extern __shared__ float s[];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(256) division(const double* a, const double* b, double* q, float* f,
                                                           int64_t* l, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  q[i] = sqrt(a[i] / b[i]);
  f[i] = sqrtf(float(a[i]) / float(b[i]));
  l[i] = int64_t(a[i] * 1000) / (int64_t(b[i] * 10) | 1) + int64_t(a[i] * 1000) % (int64_t(b[i] * 10) | 1) + llrint(a[i]);
}

extern "C" __global__ void __launch_bounds__(256) maxAbs(const float* x, int64_t n, unsigned* result) {
  float m = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    float v = fabsf(x[i]);
    m = (v > m || v != v) ? v : m;
  }
  unsigned bits = __float_as_uint(m);
  for (int d = 16; d; d >>= 1) bits = max(bits, __shfl_xor_sync(~0u, bits, d));
  if (threadIdx.x % 32 == 0) atomicMax(result, bits);
}
