#pragma once

#include <exception>
#include <mutex>
#include <string>
#include <type_traits>

#include "driver.h"

namespace muond {

/** An ordinary answer that is not success (not ready, not found): nothing is printed. */
struct Refusal {
  int code;
};

/** One call of the interface, from its entry to its result: numbered, traced, and with the driver's
 * lock held. */
class Call {
 public:
  explicit Call(const char* name);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /** "cuMemAlloc_v2 (call 12, thread main)": what made something, for messages. */
  const std::string& site() const { return site_; }
  /** Words for the trace. */
  std::string detail;

  /** Takes the lock; the code with which the call is to fail at once, or 0. */
  int begin();
  int end(int code);
  /** Prints a fault unless it is an ordinary answer, and returns its code. */
  int fail(const Fault& fault);

 private:
  const char* name_;
  std::string site_;
};

/** A forbidden call during this thread's capture: ends the capture. */
void demandNoCapture(const Call& call);

/** Runs the body of a call of the driver's interface; it returns nothing, or a result. */
template <class Body>
int call(const char* name, Body&& body) {
  Call call(name);
  try {
    int code = call.begin();
    if (code != CUDA_SUCCESS) return call.end(code);
    if constexpr (std::is_void_v<decltype(body(call))>) {
      body(call);
    } else {
      code = body(call);
    }
    return call.end(code);
  } catch (const Fault& fault) {
    return call.end(call.fail(fault));
  } catch (const Refusal& refusal) {
    return call.end(refusal.code);
  } catch (const std::exception& failure) {
    return call.end(call.fail(Fault(CUDA_UNKNOWN, failure.what())));
  }
}

/** A fault if a pointer that the caller must give is null. */
template <class T>
T& given(T* pointer, const char* name) {
  if (pointer == nullptr) throw Fault(CUDA_INVALID_VALUE, std::string(name) + " is null");
  return *pointer;
}

}  // namespace muond
