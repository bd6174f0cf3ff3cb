#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "device.h"

/** A test harness of a page: tests register themselves; a failed check ends the program with
 * status 1. */
namespace muond::check {

struct Test {
  const char* name;
  void (*run)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Registered {
  Registered(const char* name, void (*run)()) { tests().push_back({name, run}); }
};

#define TEST(name)                                            \
  static void name();                                         \
  static const muond::check::Registered name##_(#name, name); \
  static void name()

#define CHECK(condition) \
  ((condition) ? void() : muond::check::failed(__FILE__, __LINE__, #condition))

#define CHECK_EQUAL(a, b) muond::check::equal(__FILE__, __LINE__, #a, a, b)

[[noreturn]] inline void failed(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::exit(1);
}

template <class A, class B>
void equal(const char* file, int line, const char* text, const A& a, const B& b) {
  if (a == b) return;
  std::ostringstream message;
  message << text << " is " << a << " (expected: " << b << ")";
  failed(file, line, message.str());
}

/** Runs `f`, which must end in a fault with this code and all of these words in its message. */
inline void faults(const char* file, int line, int code, const std::vector<std::string>& words,
                   const std::function<void()>& f) {
  try {
    f();
  } catch (const Fault& fault) {
    if (fault.code != code)
      failed(file, line,
             "code " + std::to_string(fault.code) + " (expected: " + std::to_string(code) +
                 "): " + fault.what());
    for (const std::string& word : words)
      if (std::string(fault.what()).find(word) == std::string::npos)
        failed(file, line, std::string("'") + fault.what() + "' (expected: '" + word + "' in it)");
    return;
  }
  failed(file, line, "no fault");
}

#define CHECK_FAULT(code, words, ...) \
  muond::check::faults(__FILE__, __LINE__, code, words, [&] { __VA_ARGS__; })

inline int runAll(const char* program) {
  for (const Test& test : tests()) {
    std::fprintf(stderr, "%s: %s\n", program, test.name);
    test.run();
  }
  return 0;
}

inline std::string fileText(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) failed(path.c_str(), 0, "cannot be read");
  return text.str();
}

/** An array in emulated memory. */
template <class T>
class Array {
 public:
  Array(DeviceMemory& memory, size_t n, const std::string& site = "a test")
      : memory_(memory), n_(n), address(memory.allocate(n * sizeof(T), site)) {}
  Array(DeviceMemory& memory, const std::vector<T>& values, const std::string& site = "a test")
      : Array(memory, values.size(), site) {
    memory.write(address, values.data(), n_ * sizeof(T), "test");
  }
  ~Array() { memory_.release(address); }
  Array(const Array&) = delete;

  std::vector<T> read() const {
    std::vector<T> values(n_);
    memory_.read(address, values.data(), n_ * sizeof(T), "test");
    return values;
  }

 private:
  DeviceMemory& memory_;
  size_t n_;

 public:
  const uint64_t address;
};

/** Parameters of a kernel, laid out as it says. */
class Arguments {
 public:
  explicit Arguments(const Kernel& kernel) : kernel_(kernel), bytes_(kernel.paramBytes()) {}
  template <class T>
  Arguments& operator<<(const T& value) {
    const Param& p = kernel_.params().at(next_++);
    if (p.size != sizeof(T))
      failed("a parameter", static_cast<int>(next_), "its size is " + std::to_string(p.size));
    std::memcpy(bytes_.data() + p.offset, &value, sizeof(T));
    return *this;
  }
  template <class T>
  Arguments& operator<<(const Array<T>& array) {
    return *this << array.address;
  }
  const uint8_t* data() const {
    if (next_ != kernel_.params().size()) failed("parameters", static_cast<int>(next_), "too few");
    return bytes_.data();
  }

 private:
  const Kernel& kernel_;
  std::vector<uint8_t> bytes_;
  size_t next_ = 0;
};

inline const Kernel& kernelOf(const Module& module, const std::string& name) {
  const Kernel* kernel = module.kernel(name);
  if (!kernel) failed("kernel", 0, name);
  return *kernel;
}

/** Launches `name` with these arguments. */
template <class... A>
void launch(DeviceMemory& memory, const Module& module, const std::string& name, Dim grid,
            Dim block, uint32_t shared, uint64_t seed, const A&... arguments) {
  const Kernel& kernel = kernelOf(module, name);
  Arguments all(kernel);
  (all << ... << arguments);
  execute(kernel, grid, block, shared, all.data(), memory, seed);
}

}  // namespace muond::check
