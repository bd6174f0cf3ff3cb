#include "graph.h"

#include <algorithm>

#include "driver.h"
#include "driver_call.h"

namespace muond {
namespace {

void demandSound(const Capture& capture) {
  if (capture.broken) {
    throw Fault(CUDA_CAPTURE_INVALIDATED,
                "the capture begun by " + capture.site + " was broken by an earlier call");
  }
}

void leave(Capture& capture) {
  for (const auto& weak : capture.streams) {
    if (auto stream = weak.lock()) {
      stream->capture = nullptr;
      stream->captured.clear();
    }
  }
  auto& all = Driver::get().captures;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const auto& other) { return other.get() == &capture; }),
            all.end());
}

void demandJoined(const Capture& capture, const Stream& origin) {
  for (const auto& weak : capture.streams) {
    auto stream = weak.lock();
    if (stream == nullptr || stream.get() == &origin) continue;
    for (size_t node : stream->captured) {
      bool joined = std::any_of(origin.captured.begin(), origin.captured.end(),
                                [&](size_t last) { return capture.graph->reaches(node, last); });
      if (joined) continue;
      throw Fault(CUDA_CAPTURE_UNJOINED, stream->name() + " was not joined to " + origin.name() +
                                             ": nothing waits for " +
                                             capture.graph->nodes[node].operation->what);
    }
  }
}

}  // namespace

bool Graph::reaches(size_t earlier, size_t later) const {
  if (earlier == later) return true;
  if (earlier > later) return false;  // nodes come after what they need
  const auto& needs = nodes[later].needs;
  return std::any_of(needs.begin(), needs.end(),
                     [&](size_t need) { return reaches(earlier, need); });
}

void breakCapture(Capture& capture, int code, const std::string& reason) {
  capture.broken = true;
  throw Fault(code, reason + ": not allowed during the capture begun by " + capture.site);
}

void demandNoCapture(const Call& call) {
  for (const auto& capture : Driver::get().captures) {
    bool forbidden =
        capture->mode == CaptureMode::Global || (capture->mode == CaptureMode::ThreadLocal &&
                                                 capture->thread == std::this_thread::get_id());
    if (forbidden) breakCapture(*capture, CUDA_CAPTURE_UNSUPPORTED, call.site());
  }
}

void demandNotCapturing(const Stream& stream, const std::string& who) {
  if (stream.capture != nullptr)
    breakCapture(*stream.capture, CUDA_CAPTURE_UNSUPPORTED, who + " on " + stream.name());
}

void captureInto(Stream& stream, std::shared_ptr<const Operation> operation) {
  Capture& capture = *stream.capture;
  demandSound(capture);
  capture.graph->nodes.push_back({std::move(operation), stream.captured});
  stream.captured = {capture.graph->nodes.size() - 1};
}

void beginCapture(const std::shared_ptr<Stream>& stream, CaptureMode mode,
                  const std::string& site) {
  if (stream->legacy())
    throw Fault(CUDA_CAPTURE_UNSUPPORTED, "the legacy stream cannot be captured");
  if (stream->capture != nullptr)
    throw Fault(CUDA_INVALID_VALUE,
                stream->name() + " captures already, since " + stream->capture->site);
  auto capture = std::make_shared<Capture>();
  capture->graph = std::make_shared<Graph>();
  capture->graph->context = stream->context;
  capture->graph->site = site;
  capture->origin = stream;
  capture->streams = {stream};
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->site = site;
  stream->capture = capture;
  Driver::get().captures.push_back(capture);
}

