#include <cstring>

#include "driver_call.h"
#include "driver_module.h"

using namespace muond;

namespace {

struct Launch {
  Dim grid, block;
  uint32_t shared;
};

std::shared_ptr<Function> usableFunction(Handle handle) {
  std::shared_ptr<Context> context = usableContext();
  std::shared_ptr<Function> function = Driver::get().functions.get(handle);
  if (function->context != context)
    throw Fault(CUDA_INVALID_CONTEXT, "the function belongs to another context");
  return function;
}

void demand(bool holds, const std::string& message, int code = CUDA_INVALID_VALUE) {
  if (!holds) throw Fault(code, message);
}

std::string show(Dim dim) { return format("(%u, %u, %u)", dim.x, dim.y, dim.z); }

void checkLaunch(const Function& function, const Launch& launch) {
  const Kernel& kernel = *function.kernel;
  const std::string name = "kernel " + kernel.name() + ": ";
  Dim grid = launch.grid, block = launch.block;
  demand(grid.x > 0 && grid.y > 0 && grid.z > 0, name + "grid " + show(grid) + " is empty");
  demand(block.x > 0 && block.y > 0 && block.z > 0, name + "block " + show(block) + " is empty");
  demand(grid.x <= 0x7fffffff && grid.y <= 65535 && grid.z <= 65535,
         name + "grid " + show(grid) + " (expected: at most (2147483647, 65535, 65535))");
  demand(block.x <= 1024 && block.y <= 1024 && block.z <= 64,
         name + "block " + show(block) + " (expected: at most (1024, 1024, 64))");
  uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
  demand(threads <= kernel.maxThreads(),
         name + format("%llu threads (expected: at most %u)",
                       static_cast<unsigned long long>(threads), kernel.maxThreads()));
  uint32_t most = kSharedWithoutOptIn;
  if (function.dynamicShared + kernel.staticShared() > most)
    most = function.dynamicShared + kernel.staticShared();
  demand(launch.shared <= most - kernel.staticShared(),
         name + format("%u + %u bytes of shared memory (expected: at most %u, more after "
                       "cuFuncSetAttribute)",
                       kernel.staticShared(), launch.shared, most));
}

/** Copies arguments given one pointer each, or as a buffer behind {1, buffer, 2, size, 0}. */
std::vector<uint8_t> arguments(const Kernel& kernel, void** each, void** extra) {
  std::vector<uint8_t> bytes(kernel.paramBytes());
  if (bytes.empty()) return bytes;
  const std::string name = "kernel " + kernel.name() + ": ";
  if (extra != nullptr) {
    demand(each == nullptr, name + "arguments given twice");
    const void* buffer = nullptr;
    size_t size = 0;
    for (size_t i = 0; extra[i] != nullptr; i += 2) {
      if (extra[i] == reinterpret_cast<void*>(1)) buffer = extra[i + 1];
      if (extra[i] == reinterpret_cast<void*>(2)) size = *static_cast<size_t*>(extra[i + 1]);
    }
    demand(buffer != nullptr && size == bytes.size(),
           name + format("%zu bytes of arguments (expected: %zu)", size, bytes.size()));
    std::memcpy(bytes.data(), buffer, size);
    return bytes;
  }
  demand(each != nullptr, name + format("no arguments (expected: %zu)", kernel.params().size()));
  for (size_t i = 0; i < kernel.params().size(); i++) {
    const Param& param = kernel.params()[i];
    demand(reinterpret_cast<uintptr_t>(each[i]) >= 4096,
           name + format("argument %zu is at %p", i, each[i]));
    std::memcpy(bytes.data() + param.offset, each[i], param.size);
  }
  return bytes;
}

/** Arguments that look like addresses on the device: what a launch may use. */
std::vector<uint64_t> pointers(const Kernel& kernel, const std::vector<uint8_t>& bytes,
                               const Device& device) {
  std::vector<uint64_t> found;
  for (const Param& param : kernel.params()) {
    for (uint32_t at = 0; param.align % 8 == 0 && at + 8 <= param.size; at += 8) {
      uint64_t value = 0;
      std::memcpy(&value, bytes.data() + param.offset + at, 8);
      if (device.memory.owns(value)) found.push_back(value);
    }
  }
  return found;
}

void enqueueLaunch(Call& call, const std::shared_ptr<Function>& function, const Launch& launch,
                   const std::shared_ptr<Stream>& stream, std::vector<uint8_t> bytes) {
  Device& device = *stream->context->device;
  auto operation = std::make_shared<Operation>();
  std::string what = format("%s <<<%s, %s, %u>>>", function->kernel->name().c_str(),
                            show(launch.grid).c_str(), show(launch.block).c_str(), launch.shared);
  call.detail = what + " on " + stream->name();
  operation->what = call.site() + ": " + what;
  operation->type = NodeType::Kernel;
  operation->module = function->owner.get();
  operation->pointers = pointers(*function->kernel, bytes, device);
  operation->run = [&device, function, launch, bytes = std::move(bytes)](uint64_t seed) {
    std::lock_guard<std::mutex> hold(device.lock);
    if (function->owner->module == nullptr)
      throw Fault(CUDA_LAUNCH_FAILED, "the module was unloaded");
    execute(*function->kernel, launch.grid, launch.block, launch.shared, bytes.data(),
            device.memory, seed);
  };
  submit(stream, operation);
}

/** Resident blocks on a multiprocessor, as far as threads and shared memory limit them: registers
 * are not counted. */
int residentBlocks(const Function& function, int threads, size_t shared) {
  demand(threads > 0 && static_cast<uint32_t>(threads) <= function.kernel->maxThreads(),
         format("%d threads", threads));
  size_t each = function.kernel->staticShared() + shared + 1024;
  return static_cast<int>(
      std::min<size_t>({static_cast<size_t>(2048 / threads), 164 * 1024 / each, 32}));
}

}  // namespace

