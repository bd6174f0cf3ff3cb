#pragma once

#include <cstdint>

namespace muond {

/**
 * Who last wrote and last read a word (or, in a page where smaller things are accessed, a byte).
 *
 * A mark is a stamp and a state: `stamp << 7 | state`. A new stamp is drawn whenever something
 * orders accesses: a launch, a block, a phase (between two barriers of a block), a segment (one
 * warp's share of a phase) and a bar.warp.sync. Blocks run one after the other, and so do warps
 * within a phase, so stamps grow with time, and comparing them tells all that is needed; nothing is
 * cleared between launches.
 */
struct Track {
  uint32_t writer, reader;
};

/** States of a mark: a lane, a lane's atomic access, or many readers (or atomic accesses), of which
 * none is a lane. */
enum MarkState : uint32_t {
  kLane = 0,
  kAtomicLane = 32,
  kManyLanes = 64,
  kManyLanesAtomic = 65,
  kManyWarps = 66,
  kManyWarpsAtomic = 67,
  kManyBlocks = 68,
  kManyBlocksAtomic = 69,
  kStateMask = 127,
};

/** The stamps that a mark is compared with, as marks of state 0: `launch` <= `block` <= ... <=
 * `now`. */
struct Clock {
  uint32_t launch = 128, block = 128, phase = 128, segment = 128, now = 128;

  /** For shared memory: whatever was before the last barrier is over. */
  Clock shared() const { return {phase, phase, phase, segment, now}; }
};

/** What a mark is to the lane that comes now. */
enum class Relation { kOrdered, kOtherLane, kOtherWarp, kOtherBlock };

inline bool isAtomic(uint32_t mark) {
  uint32_t state = mark & kStateMask;
  return state >= kManyLanes ? state % 2 == 1 : state >= kAtomicLane;
}

inline Relation relation(uint32_t mark, const Clock& clock, uint32_t lane) {
  uint32_t state = mark & kStateMask;
  if (mark < clock.launch) return Relation::kOrdered;
  if (state >= kManyBlocks || mark < clock.block) return Relation::kOtherBlock;
  if (mark < clock.phase) return Relation::kOrdered;
  if (state >= kManyWarps || mark < clock.segment) return Relation::kOtherWarp;
  if (mark < clock.now) return Relation::kOrdered;
  if (state >= kManyLanes || state % 32 != lane) return Relation::kOtherLane;
  return Relation::kOrdered;
}

/** The mark after `lane` joins those whom `mark` stands for: readers, or atomic accesses. */
inline uint32_t join(uint32_t mark, const Clock& clock, uint32_t lane, bool atomic) {
  switch (relation(mark, clock, lane)) {
    case Relation::kOtherLane:
      return clock.now | (kManyLanes + atomic);
    case Relation::kOtherWarp:
      return clock.now | (kManyWarps + atomic);
    case Relation::kOtherBlock:
      return clock.now | (kManyBlocks + atomic);
    default:
      return clock.now | ((atomic ? kAtomicLane : kLane) + lane);
  }
}

/** An access that is not ordered with an earlier one. */
struct Conflict {
  Relation with = Relation::kOrdered;
  uint32_t mark = 0;
  bool earlierWrote = false;
  explicit operator bool() const { return with != Relation::kOrdered; }
};

inline Conflict conflict(uint32_t mark, const Clock& clock, uint32_t lane, bool wrote) {
  return {relation(mark, clock, lane), mark, wrote};
}

inline Conflict trackRead(Track& t, const Clock& clock, uint32_t lane) {
  if (Conflict c = conflict(t.writer, clock, lane, true)) return c;
  t.reader = join(t.reader, clock, lane, false);
  return {};
}

inline Conflict trackWrite(Track& t, const Clock& clock, uint32_t lane) {
  if (Conflict c = conflict(t.writer, clock, lane, true)) return c;
  if (Conflict c = conflict(t.reader, clock, lane, false)) return c;
  t.writer = clock.now | lane;
  return {};
}

inline Conflict trackAtomic(Track& t, const Clock& clock, uint32_t lane) {
  bool atomic = isAtomic(t.writer);
  if (!atomic)
    if (Conflict c = conflict(t.writer, clock, lane, true)) return c;
  if (Conflict c = conflict(t.reader, clock, lane, false)) return c;
  t.writer = atomic ? join(t.writer, clock, lane, true) : clock.now | (kAtomicLane + lane);
  return {};
}

/** Whether nothing of this launch but possibly `own` made this mark: the case that must be fast. */
inline bool quiet(uint32_t mark, const Clock& clock, uint32_t own) {
  return (mark < clock.launch) | (mark == own);
}

}  // namespace muond
