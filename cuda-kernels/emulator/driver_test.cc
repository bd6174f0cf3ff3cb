#include "driver_test.h"

using namespace muond;
using namespace muond::test;

TEST(counts_its_devices, SETTINGS("MUOND_EMULATOR_DEVICES=3"), LINES()) {
  int count = 0;
  OK(cuInit(0));
  OK(cuDeviceGetCount(&count));
  CHECK(count == 3);
  Handle context;
  CHECK_CODE(CUDA_INVALID_DEVICE, cuDevicePrimaryCtxRetain(&context, 3));
}

TEST(without_devices_there_is_none, SETTINGS("MUOND_EMULATOR_DEVICES=0"), LINES()) {
  CHECK_CODE(CUDA_NO_DEVICE, cuInit(0));
}

TEST(describes_itself_as_it_is_told, SETTINGS("MUOND_EMULATOR_DRIVER=11040",
                                              "MUOND_EMULATOR_CAPABILITY=75"), LINES()) {
  int version = 0, major = 0, minor = 0;
  OK(cuDriverGetVersion(&version));
  OK(cuInit(0));
  OK(cuDeviceGetAttribute(&major, 75, 0));
  OK(cuDeviceGetAttribute(&minor, 76, 0));
  CHECK(version == 11040 && major == 7 && minor == 5);
}

TEST(use_from_an_unbound_thread, SETTINGS(),
     LINES("cuMemAlloc_v2|no context is current on this thread")) {
  OnDevice device;
  std::thread([] {
    DevicePointer address;
    CHECK_CODE(CUDA_INVALID_CONTEXT, cuMemAlloc_v2(&address, 4));
  }).join();
}

TEST(use_after_the_context_ended, SETTINGS(),
     LINES("cuMemAlloc_v2|the context made by cuDevicePrimaryCtxRetain (call 2|has ended")) {
  {
    OnDevice device;
  }
  DevicePointer address;
  CHECK_CODE(CUDA_CONTEXT_IS_DESTROYED, cuMemAlloc_v2(&address, 4));
}

TEST(memory_is_finite_and_comes_back, SETTINGS("MUOND_EMULATOR_MEMORY=1M"), LINES()) {
  OnDevice device;
  size_t before, available, total;
  OK(cuMemGetInfo_v2(&before, &total));
  CHECK(before == 1 << 20 && total == 1 << 20);
  {
    DeviceBytes half(1 << 19);
    OK(cuMemGetInfo_v2(&available, &total));
    CHECK(available == 1 << 19);
    DevicePointer more;
    CHECK_CODE(CUDA_OUT_OF_MEMORY, cuMemAlloc_v2(&more, (1 << 19) + 1));
  }
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(available == before);
}

TEST(free_of_what_is_not_an_allocation, SETTINGS(),
     LINES("cuMemFree_v2|is not the start of a live allocation", "cuMemFree_v2|is not the start")) {
  OnDevice device;
  DevicePointer address;
  OK(cuMemAlloc_v2(&address, 1024));
  CHECK_CODE(CUDA_INVALID_VALUE, cuMemFree_v2(address + 4));
  OK(cuMemFree_v2(address));
  CHECK_CODE(CUDA_INVALID_VALUE, cuMemFree_v2(address));
}

TEST(free_while_work_is_pending, SETTINGS(),
     LINES("cuMemFree_v2|is used by cuMemsetD32Async|which was not waited for",
           "cuMemFree_v2|is used by cuLaunchKernel|fill")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(1024);
  Fill fill;
  OK(cuMemsetD32Async(bytes, 0, 256, stream));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemFree_v2(bytes));
  OK(cuStreamSynchronize(stream));
  OK(fill(bytes + 512, 1, 4, stream));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemFree_v2(bytes));
  OK(cuStreamSynchronize(stream));
}

TEST(host_memory_released_while_work_is_pending, SETTINGS(),
     LINES("cuMemFreeHost|is used by cuMemcpyHtoDAsync_v2")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(1024);
  Pinned<char> host(1024);
  OK(cuMemcpyHtoDAsync_v2(bytes, host.values, 1024, stream));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemFreeHost(host.values));
  OK(cuStreamSynchronize(stream));
}

