// cvt, between all types.
#include <limits>

#include "interpreter_lanes.h"
#include "interpreter_numbers.h"

namespace muond {

namespace {

// ---- Integers to integers: registers may be wider than the types.

/** The low `from` bits, extended with or without sign; then the low `to` bits, likewise. */
template <class D, class S>
void integers(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t unused = 64 - 8 * (in.variant & 15), drop = 64 - 8 * (in.detail & 15);
  bool fromSigned = in.variant & 16, toSigned = in.detail & 16;
  auto f = [=](S s) {
    uint64_t x = uint64_t(s) << unused;
    x = fromSigned ? uint64_t(int64_t(x) >> unused) : x >> unused;
    x <<= drop;
    return static_cast<D>(toSigned ? uint64_t(int64_t(x) >> drop) : x >> drop);
  };
  eachLane(w.lanes<D>(in.d[0]), mask, f, w.lanes<const S>(in.a[0]));
}

template <class S>
Handler integersTo(unsigned bytes) {
  return bytes == 2   ? integers<uint16_t, S>
         : bytes == 4 ? integers<uint32_t, S>
                      : integers<uint64_t, S>;
}

void integerDecoder(Decoding& d, const ptx::Type& to, const ptx::Type& from) {
  unsigned source = d.widthOf(d.s.operands[1], from.bytes),
           result = d.widthOf(d.s.operands[0], to.bytes);
  source = source < 2 ? 2 : source, result = result < 2 ? 2 : result;
  d.in.variant = static_cast<uint8_t>(from.bytes | (from.kind() == 's' ? 16 : 0));
  d.in.detail = static_cast<uint8_t>(to.bytes | (to.kind() == 's' ? 16 : 0));
  d.in.run = source == 2   ? integersTo<uint16_t>(result)
             : source == 4 ? integersTo<uint32_t>(result)
                           : integersTo<uint64_t>(result);
  d.finish(2);
  d.write(0, result);
  d.read(1, source);
}

// ---- To integers.

enum class Rounding { kNearest, kZero, kDown, kUp };

template <Rounding R, class T>
T toIntegral(T x) {
  if constexpr (R == Rounding::kNearest)
    return std::nearbyint(x);
  else if constexpr (R == Rounding::kZero)
    return std::trunc(x);
  else if constexpr (R == Rounding::kDown)
    return std::floor(x);
  else
    return std::ceil(x);
}

/** Clamped; a NaN gives 0, or the highest bit alone where either side has 64 bits. */
template <class I, class F, Rounding R>
struct ToInteger {
  I operator()(F x) const {
    constexpr bool wide = sizeof(I) == 8 || sizeof(F) == 8;
    constexpr I forNan = wide ? static_cast<I>(uint64_t{1} << (8 * sizeof(I) - 1)) : 0;
    constexpr I least = std::numeric_limits<I>::min(), most = std::numeric_limits<I>::max();
    constexpr F beyond = static_cast<F>(most / 2 + 1) * 2;
    F r = toIntegral<R>(x);
    if (x != x) return forNan;
    return r >= beyond ? most : r < static_cast<F>(least) ? least : static_cast<I>(r);
  }
};

template <class I, class F>
Handler toInteger(const std::string& rounding) {
  return rounding == "rni"   ? lanewise<ToInteger<I, F, Rounding::kNearest>, I, F>
         : rounding == "rzi" ? lanewise<ToInteger<I, F, Rounding::kZero>, I, F>
         : rounding == "rmi" ? lanewise<ToInteger<I, F, Rounding::kDown>, I, F>
                             : lanewise<ToInteger<I, F, Rounding::kUp>, I, F>;
}

template <class F>
Handler toIntegerOf(const std::string& t, const std::string& rounding) {
  if (t == "s16") return toInteger<int16_t, F>(rounding);
  if (t == "u16") return toInteger<uint16_t, F>(rounding);
  if (t == "s32") return toInteger<int32_t, F>(rounding);
  if (t == "u32") return toInteger<uint32_t, F>(rounding);
  if (t == "s64") return toInteger<int64_t, F>(rounding);
  if (t == "u64") return toInteger<uint64_t, F>(rounding);
  return nullptr;
}

void toIntegerDecoder(Decoding& d, const ptx::Type& to, const ptx::Type& from) {
  std::string rounding = d.takeOneOf({"rni", "rzi", "rmi", "rpi"});
  d.take("sat");
  if (from.name == "f32") d.in.run = toIntegerOf<float>(to.name, rounding);
  if (from.name == "f64") d.in.run = toIntegerOf<double>(to.name, rounding);
  if (!d.in.run) d.unknown();
  d.finish(2);
  d.write(0, to.bytes);
  d.read(1, from.bytes);
}

// ---- From integers, to nearest even.

template <class F>
struct FromInteger {
  template <class I>
  F operator()(I x) const {
    return static_cast<F>(x);
  }
};

template <class F>
Handler fromIntegerTo(const std::string& t) {
  if (t == "s16") return lanewise<FromInteger<F>, F, int16_t>;
  if (t == "u16") return lanewise<FromInteger<F>, F, uint16_t>;
  if (t == "s32") return lanewise<FromInteger<F>, F, int32_t>;
  if (t == "u32") return lanewise<FromInteger<F>, F, uint32_t>;
  if (t == "s64") return lanewise<FromInteger<F>, F, int64_t>;
  if (t == "u64") return lanewise<FromInteger<F>, F, uint64_t>;
  return nullptr;
}

void fromIntegerDecoder(Decoding& d, const ptx::Type& to, const ptx::Type& from) {
  d.takeOneOf({"rn"});
  if (to.name == "f32") d.in.run = fromIntegerTo<float>(from.name);
  if (to.name == "f64") d.in.run = fromIntegerTo<double>(from.name);
  if (!d.in.run) d.unknown();
  d.finish(2);
  d.write(0, to.bytes);
  d.read(1, from.bytes);
}

// ---- Between floating-point types.

struct ToDouble {
  double operator()(float x) const { return x; }
};
struct Narrow {
  float operator()(double x) const { return canonical(static_cast<float>(x)); }
};
struct NarrowZero {
  float operator()(double x) const {
    float r = static_cast<float>(x);
    bool away = std::fabs(static_cast<double>(r)) > std::fabs(x);
    return canonical(away ? asFloat(bits(r) - 1) : r);
  }
};
struct NarrowDown {
  float operator()(double x) const {
    float r = static_cast<float>(x);
    return canonical(static_cast<double>(r) > x ? std::nextafterf(r, -INFINITY) : r);
  }
};
struct NarrowUp {
  float operator()(double x) const {
    float r = static_cast<float>(x);
    return canonical(static_cast<double>(r) < x ? std::nextafterf(r, INFINITY) : r);
  }
};
struct HalfToFloat {
  float operator()(uint16_t h) const { return fromFloat16(h); }
};
struct HalfToDouble {
  double operator()(uint16_t h) const { return fromFloat16(h); }
};
struct Bfloat16ToFloat {
  float operator()(uint16_t h) const { return fromBfloat16(h); }
};
struct ToHalf {
  uint16_t operator()(float x) const { return toFloat16(x); }
};
struct ToHalfZero {
  uint16_t operator()(float x) const { return toFloat16TowardsZero(x); }
};
struct ToBfloat16 {
  uint16_t operator()(float x) const { return toBfloat16(x); }
};
struct ToBfloat16Zero {
  uint16_t operator()(float x) const { return toBfloat16TowardsZero(x); }
};
/** To float32 rounded to odd, from which a second rounding to fewer bits is right. */
inline float toOdd(double x) {
  float r = NarrowZero()(x);
  return static_cast<double>(r) == x || x != x ? r : asFloat(bits(r) | 1);
}
struct DoubleToHalf {
  uint16_t operator()(double x) const { return toFloat16(toOdd(x)); }
};
struct DoubleToBfloat16 {
  uint16_t operator()(double x) const { return toBfloat16(toOdd(x)); }
};
template <class F>
struct Flushing {
  template <class T>
  auto operator()(T x) const {
    if constexpr (std::is_same_v<T, float>)
      return F()(flushed(x));
    else
      return flushed(F()(x));
  }
};
template <class F>
struct Pack {  // the first goes into the upper half
  uint32_t operator()(float high, float low) const { return uint32_t{F()(high)} << 16 | F()(low); }
};
template <class F>
struct Relu {
  uint16_t operator()(float x) const { return x != x ? kNan16 : F()(x > 0 ? x : 0.0f); }
};
template <Rounding R>
struct Integral {
  template <class T>
  T operator()(T x) const {
    return canonical(toIntegral<R>(x));
  }
};

template <Rounding R>
Handler integralOf(const ptx::Type& t) {
  return t.name == "f32" ? lanewise<Integral<R>, float, float>
                         : lanewise<Integral<R>, double, double>;
}

Handler integral(const ptx::Type& t, const std::string& rounding) {
  return rounding == "rni"   ? integralOf<Rounding::kNearest>(t)
         : rounding == "rzi" ? integralOf<Rounding::kZero>(t)
         : rounding == "rmi" ? integralOf<Rounding::kDown>(t)
                             : integralOf<Rounding::kUp>(t);
}

/** By "to.from.rounding" and, where it is there, ".ftz". */
const std::map<std::string, Handler>& floatConversions() {
  static const std::map<std::string, Handler> table = {
      {"f64.f32.", lanewise<ToDouble, double, float>},
      {"f64.f32..ftz", lanewise<Flushing<ToDouble>, double, float>},
      {"f32.f64.rn", lanewise<Narrow, float, double>},
      {"f32.f64.rn.ftz", lanewise<Flushing<Narrow>, float, double>},
      {"f32.f64.rz", lanewise<NarrowZero, float, double>},
      {"f32.f64.rm", lanewise<NarrowDown, float, double>},
      {"f32.f64.rp", lanewise<NarrowUp, float, double>},
      {"f32.f16.", lanewise<HalfToFloat, float, uint16_t>},
      {"f32.f16..ftz",
       lanewise<HalfToFloat, float, uint16_t>},  // every float16 is a normal float32
      {"f64.f16.", lanewise<HalfToDouble, double, uint16_t>},
      {"f32.bf16.", lanewise<Bfloat16ToFloat, float, uint16_t>},
      {"f16.f32.rn", lanewise<ToHalf, uint16_t, float>},
      {"f16.f32.rn.ftz", lanewise<Flushing<ToHalf>, uint16_t, float>},
      {"f16.f32.rz", lanewise<ToHalfZero, uint16_t, float>},
      {"f16.f64.rn", lanewise<DoubleToHalf, uint16_t, double>},
      {"bf16.f32.rn", lanewise<ToBfloat16, uint16_t, float>},
      {"bf16.f32.rz", lanewise<ToBfloat16Zero, uint16_t, float>},
      {"bf16.f64.rn", lanewise<DoubleToBfloat16, uint16_t, double>},
      {"f16x2.f32.rn", lanewise<Pack<ToHalf>, uint32_t, float, float>},
      {"f16x2.f32.rz", lanewise<Pack<ToHalfZero>, uint32_t, float, float>},
      {"bf16x2.f32.rn", lanewise<Pack<ToBfloat16>, uint32_t, float, float>},
      {"bf16x2.f32.rz", lanewise<Pack<ToBfloat16Zero>, uint32_t, float, float>},
      {"f16.f32.rn.relu", lanewise<Relu<ToHalf>, uint16_t, float>},
      {"bf16.f32.rn.relu", lanewise<Relu<ToBfloat16>, uint16_t, float>},
  };
  return table;
}

std::string oneOf(Decoding& d, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (d.take(name)) return name;
  return "";
}

void floatDecoder(Decoding& d, const ptx::Type& to, const ptx::Type& from) {
  std::string whole = oneOf(d, {"rni", "rzi", "rmi", "rpi"});
  if (!whole.empty() && to.name == from.name && to.bytes >= 4) {
    d.in.run = integral(to, whole);
  } else {
    std::string key = to.name + "." + from.name + "." + oneOf(d, {"rn", "rz", "rm", "rp"});
    for (const char* more : {"ftz", "relu"})
      if (d.take(more)) key += std::string(".") + more;
    auto found = floatConversions().find(key);
    if (found != floatConversions().end()) d.in.run = found->second;
  }
  if (!d.in.run) d.unknown();
  bool packs = to.name == "f16x2" || to.name == "bf16x2";
  d.finish(packs ? 3 : 2);
  d.write(0, to.bytes);
  d.read(1, from.bytes);
  if (packs) d.read(2, from.bytes);
}

bool isFloat(const ptx::Type& t) { return t.kind() == 'f' || t.name.rfind("bf", 0) == 0; }

void cvt(Decoding& d) {
  ptx::Type from = d.type(), to = d.type();
  if (isFloat(from) && isFloat(to))
    floatDecoder(d, to, from);
  else if (isFloat(from))
    toIntegerDecoder(d, to, from);
  else if (isFloat(to))
    fromIntegerDecoder(d, to, from);
  else
    integerDecoder(d, to, from);
}

}  // namespace

const Decoders& convertDecoders() {
  static const Decoders table = {{"cvt", cvt}};
  return table;
}

}  // namespace muond
