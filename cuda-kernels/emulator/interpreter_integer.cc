// Integer arithmetic. Unsigned types are used throughout, for which overflow is defined.
#include <limits>
#include <type_traits>

#include "interpreter_lanes.h"

namespace muond {

namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
constexpr int kBits = sizeof(T) * 8;

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(Unsigned<T>(a) + Unsigned<T>(b));
  }
};
struct Sub {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(Unsigned<T>(a) - Unsigned<T>(b));
  }
};
struct Mul {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(uint64_t(a) * uint64_t(b));
  }
};
struct Mad {
  template <class T>
  T operator()(T a, T b, T c) const {
    return static_cast<T>(uint64_t(a) * uint64_t(b) + uint64_t(c));
  }
};
struct MulHigh {
  template <class T>
  T operator()(T a, T b) const {
    using Wide =
        std::conditional_t<sizeof(T) == 8,
                           std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>,
                           std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
    return static_cast<T>(Wide(a) * Wide(b) >> kBits<T>);
  }
};
struct MadHigh {
  template <class T>
  T operator()(T a, T b, T c) const {
    return Add()(MulHigh()(a, b), c);
  }
};
template <class W>
struct MulWide {
  template <class T>
  W operator()(T a, T b) const {
    return static_cast<W>(W(a) * W(b));
  }
};
template <class W>
struct MadWide {
  template <class T>
  W operator()(T a, T b, W c) const {
    return Add()(MulWide<W>()(a, b), c);
  }
};
// A division by zero gives all ones, and its remainder the dividend, as on NVIDIA's devices; a lane
// that does not take part must not trap either.
struct Div {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return static_cast<T>(~T(0));
    if (std::is_signed_v<T> && b == T(-1)) return Sub()(T(0), a);
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == T(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct Min {
  template <class T>
  T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct Abs {
  template <class T>
  T operator()(T a) const {
    return a < 0 ? Sub()(T(0), a) : a;
  }
};
struct Neg {
  template <class T>
  T operator()(T a) const {
    return Sub()(T(0), a);
  }
};
struct Sad {
  template <class T>
  T operator()(T a, T b, T c) const {
    return Add()(c, a < b ? Sub()(b, a) : Sub()(a, b));
  }
};

/** The handler for a type by its name; null if it is no integer of 16 bits or more. */
template <class F, int Count>
Handler byType(const std::string& t) {
  if (t == "u16" || t == "b16") return same<F, uint16_t, Count>();
  if (t == "s16") return same<F, int16_t, Count>();
  if (t == "u32" || t == "b32") return same<F, uint32_t, Count>();
  if (t == "s32") return same<F, int32_t, Count>();
  if (t == "u64" || t == "b64") return same<F, uint64_t, Count>();
  if (t == "s64") return same<F, int64_t, Count>();
  return nullptr;
}

template <class F, int Count>
void plain(Decoding& d) {
  ptx::Type t = d.type();
  d.in.run = byType<F, Count>(t.name);
  if (!d.in.run) d.unknown();
  operands(d, t.bytes, Count);
}

template <template <class> class F, class N, class W, int Count>
constexpr Handler wide() {
  if constexpr (Count == 2)
    return lanewise<F<W>, W, N, N>;
  else
    return lanewise<F<W>, W, N, N, W>;
}

template <template <class> class F, int Count>
void wideDecoder(Decoding& d) {
  ptx::Type t = d.type();
  if (t.name == "u16")
    d.in.run = wide<F, uint16_t, uint32_t, Count>();
  else if (t.name == "s16")
    d.in.run = wide<F, int16_t, int32_t, Count>();
  else if (t.name == "u32")
    d.in.run = wide<F, uint32_t, uint64_t, Count>();
  else if (t.name == "s32")
    d.in.run = wide<F, int32_t, int64_t, Count>();
  else
    d.unknown();
  d.finish(Count + 1);
  d.write(0, 2 * t.bytes);
  d.read(1, t.bytes);
  d.read(2, t.bytes);
  if (Count == 3) d.read(3, 2 * t.bytes);
}

void mulOrMad(Decoding& d) {
  bool mad = d.s.opcode == "mad";
  if (d.take("wide")) return mad ? wideDecoder<MadWide, 3>(d) : wideDecoder<MulWide, 2>(d);
  if (d.take("hi")) return mad ? plain<MadHigh, 3>(d) : plain<MulHigh, 2>(d);
  if (!d.take("lo")) d.unknown("expected: .lo, .hi or .wide");
  mad ? plain<Mad, 3>(d) : plain<Mul, 2>(d);
}

}  // namespace

const Decoders& integerDecoders() {
  static const Decoders table = {
      {"add", plain<Add, 2>}, {"sub", plain<Sub, 2>}, {"mul", mulOrMad},
      {"mad", mulOrMad},      {"div", plain<Div, 2>}, {"rem", plain<Rem, 2>},
      {"min", plain<Min, 2>}, {"max", plain<Max, 2>}, {"abs", plain<Abs, 1>},
      {"neg", plain<Neg, 1>}, {"sad", plain<Sad, 3>},
  };
  return table;
}

}  // namespace muond