TEST(kernels_write_to_mapped_host_memory, SETTINGS(),
     LINES("cuMemHostGetDevicePointer_v2|is no host memory made with CU_MEMHOSTALLOC_DEVICEMAP",
           "kernel|0x|that was freed")) {
  OnDevice device;
  AStream stream;
  Fill fill;
  size_t before, after, total;
  OK(cuMemGetInfo_v2(&before, &total));
  void* host;
  DevicePointer address, again;
  OK(cuMemHostAlloc(&host, 64, 2));
  OK(cuMemHostGetDevicePointer_v2(&address, host, 0));
  OK(cuMemHostGetDevicePointer_v2(&again, static_cast<char*>(host) + 16, 0));
  CHECK(again == address + 16);
  OK(cuMemGetInfo_v2(&after, &total));
  CHECK(after == before);
  OK(fill(address, 7, 16, stream));
  OK(cuStreamSynchronize(stream));
  for (int i = 0; i < 16; i++) CHECK(static_cast<uint32_t*>(host)[i] == 7);
  OK(cuMemFreeHost(host));
  Pinned<char> plain(64);
  CHECK_CODE(CUDA_INVALID_VALUE, cuMemHostGetDevicePointer_v2(&again, plain.values, 0));
  OK(fill(address, 7, 16, stream));
  CHECK_CODE(CUDA_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
  std::_Exit(0);  // the context is lost: nothing can be given back
}

TEST(stream_ordered_free, SETTINGS(), LINES("cuMemcpyDtoHAsync_v2|freed")) {
  OnDevice device;
  AStream stream;
  Pinned<char> host(64);
  DevicePointer address;
  OK(cuMemAllocAsync(&address, 64, stream));
  OK(cuMemsetD32Async(address, 1, 16, stream));
  OK(cuMemcpyDtoHAsync_v2(host.values, address, 64, stream));
  OK(cuMemFreeAsync(address, stream));
  OK(cuStreamSynchronize(stream));
  CHECK(host[0] == 1);
  OK(cuMemcpyDtoHAsync_v2(host.values, address, 64, stream));
  CHECK_CODE(CUDA_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
  std::_Exit(0);  // the context is lost: nothing can be given back
}

TEST(leaks_are_reported_with_their_site, SETTINGS(),
     LINES("leak: 1 operations|never waited for, one of them cuMemsetD8_v2",
           "leak: an event|made by cuEventCreate (call 4",
           "leak: a stream|made by cuStreamCreate (call 5",
           "leak: 4096 bytes of page-locked host memory|of cuMemHostAlloc (call 7",
           "leak: 1024 bytes at 0x|device 0, allocated by cuMemAlloc_v2 (call 6")) {
  OnDevice device;
  Handle event, stream;
  DevicePointer address;
  void* host;
  OK(cuEventCreate(&event, 0));
  OK(cuStreamCreate(&stream, 1));
  OK(cuMemAlloc_v2(&address, 1024));
  OK(cuMemHostAlloc(&host, 4096, 0));
  OK(cuMemsetD8_v2(address, 0, 1024));
}

TEST(leaks_are_reported_at_exit, SETTINGS(),
     LINES("leak: 1024 bytes|allocated by cuMemAlloc_v2 (call 4")) {
  OK(cuInit(0));
  Handle context;
  OK(cuDevicePrimaryCtxRetain(&context, 0));
  OK(cuCtxSetCurrent(context));
  DevicePointer address;
  OK(cuMemAlloc_v2(&address, 1024));
}

TEST(planned_failure_of_an_allocation, SETTINGS("MUOND_EMULATOR_FAIL=cuMemAlloc_v2:2"), LINES()) {
  OnDevice device;
  DeviceBytes first(4);
  DevicePointer address;
  CHECK_CODE(CUDA_OUT_OF_MEMORY, cuMemAlloc_v2(&address, 4));
  DeviceBytes third(4);
  OK(cuProfilerInitialize("muond-emulator", "cuMemAlloc_v2:1", 0));
  CHECK_CODE(CUDA_OUT_OF_MEMORY, cuMemAlloc_v2(&address, 4));
}

TEST(planned_device_error_poisons_one_context,
     SETTINGS("MUOND_EMULATOR_DEVICES=2", "MUOND_EMULATOR_FAIL=cuMemsetD32Async:1@1=700"),
     LINES()) {
  OnDevice second(1), first(0);
  AStream good;
  DeviceBytes bytes(64);
  OK(cuMemsetD32Async(bytes, 0, 16, good));
  OK(cuCtxSetCurrent(second.context));
  Handle stream;
  OK(cuStreamCreate(&stream, 1));
  DevicePointer address;
  CHECK_CODE(700, cuMemsetD32Async(bytes, 0, 16, stream));
  CHECK_CODE(700, cuMemAlloc_v2(&address, 4));
  CHECK_CODE(700, cuStreamSynchronize(stream));
  CHECK_CODE(700, cuStreamDestroy_v2(stream));
  OK(cuCtxSetCurrent(first.context));
  OK(cuStreamSynchronize(good));
}

TEST(errors_of_execution_are_sticky, SETTINGS(),
     LINES("cuMemcpyDtoHAsync_v2 (call|was never written")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<char> host(64);
  OK(cuMemcpyDtoHAsync_v2(host.values, bytes, 64, stream));
  int code = cuStreamSynchronize(stream);
  CHECK(code >= 700 && code < 800);
  CHECK_CODE(code, cuStreamQuery(stream));
  DevicePointer address;
  CHECK_CODE(code, cuMemAlloc_v2(&address, 4));
  std::_Exit(0);
}

TEST(invalid_ptx_is_refused_with_a_log, SETTINGS(), LINES("cuModuleLoadDataEx|")) {
  OnDevice device;
  char log[256] = "";
  int options[] = {5, 6};
  void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
  Handle module;
  CHECK_CODE(CUDA_INVALID_PTX,
             cuModuleLoadDataEx(&module, ".version 7.8\n.target sm_80\n.address_size 64\nnonsense",
                                2, options, values));
  CHECK(std::strlen(log) > 0);
}

TEST(launch_limits, SETTINGS(),
     LINES("kernel fill: grid (1, 65536, 1)", "kernel fill: block (1, 1, 65)",
           "kernel fill: 1056 threads", "kernel fill: grid (0, 1, 1) is empty",
           "kernel fill: 0 + 49153 bytes of shared memory", "kernel fill: no arguments",
           "kernel fill: 12 bytes of arguments (expected: 16)")) {
  OnDevice device;
  AStream stream;
  Fill fill;
  DeviceBytes bytes(64);
  DevicePointer to = bytes;
  uint32_t value = 1, count = 16;
  void* each[] = {&to, &value, &count};
  auto launch = [&](unsigned gx, unsigned gy, unsigned bx, unsigned by, unsigned bz,
                    unsigned shared, void** arguments, void** extra) {
    return cuLaunchKernel(fill.function, gx, gy, 1, bx, by, bz, shared, stream, arguments, extra);
  };
  CHECK_CODE(CUDA_INVALID_VALUE, launch(1, 65536, 1, 1, 1, 0, each, nullptr));
  CHECK_CODE(CUDA_INVALID_VALUE, launch(1, 1, 1, 1, 65, 0, each, nullptr));
  CHECK_CODE(CUDA_INVALID_VALUE, launch(1, 1, 32, 33, 1, 0, each, nullptr));
  CHECK_CODE(CUDA_INVALID_VALUE, launch(0, 1, 1, 1, 1, 0, each, nullptr));
  CHECK_CODE(CUDA_INVALID_VALUE, launch(1, 1, 1, 1, 1, 48 * 1024 + 1, each, nullptr));
  CHECK_CODE(CUDA_INVALID_VALUE, launch(1, 1, 1, 1, 1, 0, nullptr, nullptr));
  size_t size = 12;
  char buffer[16];
  void* extra[] = {reinterpret_cast<void*>(1), buffer, reinterpret_cast<void*>(2), &size, nullptr};
  CHECK_CODE(CUDA_INVALID_VALUE, launch(1, 1, 32, 1, 1, 0, nullptr, extra));
  OK(cuFuncSetAttribute(fill.function, kDynamicSharedSize, 96 * 1024));
  OK(launch(1, 1, 32, 1, 1, 96 * 1024, each, nullptr));
  OK(cuStreamSynchronize(stream));
}

TEST(unknown_kernel_is_an_ordinary_answer, SETTINGS(), LINES()) {
  OnDevice device;
  Fill fill;
  Handle function;
  CHECK_CODE(CUDA_NOT_FOUND, cuModuleGetFunction(&function, fill.module, "absent"));
}

TEST(a_handle_of_another_kind, SETTINGS(),
     LINES("cuStreamSynchronize|is not a live stream", "cuEventQuery|is not a live event")) {
  OnDevice device;
  AnEvent event;
  CHECK_CODE(CUDA_INVALID_HANDLE, cuStreamSynchronize(event));
  Handle gone;
  {
    AnEvent other;
    gone = other;
  }
  CHECK_CODE(CUDA_INVALID_HANDLE, cuEventQuery(gone));
}

TEST(objects_of_another_device, SETTINGS("MUOND_EMULATOR_DEVICES=2"),
     LINES("cuStreamSynchronize|belongs to device 0's context, but device 1's is current",
           "cuMemcpyHtoDAsync_v2|is memory of device 0, but the stream is of device 1")) {
  OnDevice second(1), first(0);
  AStream stream;
  DeviceBytes bytes(64);
  OK(cuCtxSetCurrent(second.context));
  CHECK_CODE(CUDA_INVALID_CONTEXT, cuStreamSynchronize(stream));
  {
    AStream own;
    Pinned<char> host(64);
    CHECK_CODE(CUDA_INVALID_VALUE, cuMemcpyHtoDAsync_v2(bytes, host.values, 64, own));
  }
  OK(cuCtxSetCurrent(first.context));
}

TEST(peer_copy, SETTINGS("MUOND_EMULATOR_DEVICES=2"), LINES()) {
  OnDevice second(1);
  DevicePointer there, here;
  OK(cuMemAlloc_v2(&there, 64));
  OnDevice first(0);
  OK(cuMemAlloc_v2(&here, 64));
  {
    AStream stream;
    Pinned<unsigned> host(16);
    OK(cuMemsetD32Async(here, 7, 16, stream));
    OK(cuMemcpyPeerAsync(there, second.context, here, first.context, 64, stream));
    OK(cuStreamSynchronize(stream));
    OK(cuMemFree_v2(here));
    OK(cuCtxSetCurrent(second.context));
    OK(cuMemcpyDtoH_v2(host.values, there, 64));
    CHECK(host[15] == 7);
    OK(cuMemFree_v2(there));
    OK(cuCtxSetCurrent(first.context));
  }
}

TEST(registered_host_memory, SETTINGS(),
     LINES("cuMemHostRegister_v2|is page-locked already, by cuMemHostRegister_v2")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  std::vector<unsigned> host(16, 5);
  OK(cuMemHostRegister_v2(host.data(), 64, 0));
  CHECK_CODE(CUDA_HOST_MEMORY_ALREADY_REGISTERED, cuMemHostRegister_v2(host.data() + 4, 16, 0));
  OK(cuMemcpyHtoDAsync_v2(bytes, host.data(), 64, stream));
  OK(cuStreamSynchronize(stream));
  OK(cuMemHostUnregister(host.data()));
}

TEST(module_unloaded_while_its_kernel_is_pending, SETTINGS(),
     LINES("cuModuleUnload|is used by cuLaunchKernel")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Fill fill;
  OK(fill(bytes, 1, 16, stream));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuModuleUnload(fill.module));
  OK(cuStreamSynchronize(stream));
}

TEST(unsupported_calls_say_so, SETTINGS(), LINES("cuArrayDestroy is not supported")) {
  CHECK_CODE(CUDA_NOT_SUPPORTED, cuArrayDestroy(nullptr));
}

TEST(the_trace_has_a_line_for_each_call, SETTINGS("MUOND_EMULATOR_TRACE=/dev/stderr"),
     LINES("call cuInit (call 1", "call cuDevicePrimaryCtxRetain (call 2",
           "call cuCtxSetCurrent (call 3", "call cuMemAlloc_v2 (call 4|64 bytes on device 0 = 0",
           "run cuMemcpyHtoD_v2 (call 5|64 bytes from host to device, pageable",
           "call cuMemcpyHtoD_v2 (call 5|64 bytes from host to device on the legacy stream, "
           "pageable = 0",
           "call cuMemFree_v2 (call 6", "call cuDevicePrimaryCtxRelease_v2 (call 7")) {
  OnDevice device;
  DeviceBytes bytes(64);
  char host[64] = "";
  OK(cuMemcpyHtoD_v2(bytes, host, 64));
}
