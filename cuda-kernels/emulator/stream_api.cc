#include "driver_call.h"
#include "graph.h"

using namespace muond;

namespace {

void create(Call& call, Handle* handle, unsigned flags, int priority) {
  std::shared_ptr<Context> context = usableContext();
  if ((flags & ~kStreamNonBlocking) != 0)
    throw Fault(CUDA_INVALID_VALUE, format("flags %u are unknown", flags));
  auto stream = std::make_shared<Stream>();
  stream->context = context;
  stream->flags = flags;
  stream->priority = priority;
  stream->chain = newChain();
  stream->site = call.site();
  stream->handle = Driver::get().streams.add(stream);
  given(handle, "stream") = stream->handle;
}

/** A wait or a query during a capture of this thread, or of this very stream, breaks that capture.
 */
void demandMayWait(const Call& call, const Stream& stream) {
  demandNotCapturing(stream, call.site());
  demandNoCapture(call);
}

std::shared_ptr<Event> usableEvent(Handle handle) {
  usableContext();
  return Driver::get().events.get(handle);
}

/** Whether `event` has happened can be asked only outside the capture in which it was recorded. */
void demandMayAsk(const Call& call, const Event& event) {
  if (event.capture != nullptr) {
    throw Fault(CUDA_CAPTURED_EVENT,
                "the event was recorded during the capture begun by " + event.capture->site);
  }
  demandNoCapture(call);
}

std::shared_ptr<Operation> eventOperation(const Call& call, NodeType type,
                                          const std::shared_ptr<Event>& event) {
  auto operation = std::make_shared<Operation>();
  operation->what = call.site() + format(": event %p", event->handle);
  operation->type = type;
  operation->event = event;
  return operation;
}

void record(Call& call, Handle eventHandle, Handle streamHandle, unsigned flags) {
  std::shared_ptr<Stream> stream = usableStream(streamHandle);
  std::shared_ptr<Event> event = usableEvent(eventHandle);
  bool external = flags == kEventExternal;
  call.detail = format("event %p on %s", eventHandle, stream->name().c_str());
  if (flags > kEventExternal)
    throw Fault(CUDA_INVALID_VALUE, format("flags %u are unknown", flags));
  if (event->context != stream->context)
    throw Fault(CUDA_INVALID_HANDLE, "the event belongs to another context than the stream");
  if (stream->capture == nullptr) {
    if (external) throw Fault(CUDA_INVALID_VALUE, "an external record outside a capture");
    event->capture = nullptr;
    event->recorded = enqueue(*stream, eventOperation(call, NodeType::EventRecord, event));
  } else if (external) {
    captureInto(*stream, eventOperation(call, NodeType::EventRecord, event));
  } else {
    if (stream->capture->broken) captureInto(*stream, nullptr);  // says why
    event->capture = stream->capture;
    event->captured = stream->captured;
  }
}

void waitFor(Call& call, Handle streamHandle, Handle eventHandle, unsigned flags) {
  std::shared_ptr<Stream> stream = usableStream(streamHandle);
  std::shared_ptr<Event> event = usableEvent(eventHandle);
  call.detail = format("event %p on %s", eventHandle, stream->name().c_str());
  if (flags > kEventExternal)
    throw Fault(CUDA_INVALID_VALUE, format("flags %u are unknown", flags));
  if (event->capture != nullptr) {
    joinCapture(stream, *event);
  } else if (stream->capture != nullptr) {
    if (flags != kEventExternal) {
      breakCapture(*stream->capture, CUDA_CAPTURE_ISOLATION,
                   call.site() + ", a wait for an event that was not captured with it,");
    }
    captureInto(*stream, eventOperation(call, NodeType::WaitEvent, event));
  } else if (flags == kEventExternal) {
    throw Fault(CUDA_INVALID_VALUE, "an external wait outside a capture");
  } else if (event->recorded != nullptr) {
    enqueue(*stream, eventOperation(call, NodeType::WaitEvent, event), {event->recorded});
  }
}

}  // namespace

