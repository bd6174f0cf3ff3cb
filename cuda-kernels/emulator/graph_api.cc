#include "driver_call.h"
#include "graph.h"

using namespace muond;

namespace {

std::shared_ptr<Graph> usableGraph(Handle handle) {
  usableContext();
  return Driver::get().graphs.get(handle);
}

const Operation& nodeOf(Handle node) {
  for (const auto& [number, graph] : Driver::get().graphs.all()) {
    for (size_t i = 0; i < graph->nodeHandles.size(); i++) {
      if (graph->nodeHandles[i] == node) return *graph->nodes[i].operation;
    }
  }
  throw Fault(CUDA_INVALID_HANDLE, format("%p is not a node of a live graph", node));
}

}  // namespace

extern "C" {

int cuStreamBeginCapture_v2(Handle handle, int mode) {
  return call(__func__, [&](Call& call) {
    if (mode < 0 || mode > 2) throw Fault(CUDA_INVALID_VALUE, format("mode %d is unknown", mode));
    beginCapture(usableStream(handle), static_cast<CaptureMode>(mode), call.site());
  });
}

int cuStreamEndCapture(Handle handle, Handle* result) {
  return call(__func__, [&](Call& call) {
    given(result, "graph") = nullptr;
    std::shared_ptr<Graph> graph = endCapture(usableStream(handle));
    graph->site = call.site();
    graph->handle = Driver::get().graphs.add(graph);
    call.detail = format("%zu nodes", graph->nodes.size());
    *result = graph->handle;
  });
}

int cuStreamIsCapturing(Handle handle, int* status) {
  return call(__func__, [&](Call&) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    CaptureStatus now = stream->capture == nullptr ? CaptureStatus::None
                        : stream->capture->broken  ? CaptureStatus::Invalidated
                                                   : CaptureStatus::Active;
    given(status, "status") = static_cast<int>(now);
  });
}

int cuGraphGetNodes(Handle handle, Handle* nodes, size_t* count) {
  return call(__func__, [&](Call&) {
    static uintptr_t next = 0x58000000;
    std::shared_ptr<Graph> graph = usableGraph(handle);
    while (graph->nodeHandles.size() < graph->nodes.size())
      graph->nodeHandles.push_back(reinterpret_cast<Handle>(next += 0x100));
    size_t room = given(count, "count");
    *count = graph->nodes.size();
    for (size_t i = 0; nodes != nullptr && i < room; i++)
      nodes[i] = i < *count ? graph->nodeHandles[i] : nullptr;
    if (nodes != nullptr && room < *count) *count = room;
  });
}

int cuGraphNodeGetType(Handle node, int* type) {
  return call(__func__, [&](Call&) { given(type, "type") = static_cast<int>(nodeOf(node).type); });
}

int cuGraphDestroy(Handle handle) {
  return call(__func__, [&](Call&) {
    usableGraph(handle);
    Driver::get().graphs.remove(handle);
  });
}

int cuGraphInstantiateWithFlags(Handle* result, Handle handle, unsigned long long flags) {
  return call(__func__, [&](Call& call) {
    demandNoCapture(call);
    if (flags != 0) throw Fault(CUDA_NOT_SUPPORTED, format("flags %llu are not supported", flags));
    std::shared_ptr<GraphExec> exec = instantiate(*usableGraph(handle), call.site());
    exec->handle = Driver::get().execs.add(exec);
    call.detail = format("%zu nodes", exec->nodes.size());
    given(result, "executable graph") = exec->handle;
  });
}

int cuGraphExecDestroy(Handle handle) {
  return call(__func__, [&](Call&) {
    usableContext();
    std::shared_ptr<GraphExec> exec = Driver::get().execs.get(handle);
    Driver::get().execs.remove(handle);
  });
}

int cuGraphUpload(Handle handle, Handle stream) {
  return call(__func__, [&](Call&) {
    usableStream(stream);
    Driver::get().execs.get(handle);
  });
}

int cuGraphLaunch(Handle handle, Handle streamHandle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(streamHandle);
    std::shared_ptr<GraphExec> exec = Driver::get().execs.get(handle);
    if (exec->context != stream->context)
      throw Fault(CUDA_INVALID_CONTEXT, "the graph belongs to another context than the stream");
    if (stream->capture != nullptr)
      breakCapture(*stream->capture, CUDA_NOT_SUPPORTED,
                   call.site() + " of a graph within a graph");
    call.detail = format("%zu nodes on %s", exec->nodes.size(), stream->name().c_str());
    launch(exec, *stream, call.site());
  });
}

}  // extern "C"
