#pragma once

#include <utility>

#include "interpreter_assembler.h"

/** Handlers of instructions that treat every lane alike: loops that the compiler turns into vector
 * instructions. */
namespace muond {

inline bool in(uint32_t mask, uint32_t lane) { return mask >> lane & 1; }

/** d[i] = f(a[i]…) for the lanes in `mask`. `d` may be one of the sources, but never overlaps one
 * partly. */
template <class D, class F, class... A>
inline void eachLane(D* d, uint32_t mask, F f, const A*... a) {
  if (mask == kAll) {
#pragma GCC ivdep
    for (uint32_t i = 0; i < kLanes; i++) d[i] = f(a[i]...);
    return;
  }
  D result[kLanes];
#pragma GCC ivdep
  for (uint32_t i = 0; i < kLanes; i++) result[i] = f(a[i]...);
#pragma GCC ivdep
  for (uint32_t i = 0; i < kLanes; i++) d[i] = in(mask, i) ? result[i] : d[i];
}

/** The bits of the lanes for which f(a[i]…) holds. */
template <class F, class... A>
inline uint32_t whichLanes(F f, const A*... a) {
  uint32_t bits[kLanes], all = 0;
#pragma GCC ivdep
  for (uint32_t i = 0; i < kLanes; i++) bits[i] = f(a[i]...) ? 1u << i : 0u;
  for (uint32_t i = 0; i < kLanes; i++) all |= bits[i];
  return all;
}

inline void assign(uint32_t& predicate, uint32_t mask, uint32_t value) {
  predicate = (predicate & ~mask) | (value & mask);
}

template <class F, class D, class... A, size_t... I>
inline void apply(Warp& w, const Instruction& in, uint32_t mask, std::index_sequence<I...>) {
  eachLane(w.lanes<D>(in.d[0]), mask, F(), static_cast<const A*>(w.lanes<A>(in.a[I]))...);
}

/** The handler of d = F(a, …) with a result of type D and sources of types A. */
template <class F, class D, class... A>
void lanewise(Warp& w, const Instruction& in, uint32_t mask) {
  apply<F, D, A...>(w, in, mask, std::index_sequence_for<A...>());
}

/** F of as many sources as `Count` of type T, to a T. */
template <class F, class T, int Count>
constexpr Handler same() {
  if constexpr (Count == 1)
    return lanewise<F, T, T>;
  else if constexpr (Count == 2)
    return lanewise<F, T, T, T>;
  else
    return lanewise<F, T, T, T, T>;
}

/** Reads operands 1… of `bytes` each, writes operand 0. */
inline void operands(Decoding& d, unsigned bytes, size_t sources) {
  d.finish(sources + 1);
  d.write(0, bytes);
  for (size_t k = 1; k <= sources; k++) d.read(k, bytes);
}

}  // namespace muond
