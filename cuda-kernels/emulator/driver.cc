#include "driver.h"

#include <pthread.h>
#include <unistd.h>

#include <cstdlib>

#include "driver_call.h"

namespace muond {
namespace {

/** Contexts that the process never ended are reported like those that it did. */
void reportAtExit() {
  Driver& driver = Driver::get();
  std::unique_lock<std::mutex> lock(driver.mutex, std::try_to_lock);
  if (!lock) return;  // a thread is still at work: nothing can be said
  driverLock() = std::move(lock);
  auto contexts = driver.contexts.all();
  for (auto& [handle, context] : contexts) endContext(context);
  driverLock().unlock();
}

Settings readSettings() {
  try {
    return Settings::fromEnvironment();
  } catch (const std::invalid_argument& wrong) {
    std::fprintf(stderr, "muond-emulator: %s\n", wrong.what());
    _exit(2);
  }
}

std::string threadName() {
  char name[16] = "?";
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

}  // namespace

Driver::Driver() : settings(readSettings()), report(settings) {
  for (int ordinal = 0; ordinal < settings.devices; ordinal++) {
    devices.push_back(std::make_unique<Device>(ordinal, settings.memory));
  }
}

Driver& Driver::get() {
  // Never destroyed: other threads may still call when the process exits.
  static Driver* driver = [] {
    std::atexit(reportAtExit);
    return new Driver();
  }();
  return *driver;
}

Device& Driver::device(int ordinal) {
  if (ordinal < 0 || ordinal >= static_cast<int>(devices.size()))
    throw Refusal{CUDA_INVALID_DEVICE};
  return *devices[ordinal];
}

std::unique_lock<std::mutex>& driverLock() {
  thread_local std::unique_lock<std::mutex> lock;
  return lock;
}

Call::Call(const char* name) : name_(name) {
  site_ = format("%s (call %llu, thread %s)", name,
                 static_cast<unsigned long long>(++Driver::get().calls), threadName().c_str());
}

Call::~Call() {
  if (driverLock().owns_lock()) driverLock().unlock();
}

int Call::begin() {
  Driver& driver = Driver::get();
  driverLock() = std::unique_lock<std::mutex>(driver.mutex);
  int code = driver.report.plannedFailure(name_, currentOrdinal());
  if (code == CUDA_SUCCESS) return code;
  // As on hardware: an error of execution ends the context, any other only the call.
  bool sticky = code >= CUDA_ILLEGAL_ADDRESS && code < 800;
  driver.report.trace(format("planned %s fails with %d", site_.c_str(), code));
  if (sticky && !threadContexts().empty())
    failContext(*threadContexts().back(), code, site_ + ": a planned failure");
  return code;
}

int Call::end(int code) {
  Report& report = Driver::get().report;
  if (report.tracing()) {
    report.trace(format("call %s%s%s = %d", site_.c_str(), detail.empty() ? "" : ": ",
                        detail.c_str(), code));
  }
  return code;
}

int Call::fail(const Fault& fault) {
  Report& report = Driver::get().report;
  std::string message = fault.what();
  if (message.compare(0, site_.size(), site_) != 0) message = site_ + ": " + message;
  // Running out of memory and looking for what is not there are questions that a program may ask.
  if (fault.code == CUDA_OUT_OF_MEMORY || fault.code == CUDA_NOT_FOUND) {
    report.trace("refused " + message);
  } else {
    report.fault(message);
  }
  return fault.code;
}

}  // namespace muond
