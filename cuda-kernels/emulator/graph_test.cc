#include "driver_test.h"

using namespace muond;
using namespace muond::test;

namespace {

constexpr int kThreadLocal = 1;

Handle capture(Handle stream, const std::function<void()>& body) {
  OK(cuStreamBeginCapture_v2(stream, kThreadLocal));
  body();
  Handle graph;
  OK(cuStreamEndCapture(stream, &graph));
  Handle exec;
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cuGraphDestroy(graph));
  return exec;
}

/** Captures, expecting `body` to break the capture; then the stream works again. */
void broken(Handle stream, const std::function<void()>& body, int code = CUDA_CAPTURE_INVALIDATED) {
  OK(cuStreamBeginCapture_v2(stream, kThreadLocal));
  body();
  Handle graph = stream;
  CHECK_CODE(code, cuStreamEndCapture(stream, &graph));
  CHECK(graph == nullptr);
  int status = -1;
  OK(cuStreamIsCapturing(stream, &status));
  CHECK(status == 0);
  OK(cuStreamSynchronize(stream));
}

}  // namespace

TEST(a_captured_step_runs_when_it_is_launched_and_waited_for, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> in(16), out(16);
  Fill fill;
  Handle exec = capture(stream, [&] {
    OK(cuMemcpyHtoDAsync_v2(bytes, in.values, 64, stream));
    OK(fill(bytes, 9, 1, stream));
    OK(cuMemcpyDtoHAsync_v2(out.values, bytes, 64, stream));
  });
  for (unsigned i = 0; i < 3; i++) {
    in[1] = i;
    OK(cuGraphLaunch(exec, stream));
    CHECK(out[0] == 0xffffffff);
    OK(cuStreamSynchronize(stream));
    CHECK(out[0] == 9 && out[1] == i);
  }
  OK(cuGraphExecDestroy(exec));
}

TEST(launches_in_a_row_need_no_wait, SETTINGS("MUOND_EMULATOR_SEED=7"), LINES()) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> out(16);
  Handle exec = capture(stream, [&] { OK(cuMemsetD32Async(bytes, 3, 16, stream)); });
  OK(cuGraphLaunch(exec, stream));
  OK(cuGraphLaunch(exec, stream));
  OK(cuMemcpyDtoHAsync_v2(out.values, bytes, 64, stream));
  OK(cuStreamSynchronize(stream));
  CHECK(out[0] == 3);
  OK(cuGraphExecDestroy(exec));
}

TEST(nodes_have_types, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Fill fill;
  OK(cuStreamBeginCapture_v2(stream, kThreadLocal));
  OK(cuMemsetD32Async(bytes, 3, 16, stream));
  OK(fill(bytes, 9, 1, stream));
  OK(cuMemcpyDtoDAsync_v2(bytes, bytes + 32, 32, stream));
  Handle graph, nodes[4];
  OK(cuStreamEndCapture(stream, &graph));
  size_t count = 4;
  OK(cuGraphGetNodes(graph, nodes, &count));
  CHECK(count == 3);
  int expected[] = {2, 0, 1};
  for (int i = 0; i < 3; i++) {
    int type = -1;
    OK(cuGraphNodeGetType(nodes[i], &type));
    CHECK(type == expected[i]);
  }
  OK(cuGraphDestroy(graph));
}

TEST(a_capture_over_two_streams, SETTINGS("MUOND_EMULATOR_SEED=11"), LINES()) {
  OnDevice device;
  AStream main, side;
  AnEvent fork, join;
  DeviceBytes a(64), b(64);
  Pinned<unsigned> out(32);
  Handle exec = capture(main, [&] {
    OK(cuMemsetD32Async(a, 1, 16, main));
    OK(cuEventRecord(fork, main));
    OK(cuStreamWaitEvent(side, fork, 0));
    OK(cuMemcpyDtoDAsync_v2(b, a, 64, side));
    OK(cuMemcpyDtoHAsync_v2(out.values, a, 64, main));
    OK(cuEventRecord(join, side));
    OK(cuStreamWaitEvent(main, join, 0));
    OK(cuMemcpyDtoHAsync_v2(out.values + 16, b, 64, main));
  });
  for (int i = 0; i < 4; i++) {
    OK(cuGraphLaunch(exec, main));
    OK(cuStreamSynchronize(main));
    CHECK(out[0] == 1 && out[16] == 1);
  }
  OK(cuMemsetD32Async(b, 1, 16, side));  // the side stream is free again
  OK(cuStreamSynchronize(side));
  OK(cuGraphExecDestroy(exec));
}