std::shared_ptr<Graph> endCapture(const std::shared_ptr<Stream>& stream) {
  std::shared_ptr<Capture> capture = stream->capture;
  if (capture == nullptr) throw Fault(CUDA_INVALID_VALUE, stream->name() + " captures nothing");
  if (capture->origin.lock() != stream) {
    breakCapture(*capture, CUDA_CAPTURE_UNMATCHED,
                 "end of the capture on " + stream->name() + ", where it did not begin");
  }
  if (capture->mode != CaptureMode::Relaxed && capture->thread != std::this_thread::get_id()) {
    breakCapture(*capture, CUDA_CAPTURE_WRONG_THREAD, "end of the capture on another thread");
  }
  struct Leave {
    Capture& capture;
    ~Leave() { leave(capture); }
  } leaving{*capture};
  demandSound(*capture);
  demandJoined(*capture, *stream);
  return capture->graph;
}

void joinCapture(const std::shared_ptr<Stream>& stream, const Event& event) {
  Capture& capture = *event.capture;
  demandSound(capture);
  if (stream->capture == nullptr) {
    if (stream->legacy())
      breakCapture(capture, CUDA_CAPTURE_IMPLICIT,
                   "a wait of the legacy stream for a captured event");
    stream->capture = event.capture;
    stream->captured.clear();
    capture.streams.push_back(stream);
  } else if (stream->capture != event.capture) {
    capture.broken = true;
    breakCapture(*stream->capture, CUDA_CAPTURE_MERGE,
                 "a wait for an event of another capture, begun by " + capture.site + ",");
  }
  for (size_t node : event.captured) {
    auto& last = stream->captured;
    if (std::find(last.begin(), last.end(), node) == last.end()) last.push_back(node);
  }
}

std::shared_ptr<GraphExec> instantiate(const Graph& graph, const std::string& site) {
  auto exec = std::make_shared<GraphExec>();
  exec->context = graph.context;
  exec->site = site;
  exec->nodes = graph.nodes;
  std::vector<bool> continued(graph.nodes.size(), false);
  for (const Graph::Node& node : graph.nodes) {
    uint32_t chain = 0;
    for (size_t need : node.needs) {
      if (continued[need] || chain != 0) continue;
      continued[need] = true;
      chain = exec->chains[need];
    }
    exec->chains.push_back(chain != 0 ? chain : newChain());
  }
  return exec;
}

namespace {

std::shared_ptr<const Operation> marker(const std::string& what) {
  auto operation = std::make_shared<Operation>();
  operation->what = what;
  return operation;
}

std::shared_ptr<Work> launchNode(const GraphExec& exec, size_t index, const Stream& stream,
                                 const std::vector<std::shared_ptr<Work>>& before,
                                 const std::shared_ptr<Work>& begin) {
  const Graph::Node& node = exec.nodes[index];
  auto work = std::make_shared<Work>();
  work->operation = node.operation;
  work->context = exec.context;
  work->stream = "graph on " + stream.name();
  for (size_t need : node.needs) work->needs.push_back(before[need]);
  if (node.needs.empty()) work->needs.push_back(begin);
  Event* event = node.operation->event.get();
  if (event != nullptr && node.operation->type == NodeType::WaitEvent && event->recorded)
    work->needs.push_back(event->recorded);
  start(work, exec.chains[index]);
  if (event != nullptr && node.operation->type == NodeType::EventRecord) event->recorded = work;
  return work;
}

}  // namespace

void launch(const std::shared_ptr<GraphExec>& exec, Stream& stream, const std::string& site) {
  std::vector<std::shared_ptr<Work>> earlier;
  if (exec->last != nullptr) earlier.push_back(exec->last);
  std::shared_ptr<Work> begin = enqueue(stream, marker(site + ": begin"), earlier);
  std::vector<std::shared_ptr<Work>> works;
  std::vector<bool> leaf(exec->nodes.size(), true);
  for (size_t i = 0; i < exec->nodes.size(); i++) {
    for (size_t need : exec->nodes[i].needs) leaf[need] = false;
    works.push_back(launchNode(*exec, i, stream, works, begin));
  }
  std::vector<std::shared_ptr<Work>> leaves;
  for (size_t i = 0; i < works.size(); i++) {
    if (leaf[i]) leaves.push_back(works[i]);
  }
  exec->last = enqueue(stream, marker(site + ": end"), leaves);
}

}  // namespace muond
