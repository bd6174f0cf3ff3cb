// Logic, shifts and bit fields.
#include "interpreter_lanes.h"

namespace muond {

namespace {

struct And {
  template <class T>
  T operator()(T a, T b) const {
    return a & b;
  }
};
struct Or {
  template <class T>
  T operator()(T a, T b) const {
    return a | b;
  }
};
struct Xor {
  template <class T>
  T operator()(T a, T b) const {
    return a ^ b;
  }
};
struct Not {
  template <class T>
  T operator()(T a) const {
    return static_cast<T>(~a);
  }
};
struct Cnot {
  template <class T>
  T operator()(T a) const {
    return a == 0;
  }
};
// A shift by the width or more gives what shifting by one that often would.
struct Shl {
  template <class T>
  T operator()(T a, uint32_t n) const {
    return n >= sizeof(T) * 8 ? T(0) : static_cast<T>(a << n);
  }
};
struct Shr {
  template <class T>
  T operator()(T a, uint32_t n) const {
    constexpr uint32_t kBits = sizeof(T) * 8;
    T gone = T(-1) < T(0) ? static_cast<T>(a >> (kBits - 1)) : T(0);
    return n >= kBits ? gone : static_cast<T>(a >> n);
  }
};

template <class F, class T, int Count>
void logicOnPredicates(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t value = Count == 1 ? F()(T(w.predicate(in.a[0])), T(0))
                              : F()(T(w.predicate(in.a[0])), T(w.predicate(in.a[1])));
  assign(w.predicate(in.d[0]), mask, value);
}
struct NotFirst {
  template <class T>
  T operator()(T a, T) const {
    return static_cast<T>(~a);
  }
};

template <class F, int Count>
void logic(Decoding& d) {
  ptx::Type t = d.type();
  if (t.bytes == 0)
    d.in.run = logicOnPredicates<std::conditional_t<Count == 1, NotFirst, F>, uint32_t, Count>;
  else if (t.bytes == 2)
    d.in.run = same<F, uint16_t, Count>();
  else if (t.bytes == 4)
    d.in.run = same<F, uint32_t, Count>();
  else if (t.bytes == 8)
    d.in.run = same<F, uint64_t, Count>();
  else
    d.unknown();
  operands(d, t.bytes, Count);
}

void cnot(Decoding& d) {
  ptx::Type t = d.type();
  if (t.bytes == 4)
    d.in.run = same<Cnot, uint32_t, 1>();
  else if (t.bytes == 8)
    d.in.run = same<Cnot, uint64_t, 1>();
  else
    d.unknown();
  operands(d, t.bytes, 1);
}

template <class F>
void shift(Decoding& d) {
  ptx::Type t = d.type();
  bool isSigned = t.kind() == 's';
  if (t.bytes == 2)
    d.in.run = isSigned ? lanewise<F, int16_t, int16_t, uint32_t>
                        : lanewise<F, uint16_t, uint16_t, uint32_t>;
  else if (t.bytes == 4)
    d.in.run = isSigned ? lanewise<F, int32_t, int32_t, uint32_t>
                        : lanewise<F, uint32_t, uint32_t, uint32_t>;
  else if (t.bytes == 8)
    d.in.run = isSigned ? lanewise<F, int64_t, int64_t, uint32_t>
                        : lanewise<F, uint64_t, uint64_t, uint32_t>;
  else
    d.unknown();
  d.finish(3);
  d.write(0, t.bytes);
  d.read(1, t.bytes);
  d.read(2, 4);
}

/** shf: the 32 bits at n within b:a; n is clamped to 32 or wrapped around. */
template <bool Left, bool Wrap>
struct Funnel {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t n) const {
    n = Wrap ? n & 31 : n > 32 ? 32 : n;
    uint64_t both = uint64_t{b} << 32 | a;
    return static_cast<uint32_t>(Left ? both << n >> 32 : both >> n);
  }
};

void funnel(Decoding& d) {
  bool left = d.takeOneOf({"l", "r"}) == "l", wrap = d.takeOneOf({"wrap", "clamp"}) == "wrap";
  if (d.type().name != "b32") d.unknown();
  d.in.run = left ? (wrap ? same<Funnel<true, true>, uint32_t, 3>()
                          : same<Funnel<true, false>, uint32_t, 3>())
                  : (wrap ? same<Funnel<false, true>, uint32_t, 3>()
                          : same<Funnel<false, false>, uint32_t, 3>());
  operands(d, 4, 3);
}

void lop3Handler(Warp& w, const Instruction& in, uint32_t mask) {
  auto table = static_cast<uint32_t>(in.offset);
  auto f = [table](uint32_t a, uint32_t b, uint32_t c) {
    uint32_t r = 0;
    for (uint32_t k = 0; k < 8; k++)
      r |= -(table >> k & 1) & (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
    return r;
  };
  eachLane(w.lanes<uint32_t>(in.d[0]), mask, f, w.lanes<const uint32_t>(in.a[0]),
           w.lanes<const uint32_t>(in.a[1]), w.lanes<const uint32_t>(in.a[2]));
}

void lop3(Decoding& d) {
  if (d.type().name != "b32") d.unknown();
  d.finish(5);
  if (d.s.operands[4].kind != ptx::Operand::kInteger) d.unknown("expected: a table of bits");
  d.in.offset = d.s.operands[4].value;
  d.in.run = lop3Handler;
  d.write(0, 4);
  for (size_t k = 1; k <= 3; k++) d.read(k, 4);
}

struct Prmt {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t selector) const {
    uint64_t both = uint64_t{b} << 32 | a;
    uint32_t r = 0;
    for (int k = 0; k < 4; k++) {
      uint32_t pick = selector >> 4 * k, byte = both >> 8 * (pick & 7) & 0xff;
      if (pick & 8) byte = byte & 0x80 ? 0xff : 0;
      r |= byte << 8 * k;
    }
    return r;
  }
};

void prmt(Decoding& d) {
  if (d.type().name != "b32") d.unknown();
  d.in.run = same<Prmt, uint32_t, 3>();
  operands(d, 4, 3);
}

struct Bfe {
  template <class T>
  T operator()(T a, uint32_t position, uint32_t length) const {
    constexpr uint32_t kBits = sizeof(T) * 8;
    using U = std::make_unsigned_t<T>;
    position &= 255, length &= 255;
    uint32_t last = position + length - 1 < kBits ? position + length - 1 : kBits - 1;
    U sign = T(-1) < T(0) && length != 0 && (U(a) >> last & 1) ? U(-1) : U(0);
    uint32_t there = position >= kBits ? 0 : length < kBits - position ? length : kBits - position;
    U mask = there == kBits ? U(-1) : (U(1) << there) - 1;
    return static_cast<T>(((there == 0 ? U(0) : U(a) >> position) & mask) | (sign & ~mask));
  }
};

void bfe(Decoding& d) {
  ptx::Type t = d.type();
  if (t.name == "u32")
    d.in.run = lanewise<Bfe, uint32_t, uint32_t, uint32_t, uint32_t>;
  else if (t.name == "s32")
    d.in.run = lanewise<Bfe, int32_t, int32_t, uint32_t, uint32_t>;
  else if (t.name == "u64")
    d.in.run = lanewise<Bfe, uint64_t, uint64_t, uint32_t, uint32_t>;
  else if (t.name == "s64")
    d.in.run = lanewise<Bfe, int64_t, int64_t, uint32_t, uint32_t>;
  else
    d.unknown();
  d.finish(4);
  d.write(0, t.bytes);
  d.read(1, t.bytes);
  d.read(2, 4);
  d.read(3, 4);
}

struct Bfi {
  template <class T>
  T operator()(T a, T b, uint32_t position, uint32_t length) const {
    constexpr uint32_t kBits = sizeof(T) * 8;
    position &= 255, length &= 255;
    if (length == 0 || position >= kBits) return b;
    T field = length >= kBits ? T(-1) : static_cast<T>((T(1) << length) - 1);
    T mask = static_cast<T>(field << position);
    return (b & ~mask) | (static_cast<T>(a << position) & mask);
  }
};

void bfi(Decoding& d) {
  ptx::Type t = d.type();
  if (t.name == "b32")
    d.in.run = lanewise<Bfi, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>;
  else if (t.name == "b64")
    d.in.run = lanewise<Bfi, uint64_t, uint64_t, uint64_t, uint32_t, uint32_t>;
  else
    d.unknown();
  d.finish(5);
  d.write(0, t.bytes);
  d.read(1, t.bytes);
  d.read(2, t.bytes);
  d.read(3, 4);
  d.read(4, 4);
}

struct Popc {
  uint32_t operator()(uint32_t a) const { return __builtin_popcount(a); }
  uint32_t operator()(uint64_t a) const { return __builtin_popcountll(a); }
};
struct Clz {
  uint32_t operator()(uint32_t a) const { return a ? __builtin_clz(a) : 32; }
  uint32_t operator()(uint64_t a) const { return a ? __builtin_clzll(a) : 64; }
};
/** The place of the most significant bit that differs from the sign; all ones if there is none. */
template <bool ShiftAmount>
struct Bfind {
  uint32_t operator()(uint32_t a) const {
    return a == 0 ? ~0u : ShiftAmount ? Clz()(a) : 31 - Clz()(a);
  }
  uint32_t operator()(uint64_t a) const {
    return a == 0 ? ~0u : ShiftAmount ? Clz()(a) : 63 - Clz()(a);
  }
  uint32_t operator()(int32_t a) const { return (*this)(static_cast<uint32_t>(a < 0 ? ~a : a)); }
  uint32_t operator()(int64_t a) const { return (*this)(static_cast<uint64_t>(a < 0 ? ~a : a)); }
};
struct Brev {
  template <class T>
  T operator()(T a) const {
    T r = 0;
    for (size_t i = 0; i < sizeof(T) * 8; i++) r = static_cast<T>(r << 1 | (a >> i & 1));
    return r;
  }
};

/** A result of 32 bits whatever the source. */
template <class F>
void count(Decoding& d) {
  ptx::Type t = d.type();
  if (t.bytes == 4 && t.kind() != 's')
    d.in.run = lanewise<F, uint32_t, uint32_t>;
  else if (t.bytes == 8 && t.kind() != 's')
    d.in.run = lanewise<F, uint32_t, uint64_t>;
  else if constexpr (std::is_invocable_v<F, int32_t>)
    d.in.run = t.bytes == 4 ? lanewise<F, uint32_t, int32_t> : lanewise<F, uint32_t, int64_t>;
  else
    d.unknown();
  d.finish(2);
  d.write(0, 4);
  d.read(1, t.bytes);
}

void bfind(Decoding& d) { d.take("shiftamt") ? count<Bfind<true>>(d) : count<Bfind<false>>(d); }

void brev(Decoding& d) {
  ptx::Type t = d.type();
  if (t.name == "b32")
    d.in.run = same<Brev, uint32_t, 1>();
  else if (t.name == "b64")
    d.in.run = same<Brev, uint64_t, 1>();
  else
    d.unknown();
  operands(d, t.bytes, 1);
}

}  // namespace

const Decoders& bitDecoders() {
  static const Decoders table = {
      {"and", logic<And, 2>}, {"or", logic<Or, 2>}, {"xor", logic<Xor, 2>}, {"not", logic<Not, 1>},
      {"cnot", cnot},         {"shl", shift<Shl>},  {"shr", shift<Shr>},    {"shf", funnel},
      {"lop3", lop3},         {"prmt", prmt},       {"bfe", bfe},           {"bfi", bfi},
      {"popc", count<Popc>},  {"clz", count<Clz>},  {"bfind", bfind},       {"brev", brev},
  };
  return table;
}

}  // namespace muond
