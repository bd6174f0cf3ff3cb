#include "stream.h"

#include "driver.h"
#include "driver_call.h"
#include "graph.h"

namespace muond {
namespace {

uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

std::string describe(const Access& access) {
  return format("%s%s[0x%llx, +%llu%s)", access.what, *access.what ? " " : "",
                static_cast<unsigned long long>(access.address),
                static_cast<unsigned long long>(access.width),
                access.rows > 1 ? format(" every %llu, %llu times",
                                         static_cast<unsigned long long>(access.pitch),
                                         static_cast<unsigned long long>(access.rows))
                                      .c_str()
                                : "");
}

/** A Fault if `earlier`, which nothing orders before `work`, touches the same bytes and one of them
 * writes. */
void demandNoRace(const Work& work, const Work& earlier) {
  for (const Access& mine : work.operation->accesses) {
    for (const Access& other : earlier.operation->accesses) {
      if (!mine.conflicts(other)) continue;
      throw Fault(CUDA_LAUNCH_FAILED,
                  format("%s %s %s, which %s %s, and nothing orders the two", work.name().c_str(),
                         mine.write ? "writes" : "reads", describe(mine).c_str(),
                         earlier.name().c_str(), other.write ? "writes" : "reads"));
    }
  }
}

void demandOrdered(const Work& work) {
  if (work.operation->accesses.empty()) return;
  for (const auto& [handle, context] : Driver::get().contexts.all()) {
    for (const auto& [chain, works] : context->inflight) {
      uint64_t known = work.clock.at(chain);
      for (auto earlier = works.rbegin(); earlier != works.rend() && (*earlier)->index > known;
           ++earlier) {
        demandNoRace(work, **earlier);
      }
    }
  }
}

/** Whether a destination may be poisoned: no queued work is still to read or fill it. */
bool mayPoison(const Operation& operation) {
  for (const Access& mine : operation.accesses) {
    if (mine.place != Access::Place::Host || !mine.write) continue;
    for (const auto& [handle, context] : Driver::get().contexts.all()) {
      for (const auto& [chain, works] : context->inflight) {
        for (const auto& work : works) {
          for (const Access& other : work->operation->accesses) {
            if (mine.overlaps(other)) return false;
          }
        }
      }
    }
  }
  return true;
}

}  // namespace

std::string Stream::name() const {
  return legacy() ? "the legacy stream" : format("stream %p", handle);
}

uint32_t newChain() { return ++Driver::get().chains; }

std::shared_ptr<Stream> usableStream(Handle handle) {
  std::shared_ptr<Context> context = usableContext();
  if (handle == nullptr || handle == reinterpret_cast<Handle>(1)) return context->legacy;
  if (handle == reinterpret_cast<Handle>(2))
    throw Fault(CUDA_NOT_SUPPORTED, "the per-thread stream is not supported");
  std::shared_ptr<Stream> stream = Driver::get().streams.get(handle);
  if (stream->context == context) return stream;
  throw Fault(
      CUDA_INVALID_CONTEXT,
      format("%s belongs to device %d's context, but device %d's is current on this thread",
             stream->name().c_str(), stream->context->device->ordinal, context->device->ordinal));
}

void start(const std::shared_ptr<Work>& work, uint32_t chain) {
  Driver& driver = Driver::get();
  for (const auto& need : work->needs) work->clock.join(need->clock);
  work->chain = chain;
  work->index = ++driver.indices[chain];
  work->clock.advance(chain, work->index);
  work->seed = mix(mix(driver.settings.seed) + 64 * ++work->context->queued +
                   work->context->device->ordinal);
  demandOrdered(*work);
  bool host = false;
  for (const Access& access : work->operation->accesses)
    host |= access.place == Access::Place::Host;
  if (host) HostWatch::begin(*work, mayPoison(*work->operation));
  work->context->inflight[chain].push_back(work);
}

std::shared_ptr<Work> enqueue(Stream& stream, std::shared_ptr<const Operation> operation,
                              std::vector<std::shared_ptr<Work>> more) {
  Context& context = *stream.context;
  auto work = std::make_shared<Work>();
  work->operation = std::move(operation);
  work->context = stream.context;
  work->stream = stream.name();
  work->needs = std::move(more);
  if (stream.tail != nullptr) work->needs.push_back(stream.tail);
  if (stream.legacy()) {
    for (const auto& [handle, other] : Driver::get().streams.all()) {
      if (other->context.get() == &context && other->blocking() && other->tail)
        work->needs.push_back(other->tail);
    }
  } else if (stream.blocking() && context.legacy->tail != nullptr) {
    work->needs.push_back(context.legacy->tail);
  }
  start(work, stream.chain);
  stream.tail = work;
  return work;
}

void submit(const std::shared_ptr<Stream>& stream, std::shared_ptr<const Operation> operation) {
  if (stream->capture != nullptr) {
    captureInto(*stream, std::move(operation));
    return;
  }
  if (stream->legacy()) {
    for (const auto& [handle, other] : Driver::get().streams.all()) {
      if (other->context != stream->context || !other->blocking() || other->capture == nullptr)
        continue;
      breakCapture(*other->capture, CUDA_CAPTURE_IMPLICIT,
                   operation->what + " on the legacy stream, which would wait for " +
                       other->name() + ", which captures");
    }
  }
  enqueue(*stream, std::move(operation));
}

std::vector<std::shared_ptr<Work>> tails(Context& context) {
  std::vector<std::shared_ptr<Work>> last;
  for (const auto& [chain, works] : context.inflight) last.push_back(works.back());
  return last;
}

void demandIdle(const Context* context, const Access& range, const std::string& who) {
  for (const auto& [handle, other] : Driver::get().contexts.all()) {
    if (context != nullptr && other.get() != context) continue;
    for (const auto& [chain, works] : other->inflight) {
      for (const auto& work : works) {
        bool used = false;
        for (const Access& access : work->operation->accesses) used |= access.overlaps(range);
        for (uint64_t pointer : work->operation->pointers) {
          used |= range.place == Access::Place::Device && pointer >= range.address &&
                  pointer < range.address + range.width;
        }
        if (!used) continue;
        throw Fault(CUDA_LAUNCH_FAILED,
                    format("%s: [0x%llx, +%llu) is used by %s, which was not waited for",
                           who.c_str(), static_cast<unsigned long long>(range.address),
                           static_cast<unsigned long long>(range.width), work->name().c_str()));
      }
    }
  }
}

}  // namespace muond
