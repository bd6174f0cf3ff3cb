#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "symbols.h"

namespace muond {

/** Page-locked host memory: what the driver allocated and what was registered with it. Called under
 * the driver's lock. */
class HostMemory {
 public:
  struct Range {
    uint64_t bytes;
    bool registered;
    Handle context;  // with which it goes
    unsigned flags;
    std::string site;
    std::map<int, uint64_t> mapped = {};  // its address on each device that was asked for it
  };

  /** New memory, filled with a pattern that reads as NaN: its content is undefined on hardware. */
  void* allocate(uint64_t bytes, unsigned flags, Handle context, const std::string& site);
  void release(void* address);
  void enroll(void* address, uint64_t bytes, unsigned flags, Handle context,
              const std::string& site);
  void withdraw(void* address);

  /** Its addresses on devices, to be added to, and where it begins. */
  std::pair<uintptr_t, Range*> mapping(const void* address);
  /** The range that holds all these bytes, or null. */
  const Range* holding(const void* address, uint64_t bytes) const;
  /** The same, as a Fault that names the call. */
  void demand(const void* address, uint64_t bytes, const std::string& who) const;
  const std::map<uintptr_t, Range>& ranges() const { return ranges_; }
  /** Forgets what was allocated or registered in a context that ends. */
  void end(Handle context);

 private:
  std::map<uintptr_t, Range>::const_iterator find(const void* address, bool registered,
                                                  const char* what) const;

  std::map<uintptr_t, Range> ranges_;
  std::map<uintptr_t, Range> released_;  // to tell a freed buffer from one that never was pinned
};

}  // namespace muond
