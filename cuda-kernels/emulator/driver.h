#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "context.h"
#include "context_host.h"
#include "driver_report.h"
#include "driver_settings.h"
#include "stream.h"
#include "symbols.h"

namespace muond {

struct Capture;
struct Function;
struct Graph;
struct GraphExec;
struct LoadedModule;

/** The live objects of one kind. A handle is never used twice, and tells its kind. */
template <class T>
class Handles {
 public:
  Handles(const char* kind, uintptr_t base) : kind_(kind), next_(base) {}

  Handle add(std::shared_ptr<T> object) {
    next_ += 0x100;
    objects_[next_] = std::move(object);
    return reinterpret_cast<Handle>(next_);
  }
  std::shared_ptr<T> find(Handle handle) const {
    auto found = objects_.find(reinterpret_cast<uintptr_t>(handle));
    return found == objects_.end() ? nullptr : found->second;
  }
  std::shared_ptr<T> get(Handle handle) const {
    if (auto object = find(handle)) return object;
    throw Fault(CUDA_INVALID_HANDLE, format("%p is not a live %s", handle, kind_));
  }
  void remove(Handle handle) { objects_.erase(reinterpret_cast<uintptr_t>(handle)); }
  const std::unordered_map<uintptr_t, std::shared_ptr<T>>& all() const { return objects_; }

 private:
  const char* kind_;
  uintptr_t next_;
  std::unordered_map<uintptr_t, std::shared_ptr<T>> objects_;
};

/** The emulated driver: one for the process. All of it is used under `mutex`, which work gives up
 * while it runs. */
class Driver {
 public:
  static Driver& get();

  const Settings settings;
  Report report;
  std::mutex mutex;
  std::condition_variable changed;  // some work is done
  bool initialized = false;
  std::vector<std::unique_ptr<Device>> devices;
  HostMemory host;
  Handles<Context> contexts{"context", 0x51000000};
  Handles<LoadedModule> modules{"module", 0x52000000};
  Handles<Function> functions{"function", 0x53000000};
  Handles<Graph> graphs{"graph", 0x54000000};
  Handles<GraphExec> execs{"executable graph", 0x55000000};
  Handles<Event> events{"event", 0x56000000};
  Handles<Stream> streams{"stream", 0x57000000};
  std::vector<std::shared_ptr<Capture>> captures;
  uint32_t chains = 0;
  std::unordered_map<uint32_t, uint64_t> indices;  // the last index of each chain
  std::atomic<uint64_t> calls{0};
  void (*contextEnds)(Context&) =
      nullptr;  // set by the cuBLAS library, whose handles end with their context

  Device& device(int ordinal);

 private:
  Driver();
};

/** The lock that the calling thread holds on the driver. */
std::unique_lock<std::mutex>& driverLock();

/** Runs `body` with the device's lock and without the driver's, which is taken back at the end. */
template <class Body>
auto withMemory(Device& device, Body&& body) {
  struct Without {
    std::unique_lock<std::mutex>& lock;
    ~Without() { lock.lock(); }
  } without{driverLock()};
  without.lock.unlock();
  std::lock_guard<std::mutex> hold(device.lock);
  return body(device.memory);
}

}  // namespace muond
