#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "stream.h"

namespace muond {

/** Operations in the order in which they were captured, each after those that it needs. */
struct Graph {
  struct Node {
    std::shared_ptr<const Operation> operation;
    std::vector<size_t> needs;
  };

  Handle handle = nullptr;
  std::shared_ptr<Context> context;
  std::string site;
  std::vector<Node> nodes;
  std::vector<Handle> nodeHandles;  // made when asked for

  /** Whether node `later` comes after node `earlier`, or is it. */
  bool reaches(size_t earlier, size_t later) const;
};

/** A graph made ready: launches of it come one after the other. */
struct GraphExec {
  Handle handle = nullptr;
  std::shared_ptr<Context> context;
  std::string site;
  std::vector<Graph::Node> nodes;
  std::vector<uint32_t>
      chains;  // of each node: its predecessor's, or one of its own where the graph branches
  std::shared_ptr<Work> last;
};

/** A capture under way. A forbidden call breaks it; its end then tells why. */
struct Capture {
  std::shared_ptr<Graph> graph;
  std::weak_ptr<Stream> origin;
  std::vector<std::weak_ptr<Stream>> streams;  // all that take part
  CaptureMode mode = CaptureMode::Global;
  std::thread::id thread;
  std::string site;
  bool broken = false;
};

/** Breaks a capture and throws the Fault that says so. */
[[noreturn]] void breakCapture(Capture& capture, int code, const std::string& reason);
/** Adds an operation to the graph that a stream captures. */
void captureInto(Stream& stream, std::shared_ptr<const Operation> operation);
void beginCapture(const std::shared_ptr<Stream>& stream, CaptureMode mode, const std::string& site);
/** Ends a capture at its origin and returns the graph. */
std::shared_ptr<Graph> endCapture(const std::shared_ptr<Stream>& stream);
/** Makes `stream` take part in the capture in which `event` was recorded. */
void joinCapture(const std::shared_ptr<Stream>& stream, const Event& event);
/** A Fault that breaks the capture if `stream` captures: it cannot be waited for or asked. */
void demandNotCapturing(const Stream& stream, const std::string& who);

std::shared_ptr<GraphExec> instantiate(const Graph& graph, const std::string& site);
void launch(const std::shared_ptr<GraphExec>& exec, Stream& stream, const std::string& site);

}  // namespace muond
