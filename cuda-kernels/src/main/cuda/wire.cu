// Elements on their way in and out. A thread per pack of 1 or 4 elements, blocks of 256, no shared
// memory. Deterministic (the smallest index, whoever finds it).

#include "halves.cuh"
#include "operand.cuh"

template <int W>
__device__ Pack<W> loadWire(int type, const void* from, long long i, int n) {
  if (type == FLOAT32) {
    return Pack<W>::load((const float*)from + i, n);
  }
  unsigned short halves[W];
  loadHalves<W>((const unsigned short*)from + i, n, halves);
  Pack<W> pack;
#pragma unroll
  for (int e = 0; e < W; e++) {
    pack.v[e] = widen(type, halves[e]);
  }
  return pack;
}

template <int W>
__device__ void storeWire(int type, const Pack<W>& pack, void* to, long long i, int n) {
  if (type == FLOAT32) {
    pack.store((float*)to + i, n);
    return;
  }
  unsigned short halves[W];
#pragma unroll
  for (int e = 0; e < W; e++) {
    halves[e] = narrow(type, pack.v[e]);
  }
  storeHalves<W>(halves, (unsigned short*)to + i, n);
}

template <int W>
__device__ void receiveAll(
    int type, const void* from, float* to, long long count, long long first,
    unsigned long long* nonFinite) {
  long long stride = (long long)gridDim.x * blockDim.x * W;
  for (long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W; i < count;
       i += stride) {
    int n = least(count - i, W);
    Pack<W> pack = loadWire<W>(type, from, i, n);
    pack.store(to + i, n);
#pragma unroll
    for (int e = W - 1; e >= 0; e--) {
      if ((__float_as_uint(pack.v[e]) & 0x7f800000u) == 0x7f800000u) {
        atomicMin(nonFinite, (unsigned long long)(first + i + e));
      }
    }
  }
}

/**
 * to[i] ← from[i] widened from `type`, count elements; *nonFinite ← the smallest of itself and the
 * indices first + i of elements that are NaN or infinite (as unsigned numbers: −1 is none).
 */
extern "C" __global__ __launch_bounds__(256) void receive(
    int type, const void* from, float* to, long long count, int width, long long first,
    unsigned long long* nonFinite) {
  if (width == 4) {
    receiveAll<4>(type, from, to, count, first, nonFinite);
  } else {
    receiveAll<1>(type, from, to, count, first, nonFinite);
  }
}

/** Where elements lie that are dealt out, see Dealt.java. */
struct Dealt {
  float* data;
  long long hands;
  long long cards;
  long long first;

  __device__ float* at(long long i) const {
    unsigned long long e = (unsigned long long)(first + i);
    unsigned long long round = e / hands;
    unsigned long long block = round / cards;
    return data + (block * hands + (e - round * hands)) * cards + (round - block * cards);
  }
};

/**
 * As receive, for elements that are dealt out: reads are coalesced, and what one launch writes to a
 * hand is in one piece, which the cache gathers.
 */
extern "C" __global__ __launch_bounds__(256) void receiveDealt(
    int type, const void* from, Dealt to, long long count, long long first,
    unsigned long long* nonFinite) {
  long long stride = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
    Pack<1> x = loadWire<1>(type, from, i, 1);
    *to.at(i) = x.v[0];
    if ((__float_as_uint(x.v[0]) & 0x7f800000u) == 0x7f800000u) {
      atomicMin(nonFinite, (unsigned long long)(first + i));
    }
  }
}

/**
 * Tells what receive has found, if anything: *told, in memory of the host, ← *nonFinite, which
 * becomes −1 again. One thread; where there is nothing to tell, nothing goes over the bus.
 */
extern "C" __global__ __launch_bounds__(32) void tellNonFinite(
    unsigned long long* nonFinite, unsigned long long* told) {
  unsigned long long found = *nonFinite;
  if (threadIdx.x == 0 && found != ~0ull) {
    *told = found;
    *nonFinite = ~0ull;
  }
}

template <int W>
__device__ void sendAll(int type, const float* from, void* to, long long count) {
  long long stride = (long long)gridDim.x * blockDim.x * W;
  for (long long i = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * W; i < count;
       i += stride) {
    int n = least(count - i, W);
    storeWire<W>(type, Pack<W>::load(from + i, n), to, i, n);
  }
}

/** to[i] ← from[i] rounded to `type`, count elements. */
extern "C" __global__ __launch_bounds__(256) void send(
    int type, const float* from, void* to, long long count, int width) {
  if (width == 4) {
    sendAll<4>(type, from, to, count);
  } else {
    sendAll<1>(type, from, to, count);
  }
}

/** As send, for elements that were dealt out. */
extern "C" __global__ __launch_bounds__(256) void sendDealt(
    int type, Dealt from, void* to, long long count) {
  long long stride = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) {
    storeWire<1>(type, Pack<1>::load(from.at(i), 1), to, i, 1);
  }
}
