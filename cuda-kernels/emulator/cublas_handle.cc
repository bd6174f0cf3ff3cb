#include <cstring>

#include "cublas.h"
#include "graph.h"

using namespace muond;

namespace muond {

namespace {

void reportHandles(Context& context) {
  std::vector<Handle> gone;
  for (const auto& [number, library] : libraries().all()) {
    if (library->context.get() != &context) continue;
    if (context.error == CUDA_SUCCESS)
      Driver::get().report.leak(format("a cuBLAS handle of device %d, made by %s",
                                       context.device->ordinal, library->site.c_str()));
    gone.push_back(library->handle);
  }
  for (Handle handle : gone) libraries().remove(handle);
}

}  // namespace

Handles<Library>& libraries() {
  static auto* all = [] {
    Driver::get().contextEnds = reportHandles;
    return new Handles<Library>("cuBLAS handle", 0x59000000);
  }();
  return *all;
}

std::shared_ptr<Library> usableLibrary(Handle handle) {
  std::shared_ptr<Context> context = usableContext();
  std::shared_ptr<Library> library = libraries().get(handle);
  if (library->context == context) return library;
  throw Fault(CUDA_INVALID_CONTEXT,
              format("the cuBLAS handle belongs to device %d, but device %d's context is current "
                     "on this thread",
                     library->context->device->ordinal, context->device->ordinal));
}

int statusOf(int code) {
  switch (code) {
    case CUDA_SUCCESS:
      return 0;
    case CUDA_INVALID_HANDLE:
    case CUDA_NOT_INITIALIZED:
    case CUDA_INVALID_CONTEXT:
    case CUDA_CONTEXT_IS_DESTROYED:
      return 1;
    case CUDA_OUT_OF_MEMORY:
      return 3;
    case CUDA_INVALID_VALUE:
      return 7;
    case CUDA_NOT_SUPPORTED:
      return 15;
    default:
      return 13;  // execution failed
  }
}

}  // namespace muond

namespace {

struct StatusName {
  int status;
  const char* name;
};

constexpr StatusName kStatusNames[] = {
    {0, "CUBLAS_STATUS_SUCCESS"},           {1, "CUBLAS_STATUS_NOT_INITIALIZED"},
    {3, "CUBLAS_STATUS_ALLOC_FAILED"},      {7, "CUBLAS_STATUS_INVALID_VALUE"},
    {8, "CUBLAS_STATUS_ARCH_MISMATCH"},     {11, "CUBLAS_STATUS_MAPPING_ERROR"},
    {13, "CUBLAS_STATUS_EXECUTION_FAILED"}, {14, "CUBLAS_STATUS_INTERNAL_ERROR"},
    {15, "CUBLAS_STATUS_NOT_SUPPORTED"},
};

}  // namespace

extern "C" {

int cublasCreate_v2(Handle* handle) {
  return library(__func__, [&](Call& call) {
    std::shared_ptr<Context> context = usableContext();
    demandNoCapture(call);
    auto made = std::make_shared<Library>();
    made->context = context;
    made->site = call.site();
    made->stream = context->legacy;
    made->handle = libraries().add(made);
    given(handle, "handle") = made->handle;
  });
}

int cublasDestroy_v2(Handle handle) {
  return library(__func__, [&](Call& call) {
    usableLibrary(handle);
    demandNoCapture(call);
    libraries().remove(handle);
  });
}

/** As in cuBLAS, this takes away a workspace that was set: set it after the stream. */
int cublasSetStream_v2(Handle handle, Handle stream) {
  return library(__func__, [&](Call&) {
    std::shared_ptr<Library> library = usableLibrary(handle);
    library->stream = usableStream(stream);
    library->workspace = library->workspaceBytes = 0;
  });
}

int cublasGetStream_v2(Handle handle, Handle* stream) {
  return library(__func__,
                 [&](Call&) { given(stream, "stream") = usableLibrary(handle)->stream->handle; });
}

int cublasSetWorkspace_v2(Handle handle, void* workspace, size_t bytes) {
  return library(__func__, [&](Call&) {
    std::shared_ptr<Library> library = usableLibrary(handle);
    uint64_t address = reinterpret_cast<uint64_t>(workspace);
    bool inside = false;
    for (const auto& [start, size] : library->context->allocations) {
      inside |= address >= start && address - start < size && bytes <= size - (address - start);
    }
    if (address % 256 != 0 || !inside || bytes == 0) {
      throw Fault(CUDA_INVALID_VALUE, format("workspace [0x%llx, +%zu) (expected: within an "
                                             "allocation of the device, at a multiple of 256)",
                                             static_cast<unsigned long long>(address), bytes));
    }
    library->workspace = address;
    library->workspaceBytes = bytes;
  });
}

int cublasSetPointerMode_v2(Handle handle, int mode) {
  return library(__func__, [&](Call&) { usableLibrary(handle)->devicePointers = mode == 1; });
}

int cublasGetPointerMode_v2(Handle handle, int* mode) {
  return library(__func__,
                 [&](Call&) { given(mode, "mode") = usableLibrary(handle)->devicePointers; });
}

int cublasSetMathMode(Handle handle, int mode) {
  return library(__func__, [&](Call&) {
    int base = mode & 15;
    if (mode < 0 || base > kTf32Math || (mode & ~(15 | 16)) != 0)
      throw Fault(CUDA_INVALID_VALUE, format("math mode %d is unknown", mode));
    usableLibrary(handle)->mathMode = mode;
  });
}

int cublasGetMathMode(Handle handle, int* mode) {
  return library(__func__, [&](Call&) { given(mode, "mode") = usableLibrary(handle)->mathMode; });
}

int cublasSetAtomicsMode(Handle handle, int mode) {
  return library(__func__, [&](Call&) { usableLibrary(handle)->atomics = mode; });
}

int cublasGetAtomicsMode(Handle handle, int* mode) {
  return library(__func__, [&](Call&) { given(mode, "mode") = usableLibrary(handle)->atomics; });
}

int cublasSetSmCountTarget(Handle handle, int count) {
  return library(__func__, [&](Call&) { usableLibrary(handle)->multiprocessors = count; });
}

int cublasGetSmCountTarget(Handle handle, int* count) {
  return library(__func__,
                 [&](Call&) { given(count, "count") = usableLibrary(handle)->multiprocessors; });
}

int cublasGetVersion_v2(Handle, int* version) {
  return library(__func__, [&](Call&) { given(version, "version") = 120600; });
}

int cublasGetProperty(int which, int* value) {
  return library(__func__, [&](Call&) {
    constexpr int kVersion[] = {12, 6, 0};
    if (which < 0 || which > 2)
      throw Fault(CUDA_INVALID_VALUE, format("property %d is unknown", which));
    given(value, "value") = kVersion[which];
  });
}

const char* cublasGetStatusName(int status) {
  for (const StatusName& known : kStatusNames) {
    if (known.status == status) return known.name;
  }
  return "CUBLAS_STATUS_UNKNOWN";
}

const char* cublasGetStatusString(int status) { return cublasGetStatusName(status); }

}  // extern "C"
