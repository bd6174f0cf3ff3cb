// Kernels that are wrong, each in one way: what the interpreter must refuse.
#include <stdint.h>

#define KERNEL extern "C" __global__ void __launch_bounds__(256)

KERNEL beyondTheEnd(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] = x[i];
}

KERNEL misaligned(const char* x, float* y) { y[threadIdx.x] = *(const float*)(x + 4 * threadIdx.x + 2); }

KERNEL misalignedVector(const float* x, float* y) { ((float4*)y)[threadIdx.x] = *(const float4*)(x + 4 * threadIdx.x + 1); }

KERNEL copy(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

KERNEL copyHalves(const uint16_t* x, uint16_t* y) { y[threadIdx.x] = x[threadIdx.x]; }

KERNEL uninitialisedShared(float* y) {
  __shared__ float s[256];
  if (threadIdx.x != 200) s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = s[255 - threadIdx.x];
}

KERNEL beyondShared(float* y) {
  __shared__ float s[64], t[64];
  s[threadIdx.x] = 1;
  t[threadIdx.x] = 2;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x + 1] + t[threadIdx.x];
}

KERNEL beyondDynamic(float* y) {
  extern __shared__ float d[];
  d[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = d[threadIdx.x];
}

KERNEL beyondLocal(const int* x, int* y) {
  int bins[8];
  for (int i = 0; i < 8; i++) bins[i] = x[i];
  y[threadIdx.x] = bins[x[threadIdx.x]];
}

KERNEL uninitialisedLocal(const int* x, int* y) {
  int bins[8];
  bins[x[0]] = 1;
  y[threadIdx.x] = bins[x[1]];
}

KERNEL missingBarrier(float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = 0;
  __syncthreads();
  s[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[threadIdx.x ^ 32];
}

KERNEL missingBarrierInWarp(float* y) {
  __shared__ float s[32];
  s[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[threadIdx.x ^ 1];
}

KERNEL warpBarrier(float* y) {
  __shared__ float s[32];
  for (int k = 0; k < 3; k++) {
    s[threadIdx.x] = threadIdx.x + k;
    __syncwarp();
    y[threadIdx.x] = s[threadIdx.x ^ 1];
    __syncwarp();
  }
}

KERNEL readThenWrite(float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  float v = s[threadIdx.x ^ 1];
  s[threadIdx.x] = v;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}

KERNEL sameByteTwice(float* y) { y[threadIdx.x / 2] = threadIdx.x; }

KERNEL raceInGlobal(float* y) {
  y[threadIdx.x] = threadIdx.x;
  y[threadIdx.x + 256] = y[threadIdx.x ^ 64];
}

KERNEL barrierOrdersGlobal(float* y) {
  y[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x + 256] = ((volatile float*)0 == nullptr) ? y[threadIdx.x ^ 64] : 0;
}

KERNEL blocksWriteOne(float* y) {
  if (threadIdx.x == 0) *y = blockIdx.x;
}

KERNEL blocksReadOthers(float* y) {
  y[blockIdx.x] = blockIdx.x;
  if (blockIdx.x > 0) y[blockIdx.x + gridDim.x] = y[blockIdx.x - 1];
}

KERNEL blocksReadThenOneWrites(float* x, float* y) {
  y[blockIdx.x] = x[0];
  if (blockIdx.x == gridDim.x - 1) x[0] = 1;
}

KERNEL atomicAndPlain(unsigned* x, unsigned* y) {
  atomicAdd(x, 1u);
  y[blockIdx.x] = *x;
}

KERNEL atomics(unsigned* x, unsigned long long* m, float* f) {
  __shared__ unsigned s;
  if (threadIdx.x == 0) s = 0;
  __syncthreads();
  atomicAdd(&s, threadIdx.x);
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(x, s);
  atomicMin(m, (unsigned long long)(blockIdx.x * 1000 + threadIdx.x + 7));
  atomicAdd(f, 1.0f);
}

KERNEL neighbouringHalves(uint16_t* y) { y[blockIdx.x] = blockIdx.x; }

KERNEL halvesRace(uint16_t* y) { y[blockIdx.x / 2] = blockIdx.x; }

KERNEL wordOverHalf(uint16_t* y) {
  if (threadIdx.x == 0) y[1] = 1;
  if (threadIdx.x == 32) *(uint32_t*)y = 2;
}

KERNEL staleRead(float* y) {
  y[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x + 256] = __ldg(y + (threadIdx.x ^ 1));
}

KERNEL barrierInBranch(float* y) {
  if (threadIdx.x < 100) __syncthreads();
  y[threadIdx.x] = 1;
}

KERNEL barrierAfterExit(float* y, int n) {
  if (threadIdx.x >= n) return;
  y[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x + n] = y[(threadIdx.x + 1) % n];
}

KERNEL twoBarriers(float* y) {
  if (threadIdx.x < 32) {
    y[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = 3;
  } else {
    y[threadIdx.x] = 2;
    __syncthreads();
    y[threadIdx.x] = 4;
  }
}

KERNEL shuffleInBranch(float* y) {
  float v = threadIdx.x;
  if (threadIdx.x < 16) v = __shfl_down_sync(0xffffffffu, v, 1);
  y[threadIdx.x] = v;
}

KERNEL shuffleFromStranger(float* y) {
  float v = threadIdx.x;
  if (threadIdx.x < 16) v = __shfl_sync(0x0000ffffu, v, 20);
  y[threadIdx.x] = v;
}

KERNEL endless(float* y) {
  while (atomicAdd((unsigned*)y, 0u) == 0) {
  }
}

KERNEL hugeShared(float* y) {
  extern __shared__ float d[];
  d[threadIdx.x] = 1;
  y[threadIdx.x] = d[threadIdx.x];
}

KERNEL farAway(float* x, int64_t i) { x[i + threadIdx.x] = x[threadIdx.x]; }

KERNEL nullPointer(float* x) { x[threadIdx.x] = 1; }

KERNEL syncthreadsCount(const int* x, int* y) {
  int n = __syncthreads_count(x[threadIdx.x] > 0), any = __syncthreads_or(x[threadIdx.x] > 0), all = __syncthreads_and(x[threadIdx.x] > 0);
  y[threadIdx.x] = n * 4 + (any != 0) * 2 + (all != 0);
}

KERNEL trapped(int n) {
  if (threadIdx.x == n) __trap();
}
