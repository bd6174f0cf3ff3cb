#include <atomic>

#include "driver_test.h"

using namespace muond;
using namespace muond::test;

TEST(work_waits_for_the_wait, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  static std::atomic<int> reached{0};
  OK(cuMemsetD32Async(bytes, 7, 16, stream));
  OK(cuMemcpyDtoHAsync_v2(host.values, bytes, 64, stream));
  OK(cuLaunchHostFunc(
      stream, [](void* counter) { (*static_cast<std::atomic<int>*>(counter))++; }, &reached));
  CHECK(reached == 0 && host[0] == 0xffffffff);
  OK(cuStreamSynchronize(stream));
  CHECK(reached == 1 && host[0] == 7);
}

TEST(source_changed_before_the_copy_was_waited_for, SETTINGS(),
     LINES("cuMemcpyHtoDAsync_v2 (call 7, thread stream_test): 64 bytes from host to device on "
           "stream 0x|the host changed its source, 64 bytes at host 0x")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  OK(cuMemcpyHtoDAsync_v2(bytes, host.values, 64, stream));
  host[3] = 1;
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuStreamSynchronize(stream));
  std::_Exit(0);
}

TEST(source_changed_after_the_copy_ran_but_before_the_wait, SETTINGS(),
     LINES("cuMemcpyHtoDAsync_v2|the host changed its source")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  OK(cuMemcpyHtoDAsync_v2(bytes, host.values, 64, stream));
  OK(cuMemsetD32Async(bytes, 0, 16, stream));
  CHECK_CODE(CUDA_NOT_READY, cuStreamQuery(stream));  // the copy ran, the memset did not
  host[3] = 1;
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuStreamQuery(stream));
  std::_Exit(0);
}

TEST(source_reused_after_the_wait, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  for (unsigned i = 0; i < 3; i++) {
    host[0] = i;
    OK(cuMemcpyHtoDAsync_v2(bytes, host.values, 64, stream));
    OK(cuStreamSynchronize(stream));
  }
}

TEST(destination_written_before_the_copy_was_waited_for, SETTINGS(),
     LINES("cuMemcpyDtoHAsync_v2|the host wrote to its destination")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  OK(cuMemsetD32Async(bytes, 7, 16, stream));
  OK(cuMemcpyDtoHAsync_v2(host.values, bytes, 64, stream));
  host[15] = 0;
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuStreamSynchronize(stream));
  std::_Exit(0);
}

TEST(a_buffer_that_goes_out_and_in_again, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  DeviceBytes from(64), to(64);
  Pinned<unsigned> host(16), out(16);
  host[0] = 3;
  OK(cuMemcpyHtoDAsync_v2(to, host.values, 64, stream));
  OK(cuMemsetD32Async(from, 7, 16, stream));
  OK(cuMemcpyDtoHAsync_v2(host.values, from, 64,
                          stream));  // ordered after the copy that reads the same buffer
  OK(cuMemcpyHtoDAsync_v2(to, host.values, 64, stream));
  OK(cuMemcpyDtoHAsync_v2(out.values, to, 64, stream));
  OK(cuStreamSynchronize(stream));
  CHECK(out[0] == 7);
}

TEST(pageable_memory_in_async_copies, SETTINGS(),
     LINES("cuMemcpyHtoDAsync_v2|is pageable", "cuMemcpyDtoHAsync_v2|is pageable")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  char host[64];
  CHECK_CODE(CUDA_INVALID_VALUE, cuMemcpyHtoDAsync_v2(bytes, host, 64, stream));
  CHECK_CODE(CUDA_INVALID_VALUE, cuMemcpyDtoHAsync_v2(host, bytes, 64, stream));
}

TEST(copies_beyond_page_locked_or_released_memory, SETTINGS(),
     LINES("cuMemcpyHtoDAsync_v2|65 bytes at host 0x|run past page-locked memory [0x|+64) of "
           "cuMemHostAlloc",
           "cuMemcpyHtoDAsync_v2|was released; it was of cuMemHostAlloc")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(128);
  char* gone;
  {
    Pinned<char> host(64);
    CHECK_CODE(CUDA_INVALID_VALUE, cuMemcpyHtoDAsync_v2(bytes, host.values, 65, stream));
    gone = host.values;
  }
  CHECK_CODE(CUDA_INVALID_VALUE, cuMemcpyHtoDAsync_v2(bytes, gone, 64, stream));
}