extern "C" {

int cuStreamCreate(Handle* handle, unsigned flags) {
  return call(__func__, [&](Call& call) { create(call, handle, flags, 0); });
}

int cuStreamCreateWithPriority(Handle* handle, unsigned flags, int priority) {
  return call(__func__, [&](Call& call) { create(call, handle, flags, priority); });
}

/** What is queued still runs, as on hardware: when somebody waits for an event or for the context.
 */
int cuStreamDestroy_v2(Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    if (stream->legacy()) throw Fault(CUDA_INVALID_HANDLE, "the legacy stream cannot be destroyed");
    demandNotCapturing(*stream, call.site());
    Driver::get().streams.remove(handle);
  });
}

int cuStreamSynchronize(Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    call.detail = stream->name();
    demandMayWait(call, *stream);
    if (stream->tail != nullptr) await({stream->tail});
    usableContext();
  });
}

/** Each query lets the device do one more operation at most: a program that polls is made to poll.
 */
int cuStreamQuery(Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Stream> stream = usableStream(handle);
    demandMayWait(call, *stream);
    bool done = stream->tail == nullptr || poll(stream->tail);
    usableContext();
    return done ? CUDA_SUCCESS : CUDA_NOT_READY;
  });
}

int cuStreamWaitEvent(Handle stream, Handle event, unsigned flags) {
  return call(__func__, [&](Call& call) { waitFor(call, stream, event, flags); });
}

int cuStreamGetPriority(Handle handle, int* priority) {
  return call(__func__,
              [&](Call&) { given(priority, "priority") = usableStream(handle)->priority; });
}

int cuStreamGetFlags(Handle handle, unsigned* flags) {
  return call(__func__, [&](Call&) { given(flags, "flags") = usableStream(handle)->flags; });
}

int cuStreamGetCtx(Handle handle, Handle* context) {
  return call(__func__,
              [&](Call&) { given(context, "context") = usableStream(handle)->context->handle; });
}

int cuLaunchHostFunc(Handle handle, void (*function)(void*), void* data) {
  return call(__func__, [&](Call& call) {
    auto operation = std::make_shared<Operation>();
    operation->what = call.site();
    operation->type = NodeType::Host;
    operation->run = [function, data](uint64_t) { function(data); };
    submit(usableStream(handle), operation);
  });
}

int cuEventCreate(Handle* handle, unsigned flags) {
  return call(__func__, [&](Call& call) {
    auto event = std::make_shared<Event>();
    event->context = usableContext();
    event->flags = flags;
    event->site = call.site();
    event->handle = Driver::get().events.add(event);
    given(handle, "event") = event->handle;
  });
}

int cuEventDestroy_v2(Handle handle) {
  return call(__func__, [&](Call&) {
    usableEvent(handle);
    Driver::get().events.remove(handle);
  });
}

int cuEventRecord(Handle event, Handle stream) {
  return call(__func__, [&](Call& call) { record(call, event, stream, 0); });
}

int cuEventRecordWithFlags(Handle event, Handle stream, unsigned flags) {
  return call(__func__, [&](Call& call) { record(call, event, stream, flags); });
}

int cuEventSynchronize(Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Event> event = usableEvent(handle);
    demandMayAsk(call, *event);
    call.detail = format("event %p", handle);
    if (event->recorded != nullptr) await({event->recorded});
    usableContext();
  });
}

int cuEventQuery(Handle handle) {
  return call(__func__, [&](Call& call) {
    std::shared_ptr<Event> event = usableEvent(handle);
    demandMayAsk(call, *event);
    bool done = event->recorded == nullptr || poll(event->recorded);
    usableContext();
    return done ? CUDA_SUCCESS : CUDA_NOT_READY;
  });
}

/** The time that the host took to emulate what lies between: it says nothing about a device. */
int cuEventElapsedTime(float* milliseconds, Handle startHandle, Handle endHandle) {
  return call(__func__, [&](Call&) {
    std::shared_ptr<Event> start = usableEvent(startHandle), end = usableEvent(endHandle);
    for (const auto& event : {start, end}) {
      if ((event->flags & kEventDisableTiming) != 0)
        throw Fault(CUDA_INVALID_HANDLE, "an event made without timing, by " + event->site);
      if (event->recorded == nullptr)
        throw Fault(CUDA_INVALID_HANDLE,
                    "an event that was never recorded, made by " + event->site);
      if (!event->recorded->done()) throw Refusal{CUDA_NOT_READY};
    }
    std::chrono::duration<float, std::milli> elapsed =
        end->recorded->finished - start->recorded->finished;
    given(milliseconds, "milliseconds") = elapsed.count();
  });
}

}  // extern "C"