TEST(unordered_branches_of_a_graph, SETTINGS(),
     LINES("cuMemsetD32Async|writes the destination|, which cuMemcpyDtoDAsync_v2|and nothing "
           "orders the two")) {
  OnDevice device;
  AStream main, side;
  AnEvent fork, join;
  DeviceBytes a(64), b(64);
  Handle exec = capture(main, [&] {
    OK(cuMemsetD32Async(a, 1, 16, main));
    OK(cuEventRecord(fork, main));
    OK(cuStreamWaitEvent(side, fork, 0));
    OK(cuMemcpyDtoDAsync_v2(b, a, 64, side));
    OK(cuMemsetD32Async(a, 2, 16, main));
    OK(cuEventRecord(join, side));
    OK(cuStreamWaitEvent(main, join, 0));
  });
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuGraphLaunch(exec, main));
  OK(cuCtxSynchronize());
  OK(cuGraphExecDestroy(exec));
}

TEST(forbidden_calls_break_a_capture, SETTINGS(),
     LINES("cuMemAlloc_v2|not allowed during the capture begun by cuStreamBeginCapture_v2",
           "was broken by an earlier call", "cuStreamEndCapture|was broken",
           "cuMemHostAlloc|not allowed during the capture", "cuStreamEndCapture|was broken",
           "cuStreamSynchronize|on stream 0x|not allowed", "cuStreamEndCapture|was broken",
           "cuCtxSynchronize|not allowed", "cuStreamEndCapture|was broken",
           "cuMemcpyDtoH_v2|not allowed", "cuStreamEndCapture|was broken",
           "cuStreamQuery|not allowed", "cuStreamEndCapture|was broken", "cuMemFree_v2|not allowed",
           "cuStreamEndCapture|was broken")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  broken(stream, [&] {
    DevicePointer address;
    CHECK_CODE(CUDA_CAPTURE_UNSUPPORTED, cuMemAlloc_v2(&address, 64));
    CHECK_CODE(CUDA_CAPTURE_INVALIDATED, cuMemsetD32Async(bytes, 0, 1, stream));
  });
  broken(stream, [&] {
    void* address;
    CHECK_CODE(CUDA_CAPTURE_UNSUPPORTED, cuMemHostAlloc(&address, 64, 0));
  });
  broken(stream, [&] { CHECK_CODE(CUDA_CAPTURE_UNSUPPORTED, cuStreamSynchronize(stream)); });
  broken(stream, [&] { CHECK_CODE(CUDA_CAPTURE_UNSUPPORTED, cuCtxSynchronize()); });
  broken(stream, [&] {
    char host[64];
    CHECK_CODE(CUDA_CAPTURE_UNSUPPORTED, cuMemcpyDtoH_v2(host, bytes, 64));
  });
  broken(stream, [&] { CHECK_CODE(CUDA_CAPTURE_UNSUPPORTED, cuStreamQuery(stream)); });
  broken(stream, [&] { CHECK_CODE(CUDA_CAPTURE_UNSUPPORTED, cuMemFree_v2(bytes)); });
}

TEST(another_thread_may_allocate_during_a_thread_local_capture, SETTINGS(), LINES()) {
  OnDevice device;
  AStream stream;
  Handle exec = capture(stream, [&] {
    std::thread([&] {
      OK(cuCtxSetCurrent(device.context));
      DeviceBytes other(64);
    }).join();
  });
  OK(cuGraphExecDestroy(exec));
}

TEST(the_legacy_stream_during_a_capture, SETTINGS(),
     LINES("cuMemsetD8_v2|on the legacy stream, which would wait for stream 0x",
           "cuStreamEndCapture|was broken")) {
  OnDevice device;
  AStream stream(0);
  DeviceBytes bytes(64);
  broken(stream, [&] { CHECK_CODE(CUDA_CAPTURE_IMPLICIT, cuMemsetD8_v2(bytes, 0, 64)); });
}

TEST(a_wait_for_an_event_outside_the_capture, SETTINGS(),
     LINES("cuStreamWaitEvent|a wait for an event that was not captured with it",
           "cuStreamEndCapture|was broken")) {
  OnDevice device;
  AStream stream, other;
  AnEvent event;
  OK(cuEventRecord(event, other));
  broken(stream, [&] { CHECK_CODE(CUDA_CAPTURE_ISOLATION, cuStreamWaitEvent(stream, event, 0)); });
  OK(cuStreamSynchronize(other));
}

TEST(a_stream_that_is_not_joined, SETTINGS(),
     LINES("cuStreamEndCapture|was not joined to stream 0x|nothing waits for cuMemsetD32Async")) {
  OnDevice device;
  AStream main, side;
  AnEvent fork;
  DeviceBytes bytes(64);
  broken(
      main,
      [&] {
        OK(cuEventRecord(fork, main));
        OK(cuStreamWaitEvent(side, fork, 0));
        OK(cuMemsetD32Async(bytes, 1, 16, side));
      },
      CUDA_CAPTURE_UNJOINED);
}