TEST(copy_beyond_device_memory, SETTINGS(),
     LINES("cuMemcpyHtoDAsync_v2 (call|64 bytes at 0x|are not within one live allocation|+64) made "
           "at cuMemAlloc_v2")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<char> host(64);
  OK(cuMemcpyHtoDAsync_v2(bytes + 4, host.values, 64, stream));
  CHECK_CODE(CUDA_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
  std::_Exit(0);
}

TEST(copy_to_a_host_pointer, SETTINGS(), LINES("cuMemcpyHtoDAsync_v2|is no device's memory")) {
  OnDevice device;
  AStream stream;
  Pinned<char> host(64);
  CHECK_CODE(CUDA_INVALID_VALUE, cuMemcpyHtoDAsync_v2(reinterpret_cast<DevicePointer>(host.values),
                                                      host.values, 64, stream));
}

TEST(unordered_copies_of_two_streams, SETTINGS(),
     LINES("cuMemcpyDtoHAsync_v2 (call|reads the source [0x|, which cuMemsetD32Async (call|writes, "
           "and nothing orders the two",
           "cuMemsetD32Async|writes the destination|, which cuMemsetD32Async|writes, and nothing "
           "orders the two")) {
  OnDevice device;
  AStream one, two;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  OK(cuMemsetD32Async(bytes, 7, 16, one));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemcpyDtoHAsync_v2(host.values, bytes, 64, two));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemsetD32Async(bytes + 60, 7, 1, two));
  OK(cuMemsetD32Async(bytes, 8, 16, one));  // the same stream orders its work
  OK(cuCtxSynchronize());
}

TEST(an_event_orders_two_streams, SETTINGS("MUOND_EMULATOR_SEED=3"), LINES()) {
  OnDevice device;
  AStream one, two;
  AnEvent event;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  OK(cuMemsetD32Async(bytes, 7, 16, one));
  OK(cuEventRecord(event, one));
  OK(cuStreamWaitEvent(two, event, 0));
  OK(cuMemcpyDtoHAsync_v2(host.values, bytes, 64, two));
  OK(cuStreamSynchronize(two));
  CHECK(host[0] == 7);
}

TEST(a_wait_orders_two_streams, SETTINGS(), LINES()) {
  OnDevice device;
  AStream one, two;
  DeviceBytes bytes(64);
  OK(cuMemsetD32Async(bytes, 7, 16, one));
  OK(cuStreamSynchronize(one));
  OK(cuMemsetD32Async(bytes, 8, 16, two));
  OK(cuStreamSynchronize(two));
}

/** A kernel's accesses are not known when it is queued, so the order shows it: what it needs was
 * not run. */
TEST(a_missing_wait_shows_as_memory_that_was_never_written, SETTINGS(),
     LINES("cuMemcpyDtoHAsync_v2|was never written")) {
  OnDevice device;
  AStream one, two;
  DeviceBytes bytes(64);
  Fill fill;
  Pinned<unsigned> host(16);
  OK(fill(bytes, 7, 16, one));
  OK(cuMemcpyDtoHAsync_v2(host.values, bytes, 64, two));
  CHECK(cuStreamSynchronize(two) >= 700);
  std::_Exit(0);
}

/** Two kernels that overwrite each other: some seeds end with one value and some with the other. */
TEST(orders_between_streams_are_drawn_from_the_seed, SETTINGS(), LINES()) {
  int seen[2] = {0, 0};
  for (int seed = 1; seed <= 16; seed++) {
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      setenv("MUOND_EMULATOR_SEED", std::to_string(seed).c_str(), 1);
      unsigned result = 0;
      {
        OnDevice device;
        AStream one, two;
        DeviceBytes bytes(64);
        Fill fill;
        Pinned<unsigned> host(16);
        OK(fill(bytes, 0, 16, one));
        OK(fill(bytes, 1, 16, two));
        OK(cuCtxSynchronize());
        OK(cuMemcpyDtoH_v2(host.values, bytes, 64));
        result = host[0];
      }
      _exit(static_cast<int>(result));
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    seen[WEXITSTATUS(status)]++;
  }
  CHECK(seen[0] > 0 && seen[1] > 0);
}

TEST(the_legacy_stream_waits_for_blocking_streams_only, SETTINGS(),
     LINES("cuMemcpyDtoH_v2|, which cuMemsetD32Async (call|writes, and nothing orders the two")) {
  OnDevice device;
  AStream blocking(0), other;
  DeviceBytes bytes(64);
  unsigned host[16];
  OK(cuMemsetD32Async(bytes, 7, 16, blocking));
  OK(cuMemcpyDtoH_v2(host, bytes, 64));
  CHECK(host[0] == 7);
  OK(cuMemsetD32Async(bytes, 8, 16, other));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemcpyDtoH_v2(host, bytes, 64));
  OK(cuStreamSynchronize(other));
}

TEST(a_synchronous_memset_is_not_waited_for, SETTINGS(),
     LINES("cuMemcpyDtoHAsync_v2|, which cuMemsetD8_v2 (call|writes, and nothing orders the two")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<char> host(64);
  OK(cuMemsetD8_v2(bytes, 0, 64));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemcpyDtoHAsync_v2(host.values, bytes, 64, stream));
  OK(cuCtxSynchronize());
}

