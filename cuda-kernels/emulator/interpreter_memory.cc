// Loads and stores.
#include "interpreter_memory.h"

#include "interpreter_access.h"
#include "interpreter_lanes.h"

namespace muond {

namespace {

/** Whether the lanes of `mask` all go to the same place. */
bool isOnePlace(uint32_t mask, const uint64_t* offset) {
  uint64_t first = offset[__builtin_ctz(mask)], off = 0;
  for (uint32_t i = 0; i < kLanes; i++) off |= in(mask, i) ? offset[i] ^ first : 0;
  return off == 0;
}

template <unsigned N, bool Write>
void transferLane(Warp& w, const View& view, uint32_t lane, uint64_t offset, uint8_t* staging,
                  Access access) {
  Region& r = view.region;
  if (!isQuiet<1, N, Write>(view, lane, offset, access)) {
    checkLane(w, view, lane, offset, N, access);
    if (Write) std::memset(r.valid + offset, Region::kInitialised, N);
  }
  if (Write)
    std::memcpy(r.data + offset, staging + lane * N, N);
  else
    std::memcpy(staging + lane * N, r.data + offset, N);
}

/** One value for all lanes of `mask`: two of them stand for many. */
template <unsigned N>
void broadcast(Warp& w, const View& view, uint32_t mask, uint64_t offset, uint8_t* staging,
               Access access) {
  uint32_t first = __builtin_ctz(mask);
  transferLane<N, false>(w, view, first, offset, staging, access);
  if (uint32_t others = mask & (mask - 1); others)
    transferLane<N, false>(w, view, __builtin_ctz(others), offset, staging, access);
  for (uint32_t i = 0; i < kLanes; i++) std::memcpy(staging + i * N, view.region.data + offset, N);
}

/** What a warp reads or writes in one region: N bytes for each lane, from or to `staging`. */
template <unsigned N, bool Write>
void transfer(Warp& w, const View& view, uint32_t mask, const uint64_t* offset, uint8_t* staging,
              Access access) {
  Region& r = view.region;
  if (mask == kAll && isRow<N>(offset) && isQuiet<kLanes, N, Write>(view, 0, offset[0], access)) {
    if (Write)
      std::memcpy(r.data + offset[0], staging, kLanes * N);
    else
      std::memcpy(staging, r.data + offset[0], kLanes * N);
    return;
  }
  if (!Write && isOnePlace(mask, offset))
    return broadcast<N>(w, view, mask, offset[__builtin_ctz(mask)], staging, access);
  for (uint32_t i = 0; i < kLanes; i++)
    if (in(mask, i)) transferLane<N, Write>(w, view, i, offset[i], staging, access);
}

/** Global memory: the lanes in one region after the other; mostly there is but one. */
template <unsigned N, bool Write>
void global(Warp& w, const Instruction& in, uint32_t mask, const uint64_t* address,
            uint8_t* staging, Access access) {
  while (mask) {
    uint32_t lane = static_cast<uint32_t>(__builtin_ctz(mask));
    View view = globalView(w, in, lane, address[lane], N);
    uint64_t offset[kLanes];
    uint32_t inside = offsetsWithin<N>(view.region, address, offset) & mask;
    transfer<N, Write>(w, view, inside, offset, staging, access);
    mask &= ~inside;
  }
}

/** A lane's own memory: `size` bytes and their states after them. */
template <unsigned N, bool Write>
void local(Warp& w, uint32_t mask, const uint64_t* offset, uint8_t* staging) {
  uint32_t size = w.launch.program.localBytes;
  for (uint32_t i = 0; i < kLanes; i++) {
    if (!in(mask, i)) continue;
    auto fail = [&](int code, const char* what) {
      throw LaneFault{code, i,
                      what + std::to_string(N) + " bytes at address " + hex(offset[i]) +
                          ", local memory of the thread"};
    };
    if (offset[i] % N) fail(CUDA_MISALIGNED_ADDRESS, "misaligned local access: ");
    uint8_t *data = w.local(i) + offset[i], *valid = data + size;
    if (offset[i] > size || N > size - offset[i] || std::memchr(valid, Region::kGap, N))
      fail(CUDA_ILLEGAL_ADDRESS, "local access out of bounds: ");
    if (Write) {
      std::memcpy(data, staging + i * N, N);
      std::memset(valid, Region::kInitialised, N);
    } else {
      if (std::memchr(valid, Region::kUninitialised, N))
        fail(CUDA_LAUNCH_FAILED, "read of uninitialised local memory: ");
      std::memcpy(staging + i * N, data, N);
    }
  }
}

template <unsigned N>
void parameter(Warp& w, uint32_t mask, const uint64_t* offset, uint8_t* staging) {
  uint32_t size = w.launch.program.paramBytes;
  for (uint32_t i = 0; i < kLanes; i++) {
    if (!in(mask, i)) continue;
    auto fail = [&](int code, const char* what) {
      throw LaneFault{code, i,
                      what + std::to_string(N) + " bytes at address " + hex(offset[i]) +
                          " of the kernel's " + std::to_string(size) + " bytes of parameters"};
    };
    if (offset[i] % N) fail(CUDA_MISALIGNED_ADDRESS, "misaligned read of a parameter: ");
    if (offset[i] > size || N > size - offset[i])
      fail(CUDA_ILLEGAL_ADDRESS, "parameter out of bounds: ");
    std::memcpy(staging + i * N, w.launch.params + offset[i], N);
  }
}

uint32_t lanesIn(uint64_t window, const uint64_t* address, uint64_t* offset) {
  uint32_t inside = 0;
  for (uint32_t i = 0; i < kLanes; i++) {
    offset[i] = address[i] - window;
    inside |= (offset[i] < kWindow ? 1u : 0u) << i;
  }
  return inside;
}

template <unsigned N, bool Write>
void move(Warp& w, const Instruction& in, uint32_t mask, Space space, uint8_t* staging) {
  uint64_t address[kLanes], offset[kLanes];
  effectiveAddresses(w, in, address);
  Access access = Write                       ? Access::kWrite
                  : space == Space::kReadOnly ? Access::kReadOnly
                                              : Access::kRead;
  switch (space) {
    case Space::kShared:
      return transfer<N, Write>(w, sharedView(w), mask, address, staging, access);
    case Space::kLocal:
      return local<N, Write>(w, mask, address, staging);
    case Space::kParam:
      if constexpr (!Write) return parameter<N>(w, mask, address, staging);
      return;
    case Space::kGeneric:
      if (uint32_t m = lanesIn(kSharedWindow, address, offset) & mask; m) {
        transfer<N, Write>(w, sharedView(w), m, offset, staging, access);
        mask &= ~m;
      }
      if (uint32_t m = lanesIn(kLocalWindow, address, offset) & mask; m) {
        local<N, Write>(w, m, offset, staging);
        mask &= ~m;
      }
      if constexpr (!Write)
        if (uint32_t m = lanesIn(kParamWindow, address, offset) & mask; m) {
          parameter<N>(w, m, offset, staging);
          mask &= ~m;
        }
      break;
    default:
      break;
  }
  global<N, Write>(w, in, mask, address, staging, access);
}

/** d (registers of type R) = V values of type T in memory; T's sign decides how it is extended. */
template <class R, class T, unsigned V>
void load(Warp& w, const Instruction& in, uint32_t mask) {
  alignas(64) uint8_t staging[kLanes * sizeof(T) * V];
  move<sizeof(T) * V, false>(w, in, mask, static_cast<Space>(in.detail), staging);
  for (unsigned k = 0; k < V; k++) {
    R* d = w.lanes<R>(in.d[k]);
    for (uint32_t i = 0; i < kLanes; i++) {
      T value;
      std::memcpy(&value, staging + (i * V + k) * sizeof(T), sizeof(T));
      d[i] = muond::in(mask, i) ? static_cast<R>(value) : d[i];
    }
  }
}

template <class R, class T, unsigned V>
void store(Warp& w, const Instruction& in, uint32_t mask) {
  alignas(64) uint8_t staging[kLanes * sizeof(T) * V];
  for (unsigned k = 0; k < V; k++) {
    const R* a = w.lanes<R>(in.a[k + 1]);
    for (uint32_t i = 0; i < kLanes; i++) {
      T value = static_cast<T>(a[i]);
      std::memcpy(staging + (i * V + k) * sizeof(T), &value, sizeof(T));
    }
  }
  move<sizeof(T) * V, true>(w, in, mask, static_cast<Space>(in.detail), staging);
}

template <bool Load, class R, class T>
Handler ofVector(unsigned count) {
  if (count == 1) return Load ? load<R, T, 1> : store<R, T, 1>;
  if (count == 2) return Load ? load<R, T, 2> : store<R, T, 2>;
  if constexpr (sizeof(T) <= 4)
    if (count == 4) return Load ? load<R, T, 4> : store<R, T, 4>;
  return nullptr;
}

/** By the type in memory and the width of the register, which may be wider. */
template <bool Load>
Handler ofTypes(const ptx::Type& t, unsigned width, unsigned count) {
  bool isSigned = t.kind() == 's';
  switch (t.bytes * 16 + width) {
    case 1 * 16 + 2:
      return isSigned ? ofVector<Load, uint16_t, int8_t>(count)
                      : ofVector<Load, uint16_t, uint8_t>(count);
    case 1 * 16 + 4:
      return isSigned ? ofVector<Load, uint32_t, int8_t>(count)
                      : ofVector<Load, uint32_t, uint8_t>(count);
    case 1 * 16 + 8:
      return isSigned ? ofVector<Load, uint64_t, int8_t>(count)
                      : ofVector<Load, uint64_t, uint8_t>(count);
    case 2 * 16 + 2:
      return ofVector<Load, uint16_t, uint16_t>(count);
    case 2 * 16 + 4:
      return isSigned ? ofVector<Load, uint32_t, int16_t>(count)
                      : ofVector<Load, uint32_t, uint16_t>(count);
    case 2 * 16 + 8:
      return isSigned ? ofVector<Load, uint64_t, int16_t>(count)
                      : ofVector<Load, uint64_t, uint16_t>(count);
    case 4 * 16 + 4:
      return ofVector<Load, uint32_t, uint32_t>(count);
    case 4 * 16 + 8:
      return isSigned ? ofVector<Load, uint64_t, int32_t>(count)
                      : ofVector<Load, uint64_t, uint32_t>(count);
    case 8 * 16 + 8:
      return ofVector<Load, uint64_t, uint64_t>(count);
    default:
      return nullptr;
  }
}

/** Hints to caches change nothing here. */
void takeHints(Decoding& d) {
  for (const char* hint :
       {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "L1::evict_normal", "L1::evict_first",
        "L1::evict_last", "L1::no_allocate", "L2::64B", "L2::128B", "L2::256B"})
    d.take(hint);
}

Space spaceOf(Decoding& d) {
  if (d.take("global") || d.take("const")) return Space::kGlobal;
  if (d.take("shared")) return d.take("shared::cta"), Space::kShared;
  if (d.take("local")) return Space::kLocal;
  if (d.take("param")) return Space::kParam;
  return Space::kGeneric;
}

template <bool Load>
void access(Decoding& d) {
  takeHints(d);
  Space space = spaceOf(d);
  if (Load && space == Space::kGlobal && d.take("nc")) space = Space::kReadOnly;
  if (!Load && space == Space::kParam) d.unknown();
  unsigned count = d.take("v2") ? 2 : d.take("v4") ? 4 : 1;
  ptx::Type t = d.type();
  d.finish(2);
  const ptx::Operand& value = d.s.operands[Load ? 0 : 1];
  std::vector<ptx::Operand> values =
      value.kind == ptx::Operand::kVector ? value.parts : std::vector<ptx::Operand>{value};
  if (values.size() != count) d.unknown("expected: " + std::to_string(count) + " values");
  unsigned width = t.bytes;
  for (const ptx::Operand& o : values) width = std::max(width, d.widthOf(o, t.bytes));
  width = std::max(width, 2u);
  d.in.run = ofTypes<Load>(t, width, count);
  if (!d.in.run) d.unknown();
  d.in.detail = static_cast<uint8_t>(space);
  d.address(Load ? 1 : 0);
  for (const ptx::Operand& o : values) Load ? d.write(o, width) : d.read(o, width);
}

/** Nothing to do: caches are not emulated. */
void nothing(Warp&, const Instruction&, uint32_t) {}

void prefetch(Decoding& d) {
  for (const char* m : {"global", "L1", "L2"}) d.take(m);
  d.finish(1);
  d.in.run = nothing;
}

}  // namespace

const Decoders& memoryDecoders() {
  static const Decoders table = {
      {"ld", access<true>}, {"ldu", access<true>}, {"st", access<false>}, {"prefetch", prefetch}};
  return table;
}

}  // namespace muond
