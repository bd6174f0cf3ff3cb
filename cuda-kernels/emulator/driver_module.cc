#include "driver_module.h"

#include <cstring>
#include <fstream>
#include <sstream>

#include "driver_call.h"

using namespace muond;

namespace {

constexpr int kErrorLog = 5, kErrorLogBytes = 6;  // CUjit_option

/** Where a caller wants the reason of a failure. */
void writeErrorLog(unsigned count, const int* options, void** values, const std::string& message) {
  char* buffer = nullptr;
  size_t bytes = 0;
  for (unsigned i = 0; i < count; i++) {
    if (options[i] == kErrorLog) buffer = static_cast<char*>(values[i]);
    if (options[i] == kErrorLogBytes)
      bytes = static_cast<unsigned>(reinterpret_cast<uintptr_t>(values[i]));
  }
  if (buffer != nullptr && bytes > 0) std::snprintf(buffer, bytes, "%s", message.c_str());
}

/** A name for messages: the first comment of the form "// name.ptx", else a number. */
std::string nameOf(const std::string& ptx, const Call& call) {
  size_t end = ptx.find('\n');
  std::string first = ptx.substr(0, end);
  if (first.compare(0, 3, "// ") == 0 && first.size() > 7 &&
      first.find(' ', 3) == std::string::npos && first.compare(first.size() - 4, 4, ".ptx") == 0) {
    return first.substr(3);
  }
  return "module of " + call.site();
}

void load(Call& call, Handle* handle, const std::string& ptx) {
  std::shared_ptr<Context> context = usableContext();
  demandNoCapture(call);
  auto loaded = std::make_shared<LoadedModule>();
  loaded->context = context;
  loaded->site = call.site();
  loaded->module = withMemory(*context->device, [&](DeviceMemory& memory) {
    return Module::load(ptx, nameOf(ptx, call), memory);
  });
  loaded->handle = Driver::get().modules.add(loaded);
  given(handle, "module") = loaded->handle;
}

std::shared_ptr<LoadedModule> usableModule(Handle handle) {
  std::shared_ptr<Context> context = usableContext();
  std::shared_ptr<LoadedModule> module = Driver::get().modules.get(handle);
  if (module->context != context)
    throw Fault(CUDA_INVALID_CONTEXT, "the module belongs to another context");
  return module;
}

const char* imageText(const void* image) {
  const char* text = static_cast<const char*>(image);
  if (text == nullptr) throw Fault(CUDA_INVALID_VALUE, "image is null");
  return text;
}

}  // namespace

extern "C" {

int cuModuleLoadDataEx(Handle* handle, const void* image, unsigned count, int* options,
                       void** values) {
  return call(__func__, [&](Call& call) {
    try {
      load(call, handle, imageText(image));
    } catch (const Fault& fault) {
      writeErrorLog(count, options, values, fault.what());
      throw;
    }
  });
}

int cuModuleLoadData(Handle* handle, const void* image) {
  return call(__func__, [&](Call& call) { load(call, handle, imageText(image)); });
}

int cuModuleLoad(Handle* handle, const char* file) {
  return call(__func__, [&](Call& call) {
    std::ifstream input(&given(file, "file"));
    if (!input) throw Refusal{CUDA_FILE_NOT_FOUND};
    std::ostringstream text;
    text << input.rdbuf();
    load(call, handle, text.str());
  });
}

int cuModuleUnload(Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<LoadedModule> module = usableModule(handle);
    demandNoCapture(call);
    for (const auto& [chain, works] : module->context->inflight) {
      for (const auto& work : works) {
        if (work->operation->module == module.get()) {
          throw Fault(CUDA_LAUNCH_FAILED, "a kernel of the module is used by " + work->name() +
                                              ", which was not waited for");
        }
      }
    }
    std::vector<Handle> gone;
    for (const auto& [number, function] : Driver::get().functions.all()) {
      if (function->owner == module) gone.push_back(function->handle);
    }
    for (Handle function : gone) Driver::get().functions.remove(function);
    Driver::get().modules.remove(handle);
    withMemory(*module->context->device, [&](DeviceMemory&) { module->module = nullptr; });
  });
}

int cuModuleGetLoadingMode(int* mode) {
  return call(__func__, [&](Call&) { given(mode, "mode") = 1; });  // eager
}

int cuModuleGetFunction(Handle* handle, Handle moduleHandle, const char* name) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<LoadedModule> module = usableModule(moduleHandle);
    const Kernel* kernel = module->module->kernel(&given(name, "name"));
    if (kernel == nullptr) throw Fault(CUDA_NOT_FOUND, std::string("no kernel ") + name);
    for (const auto& [number, known] : Driver::get().functions.all()) {
      if (known->kernel != kernel) continue;
      given(handle, "function") = known->handle;
      return;
    }
    auto function = std::make_shared<Function>();
    function->context = module->context;
    function->owner = module;
    function->kernel = kernel;
    function->site = call.site();
    function->handle = Driver::get().functions.add(function);
    given(handle, "function") = function->handle;
  });
}

int cuModuleGetGlobal_v2(DevicePointer* address, size_t* bytes, Handle handle, const char* name) {
  return call(__func__, [&](Call&) {
    const Module::Global* global = usableModule(handle)->module->global(&given(name, "name"));
    if (global == nullptr) throw Fault(CUDA_NOT_FOUND, std::string("no variable ") + name);
    if (address != nullptr) *address = global->address;
    if (bytes != nullptr) *bytes = global->bytes;
  });
}

}  // extern "C"
