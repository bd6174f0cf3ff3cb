#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "driver.h"

/** The calls that the tests make, as JCuda makes them. */
extern "C" {
using muond::DevicePointer;
using muond::Handle;
int cuInit(unsigned);
int cuDriverGetVersion(int*);
int cuDeviceGetCount(int*);
int cuDeviceGetAttribute(int*, int, int);
int cuDevicePrimaryCtxRetain(Handle*, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(Handle);
int cuCtxSynchronize();
int cuMemGetInfo_v2(size_t*, size_t*);
int cuMemAlloc_v2(DevicePointer*, size_t);
int cuMemFree_v2(DevicePointer);
int cuMemAllocAsync(DevicePointer*, size_t, Handle);
int cuMemFreeAsync(DevicePointer, Handle);
int cuMemHostAlloc(void**, size_t, unsigned);
int cuMemFreeHost(void*);
int cuMemHostGetDevicePointer_v2(DevicePointer*, void*, unsigned);
int cuMemHostRegister_v2(void*, size_t, unsigned);
int cuMemHostUnregister(void*);
int cuMemcpyHtoD_v2(DevicePointer, const void*, size_t);
int cuMemcpyDtoH_v2(void*, DevicePointer, size_t);
int cuMemcpyDtoD_v2(DevicePointer, DevicePointer, size_t);
int cuMemcpyHtoDAsync_v2(DevicePointer, const void*, size_t, Handle);
int cuMemcpyDtoHAsync_v2(void*, DevicePointer, size_t, Handle);
int cuMemcpyDtoDAsync_v2(DevicePointer, DevicePointer, size_t, Handle);
int cuMemcpyPeerAsync(DevicePointer, Handle, DevicePointer, Handle, size_t, Handle);
int cuMemsetD8_v2(DevicePointer, unsigned char, size_t);
int cuMemsetD32Async(DevicePointer, unsigned, size_t, Handle);
int cuModuleLoadDataEx(Handle*, const void*, unsigned, int*, void**);
int cuModuleUnload(Handle);
int cuModuleGetFunction(Handle*, Handle, const char*);
int cuFuncSetAttribute(Handle, int, int);
int cuLaunchKernel(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                   Handle, void**, void**);
int cuLaunchHostFunc(Handle, void (*)(void*), void*);
int cuStreamCreate(Handle*, unsigned);
int cuStreamDestroy_v2(Handle);
int cuStreamSynchronize(Handle);
int cuStreamQuery(Handle);
int cuStreamWaitEvent(Handle, Handle, unsigned);
int cuStreamBeginCapture_v2(Handle, int);
int cuStreamEndCapture(Handle, Handle*);
int cuStreamIsCapturing(Handle, int*);
int cuEventCreate(Handle*, unsigned);
int cuEventDestroy_v2(Handle);
int cuEventRecord(Handle, Handle);
int cuEventRecordWithFlags(Handle, Handle, unsigned);
int cuEventSynchronize(Handle);
int cuEventQuery(Handle);
int cuEventElapsedTime(float*, Handle, Handle);
int cuGraphInstantiateWithFlags(Handle*, Handle, unsigned long long);
int cuGraphGetNodes(Handle, Handle*, size_t*);
int cuGraphNodeGetType(Handle, int*);
int cuGraphLaunch(Handle, Handle);
int cuGraphDestroy(Handle);
int cuGraphExecDestroy(Handle);
int cuProfilerInitialize(const char*, const char*, int);
int cuArrayDestroy(Handle);
}

namespace muond::test {

/** Ends the test, which runs in a process of its own. */
[[noreturn]] inline void stop(const char* file, int line, const std::string& message) {
  std::printf("    %s:%d: %s\n", file, line, message.c_str());
  std::fflush(stdout);
  _exit(1);
}

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) muond::test::stop(__FILE__, __LINE__, #condition); \
  } while (false)
#define CHECK_CODE(expected, call)                                                                 \
  do {                                                                                             \
    int given_ = (call);                                                                           \
    if (given_ != (expected))                                                                      \
      muond::test::stop(__FILE__, __LINE__,                                                        \
                        muond::format("%s gave %d (expected: %d)", #call, given_, int(expected))); \
  } while (false)
#define OK(call) CHECK_CODE(0, call)

/**
 * A test in a process of its own, with these settings in its environment. Its lines on stderr must
 * be exactly as many as `lines`, each holding every part (separated by '|') of its own entry.
 */
struct Test {
  const char* name;
  std::vector<std::string> settings;
  std::vector<std::string> lines;
  std::function<void()> body;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Register {
  Register(const char* name, std::vector<std::string> settings, std::vector<std::string> lines,
           std::function<void()> body) {
    tests().push_back({name, std::move(settings), std::move(lines), std::move(body)});
  }
};

inline std::vector<std::string> split(const std::string& text, char mark) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(mark, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

inline bool matches(const std::string& line, const std::string& expected) {
  for (const std::string& part : split(expected, '|')) {
    if (line.find(part) == std::string::npos) return false;
  }
  return true;
}

inline bool run(const Test& test) {
  int ends[2];
  if (pipe(ends) != 0) return false;
  std::fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    for (const std::string& setting : test.settings) putenv(const_cast<char*>(setting.c_str()));
    test.body();
    std::exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  std::vector<std::string> lines = split(text, '\n');
  bool good = status == 0 && lines.size() == test.lines.size();
  for (size_t i = 0; good && i < lines.size(); i++) good = matches(lines[i], test.lines[i]);
  if (!good)
    std::printf("  FAILED %s (status %d); on stderr:\n%s", test.name, status, text.c_str());
  return good;
}

inline int runAll() {
  size_t failed = 0;
  for (const Test& test : tests()) failed += !run(test);
  std::printf("  %zu tests, %zu failed\n", tests().size(), failed);
  return failed == 0 ? 0 : 1;
}

/** TEST(name, {settings}, {lines}) { body } */
#define SETTINGS(...) {__VA_ARGS__}
#define LINES(...) {__VA_ARGS__}
#define TEST(name, settings, lines)                                                  \
  static void test_##name();                                                         \
  static muond::test::Register register_##name(#name, settings, lines, test_##name); \
  static void test_##name()

/** A device with its primary context current, ended with everything given back. */
struct OnDevice {
  explicit OnDevice(int ordinal = 0) : ordinal(ordinal) {
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, ordinal));
    OK(cuCtxSetCurrent(context));
  }
  ~OnDevice() { OK(cuDevicePrimaryCtxRelease_v2(ordinal)); }
  int ordinal;
  Handle context = nullptr;
};

struct DeviceBytes {
  explicit DeviceBytes(size_t bytes) { OK(cuMemAlloc_v2(&address, bytes)); }
  ~DeviceBytes() { OK(cuMemFree_v2(address)); }
  operator DevicePointer() const { return address; }
  DevicePointer address = 0;
};

template <class T>
struct Pinned {
  explicit Pinned(size_t count) : count(count) {
    void* address = nullptr;
    OK(cuMemHostAlloc(&address, count * sizeof(T), 0));
    values = static_cast<T*>(address);
  }
  ~Pinned() { OK(cuMemFreeHost(values)); }
  T& operator[](size_t i) { return values[i]; }
  size_t count;
  T* values;
};

struct AStream {
  explicit AStream(unsigned flags = kStreamNonBlocking) { OK(cuStreamCreate(&handle, flags)); }
  ~AStream() { OK(cuStreamDestroy_v2(handle)); }
  operator Handle() const { return handle; }
  Handle handle = nullptr;
};

struct AnEvent {
  explicit AnEvent(unsigned flags = kEventDisableTiming) { OK(cuEventCreate(&handle, flags)); }
  ~AnEvent() { OK(cuEventDestroy_v2(handle)); }
  operator Handle() const { return handle; }
  Handle handle = nullptr;
};

/** Stores `value` in the first `count` words at `to`, one thread each. */
constexpr const char* kFill = R"(// fill.ptx
.version 7.8
.target sm_80
.address_size 64
.visible .entry fill(.param .u64 to, .param .u32 value, .param .u32 count)
{
  .reg .b64 %rd<5>;
  .reg .b32 %r<7>;
  .reg .pred %p<2>;
  ld.param.u64 %rd1, [to];
  ld.param.u32 %r1, [value];
  ld.param.u32 %r2, [count];
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %ctaid.x;
  mov.u32 %r5, %ntid.x;
  mad.lo.s32 %r6, %r4, %r5, %r3;
  setp.ge.u32 %p1, %r6, %r2;
  @%p1 bra DONE;
  cvta.to.global.u64 %rd2, %rd1;
  mul.wide.u32 %rd3, %r6, 4;
  add.s64 %rd4, %rd2, %rd3;
  st.global.u32 [%rd4], %r1;
DONE:
  ret;
}
)";

struct Fill {
  Fill() {
    OK(cuModuleLoadDataEx(&module, kFill, 0, nullptr, nullptr));
    OK(cuModuleGetFunction(&function, module, "fill"));
  }
  ~Fill() { OK(cuModuleUnload(module)); }
  int operator()(DevicePointer to, uint32_t value, uint32_t count, Handle stream,
                 unsigned threads = 64) const {
    void* arguments[] = {&to, &value, &count};
    return cuLaunchKernel(function, (count + threads - 1) / threads, 1, 1, threads, 1, 1, 0, stream,
                          arguments, nullptr);
  }
  Handle module = nullptr, function = nullptr;
};

}  // namespace muond::test

int main() { return muond::test::runAll(); }