TEST(a_capture_that_ends_elsewhere, SETTINGS(),
     LINES("cuStreamEndCapture|end of the capture on another thread",
           "cuStreamEndCapture|was broken", "cuStreamEndCapture|captures nothing")) {
  OnDevice device;
  AStream stream, other;
  Handle graph;
  OK(cuStreamBeginCapture_v2(stream, kThreadLocal));
  std::thread([&] {
    OK(cuCtxSetCurrent(device.context));
    CHECK_CODE(CUDA_CAPTURE_WRONG_THREAD, cuStreamEndCapture(stream, &graph));
  }).join();
  CHECK_CODE(CUDA_CAPTURE_INVALIDATED, cuStreamEndCapture(stream, &graph));
  CHECK_CODE(CUDA_INVALID_VALUE, cuStreamEndCapture(other, &graph));
}

TEST(pageable_memory_in_a_capture, SETTINGS(), LINES("cuMemcpyHtoDAsync_v2|is pageable")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  char host[64];
  Handle exec = capture(stream, [&] {
    CHECK_CODE(CUDA_INVALID_VALUE, cuMemcpyHtoDAsync_v2(bytes, host, 64, stream));
  });
  OK(cuGraphExecDestroy(exec));
}

TEST(a_captured_source_changed_between_launch_and_wait, SETTINGS(),
     LINES("cuMemcpyHtoDAsync_v2|on graph on stream 0x|the host changed its source")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Pinned<unsigned> host(16);
  Handle exec = capture(stream, [&] { OK(cuMemcpyHtoDAsync_v2(bytes, host.values, 64, stream)); });
  OK(cuGraphLaunch(exec, stream));
  host[0] = 1;
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuStreamSynchronize(stream));
  std::_Exit(0);
}

TEST(memory_freed_while_a_launch_is_pending, SETTINGS(),
     LINES("cuMemFree_v2|is used by cuLaunchKernel|on graph on stream 0x")) {
  OnDevice device;
  AStream stream;
  DeviceBytes bytes(64);
  Fill fill;
  Handle exec = capture(stream, [&] { OK(fill(bytes, 1, 16, stream)); });
  OK(cuGraphLaunch(exec, stream));
  CHECK_CODE(CUDA_LAUNCH_FAILED, cuMemFree_v2(bytes));
  OK(cuStreamSynchronize(stream));
  OK(cuGraphExecDestroy(exec));
}

TEST(memory_freed_before_a_launch, SETTINGS(), LINES("cuMemsetD32Async|was freed")) {
  OnDevice device;
  AStream stream;
  Handle exec;
  {
    DeviceBytes bytes(64);
    exec = capture(stream, [&] { OK(cuMemsetD32Async(bytes, 1, 16, stream)); });
  }
  OK(cuGraphLaunch(exec, stream));
  CHECK_CODE(CUDA_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
  std::_Exit(0);
}

TEST(events_in_graphs, SETTINGS(),
     LINES("cuEventSynchronize|was recorded during the capture",
           "cuEventRecordWithFlags|an external record outside a capture")) {
  OnDevice device;
  AStream stream, other;
  AnEvent inside, start(0), end(0), outside;
  DeviceBytes bytes(64);
  Pinned<unsigned> out(16);
  Handle exec = capture(stream, [&] {
    OK(cuEventRecordWithFlags(start, stream, kEventExternal));
    OK(cuMemsetD32Async(bytes, 1, 16, stream));
    OK(cuEventRecord(inside, stream));
    OK(cuStreamWaitEvent(stream, outside, kEventExternal));
    OK(cuEventRecordWithFlags(end, stream, kEventExternal));
  });
  CHECK_CODE(CUDA_CAPTURED_EVENT, cuEventSynchronize(inside));
  CHECK_CODE(CUDA_INVALID_VALUE, cuEventRecordWithFlags(end, stream, kEventExternal));
  for (int i = 0; i < 2; i++) {
    OK(cuEventRecord(outside, other));
    OK(cuGraphLaunch(exec, stream));
    OK(cuStreamWaitEvent(other, end, 0));  // an event recorded in a graph orders work outside it
    OK(cuMemcpyDtoHAsync_v2(out.values, bytes, 64, other));
    OK(cuStreamSynchronize(other));
    CHECK(out[0] == 1);
    float time = -1;
    OK(cuEventElapsedTime(&time, start, end));
    CHECK(time >= 0);
    out[0] = 0;
  }
  OK(cuCtxSynchronize());
  OK(cuGraphExecDestroy(exec));
}

TEST(graphs_leak_too, SETTINGS(),
     LINES("leak: an executable graph|made by cuGraphInstantiateWithFlags",
           "leak: a graph|made by cuStreamEndCapture")) {
  OnDevice device;
  AStream stream;
  Handle graph, exec;
  OK(cuStreamBeginCapture_v2(stream, kThreadLocal));
  OK(cuStreamEndCapture(stream, &graph));
  OK(cuGraphInstantiateWithFlags(&exec, graph, 0));
}
