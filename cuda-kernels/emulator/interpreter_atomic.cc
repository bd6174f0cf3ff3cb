// Atomic operations on global and shared memory, lane after lane.
#include "interpreter_access.h"
#include "interpreter_lanes.h"
#include "interpreter_numbers.h"

namespace muond {

namespace {

struct Add {
  template <class T>
  T operator()(T old, T b, T) const {
    return old + b;
  }
  float operator()(float old, float b, float) const { return canonical(old + b); }
};
struct Min {
  template <class T>
  T operator()(T old, T b, T) const {
    return b < old ? b : old;
  }
};
struct Max {
  template <class T>
  T operator()(T old, T b, T) const {
    return old < b ? b : old;
  }
};
struct And {
  template <class T>
  T operator()(T old, T b, T) const {
    return old & b;
  }
};
struct Or {
  template <class T>
  T operator()(T old, T b, T) const {
    return old | b;
  }
};
struct Xor {
  template <class T>
  T operator()(T old, T b, T) const {
    return old ^ b;
  }
};
struct Exch {
  template <class T>
  T operator()(T, T b, T) const {
    return b;
  }
};
struct Cas {
  template <class T>
  T operator()(T old, T b, T c) const {
    return old == b ? c : old;
  }
};
struct Inc {
  template <class T>
  T operator()(T old, T b, T) const {
    return old >= b ? T(0) : static_cast<T>(old + 1);
  }
};
struct Dec {
  template <class T>
  T operator()(T old, T b, T) const {
    return old == 0 || old > b ? b : static_cast<T>(old - 1);
  }
};

enum Space : uint8_t { kGeneric, kGlobal, kShared };

View viewOf(Warp& w, const Instruction& in, uint32_t lane, uint64_t& address, unsigned bytes) {
  bool window = in.detail == kGeneric && address - kSharedWindow < kWindow;
  if (window) address -= kSharedWindow;
  if (window || in.detail == kShared) return sharedView(w);
  View view = globalView(w, in, lane, address, bytes);
  address -= view.region.base;
  return view;
}

/** a[0] is the address, a[1] and a[2] the operands; d[0], if it is there, gets what was there
 * before. */
template <class F, class T>
void atomic(Warp& w, const Instruction& in, uint32_t mask) {
  uint64_t address[kLanes];
  effectiveAddresses(w, in, address);
  const T *b = w.lanes<T>(in.a[1]), *c = w.lanes<T>(in.a[in.reads > 2 ? 2 : 1]);
  T* d = in.writes ? w.lanes<T>(in.d[0]) : nullptr;
  for (uint32_t i = 0; i < kLanes; i++) {
    if (!muond::in(mask, i)) continue;
    View view = viewOf(w, in, i, address[i], sizeof(T));
    checkLane(w, view, i, address[i], sizeof(T), Access::kAtomic);
    T old, now;
    std::memcpy(&old, view.region.data + address[i], sizeof(T));
    now = F()(old, b[i], c[i]);
    std::memcpy(view.region.data + address[i], &now, sizeof(T));
    if (d) d[i] = old;
  }
}

template <class F>
Handler onIntegers(const std::string& t) {
  if (t == "u32" || t == "b32") return atomic<F, uint32_t>;
  if (t == "s32") return atomic<F, int32_t>;
  if (t == "u64" || t == "b64") return atomic<F, uint64_t>;
  if (t == "s64") return atomic<F, int64_t>;
  return nullptr;
}

Handler onAll(const std::string& t) {
  if (t == "f32") return atomic<Add, float>;
  if (t == "f64") return atomic<Add, double>;
  if (t == "s32") return atomic<Add, uint32_t>;  // overflow is defined
  if (t == "s64") return atomic<Add, uint64_t>;
  return onIntegers<Add>(t);
}

Handler pick(Decoding& d, const std::string& t) {
  if (d.take("add")) return onAll(t);
  if (d.take("min")) return onIntegers<Min>(t);
  if (d.take("max")) return onIntegers<Max>(t);
  if (d.take("and")) return onIntegers<And>(t);
  if (d.take("or")) return onIntegers<Or>(t);
  if (d.take("xor")) return onIntegers<Xor>(t);
  if (d.take("exch")) return onIntegers<Exch>(t);
  if (d.take("cas")) return onIntegers<Cas>(t);
  if (d.take("inc")) return t == "u32" ? atomic<Inc, uint32_t> : nullptr;
  if (d.take("dec")) return t == "u32" ? atomic<Dec, uint32_t> : nullptr;
  return nullptr;
}

/** atom d, [a], b(, c) or red [a], b. Orders and scopes make no difference where blocks run one
 * after the other. */
template <bool Returns>
void decode(Decoding& d) {
  for (const char* m : {"relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys"}) d.take(m);
  d.in.detail = d.take("global")                            ? kGlobal
                : d.take("shared") || d.take("shared::cta") ? kShared
                                                            : kGeneric;
  ptx::Type t = d.type();
  bool cas = false;
  for (const std::string& m : d.s.modifiers) cas |= m == "cas";
  d.in.run = pick(d, t.name);
  if (!d.in.run) d.unknown();
  size_t first = Returns ? 1 : 0, count = first + (cas ? 3 : 2);
  d.finish(count);
  if (Returns) d.write(0, t.bytes);
  d.address(first);
  for (size_t k = first + 1; k < count; k++) d.read(k, t.bytes);
}

}  // namespace

const Decoders& atomicDecoders() {
  static const Decoders table = {{"atom", decode<true>}, {"red", decode<false>}};
  return table;
}

}  // namespace muond
