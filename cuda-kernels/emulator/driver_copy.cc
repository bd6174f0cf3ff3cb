#include <cstring>

#include "driver_call.h"

using namespace muond;

namespace {

using Place = Access::Place;

/** The device whose memory holds this address; a Fault if none does, for example for a host
 * pointer. */
Device& deviceOf(uint64_t address, const std::string& who) {
  for (auto& device : Driver::get().devices) {
    if (device->memory.owns(address)) return *device;
  }
  throw Fault(CUDA_INVALID_VALUE, format("%s: 0x%llx is no device's memory", who.c_str(),
                                         static_cast<unsigned long long>(address)));
}

Device& ownDevice(const Stream& stream, uint64_t address, const std::string& who) {
  Device& device = deviceOf(address, who);
  if (&device == stream.context->device) return device;
  throw Fault(CUDA_INVALID_VALUE,
              format("%s: 0x%llx is memory of device %d, but the stream is of device %d",
                     who.c_str(), static_cast<unsigned long long>(address), device.ordinal,
                     stream.context->device->ordinal));
}

std::shared_ptr<Operation> newOperation(Call& call, NodeType type, const std::string& what,
                                        const Stream& stream) {
  auto operation = std::make_shared<Operation>();
  call.detail = what + " on " + stream.name();
  operation->what = call.site() + ": " + what;
  operation->type = type;
  return operation;
}

std::shared_ptr<Operation> copyIn(Call& call, const Stream& stream, uint64_t to, const void* from,
                                  size_t bytes) {
  auto operation =
      newOperation(call, NodeType::Memcpy, format("%zu bytes from host to device", bytes), stream);
  Device& device = ownDevice(stream, to, call.site());
  operation->accesses = {
      {Place::Host, false, reinterpret_cast<uint64_t>(from), bytes, 0, 1, "the source"},
      {Place::Device, true, to, bytes, 0, 1, "the destination"}};
  operation->run = [&device, to, from, bytes, who = operation->what](uint64_t) {
    std::lock_guard<std::mutex> hold(device.lock);
    device.memory.write(to, from, bytes, who.c_str());
  };
  return operation;
}

std::shared_ptr<Operation> copyOut(Call& call, const Stream& stream, void* to, uint64_t from,
                                   size_t bytes) {
  auto operation =
      newOperation(call, NodeType::Memcpy, format("%zu bytes from device to host", bytes), stream);
  Device& device = ownDevice(stream, from, call.site());
  operation->accesses = {
      {Place::Host, true, reinterpret_cast<uint64_t>(to), bytes, 0, 1, "the destination"},
      {Place::Device, false, from, bytes, 0, 1, "the source"}};
  operation->run = [&device, to, from, bytes, who = operation->what](uint64_t) {
    std::lock_guard<std::mutex> hold(device.lock);
    device.memory.read(from, to, bytes, who.c_str());
  };
  return operation;
}

/** A copy between two places of one device, or of two. */
std::shared_ptr<Operation> copyAcross(Call& call, const Stream& stream, Device& toDevice,
                                      uint64_t to, Device& fromDevice, uint64_t from,
                                      size_t bytes) {
  auto operation = newOperation(
      call, NodeType::Memcpy,
      format("%zu bytes from device %d to device %d", bytes, fromDevice.ordinal, toDevice.ordinal),
      stream);
  operation->accesses = {{Place::Device, true, to, bytes, 0, 1, "the destination"},
                         {Place::Device, false, from, bytes, 0, 1, "the source"}};
  operation->run = [&toDevice, &fromDevice, to, from, bytes, who = operation->what](uint64_t) {
    if (&toDevice == &fromDevice) {
      std::lock_guard<std::mutex> hold(toDevice.lock);
      toDevice.memory.copy(from, to, bytes, who.c_str());
      return;
    }
    std::scoped_lock hold(toDevice.lock, fromDevice.lock);
    std::vector<uint8_t> between(bytes);
    fromDevice.memory.read(from, between.data(), bytes, who.c_str());
    toDevice.memory.write(to, between.data(), bytes, who.c_str());
  };
  return operation;
}

std::shared_ptr<Operation> fill(Call& call, const Stream& stream, uint64_t to, unsigned width,
                                uint32_t value, size_t count) {
  auto operation = newOperation(call, NodeType::Memset, format("%zu bytes", count * width), stream);
  Device& device = ownDevice(stream, to, call.site());
  if (to % width != 0)
    throw Fault(CUDA_INVALID_VALUE, format("0x%llx is not a multiple of %u",
                                           static_cast<unsigned long long>(to), width));
  operation->accesses = {{Place::Device, true, to, count * width, 0, 1, "the destination"}};
  operation->run = [&device, to, value, width, count, who = operation->what](uint64_t) {
    std::lock_guard<std::mutex> hold(device.lock);
    device.memory.fill(to, value, width, count, who.c_str());
  };
  return operation;
}

/** Queues a copy on the legacy stream and waits for it: nothing watches the host's side, which may
 * be pageable. */
void copyNow(Call& call, const std::shared_ptr<Stream>& stream,
             const std::shared_ptr<Operation>& operation, bool unregistered) {
  demandNoCapture(call);
  if (unregistered) {
    call.detail += ", pageable";
    operation->what += ", pageable";
  }
  submit(stream, operation);
  await({stream->tail});
  usableContext();
}

bool pageable(const void* address, size_t bytes) {
  return Driver::get().host.holding(address, bytes) == nullptr;
}

/** The async copies' own checks: page-locked memory only, whatever the hardware would do with other
 * memory. */
void demandPinned(Call& call, const void* address, size_t bytes) {
  if (address == nullptr) throw Fault(CUDA_INVALID_VALUE, "the host address is null");
  Driver::get().host.demand(address, bytes, call.site());
}

int memset(const char* name, DevicePointer to, unsigned width, uint32_t value, size_t count,
           Handle handle, bool legacy) {
  return call(name, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(legacy ? nullptr : handle);
    if (count == 0) return;
    submit(stream, fill(call, *stream, to, width, value, count));
  });
}

}  // namespace

