package io.muond.server.metrics;

import static java.util.Objects.requireNonNull;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.grpc.MetricCollectingServerInterceptor;
import io.muond.v1.ErrorReason;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts calls under way and the errors that calls end with, by reason, beside what Micrometer
 * measures of every method. Every reason's counter exists from the start.
 */
public final class CallMetrics implements ServerInterceptor {
  /** What no reason was given for: the transport's errors, health and reflection. */
  private static final String NO_REASON = "NONE";

  private final MetricCollectingServerInterceptor methods;
  private final AtomicInteger active = new AtomicInteger();
  private final Map<String, Counter> errors = new HashMap<>();
  private final Counter unexplained;

  /**
   * @param registry that the meters are registered with
   */
  public CallMetrics(MeterRegistry registry) {
    requireNonNull(registry, "registry is null");
    methods = new MetricCollectingServerInterceptor(registry);
    Gauge.builder("muond.calls.active", active, AtomicInteger::get)
        .description("Calls under way, streams included")
        .register(registry);
    for (ErrorReason reason : ErrorReason.values()) {
      if (reason != ErrorReason.REASON_UNSPECIFIED && reason != ErrorReason.UNRECOGNIZED) {
        errors.put(reason.name(), counter(registry, reason.name()));
      }
    }
    unexplained = counter(registry, NO_REASON);
  }

  private static Counter counter(MeterRegistry registry, String reason) {
    return Counter.builder("muond.errors")
        .description("Calls answered with an error, by its reason")
        .tag("reason", reason)
        .register(registry);
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    AtomicBoolean ended = new AtomicBoolean();
    active.incrementAndGet();
    Runnable end =
        () -> {
          if (ended.compareAndSet(false, true)) {
            active.decrementAndGet();
          }
        };
    try {
      return new Watched<>(methods.interceptCall(new Counted<>(call), headers, next), end);
    } catch (Throwable failure) {
      end.run();
      throw failure;
    }
  }

  private void count(Status status, Metadata trailers) {
    if (!status.isOk()) {
      errors.getOrDefault(reason(status, trailers), unexplained).increment();
    }
  }

  private static String reason(Status status, Metadata trailers) {
    com.google.rpc.Status details = StatusProto.fromStatusAndTrailers(status, trailers);
    if (details == null || details.getDetailsCount() == 0) {
      return NO_REASON;
    }
    try {
      return details.getDetails(0).unpack(ErrorInfo.class).getReason();
    } catch (InvalidProtocolBufferException e) {
      return NO_REASON;
    }
  }

  /** Counts how a call is answered. */
  private final class Counted<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private Counted(ServerCall<Q, R> call) {
      super(call);
    }

    @Override
    public void close(Status status, Metadata trailers) {
      count(status, trailers);
      super.close(status, trailers);
    }
  }

  /** Tells of a call's end, whoever ends it. */
  private static final class Watched<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Runnable end;

    private Watched(ServerCall.Listener<Q> listener, Runnable end) {
      super(listener);
      this.end = end;
    }

    @Override
    public void onCancel() {
      end.run();
      super.onCancel();
    }

    @Override
    public void onComplete() {
      end.run();
      super.onComplete();
    }
  }
}
