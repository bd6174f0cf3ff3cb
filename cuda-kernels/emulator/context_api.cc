#include <cstring>

#include "driver_call.h"

using namespace muond;

namespace {

void demandInitialized() {
  if (!Driver::get().initialized) throw Fault(CUDA_NOT_INITIALIZED, "cuInit was not called");
}

Device& deviceOf(int ordinal) {
  demandInitialized();
  return Driver::get().device(ordinal);
}

struct Attribute {
  int which, value;
};

/** As an A100 describes itself; what is not listed is 0. */
constexpr Attribute kAttributes[] = {
    {1, kMaxThreadsPerBlock},
    {2, 1024},
    {3, 1024},
    {4, 64},  // block x, y, z
    {5, 0x7fffffff},
    {6, 65535},
    {7, 65535},  // grid x, y, z
    {8, kSharedWithoutOptIn},
    {97, kSharedOptIn},
    {81, 164 * 1024},
    {111, 1024},  // shared memory
    {9, 65536},
    {10, 32},
    {11, 0x7fffffff},  // constant memory, warp, pitch
    {12, 65536},
    {82, 65536},  // registers of a block, of a multiprocessor
    {13, 1410000},
    {36, 1215000},
    {37, 5120},
    {38, 40 << 20},  // clocks, bus, L2
    {14, 512},
    {16, 108},
    {39, 2048},
    {40, 2},
    {87, 2},
    {106, 32},
    {15, 1},
    {19, 1},
    {31, 1},
    {41, 1},
    {78, 1},
    {99, 1},
    {115, 1},  // what it can do
};

int attribute(int which, const Device& device) {
  if (which == 33) return device.ordinal + 1;  // PCI bus
  if (which == 75) return Driver::get().settings.capability / 10;
  if (which == 76) return Driver::get().settings.capability % 10;
  for (const Attribute& known : kAttributes) {
    if (known.which == which) return known.value;
  }
  return 0;
}

void setCurrent(std::shared_ptr<Context> context) {
  auto& contexts = threadContexts();
  if (!contexts.empty()) contexts.pop_back();
  if (context != nullptr) contexts.push_back(std::move(context));
}

std::shared_ptr<Context> contextOf(Handle handle) {
  std::shared_ptr<Context> context = Driver::get().contexts.find(handle);
  if (context == nullptr)
    throw Fault(CUDA_INVALID_CONTEXT, format("%p is not a live context", handle));
  return context;
}

}  // namespace

extern "C" {

int cuInit(unsigned flags) {
  return call(__func__, [&](Call&) {
    if (flags != 0) throw Fault(CUDA_INVALID_VALUE, "flags is not 0");
    if (Driver::get().devices.empty()) throw Refusal{CUDA_NO_DEVICE};
    Driver::get().initialized = true;
  });
}

int cuDriverGetVersion(int* version) {
  return call(__func__, [&](Call&) { given(version, "version") = Driver::get().settings.driver; });
}

int cuDeviceGetCount(int* count) {
  return call(__func__, [&](Call&) {
    demandInitialized();
    given(count, "count") = static_cast<int>(Driver::get().devices.size());
  });
}

int cuDeviceGet(int* device, int ordinal) {
  return call(__func__, [&](Call&) { given(device, "device") = deviceOf(ordinal).ordinal; });
}

int cuDeviceGetName(char* name, int length, int device) {
  return call(__func__, [&](Call&) {
    std::string text = format("muond emulated device %d", deviceOf(device).ordinal);
    std::snprintf(&given(name, "name"), static_cast<size_t>(length), "%s", text.c_str());
  });
}

int cuDeviceGetUuid(char* uuid, int device) {
  return call(__func__, [&](Call&) {
    deviceOf(device);
    std::memcpy(&given(uuid, "uuid"), "muond-emulated-\0", 16);
    uuid[15] = static_cast<char>(device);
  });
}

int cuDeviceGetPCIBusId(char* name, int length, int device) {
  return call(__func__, [&](Call&) {
    std::snprintf(&given(name, "name"), static_cast<size_t>(length), "0000:%02x:00.0",
                  deviceOf(device).ordinal + 1);
  });
}

int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  return call(__func__, [&](Call&) { given(bytes, "bytes") = deviceOf(device).memory.capacity(); });
}

int cuDeviceComputeCapability(int* major, int* minor, int device) {
  return call(__func__, [&](Call&) {
    given(major, "major") = attribute(75, deviceOf(device));
    given(minor, "minor") = attribute(76, deviceOf(device));
  });
}

int cuDeviceGetAttribute(int* value, int which, int device) {
  return call(__func__, [&](Call&) { given(value, "value") = attribute(which, deviceOf(device)); });
}

int cuDeviceCanAccessPeer(int* can, int device, int peer) {
  return call(__func__, [&](Call&) {
    deviceOf(device);
    deviceOf(peer);
    given(can, "can") =
        0;  // kernels see their own device's memory only; cuMemcpyPeerAsync works all the same
  });
}

