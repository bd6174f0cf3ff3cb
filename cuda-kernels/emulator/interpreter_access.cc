// The checks of one lane's access: bounds, alignment, initialised bytes, races.
#include "interpreter_access.h"

#include <cstring>

#include "interpreter_lanes.h"

namespace muond {

void effectiveAddresses(Warp& w, const Instruction& in, uint64_t* address) {
  Slot base = in.a[0];
  if (in.variant == 1) {
    const uint32_t* a = w.lanes<uint32_t>(base);
    auto offset = static_cast<uint32_t>(in.offset);
    for (uint32_t i = 0; i < kLanes; i++) address[i] = a[i] + offset;
  } else {
    const uint64_t* a = w.lanes<uint64_t>(base);
    auto offset = static_cast<uint64_t>(in.offset);
    for (uint32_t i = 0; i < kLanes; i++) address[i] = a[i] + offset;
  }
}

namespace {

std::string sizeAt(unsigned bytes, uint64_t address) {
  return std::to_string(bytes) + " bytes at address " + hex(address);
}

const char* verb(Access access) {
  return access == Access::kWrite    ? "write of "
         : access == Access::kAtomic ? "atomic access to "
                                     : "read of ";
}

/** The variable that holds `offset`, or the one whose gap it lies in. */
std::string sharedVariable(const Launch& launch, uint64_t offset) {
  const SharedVariable* nearest = nullptr;
  for (const SharedVariable& v : launch.program.shared)
    if (!nearest || offset + v.gap / 2 >= v.offset) nearest = &v;
  if (!nearest) return ", in a kernel without shared memory";
  uint32_t bytes =
      nearest->offset == launch.program.dynamicAt ? launch.dynamicShared : nearest->bytes;
  return ", variable " + nearest->name + " [" + hex(nearest->offset) + ", +" +
         std::to_string(bytes) + ")";
}

[[noreturn]] void race(Warp& w, const View& view, uint32_t lane, uint64_t offset, unsigned bytes,
                       Access access, const Conflict& c) {
  const char* earlier = c.earlierWrote ? (isAtomic(c.mark) ? "atomic access" : "write") : "read";
  throw LaneFault{CUDA_LAUNCH_FAILED, lane,
                  std::string("race in ") + view.space + " memory: " + verb(access) +
                      sizeAt(bytes, view.region.base + offset) +
                      " is not ordered with an earlier " + earlier + " by " +
                      w.launch.whoMade(c.mark, c.with) + whereIs(w, view, offset)};
}

Conflict note(Track& t, const Clock& clock, uint32_t lane, Access access) {
  switch (access) {
    case Access::kWrite:
      return trackWrite(t, clock, lane);
    case Access::kAtomic:
      return trackAtomic(t, clock, lane);
    default:
      return trackRead(t, clock, lane);
  }
}

void checkStale(Warp& w, const View& view, const Track& t, uint32_t lane, uint64_t offset,
                unsigned bytes) {
  if (t.writer < view.clock.launch) return;
  throw LaneFault{CUDA_LAUNCH_FAILED, lane,
                  "read through ld.global.nc of " + sizeAt(bytes, view.region.base + offset) +
                      " that this launch wrote" + whereIs(w, view, offset)};
}

void checkTracks(Warp& w, const View& view, uint32_t lane, uint64_t offset, unsigned bytes,
                 Access access) {
  Region& r = view.region;
  uint32_t launch = view.clock.launch;
  bool fine = r.isFine(offset, launch);
  if (bytes < 4 && !fine) {
    r.refine(offset, launch);
    fine = true;
  }
  Track* first = fine ? r.fineTracks() + offset : r.tracks + offset / 4;
  unsigned count = fine ? bytes : bytes / 4;
  for (unsigned k = 0; k < count; k++) {
    if (access == Access::kReadOnly) checkStale(w, view, first[k], lane, offset, bytes);
    if (Conflict c = note(first[k], view.clock, lane, access))
      race(w, view, lane, offset, bytes, access, c);
  }
}

}  // namespace

std::string whereIs(Warp& w, const View& view, uint64_t offset) {
  if (&view.region == &w.launch.shared) return sharedVariable(w.launch, offset);
  return w.launch.memory.describe(view.region.base + offset);
}

View sharedView(Warp& w) { return {w.launch.shared, w.launch.memory.clock.shared(), "shared"}; }

View globalView(Warp& w, const Instruction& in, uint32_t lane, uint64_t address, unsigned bytes) {
  Region*& recent = w.launch.recent[in.index];
  if (!recent || !recent->contains(address, bytes)) {
    Region* region = w.launch.memory.find(address);
    if (!region || !region->contains(address, bytes))
      throw LaneFault{CUDA_ILLEGAL_ADDRESS, lane,
                      "global access out of bounds: " + sizeAt(bytes, address) +
                          w.launch.memory.describe(address)};
    recent = region;
  }
  return {*recent, w.launch.memory.clock, "global"};
}

void checkLane(Warp& w, const View& view, uint32_t lane, uint64_t offset, unsigned bytes,
               Access access) {
  Region& r = view.region;
  bool isShared = &r == &w.launch.shared;
  uint64_t address = r.base + offset;
  auto fail = [&](int code, const std::string& what) {
    throw LaneFault{code, lane, what + sizeAt(bytes, address) + whereIs(w, view, offset)};
  };
  if (address % bytes) fail(CUDA_MISALIGNED_ADDRESS, std::string("misaligned ") + verb(access));
  bool within = offset <= r.bytes && bytes <= r.bytes - offset;
  if (!within || (isShared && std::memchr(r.valid + offset, Region::kGap, bytes)))
    fail(CUDA_ILLEGAL_ADDRESS, std::string(view.space) + " access out of bounds: ");
  if (access != Access::kWrite && std::memchr(r.valid + offset, Region::kUninitialised, bytes))
    fail(CUDA_LAUNCH_FAILED,
         std::string(access == Access::kAtomic ? "atomic access to " : "read of ") +
             "uninitialised " + view.space + " memory: ");
  checkTracks(w, view, lane, offset, bytes, access);
}

}  // namespace muond
