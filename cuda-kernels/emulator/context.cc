#include "context.h"

#include "driver.h"
#include "driver_call.h"
#include "driver_module.h"
#include "graph.h"

namespace muond {
namespace {

template <class T>
void reportObjects(const Handles<T>& handles, const Context& context, const char* kind) {
  for (const auto& [number, object] : handles.all()) {
    if (object->context.get() != &context) continue;
    Driver::get().report.leak(format("a%s of device %d, made by %s", kind, context.device->ordinal,
                                     object->site.c_str()));
  }
}

template <class T>
void removeObjects(Handles<T>& handles, const Context& context) {
  std::vector<Handle> gone;
  for (const auto& [number, object] : handles.all()) {
    if (object->context.get() == &context) gone.push_back(reinterpret_cast<Handle>(number));
  }
  for (Handle handle : gone) handles.remove(handle);
}

void reportMemory(Context& context) {
  Report& report = Driver::get().report;
  for (const auto& [address, range] : Driver::get().host.ranges()) {
    if (range.context != context.handle) continue;
    report.leak(format("%llu bytes of page-locked host memory at 0x%lx, of %s",
                       static_cast<unsigned long long>(range.bytes),
                       static_cast<unsigned long>(address), range.site.c_str()));
  }
  std::lock_guard<std::mutex> hold(context.device->lock);
  for (const DeviceMemory::Allocation& allocation : context.device->memory.live()) {
    if (context.allocations.count(allocation.address) == 0) continue;
    report.leak(format("%llu bytes at 0x%llx on device %d, allocated by %s",
                       static_cast<unsigned long long>(allocation.bytes),
                       static_cast<unsigned long long>(allocation.address), context.device->ordinal,
                       allocation.site.c_str()));
  }
}

void releaseMemory(Context& context) {
  std::lock_guard<std::mutex> hold(context.device->lock);
  for (const auto& [address, bytes] : context.allocations) context.device->memory.release(address);
  context.allocations.clear();
}

void reportWork(Context& context) {
  size_t count = 0;
  std::string first;
  for (const auto& [chain, works] : context.inflight) {
    for (const auto& work : works) {
      if (!work->operation->run) continue;  // an event or a wait: nothing is lost
      if (first.empty()) first = work->name();
      count++;
    }
  }
  if (count == 0) return;
  Driver::get().report.leak(
      format("%zu operations on device %d were never waited for, one of them %s", count,
             context.device->ordinal, first.c_str()));
}

void reportLeaks(Context& context) {
  Driver& driver = Driver::get();
  reportWork(context);
  reportObjects(driver.execs, context, "n executable graph");
  reportObjects(driver.graphs, context, " graph");
  reportObjects(driver.modules, context, " module");
  reportObjects(driver.events, context, "n event");
  reportObjects(driver.streams, context, " stream");
  reportMemory(context);
}

}  // namespace

bool Device::owns(uint64_t address) const { return memory.owns(address); }

void Device::read(uint64_t address, void* to, uint64_t bytes, const std::string& who) const {
  memory.read(address, to, bytes, who.c_str());
}

void Device::write(uint64_t address, const void* from, uint64_t bytes, const std::string& who) {
  memory.write(address, from, bytes, who.c_str());
}

void Device::fill(uint64_t address, uint8_t value, uint64_t bytes, const std::string& who) {
  memory.fill(address, value, 1, bytes, who.c_str());
}

std::vector<std::shared_ptr<Context>>& threadContexts() {
  thread_local std::vector<std::shared_ptr<Context>> contexts;
  return contexts;
}

int currentOrdinal() {
  auto& contexts = threadContexts();
  return contexts.empty() || contexts.back() == nullptr ? -1 : contexts.back()->device->ordinal;
}

std::shared_ptr<Context> currentContext() {
  if (!Driver::get().initialized) throw Fault(CUDA_NOT_INITIALIZED, "cuInit was not called");
  auto& contexts = threadContexts();
  if (contexts.empty() || contexts.back() == nullptr) {
    throw Fault(CUDA_INVALID_CONTEXT,
                "no context is current on this thread (expected: cuCtxSetCurrent on it first)");
  }
  if (contexts.back()->ended)
    throw Fault(CUDA_CONTEXT_IS_DESTROYED,
                "the context made by " + contexts.back()->site + " has ended");
  return contexts.back();
}

std::shared_ptr<Context> usableContext() {
  std::shared_ptr<Context> context = currentContext();
  if (context->error != CUDA_SUCCESS) throw Refusal{context->error};
  return context;
}

std::shared_ptr<Context> newContext(Device& device, unsigned flags, bool primary,
                                    const std::string& site) {
  auto context = std::make_shared<Context>();
  context->device = &device;
  context->flags = flags;
  context->primary = primary;
  context->site = site;
  context->handle = Driver::get().contexts.add(context);
  context->legacy = std::make_shared<Stream>();
  context->legacy->context = context;
  context->legacy->chain = newChain();
  return context;
}

void endContext(const std::shared_ptr<Context>& context) {
  Driver& driver = Driver::get();
  context->ended = true;
  // A context that an error ended refuses every call, those that give things back too.
  if (context->error == CUDA_SUCCESS) reportLeaks(*context);
  if (driver.contextEnds != nullptr) driver.contextEnds(*context);
  removeObjects(driver.execs, *context);
  removeObjects(driver.graphs, *context);
  removeObjects(driver.functions, *context);
  removeObjects(driver.modules, *context);
  removeObjects(driver.events, *context);
  removeObjects(driver.streams, *context);
  context->inflight.clear();
  for (const auto& [address, range] : driver.host.ranges()) {
    if (range.context != context->handle) continue;
    for (const auto& [ordinal, mapped] : range.mapped) {
      Device& device = driver.device(ordinal);
      std::lock_guard<std::mutex> hold(device.lock);
      device.memory.release(mapped);
    }
  }
  driver.host.end(context->handle);
  releaseMemory(*context);
  driver.contexts.remove(context->handle);
  context->legacy = nullptr;
}

void failContext(Context& context, int code, const std::string& reason) {
  if (context.error != CUDA_SUCCESS) return;
  context.error = code;
  context.reason = reason;
}

}  // namespace muond