int cuDevicePrimaryCtxRetain(Handle* handle, int ordinal) {
  return call(__func__, [&](Call& call) {
    demandNoCapture(call);
    Device& device = deviceOf(ordinal);
    if (device.primary == nullptr)
      device.primary = newContext(device, device.primaryFlags, true, call.site());
    device.retained++;
    given(handle, "context") = device.primary->handle;
  });
}

int cuDevicePrimaryCtxRelease_v2(int ordinal) {
  return call(__func__, [&](Call& call) {
    demandNoCapture(call);
    Device& device = deviceOf(ordinal);
    if (device.retained == 0)
      throw Fault(CUDA_INVALID_CONTEXT,
                  format("device %d's primary context is not retained", ordinal));
    if (--device.retained > 0) return;
    std::shared_ptr<Context> context = std::move(device.primary);
    device.primary = nullptr;
    endContext(context);
  });
}

int cuDevicePrimaryCtxReset_v2(int ordinal) {
  return call(__func__, [&](Call& call) {
    demandNoCapture(call);
    Device& device = deviceOf(ordinal);
    if (device.primary == nullptr) return;
    std::shared_ptr<Context> context = device.primary;
    device.primary = nullptr;
    device.retained = 0;
    endContext(context);
  });
}

int cuDevicePrimaryCtxSetFlags_v2(int ordinal, unsigned flags) {
  return call(__func__, [&](Call&) { deviceOf(ordinal).primaryFlags = flags; });
}

int cuDevicePrimaryCtxGetState(int ordinal, unsigned* flags, int* active) {
  return call(__func__, [&](Call&) {
    Device& device = deviceOf(ordinal);
    given(flags, "flags") = device.primaryFlags;
    given(active, "active") = device.primary != nullptr;
  });
}

int cuCtxCreate_v2(Handle* handle, unsigned flags, int ordinal) {
  return call(__func__, [&](Call& call) {
    demandNoCapture(call);
    std::shared_ptr<Context> context = newContext(deviceOf(ordinal), flags, false, call.site());
    threadContexts().push_back(context);
    given(handle, "context") = context->handle;
  });
}

int cuCtxDestroy_v2(Handle handle) {
  return call(__func__, [&](Call& call) {
    demandNoCapture(call);
    std::shared_ptr<Context> context = contextOf(handle);
    if (context->primary)
      throw Fault(CUDA_INVALID_CONTEXT, "a primary context is released, not destroyed");
    auto& contexts = threadContexts();
    if (!contexts.empty() && contexts.back() == context) contexts.pop_back();
    endContext(context);
  });
}

int cuCtxSetCurrent(Handle handle) {
  return call(__func__, [&](Call&) {
    demandInitialized();
    setCurrent(handle == nullptr ? nullptr : contextOf(handle));
  });
}

int cuCtxPushCurrent_v2(Handle handle) {
  return call(__func__, [&](Call&) {
    demandInitialized();
    threadContexts().push_back(contextOf(handle));
  });
}

int cuCtxPopCurrent_v2(Handle* handle) {
  return call(__func__, [&](Call&) {
    std::shared_ptr<Context> context = currentContext();
    if (handle != nullptr) *handle = context->handle;
    threadContexts().pop_back();
  });
}

int cuCtxGetCurrent(Handle* handle) {
  return call(__func__, [&](Call&) {
    demandInitialized();
    auto& contexts = threadContexts();
    given(handle, "context") = contexts.empty() ? nullptr : contexts.back()->handle;
  });
}

int cuCtxGetDevice(int* device) {
  return call(__func__,
              [&](Call&) { given(device, "device") = currentContext()->device->ordinal; });
}

int cuCtxGetFlags(unsigned* flags) {
  return call(__func__, [&](Call&) { given(flags, "flags") = currentContext()->flags; });
}

int cuCtxGetApiVersion(Handle handle, unsigned* version) {
  return call(__func__, [&](Call&) {
    if (handle != nullptr) contextOf(handle);
    given(version, "version") = 3020;
  });
}

int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  return call(__func__, [&](Call&) {
    usableContext();
    if (least != nullptr) *least = 0;
    if (greatest != nullptr) *greatest = -5;
  });
}

int cuCtxSynchronize() {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Context> context = usableContext();
    demandNoCapture(call);
    await(tails(*context));
    usableContext();
  });
}

/** A way in for tests, which cannot change the environment of a process that runs:
 * ("muond-emulator", failures). */
int cuProfilerInitialize(const char* configuration, const char* failures, int) {
  return call(__func__, [&](Call&) {
    if (configuration == nullptr || std::strcmp(configuration, "muond-emulator") != 0)
      throw Refusal{CUDA_NOT_SUPPORTED};
    Driver::get().report.plan(Settings::parseFailures(failures == nullptr ? "" : failures));
  });
}

}  // extern "C"