extern "C" {

int cuMemcpyHtoD_v2(DevicePointer to, const void* from, size_t bytes) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(nullptr);
    if (bytes == 0) return;
    copyNow(call, stream,
            copyIn(call, *stream, to, &given(static_cast<const char*>(from), "from"), bytes),
            pageable(from, bytes));
  });
}

int cuMemcpyDtoH_v2(void* to, DevicePointer from, size_t bytes) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(nullptr);
    if (bytes == 0) return;
    copyNow(call, stream, copyOut(call, *stream, &given(static_cast<char*>(to), "to"), from, bytes),
            pageable(to, bytes));
  });
}

/** As on hardware, the host does not wait for a copy within a device. */
int cuMemcpyDtoD_v2(DevicePointer to, DevicePointer from, size_t bytes) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(nullptr);
    if (bytes == 0) return;
    submit(stream, copyAcross(call, *stream, ownDevice(*stream, to, call.site()), to,
                              ownDevice(*stream, from, call.site()), from, bytes));
  });
}

int cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes, Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    if (bytes == 0) return;
    demandPinned(call, from, bytes);
    submit(stream, copyIn(call, *stream, to, from, bytes));
  });
}

int cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes, Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    if (bytes == 0) return;
    demandPinned(call, to, bytes);
    submit(stream, copyOut(call, *stream, to, from, bytes));
  });
}

int cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    if (bytes == 0) return;
    submit(stream, copyAcross(call, *stream, ownDevice(*stream, to, call.site()), to,
                              ownDevice(*stream, from, call.site()), from, bytes));
  });
}

int cuMemcpyPeerAsync(DevicePointer to, Handle toContext, DevicePointer from, Handle fromContext,
                      size_t bytes, Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    if (bytes == 0) return;
    Device& toDevice = deviceOf(to, call.site());
    Device& fromDevice = deviceOf(from, call.site());
    if (Driver::get().contexts.get(toContext)->device != &toDevice ||
        Driver::get().contexts.get(fromContext)->device != &fromDevice) {
      throw Fault(CUDA_INVALID_VALUE,
                  "an address is not of the device of the context given for it");
    }
    submit(stream, copyAcross(call, *stream, toDevice, to, fromDevice, from, bytes));
  });
}

int cuMemsetD8_v2(DevicePointer to, unsigned char value, size_t count) {
  return memset(__func__, to, 1, value, count, nullptr, true);
}
int cuMemsetD16_v2(DevicePointer to, unsigned short value, size_t count) {
  return memset(__func__, to, 2, value, count, nullptr, true);
}
int cuMemsetD32_v2(DevicePointer to, unsigned value, size_t count) {
  return memset(__func__, to, 4, value, count, nullptr, true);
}
int cuMemsetD8Async(DevicePointer to, unsigned char value, size_t count, Handle stream) {
  return memset(__func__, to, 1, value, count, stream, false);
}
int cuMemsetD16Async(DevicePointer to, unsigned short value, size_t count, Handle stream) {
  return memset(__func__, to, 2, value, count, stream, false);
}
int cuMemsetD32Async(DevicePointer to, unsigned value, size_t count, Handle stream) {
  return memset(__func__, to, 4, value, count, stream, false);
}

}  // extern "C"
