#pragma once

#include "interpreter.h"

namespace muond {

/** Adds the displacement to the address register: 32-bit addresses wrap around, as a GPU's do. */
void effectiveAddresses(Warp& w, const Instruction& in, uint64_t* address);

enum class Access { kRead, kReadOnly, kWrite, kAtomic };

/** What is accessed: addresses are relative to `window`, under which the region is known to generic
 * addresses. */
struct View {
  Region& region;
  Clock clock;
  const char* space;
};

/** The view of global memory at `address` for the instruction; a LaneFault if nothing is there. */
View globalView(Warp& w, const Instruction& in, uint32_t lane, uint64_t address, unsigned bytes);
View sharedView(Warp& w);

/** Checks one lane's access to `bytes` at `offset` of a view and notes it; a LaneFault if it breaks
 * a rule. */
void checkLane(Warp& w, const View& view, uint32_t lane, uint64_t offset, unsigned bytes,
               Access access);

/** ", allocation …" or ", variable …" for messages. */
std::string whereIs(Warp& w, const View& view, uint64_t offset);

}  // namespace muond
