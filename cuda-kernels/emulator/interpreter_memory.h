#pragma once

#include <cstring>

#include "interpreter_access.h"

/** The ways through memory that must be fast; each says only that nothing can be wrong, or leaves
 * it to checkLane. */
namespace muond {

enum class Space : uint8_t { kGeneric, kGlobal, kReadOnly, kShared, kLocal, kParam };

/** The offsets of all lanes' addresses in a region, and which lanes' N bytes are inside. */
template <unsigned N>
inline uint32_t offsetsWithin(const Region& r, const uint64_t* address, uint64_t* offset) {
  uint64_t base = r.base, last = r.bytes - N;
  uint32_t bits[kLanes], inside = 0;
  for (uint32_t i = 0; i < kLanes; i++) {
    offset[i] = address[i] - base;
    bits[i] = offset[i] <= last ? 1u << i : 0u;
  }
  for (uint32_t i = 0; i < kLanes; i++) inside |= bits[i];
  return inside;
}

/** Whether the lanes' accesses follow one another without a gap. */
template <unsigned N>
inline bool isRow(const uint64_t* offset) {
  uint64_t off = 0;
  for (uint32_t i = 0; i < kLanes; i++) off |= offset[i] ^ (offset[0] + i * N);
  return off == 0;
}

template <unsigned N>
inline bool allInitialised(const uint8_t* valid) {
  uint8_t missing = 0;
  for (uint32_t i = 0; i < N; i++) missing |= static_cast<uint8_t>(valid[i] ^ Region::kInitialised);
  return missing == 0;
}

/** Whether N bytes at `offset` can be written: they are no gap. */
template <unsigned N>
inline bool noGap(const uint8_t* valid) {
  uint8_t states = 0;
  for (uint32_t i = 0; i < N; i++) states |= valid[i];
  return (states & Region::kGap) == 0;
}

/** The mark of a word's readers after `lane` joins them: join() without branches. */
inline uint32_t joinedReader(uint32_t mark, const Clock& c, uint32_t lane) {
  uint32_t state = mark & kStateMask;
  bool otherBlock = (mark >= c.launch) & ((state >= kManyBlocks) | (mark < c.block));
  bool otherWarp = (mark >= c.phase) & ((state >= kManyWarps) | (mark < c.segment));
  bool otherLane = (mark >= c.now) & (state != lane);
  return c.now | (otherBlock  ? kManyBlocks
                  : otherWarp ? kManyWarps
                  : otherLane ? kManyLanes
                              : lane);
}

/** What tracks the bytes of an access. */
struct Tracked {
  Track* first = nullptr;
  bool fine = false;
};

/** None where small things are accessed in a page that is not tracked byte by byte yet, or a row is
 * in two pages. */
template <unsigned Bytes, bool Small>
inline Tracked tracked(const View& view, uint64_t offset) {
  const Region& r = view.region;
  bool fine = r.isFine(offset, view.clock.launch);
  if (Small && !fine) return {};
  if (fine != r.isFine(offset + Bytes - 1, view.clock.launch)) return {};
  return {fine ? r.fineTracks() + offset : r.tracks + offset / 4, fine};
}

/** Notes accesses of consecutive lanes to `Each` tracks apiece; false, without a change, where that
 * needs a closer look. */
template <unsigned Lanes, unsigned Each, bool Write>
inline bool note(Track* t, const Clock& clock, uint32_t firstLane, Access access) {
  uint32_t loud = 0, first = clock.now | firstLane;
  uint32_t allowed = access == Access::kReadOnly ? 0 : kAll;
  for (uint32_t k = 0; k < Lanes * Each; k++) {
    uint32_t own = (first + k / Each) & allowed;
    loud |= !quiet(t[k].writer, clock, own);
    if (Write) loud |= !quiet(t[k].reader, clock, own);
  }
  if (loud) return false;
  for (uint32_t k = 0; k < Lanes * Each; k++) {
    uint32_t lane = firstLane + k / Each;
    if (Write)
      t[k].writer = clock.now | lane;
    else
      t[k].reader = joinedReader(t[k].reader, clock, lane);
  }
  return true;
}

/** Accesses of consecutive lanes to N bytes each, one after the other; false leaves everything as
 * it was. */
template <unsigned Lanes, unsigned N, bool Write>
inline bool isQuiet(const View& view, uint32_t firstLane, uint64_t offset, Access access) {
  constexpr unsigned kBytes = Lanes * N;
  Region& r = view.region;
  if (offset > r.bytes || kBytes > r.bytes - offset || offset % N) return false;
  uint8_t* valid = r.valid + offset;
  if (Write ? !noGap<kBytes>(valid) : !allInitialised<kBytes>(valid)) return false;
  Tracked t = tracked<kBytes, (N < 4)>(view, offset);
  if (!t.first) return false;
  bool noted =
      t.fine ? note<Lanes, N, Write>(t.first, view.clock, firstLane, access)
             : note<Lanes, (N < 4 ? 1 : N / 4), Write>(t.first, view.clock, firstLane, access);
  if (noted && Write) std::memset(valid, Region::kInitialised, kBytes);
  return noted;
}

}  // namespace muond