extern "C" {

int cuLaunchKernel(Handle handle, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                   unsigned blockY, unsigned blockZ, unsigned shared, Handle streamHandle,
                   void** each, void** extra) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(streamHandle);
    std::shared_ptr<Function> function = usableFunction(handle);
    Launch launch{{gridX, gridY, gridZ}, {blockX, blockY, blockZ}, shared};
    checkLaunch(*function, launch);
    enqueueLaunch(call, function, launch, stream, arguments(*function->kernel, each, extra));
  });
}

int cuFuncGetAttribute(int* value, int which, Handle handle) {
  return call(__func__, [&](Call&) {
    std::shared_ptr<Function> function = usableFunction(handle);
    switch (which) {
      case 0:
        given(value, "value") = static_cast<int>(function->kernel->maxThreads());
        break;
      case 1:
        given(value, "value") = static_cast<int>(function->kernel->staticShared());
        break;
      case 5:
      case 6:
        given(value, "value") = kComputeCapability;
        break;  // PTX and binary versions
      case kDynamicSharedSize:
        given(value, "value") = static_cast<int>(function->dynamicShared);
        break;
      default:
        given(value, "value") = 0;
    }
  });
}

int cuFuncSetAttribute(Handle handle, int which, int value) {
  return call(__func__, [&](Call&) {
    std::shared_ptr<Function> function = usableFunction(handle);
    demand(which == kDynamicSharedSize, format("attribute %d is not supported", which),
           CUDA_NOT_SUPPORTED);
    demand(value >= 0 &&
               static_cast<uint32_t>(value) + function->kernel->staticShared() <= kSharedOptIn,
           format("%d bytes of dynamic shared memory (expected: at most %u)", value,
                  kSharedOptIn - function->kernel->staticShared()));
    function->dynamicShared = static_cast<uint32_t>(value);
  });
}

int cuFuncSetCacheConfig(Handle handle, int) {
  return call(__func__, [&](Call&) { usableFunction(handle); });
}

int cuFuncGetModule(Handle* module, Handle handle) {
  return call(__func__,
              [&](Call&) { given(module, "module") = usableFunction(handle)->owner->handle; });
}

int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Handle handle, int threads,
                                                size_t shared) {
  return call(__func__, [&](Call&) {
    given(blocks, "blocks") = residentBlocks(*usableFunction(handle), threads, shared);
  });
}

int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, Handle handle, int threads,
                                                         size_t shared, unsigned) {
  return call(__func__, [&](Call&) {
    given(blocks, "blocks") = residentBlocks(*usableFunction(handle), threads, shared);
  });
}

}  // extern "C"
