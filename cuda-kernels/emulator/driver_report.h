#pragma once

#include <cstdio>
#include <mutex>
#include <string>

#include "driver_settings.h"

namespace muond {

/** printf into a string. */
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/** What is printed and traced, and which calls are to fail. Thread-safe: it has a lock of its own.
 */
class Report {
 public:
  explicit Report(const Settings& settings);
  ~Report();

  /** A broken rule: one line on stderr, prefixed "muond-emulator: ", and "fault ..." in the trace.
   */
  void fault(const std::string& message);
  /** Something that was never given back, as a fault's line but counted apart. */
  void leak(const std::string& message);
  /** A line of the trace, if there is one: "call ...", "run ...". */
  void trace(const std::string& line);
  bool tracing() const { return trace_ != nullptr; }

  /** The code with which this call of `name` is to fail, or 0. */
  int plannedFailure(const std::string& name, int device);
  /** Forgets planned failures and their counts, and plans these. */
  void plan(std::vector<PlannedFailure> failures);

  /** The last fault's message, for tests. */
  const std::string& last() const { return last_; }

 private:
  void print(const char* kind, const std::string& message);

  std::mutex mutex_;
  std::FILE* trace_ = nullptr;
  std::vector<PlannedFailure> failures_;
  std::string last_;
};

}  // namespace muond
