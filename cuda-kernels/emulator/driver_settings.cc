#include "driver_settings.h"

#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace muond {
namespace {

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

[[noreturn]] void refuse(const std::string& name, const std::string& value, const char* expected) {
  throw std::invalid_argument(name + ": " + value + " (expected: " + expected + ")");
}

uint64_t number(const std::string& name, const std::string& value, const char* expected,
                size_t* end = nullptr) {
  try {
    size_t read = 0;
    uint64_t result = std::stoull(value, &read);
    if (end != nullptr) *end = read;
    if (end == nullptr && read != value.size()) refuse(name, value, expected);
    return result;
  } catch (const std::logic_error&) {
    refuse(name, value, expected);
  }
}

uint64_t bytes(const std::string& name, const std::string& value) {
  const char* expected = "bytes, or a number with K, M, G or T";
  size_t end = 0;
  uint64_t result = number(name, value, expected, &end);
  if (end == value.size()) return result;
  size_t unit = std::string("KMGT").find(value[end]);
  if (unit == std::string::npos || end + 1 != value.size()) refuse(name, value, expected);
  return result << (10 * (unit + 1));
}

PlannedFailure parseFailure(std::string text) {
  const std::string name = "MUOND_EMULATOR_FAIL";
  const char* expected = "NAME:CALL[+][@DEVICE][=CODE]";
  const std::string whole = text;
  PlannedFailure failure;
  auto cut = [&](char mark, int* value) {
    size_t at = text.rfind(mark);
    if (at == std::string::npos) return;
    *value = static_cast<int>(number(name, text.substr(at + 1), expected));
    text.resize(at);
  };
  cut('=', &failure.code);
  cut('@', &failure.device);
  if (!text.empty() && text.back() == '+') {
    failure.onwards = true;
    text.pop_back();
  }
  size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) refuse(name, whole, expected);
  failure.name = text.substr(0, colon);
  failure.at = number(name, text.substr(colon + 1), expected);
  return failure;
}

}  // namespace

std::vector<PlannedFailure> Settings::parseFailures(const std::string& text) {
  std::vector<PlannedFailure> failures;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) failures.push_back(parseFailure(part));
  return failures;
}

Settings Settings::fromEnvironment() {
  Settings settings;
  if (const char* devices = variable("MUOND_EMULATOR_DEVICES")) {
    settings.devices = static_cast<int>(number("MUOND_EMULATOR_DEVICES", devices, "0 to 32"));
    if (settings.devices > 32) refuse("MUOND_EMULATOR_DEVICES", devices, "0 to 32");
  }
  if (const char* memory = variable("MUOND_EMULATOR_MEMORY"))
    settings.memory = bytes("MUOND_EMULATOR_MEMORY", memory);
  if (const char* driver = variable("MUOND_EMULATOR_DRIVER"))
    settings.driver = static_cast<int>(number("MUOND_EMULATOR_DRIVER", driver, "such as 12060"));
  if (const char* capability = variable("MUOND_EMULATOR_CAPABILITY"))
    settings.capability =
        static_cast<int>(number("MUOND_EMULATOR_CAPABILITY", capability, "such as 80"));
  if (const char* seed = variable("MUOND_EMULATOR_SEED"))
    settings.seed = number("MUOND_EMULATOR_SEED", seed, "a number");
  if (const char* trace = variable("MUOND_EMULATOR_TRACE")) settings.trace = trace;
  if (const char* fail = variable("MUOND_EMULATOR_FAIL")) settings.failures = parseFailures(fail);
  return settings;
}

}  // namespace muond
