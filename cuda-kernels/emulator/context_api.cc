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

/** Compute capability 8.0, as an A100 describes itself; what is not listed is 0. */
int attribute(int which, const Device& device) {
  switch (which) {
    case 1:
      return kMaxThreadsPerBlock;
    case 2:
    case 3:
      return 1024;  // block x, y
    case 4:
      return 64;  // block z
    case 5:
      return 0x7fffffff;  // grid x
    case 6:
    case 7:
      return 65535;  // grid y, z
    case 8:
      return kSharedWithoutOptIn;
    case 9:
      return 65536;  // constant memory
    case 10:
      return 32;  // warp
    case 11:
      return 0x7fffffff;  // pitch
    case 12:
    case 82:
      return 65536;  // registers per block, per multiprocessor
    case 13:
      return 1410000;  // kHz
    case 14:
      return 512;
    case 15:
    case 19:
    case 31:
    case 41:
    case 78:
      return 1;  // overlap, mapping, concurrency, unified addresses, priorities
    case 16:
      return 108;  // multiprocessors
    case 33:
      return device.ordinal + 1;  // PCI bus
    case 36:
      return 1215000;
    case 37:
      return 5120;
    case 38:
      return 40 << 20;  // L2
    case 39:
      return 2048;
    case 40:
      return 2;  // copy engines
    case 75:
      return kComputeCapability / 10;
    case 76:
      return kComputeCapability % 10;
    case 81:
      return 164 * 1024;
    case 87:
      return 2;
    case 97:
      return kSharedOptIn;
    case 99:
    case 115:
      return 1;  // host registration, pools
    case 106:
      return 32;
    case 111:
      return 1024;  // reserved shared memory
    default:
      return 0;
  }
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
  return call(__func__, [&](Call&) { given(version, "version") = 12060; });
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
    deviceOf(device);
    given(major, "major") = kComputeCapability / 10;
    given(minor, "minor") = kComputeCapability % 10;
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
