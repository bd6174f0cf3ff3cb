#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "stream_work.h"
#include "symbols.h"

namespace muond {

struct Stream;

/** An emulated device. Its memory and the kernels on it are used under `lock`, everything else
 * under the driver's lock. */
struct Device {
  Device(int ordinal, uint64_t bytes) : ordinal(ordinal), memory(ordinal, bytes) {}

  // For the cuBLAS library, which does not see the memory's own functions; under `lock`.
  bool owns(uint64_t address) const;
  void read(uint64_t address, void* to, uint64_t bytes, const std::string& who) const;
  void write(uint64_t address, const void* from, uint64_t bytes, const std::string& who);
  void fill(uint64_t address, uint8_t value, uint64_t bytes, const std::string& who);

  const int ordinal;
  std::mutex lock;
  DeviceMemory memory;
  std::shared_ptr<Context> primary;  // while retained
  int retained = 0;
  unsigned primaryFlags = 0;
};

/** A context: the streams on a device, the work that they hold, and the error that ended it, if
 * any. */
struct Context {
  Handle handle = nullptr;
  Device* device = nullptr;
  unsigned flags = 0;
  bool primary = false;
  bool ended = false;
  std::string site;
  int error = CUDA_SUCCESS;                  // sticky: every later call returns it
  std::string reason;                        // the fault behind it
  std::shared_ptr<Stream> legacy;            // the stream that a null handle means
  std::map<uint64_t, uint64_t> allocations;  // live device memory: address to bytes
  std::map<uint32_t, std::deque<std::shared_ptr<Work>>>
      inflight;         // by chain: all that no wait has covered yet
  uint64_t queued = 0;  // operations so far, for their seeds
};

/** The contexts of the calling thread, the current one last. */
std::vector<std::shared_ptr<Context>>& threadContexts();
/** The current context, without its error; a Fault if there is none or it is gone. */
std::shared_ptr<Context> currentContext();
/** The current context, or its error. */
std::shared_ptr<Context> usableContext();
/** The ordinal of the current context's device, or -1. */
int currentOrdinal();

std::shared_ptr<Context> newContext(Device& device, unsigned flags, bool primary,
                                    const std::string& site);
/** Ends a context: reports work that was never waited for, drops it, and reports what still lives
 * in it. */
void endContext(const std::shared_ptr<Context>& context);
/** Poisons a context: a device's error reaches every later call. */
void failContext(Context& context, int code, const std::string& reason);

}  // namespace muond
