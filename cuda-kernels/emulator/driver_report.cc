#include "driver_report.h"

#include <cstdarg>

#include "symbols.h"

namespace muond {

std::string format(const char* pattern, ...) {
  va_list arguments, again;
  va_start(arguments, pattern);
  va_copy(again, arguments);
  int length = std::vsnprintf(nullptr, 0, pattern, arguments);
  va_end(arguments);
  std::string text(length < 0 ? 0 : static_cast<size_t>(length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

Report::Report(const Settings& settings) : failures_(settings.failures) {
  if (settings.trace.empty()) return;
  trace_ = std::fopen(settings.trace.c_str(), "a");
  if (trace_ == nullptr) fault("MUOND_EMULATOR_TRACE: cannot write " + settings.trace);
}

Report::~Report() {
  if (trace_ != nullptr) std::fclose(trace_);
}

void Report::print(const char* kind, const std::string& message) {
  std::fprintf(stderr, "muond-emulator: %s\n", message.c_str());
  if (trace_ == nullptr) return;
  std::fprintf(trace_, "%s %s\n", kind, message.c_str());
  std::fflush(trace_);
}

void Report::fault(const std::string& message) {
  std::lock_guard<std::mutex> hold(mutex_);
  last_ = message;
  print("fault", message);
}

void Report::leak(const std::string& message) {
  std::lock_guard<std::mutex> hold(mutex_);
  print("leak", "leak: " + message);
}

void Report::trace(const std::string& line) {
  if (trace_ == nullptr) return;
  std::lock_guard<std::mutex> hold(mutex_);
  std::fprintf(trace_, "%s\n", line.c_str());
  std::fflush(trace_);
}

int Report::plannedFailure(const std::string& name, int device) {
  std::lock_guard<std::mutex> hold(mutex_);
  for (PlannedFailure& failure : failures_) {
    if (failure.name != name || (failure.device >= 0 && failure.device != device)) continue;
    failure.seen++;
    if (failure.seen != failure.at && !(failure.onwards && failure.seen > failure.at)) continue;
    if (failure.code >= 0) return failure.code;
    return name.find("Alloc") != std::string::npos ? CUDA_OUT_OF_MEMORY : CUDA_UNKNOWN;
  }
  return CUDA_SUCCESS;
}

void Report::plan(std::vector<PlannedFailure> failures) {
  std::lock_guard<std::mutex> hold(mutex_);
  failures_ = std::move(failures);
}

}  // namespace muond