TEST(events, SETTINGS(),
     LINES("cuEventElapsedTime|made without timing", "cuEventElapsedTime|never recorded")) {
  OnDevice device;
  AStream stream;
  AnEvent start(0), end(0), never(0), untimed;
  DeviceBytes bytes(1 << 20);
  float time = -1;
  OK(cuEventQuery(start));  // never recorded: nothing to wait for
  OK(cuEventRecord(start, stream));
  OK(cuMemsetD32Async(bytes, 0, 1 << 18, stream));
  OK(cuEventRecord(end, stream));
  CHECK_CODE(CUDA_NOT_READY, cuEventElapsedTime(&time, start, end));
  int polls = 0;
  while (cuEventQuery(end) == CUDA_NOT_READY) polls++;
  CHECK(polls == 2);  // one operation at each query
  OK(cuEventElapsedTime(&time, start, end));
  CHECK(time > 0);
  OK(cuEventRecord(untimed, stream));
  OK(cuEventSynchronize(untimed));
  CHECK_CODE(CUDA_INVALID_HANDLE, cuEventElapsedTime(&time, start, untimed));
  CHECK_CODE(CUDA_INVALID_HANDLE, cuEventElapsedTime(&time, start, never));
}

TEST(a_wait_covers_what_came_before_it_only, SETTINGS(),
     LINES("cuMemcpyHtoDAsync_v2|the host changed its source")) {
  OnDevice device;
  AStream stream;
  AnEvent event;
  DeviceBytes first(64), second(64);
  Pinned<unsigned> one(16), two(16);
  OK(cuMemcpyHtoDAsync_v2(first, one.values, 64, stream));
  OK(cuEventRecord(event, stream));
  OK(cuMemcpyHtoDAsync_v2(second, two.values, 64, stream));
  OK(cuEventSynchronize(event));
  one[0] = 1;
  two[0] = 1;
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuStreamSynchronize(stream));
  std::_Exit(0);
}

TEST(threads_of_two_devices, SETTINGS("MUOND_EMULATOR_DEVICES=2", "MUOND_EMULATOR_SEED=5"),
     LINES()) {
  auto work = [](int ordinal) {
    OnDevice device(ordinal);
    AStream stream, other;
    AnEvent event;
    DeviceBytes bytes(4096);
    Pinned<unsigned> host(1024);
    Fill fill;
    for (unsigned i = 0; i < 50; i++) {
      OK(fill(bytes, i, 1024, stream, 256));
      OK(cuEventRecord(event, stream));
      OK(cuStreamWaitEvent(other, event, 0));
      OK(cuMemcpyDtoHAsync_v2(host.values, bytes, 4096, other));
      OK(cuEventRecord(event, other));
      OK(cuStreamWaitEvent(stream, event, 0));
      OK(cuStreamSynchronize(other));
      CHECK(host[0] == i && host[1023] == i);
    }
  };
  std::thread first(work, 0), second(work, 1);
  first.join();
  second.join();
}

TEST(one_context_on_two_threads, SETTINGS("MUOND_EMULATOR_SEED=5"), LINES()) {
  OnDevice device;
  auto work = [&] {
    OK(cuCtxSetCurrent(device.context));
    AStream stream;
    DeviceBytes bytes(4096);
    Pinned<unsigned> host(1024);
    for (unsigned i = 0; i < 50; i++) {
      OK(cuMemsetD32Async(bytes, i, 1024, stream));
      OK(cuMemcpyDtoHAsync_v2(host.values, bytes, 4096, stream));
      OK(cuStreamSynchronize(stream));
      CHECK(host[7] == i);
    }
  };
  std::thread first(work), second(work);
  first.join();
  second.join();
}

TEST(strided_accesses_overlap_where_they_do, SETTINGS(), LINES()) {
  auto device = [](uint64_t address, uint64_t width, uint64_t pitch, uint64_t rows) {
    return Access{Access::Place::Device, true, address, width, pitch, rows};
  };
  for (uint64_t address = 0; address < 40; address++) {
    for (uint64_t width = 1; width < 12; width++) {
      for (uint64_t pitch : {12, 16, 20}) {
        Access a = device(address, width, pitch, 3), b = device(10, 4, 16, 4);
        bool meets = false;
        for (uint64_t i = 0; i < 3; i++) {
          for (uint64_t j = 0; j < 4; j++)
            meets |=
                address + i * pitch < 10 + j * 16 + 4 && 10 + j * 16 < address + i * pitch + width;
        }
        CHECK(a.overlaps(b) == meets && b.overlaps(a) == meets);
      }
    }
  }
}
