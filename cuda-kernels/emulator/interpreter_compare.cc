// Comparisons and selections.
#include "interpreter_lanes.h"
#include "interpreter_numbers.h"

namespace muond {

namespace {

// For floating-point numbers a comparison with a NaN is false, and true where its name ends in u.
struct Eq {
  template <class T>
  bool operator()(T a, T b) const {
    return a == b;
  }
};
struct Ne {  // false for NaN, unlike the language's
  template <class T>
  bool operator()(T a, T b) const {
    return a < b || a > b;
  }
};
struct Lt {
  template <class T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};
struct Le {
  template <class T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct Gt {
  template <class T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};
struct Ge {
  template <class T>
  bool operator()(T a, T b) const {
    return a >= b;
  }
};
struct Num {
  template <class T>
  bool operator()(T a, T b) const {
    return a == a && b == b;
  }
};
struct Nan {
  template <class T>
  bool operator()(T a, T b) const {
    return a != a || b != b;
  }
};
template <class F>
struct OrUnordered {
  template <class T>
  bool operator()(T a, T b) const {
    return F()(a, b) || Nan()(a, b);
  }
};
template <class F>
struct Ftz {
  bool operator()(float a, float b) const { return F()(flushed(a), flushed(b)); }
};

using Compare = uint32_t (*)(Warp&, const Instruction&);

template <class F, class T>
uint32_t compare(Warp& w, const Instruction& in) {
  return whichLanes(F(), w.lanes<const T>(in.a[0]), w.lanes<const T>(in.a[1]));
}

enum Combination : uint8_t { kAlone, kAnd, kOr, kXor };

/** p = c, q = !c, each combined with a third predicate (negated where `offset` says so). */
template <class F, class T>
void setp(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t c = compare<F, T>(w, in), p = c, q = ~c;
  if (in.variant != kAlone) {
    uint32_t other = w.predicate(in.a[2]) ^ static_cast<uint32_t>(in.offset);
    if (in.variant == kAnd) p &= other, q &= other;
    if (in.variant == kOr) p |= other, q |= other;
    if (in.variant == kXor) p ^= other, q ^= other;
  }
  assign(w.predicate(in.d[0]), mask, p);
  if (in.writes > 1) assign(w.predicate(in.d[1]), mask, q);
}

/** set: all ones, or 1.0 where the result is a float32. */
template <class F, class T>
void set(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t c = compare<F, T>(w, in), one = static_cast<uint32_t>(in.offset);
  uint32_t* d = w.lanes<uint32_t>(in.d[0]);
  for (uint32_t i = 0; i < kLanes; i++)
    if (muond::in(mask, i)) d[i] = muond::in(c, i) ? one : 0;
}

template <class F>
Handler integer(const std::string& t, bool toRegister) {
  if (t == "u16" || t == "b16") return toRegister ? set<F, uint16_t> : setp<F, uint16_t>;
  if (t == "s16") return toRegister ? set<F, int16_t> : setp<F, int16_t>;
  if (t == "u32" || t == "b32") return toRegister ? set<F, uint32_t> : setp<F, uint32_t>;
  if (t == "s32") return toRegister ? set<F, int32_t> : setp<F, int32_t>;
  if (t == "u64" || t == "b64") return toRegister ? set<F, uint64_t> : setp<F, uint64_t>;
  if (t == "s64") return toRegister ? set<F, int64_t> : setp<F, int64_t>;
  return nullptr;
}

template <class F>
Handler floating(const std::string& t, bool ftz, bool toRegister) {
  if (t == "f32" && ftz) return toRegister ? set<Ftz<F>, float> : setp<Ftz<F>, float>;
  if (t == "f32") return toRegister ? set<F, float> : setp<F, float>;
  if (t == "f64" && !ftz) return toRegister ? set<F, double> : setp<F, double>;
  return nullptr;
}

using Picker = Handler (*)(const ptx::Type& t, bool ftz, bool toRegister);

template <class F>
Handler onIntegers(const ptx::Type& t, bool ftz, bool toRegister) {
  return ftz ? nullptr : integer<F>(t.name, toRegister);
}
template <class F>
Handler onFloats(const ptx::Type& t, bool ftz, bool toRegister) {
  return floating<F>(t.name, ftz, toRegister);
}
template <class F>
Handler onBoth(const ptx::Type& t, bool ftz, bool toRegister) {
  return t.kind() == 'f' ? onFloats<F>(t, ftz, toRegister) : onIntegers<F>(t, ftz, toRegister);
}

/** Takes the comparison, .ftz and the type away; the handler writes a predicate, or a register of
 * 32 bits. */
Handler takeComparison(Decoding& d, ptx::Type& t, bool toRegister) {
  static const std::map<std::string, Picker> pickers = {
      {"eq", onBoth<Eq>},
      {"ne", onBoth<Ne>},
      {"lt", onBoth<Lt>},
      {"le", onBoth<Le>},
      {"gt", onBoth<Gt>},
      {"ge", onBoth<Ge>},
      {"lo", onIntegers<Lt>},
      {"ls", onIntegers<Le>},
      {"hi", onIntegers<Gt>},
      {"hs", onIntegers<Ge>},
      {"num", onFloats<Num>},
      {"nan", onFloats<Nan>},
      {"equ", onFloats<OrUnordered<Eq>>},
      {"neu", onFloats<OrUnordered<Ne>>},
      {"ltu", onFloats<OrUnordered<Lt>>},
      {"leu", onFloats<OrUnordered<Le>>},
      {"gtu", onFloats<OrUnordered<Gt>>},
      {"geu", onFloats<OrUnordered<Ge>>},
  };
  bool ftz = d.take("ftz");
  t = d.type();
  for (const auto& [name, picker] : pickers)
    if (d.take(name.c_str()))
      if (Handler handler = picker(t, ftz, toRegister)) return handler;
  d.unknown();
}

void setpDecoder(Decoding& d) {
  d.in.variant = d.take("and") ? kAnd : d.take("or") ? kOr : d.take("xor") ? kXor : kAlone;
  ptx::Type t;
  d.in.run = takeComparison(d, t, false);
  d.finish(d.in.variant == kAlone ? 3 : 4);
  const ptx::Operand& to = d.s.operands[0];
  if (to.kind == ptx::Operand::kPair) {
    d.write(to.parts[0], 0);
    d.write(to.parts[1], 0);
  } else {
    d.write(to, 0);
  }
  d.read(1, t.bytes);
  d.read(2, t.bytes);
  if (d.in.variant == kAlone) return;
  ptx::Operand third = d.s.operands[3];
  d.in.offset = third.negated ? kAll : 0;
  third.negated = false;
  d.read(third, 0);
}

void setDecoder(Decoding& d) {
  ptx::Type t;
  d.in.run = takeComparison(d, t, true);
  ptx::Type to = d.type();
  if (to.bytes != 4) d.unknown();
  d.in.offset = to.name == "f32" ? 0x3f800000 : kAll;
  d.finish(3);
  d.write(0, 4);
  d.read(1, t.bytes);
  d.read(2, t.bytes);
}

template <class T>
void selp(Warp& w, const Instruction& in, uint32_t mask) {
  const T *a = w.lanes<T>(in.a[0]), *b = w.lanes<T>(in.a[1]);
  T* d = w.lanes<T>(in.d[0]);
  uint32_t p = w.predicate(in.a[2]);
#pragma GCC ivdep
  for (uint32_t i = 0; i < kLanes; i++)
    d[i] = muond::in(mask, i) ? (muond::in(p, i) ? a[i] : b[i]) : d[i];
}

void selpDecoder(Decoding& d) {
  ptx::Type t = d.type();
  d.in.run = t.bytes == 2   ? selp<uint16_t>
             : t.bytes == 4 ? selp<uint32_t>
             : t.bytes == 8 ? selp<uint64_t>
                            : nullptr;
  if (!d.in.run) d.unknown();
  d.finish(4);
  d.write(0, t.bytes);
  d.read(1, t.bytes);
  d.read(2, t.bytes);
  d.read(3, 0);
}

struct Slct {
  template <class T>
  T operator()(T a, T b, int32_t c) const {
    return c >= 0 ? a : b;
  }
  template <class T>
  T operator()(T a, T b, float c) const {
    return c >= 0 ? a : b;
  }
};

void slctDecoder(Decoding& d) {
  ptx::Type c = d.type(), t = d.type();
  bool byFloat = c.name == "f32";
  if (!byFloat && c.name != "s32") d.unknown();
  if (t.bytes == 4)
    d.in.run = byFloat ? lanewise<Slct, uint32_t, uint32_t, uint32_t, float>
                       : lanewise<Slct, uint32_t, uint32_t, uint32_t, int32_t>;
  else if (t.bytes == 8)
    d.in.run = byFloat ? lanewise<Slct, uint64_t, uint64_t, uint64_t, float>
                       : lanewise<Slct, uint64_t, uint64_t, uint64_t, int32_t>;
  else
    d.unknown();
  d.finish(4);
  d.write(0, t.bytes);
  d.read(1, t.bytes);
  d.read(2, t.bytes);
  d.read(3, 4);
}

struct Finite {
  template <class T>
  bool operator()(T a) const {
    return a - a == 0;
  }
};
struct Infinite {
  template <class T>
  bool operator()(T a) const {
    return a == a && a - a != 0;
  }
};
struct Number {
  template <class T>
  bool operator()(T a) const {
    return a == a;
  }
};
struct NotANumber {
  template <class T>
  bool operator()(T a) const {
    return a != a;
  }
};

template <class F, class T>
void testp(Warp& w, const Instruction& in, uint32_t mask) {
  assign(w.predicate(in.d[0]), mask, whichLanes(F(), w.lanes<const T>(in.a[0])));
}

template <class F>
Handler testpOf(const ptx::Type& t) {
  return t.name == "f32" ? testp<F, float> : t.name == "f64" ? testp<F, double> : nullptr;
}

void testpDecoder(Decoding& d) {
  std::string what = d.takeOneOf({"finite", "infinite", "number", "notanumber"});
  ptx::Type t = d.type();
  d.in.run = what == "finite"     ? testpOf<Finite>(t)
             : what == "infinite" ? testpOf<Infinite>(t)
             : what == "number"   ? testpOf<Number>(t)
                                  : testpOf<NotANumber>(t);
  if (!d.in.run) d.unknown();
  d.finish(2);
  d.write(0, 0);
  d.read(1, t.bytes);
}

}  // namespace

const Decoders& compareDecoders() {
  static const Decoders table = {{"setp", setpDecoder},
                                 {"set", setDecoder},
                                 {"selp", selpDecoder},
                                 {"slct", slctDecoder},
                                 {"testp", testpDecoder}};
  return table;
}

}  // namespace muond
