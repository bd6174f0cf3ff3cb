#include "driver_call.h"

using namespace muond;

namespace {

constexpr unsigned kPortable = 1, kDeviceMapped = 2, kWriteCombined = 4;

uint64_t allocate(Call& call, size_t bytes) {
  std::shared_ptr<Context> context = usableContext();
  demandNoCapture(call);
  if (bytes == 0) throw Fault(CUDA_INVALID_VALUE, "0 bytes (expected: at least one)");
  call.detail = format("%zu bytes on device %d", bytes, context->device->ordinal);
  uint64_t address = withMemory(
      *context->device, [&](DeviceMemory& memory) { return memory.allocate(bytes, call.site()); });
  context->allocations[address] = bytes;
  return address;
}

/** The context that owns an allocation which starts here, and its size. */
std::pair<std::shared_ptr<Context>, uint64_t> owner(uint64_t address) {
  for (const auto& [handle, context] : Driver::get().contexts.all()) {
    auto found = context->allocations.find(address);
    if (found != context->allocations.end()) return {context, found->second};
  }
  throw Fault(CUDA_INVALID_VALUE, format("0x%llx is not the start of a live allocation",
                                         static_cast<unsigned long long>(address)));
}

void release(const std::shared_ptr<Context>& context, uint64_t address) {
  context->allocations.erase(address);
  withMemory(*context->device, [&](DeviceMemory& memory) { memory.release(address); });
}

std::shared_ptr<Context> hostCall(Call& call) {
  std::shared_ptr<Context> context = usableContext();
  demandNoCapture(call);
  return context;
}

Access hostRange(const void* address, uint64_t bytes) {
  return {Access::Place::Host, true, reinterpret_cast<uint64_t>(address), bytes};
}

}  // namespace

extern "C" {

int cuMemGetInfo_v2(size_t* available, size_t* total) {
  return call(__func__, [&](Call&) {
    std::shared_ptr<Context> context = usableContext();
    withMemory(*context->device, [&](DeviceMemory& memory) {
      given(total, "total") = memory.capacity();
      given(available, "available") = memory.capacity() - memory.used();
    });
  });
}

int cuMemAlloc_v2(DevicePointer* address, size_t bytes) {
  return call(__func__, [&](Call& call) { given(address, "address") = allocate(call, bytes); });
}

int cuMemFree_v2(DevicePointer address) {
  return call(__func__, [&](Call& call) {
    usableContext();
    demandNoCapture(call);
    if (address == 0) return;
    auto [context, bytes] = owner(address);
    call.detail = format("%llu bytes on device %d", static_cast<unsigned long long>(bytes),
                         context->device->ordinal);
    demandIdle(nullptr, {Access::Place::Device, true, address, bytes}, call.site());
    release(context, address);
  });
}

int cuMemAllocAsync(DevicePointer* address, size_t bytes, Handle handle) {
  return call(__func__, [&](Call& call) {
    usableStream(handle);
    given(address, "address") = allocate(call, bytes);
  });
}

/** The memory goes when the stream gets there; work queued later that uses it is caught when it
 * runs. */
int cuMemFreeAsync(DevicePointer address, Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    demandNoCapture(call);
    auto found = owner(address);
    std::shared_ptr<Context> context = found.first;
    context->allocations.erase(address);
    auto operation = std::make_shared<Operation>();
    operation->what = call.site();
    operation->accesses = {{Access::Place::Device, true, address, found.second}};
    operation->run = [context, address = address](uint64_t) {
      std::lock_guard<std::mutex> hold(context->device->lock);
      context->device->memory.release(address);
    };
    submit(stream, operation);
  });
}

int cuMemGetAddressRange_v2(DevicePointer* base, size_t* bytes, DevicePointer address) {
  return call(__func__, [&](Call&) {
    for (const auto& [start, size] : usableContext()->allocations) {
      if (address < start || address >= start + size) continue;
      if (base != nullptr) *base = start;
      if (bytes != nullptr) *bytes = size;
      return CUDA_SUCCESS;
    }
    throw Refusal{CUDA_NOT_FOUND};
  });
}

int cuMemHostAlloc(void** address, size_t bytes, unsigned flags) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Context> context = hostCall(call);
    if ((flags & ~(kPortable | kDeviceMapped | kWriteCombined)) != 0)
      throw Fault(CUDA_INVALID_VALUE, format("flags %u are unknown", flags));
    call.detail = format("%zu bytes", bytes);
    given(address, "address") =
        Driver::get().host.allocate(bytes, flags, context->handle, call.site());
  });
}

int cuMemAllocHost_v2(void** address, size_t bytes) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Context> context = hostCall(call);
    call.detail = format("%zu bytes", bytes);
    given(address, "address") = Driver::get().host.allocate(bytes, 0, context->handle, call.site());
  });
}

int cuMemFreeHost(void* address) {
  return call(__func__, [&](Call& call) {
    hostCall(call);
    const HostMemory::Range* range = Driver::get().host.holding(address, 1);
    if (range != nullptr) {
      demandIdle(nullptr, hostRange(address, range->bytes), call.site());
      for (const auto& [ordinal, mapped] : range->mapped) {
        withMemory(Driver::get().device(ordinal),
                   [at = mapped](DeviceMemory& memory) { memory.release(at); });
      }
    }
    Driver::get().host.release(address);
  });
}

/** Where kernels find memory that was allocated to be mapped. What they write there is seen by the
 * host once it has waited for them, as elsewhere. */
int cuMemHostGetDevicePointer_v2(DevicePointer* address, void* host, unsigned flags) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Context> context = hostCall(call);
    if (flags != 0) throw Fault(CUDA_INVALID_VALUE, format("flags %u (expected: 0)", flags));
    auto [base, range] = Driver::get().host.mapping(host);
    if (range == nullptr || (range->flags & kDeviceMapped) == 0)
      throw Fault(CUDA_INVALID_VALUE,
                  format("%p is no host memory made with CU_MEMHOSTALLOC_DEVICEMAP", host));
    int ordinal = context->device->ordinal;
    if (range->mapped.count(ordinal) == 0) {
      void* start = reinterpret_cast<void*>(base);
      uint64_t bytes = range->bytes;
      uint64_t made = withMemory(*context->device, [&](DeviceMemory& memory) {
        return memory.map(start, bytes, call.site());
      });
      Driver::get().host.mapping(host).second->mapped[ordinal] = made;
    }
    given(address, "address") = Driver::get().host.mapping(host).second->mapped.at(ordinal) +
                                (reinterpret_cast<uintptr_t>(host) - base);
  });
}

int cuMemHostRegister_v2(void* address, size_t bytes, unsigned flags) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Context> context = hostCall(call);
    call.detail = format("%zu bytes", bytes);
    Driver::get().host.enroll(address, bytes, flags, context->handle, call.site());
  });
}

int cuMemHostUnregister(void* address) {
  return call(__func__, [&](Call& call) {
    hostCall(call);
    const HostMemory::Range* range = Driver::get().host.holding(address, 1);
    if (range != nullptr) demandIdle(nullptr, hostRange(address, range->bytes), call.site());
    Driver::get().host.withdraw(address);
  });
}

int cuMemHostGetFlags(unsigned* flags, void* address) {
  return call(__func__, [&](Call&) {
    usableContext();
    const HostMemory::Range* range = Driver::get().host.holding(address, 1);
    if (range == nullptr || range->registered) throw Refusal{CUDA_INVALID_VALUE};
    given(flags, "flags") = range->flags;
  });
}

}  // extern "C"
