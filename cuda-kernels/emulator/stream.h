#pragma once

#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "stream_work.h"

namespace muond {

struct Capture;

/** An ordered queue. What is put into it runs when somebody waits for it, in an order drawn from
 * the seed. */
struct Stream {
  Handle handle = nullptr;
  std::shared_ptr<Context> context;
  unsigned flags = 0;
  int priority = 0;
  uint32_t chain = 0;
  std::string site;
  std::shared_ptr<Work> tail;  // the last work put in, done or not
  std::shared_ptr<Capture> capture;
  std::vector<size_t> captured;  // while capturing: the nodes that the next one comes after

  bool blocking() const { return (flags & kStreamNonBlocking) == 0; }
  bool legacy() const { return context->legacy.get() == this; }
  std::string name() const;
};

/** An event: the work that it stands for, or the nodes if it was recorded during a capture. */
struct Event {
  Handle handle = nullptr;
  std::shared_ptr<Context> context;
  unsigned flags = 0;
  std::string site;
  std::shared_ptr<Work> recorded;
  std::shared_ptr<Capture> capture;
  std::vector<size_t> captured;
};

/** The live stream of this handle (null: the legacy stream) in the current, sound context. */
std::shared_ptr<Stream> usableStream(Handle handle);

/** Queues an operation on a stream, or adds it to the graph that the stream captures. */
void submit(const std::shared_ptr<Stream>& stream, std::shared_ptr<const Operation> operation);
/** Queues it on a stream that does not capture, after its predecessors there and `more`. */
std::shared_ptr<Work> enqueue(Stream& stream, std::shared_ptr<const Operation> operation,
                              std::vector<std::shared_ptr<Work>> more = {});
/** Queues work that has its needs already; `chain` orders it. */
void start(const std::shared_ptr<Work>& work, uint32_t chain);
/** A chain that nothing uses yet. */
uint32_t newChain();

/** Runs all that these need, in an order drawn from the seed, and notes that the host knows them to
 * be done. */
void await(const std::vector<std::shared_ptr<Work>>& targets);
/** Runs one operation at most; whether this work is done, of which the host then knows. */
bool poll(const std::shared_ptr<Work>& target);
/** The last work of every chain of a context that no wait has covered. */
std::vector<std::shared_ptr<Work>> tails(Context& context);
/** A Fault if work that no wait has covered uses these bytes of device or host memory. */
void demandIdle(const Context* context, const Access& range, const std::string& who);

}  // namespace muond
