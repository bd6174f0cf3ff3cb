// Floating-point arithmetic, rounded to nearest even.
#include "interpreter_lanes.h"
#include "interpreter_numbers.h"

namespace muond {

namespace {

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return canonical(a + b);
  }
};
struct Sub {
  template <class T>
  T operator()(T a, T b) const {
    return canonical(a - b);
  }
};
struct Mul {
  template <class T>
  T operator()(T a, T b) const {
    return canonical(a * b);
  }
};
struct Fma {
  float operator()(float a, float b, float c) const { return canonical(__builtin_fmaf(a, b, c)); }
  double operator()(double a, double b, double c) const {
    return canonical(__builtin_fma(a, b, c));
  }
};
struct Div {
  template <class T>
  T operator()(T a, T b) const {
    return canonical(a / b);
  }
};
struct Rcp {
  template <class T>
  T operator()(T a) const {
    return canonical(T(1) / a);
  }
};
struct Sqrt {
  float operator()(float a) const { return canonical(__builtin_sqrtf(a)); }
  double operator()(double a) const { return canonical(__builtin_sqrt(a)); }
};
struct Rsqrt {
  float operator()(float a) const {
    return canonical(static_cast<float>(1.0 / __builtin_sqrt(double(a))));
  }
  double operator()(double a) const { return 1.0 / __builtin_sqrt(a); }
};
// Hardware errs by an ulp or two in these; here they are rounded correctly or nearly so.
struct Exp2 {
  float operator()(float a) const { return canonical(static_cast<float>(std::exp2(double(a)))); }
};
struct Log2 {
  float operator()(float a) const { return canonical(static_cast<float>(std::log2(double(a)))); }
};
struct Sin {
  float operator()(float a) const { return canonical(static_cast<float>(std::sin(double(a)))); }
};
struct Cos {
  float operator()(float a) const { return canonical(static_cast<float>(std::cos(double(a)))); }
};
struct Tanh {
  float operator()(float a) const { return canonical(static_cast<float>(std::tanh(double(a)))); }
};
// These handle NaN as IEEE's minimumNumber and maximumNumber do, and -0 is less than +0.
struct Min {
  template <class T>
  T operator()(T a, T b) const {
    bool less = a < b || (a == b && std::signbit(a));
    return canonical(a != a ? b : b != b ? a : less ? a : b);
  }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    bool greater = a > b || (a == b && !std::signbit(a));
    return canonical(a != a ? b : b != b ? a : greater ? a : b);
  }
};
/** min.NaN and max.NaN: a NaN if either is. */
template <class F>
struct OrNan {
  float operator()(float a, float b) const {
    return a != a || b != b ? asFloat(kNan32) : F()(a, b);
  }
};
struct Abs {
  float operator()(float a) const { return canonical(asFloat(bits(a) & 0x7fffffffu)); }
  double operator()(double a) const { return asDouble(bits(a) & ~(uint64_t{1} << 63)); }
};
struct Neg {
  float operator()(float a) const { return canonical(asFloat(bits(a) ^ 0x80000000u)); }
  double operator()(double a) const { return asDouble(bits(a) ^ uint64_t{1} << 63); }
};
struct Copysign {  // the sign of the first, the rest of the second
  float operator()(float a, float b) const {
    return asFloat((bits(a) & 0x80000000u) | (bits(b) & 0x7fffffffu));
  }
  double operator()(double a, double b) const {
    uint64_t sign = uint64_t{1} << 63;
    return asDouble((bits(a) & sign) | (bits(b) & ~sign));
  }
};

template <class F>
struct Ftz {
  template <class... A>
  float operator()(A... a) const {
    return flushed(F()(flushed(a)...));
  }
};
template <class F>
struct Saturated {
  template <class... A>
  float operator()(A... a) const {
    float x = F()(a...);
    return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f;  // a NaN becomes +0
  }
};

/** The handler for float32 with the modifiers .ftz and .sat, or float64 without. */
template <class F, int Count, bool HasDouble = true>
void take(Decoding& d) {
  bool ftz = d.take("ftz"), sat = d.take("sat");
  ptx::Type t = d.type();
  if (t.name == "f32") {
    d.in.run = ftz ? (sat ? same<Saturated<Ftz<F>>, float, Count>() : same<Ftz<F>, float, Count>())
                   : (sat ? same<Saturated<F>, float, Count>() : same<F, float, Count>());
  } else if (t.name == "f64" && !ftz && !sat) {
    if constexpr (HasDouble) d.in.run = same<F, double, Count>();
  }
  if (!d.in.run) d.unknown();
  operands(d, t.bytes, Count);
}

/** Rounding to nearest even is the default and the only one. */
template <class F, int Count>
void rounded(Decoding& d) {
  d.take("rn");
  take<F, Count>(d);
}

/** .approx and .full err on hardware; here they are rounded correctly. */
template <class F, int Count>
void roundedOrApproximate(Decoding& d) {
  d.takeOneOf({"rn", "approx", "full"});
  take<F, Count>(d);
}

template <class F, bool HasDouble = false>
void approximate(Decoding& d) {
  d.takeOneOf({"approx"});
  take<F, 1, HasDouble>(d);
}

template <class F>
void minOrMax(Decoding& d) {
  d.take("NaN") ? take<OrNan<F>, 2, false>(d) : take<F, 2>(d);
}

}  // namespace

const Decoders& floatDecoders() {
  static const Decoders table = {
      {"add", rounded<Add, 2>},
      {"sub", rounded<Sub, 2>},
      {"mul", rounded<Mul, 2>},
      {"fma", rounded<Fma, 3>},
      {"mad", rounded<Fma, 3>},
      {"div", roundedOrApproximate<Div, 2>},
      {"rcp", roundedOrApproximate<Rcp, 1>},
      {"sqrt", roundedOrApproximate<Sqrt, 1>},
      {"rsqrt", approximate<Rsqrt, true>},
      {"ex2", approximate<Exp2>},
      {"lg2", approximate<Log2>},
      {"sin", approximate<Sin>},
      {"cos", approximate<Cos>},
      {"tanh", approximate<Tanh>},
      {"min", minOrMax<Min>},
      {"max", minOrMax<Max>},
      {"abs", take<Abs, 1>},
      {"neg", take<Neg, 1>},
      {"copysign", take<Copysign, 2>},
  };
  return table;
}

}  // namespace muond
