#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stream_access.h"
#include "stream_clock.h"
#include "symbols.h"

namespace muond {

struct Context;
struct Event;

/** What an enqueued call will do. A node of a graph is one too, and each launch of the graph does
 * it once more. */
struct Operation {
  std::string what;  // "cuMemcpyHtoDAsync_v2 (call 7, thread main): 64 bytes"
  NodeType type = NodeType::Empty;
  std::function<void(uint64_t seed)> run;  // takes its devices' locks itself; may throw Fault
  std::vector<Access> accesses;            // what is known to be read and written
  std::vector<uint64_t>
      pointers;  // device addresses besides, of unknown extent: a kernel's arguments
  std::shared_ptr<Event> event;  // of nodes that record or wait for an event
  const void* module = nullptr;  // of kernels: the module that they come from
};

/** One execution of an operation: queued, and run only when somebody waits for it. */
struct Work {
  enum class State { Pending, Running, Done };

  std::shared_ptr<const Operation> operation;
  std::shared_ptr<Context> context;
  std::string stream;                        // for messages
  std::vector<std::shared_ptr<Work>> needs;  // what must be done first
  uint32_t chain = 0;
  uint64_t index = 0;
  Clock clock;
  uint64_t seed = 0;
  State state = State::Pending;
  std::chrono::steady_clock::time_point finished;
  // What host memory held when this was queued, one for each access; only while the host must not
  // touch it.
  std::vector<uint64_t> sums;
  std::vector<bool> watched;

  bool done() const { return state == State::Done; }
  /** "cuLaunchKernel (call 9, thread main): fill on stream 0x57000100". */
  std::string name() const { return operation->what + " on " + stream; }
};

/** Guards host memory that queued work reads or will write, between the call and the wait. */
class HostWatch {
 public:
  /** Notes what sources hold, and fills destinations with a pattern that reads as NaN. */
  static void begin(Work& work, bool poison);
  /** A Fault if the host changed a source, or (before it runs) wrote to a destination. */
  static void check(const Work& work, bool sources, bool destinations);
  /** Stops watching what meets `range`: the device itself has written there. */
  static void forget(Work& work, const Access& range);
  static void end(Work& work);
};

}  // namespace muond
