package io.muond.client;

import io.grpc.Status;
import io.muond.v1.CommitOptions;
import io.muond.v1.DataType;
import io.muond.v1.Parameter;
import io.muond.v1.StepHeader;
import io.muond.wire.OutgoingMessage;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Sends whole steps over one stream that stays open between them. Thread-safe. */
final class StepSender implements AutoCloseable {
  private final Connection connection;
  private final Position position;
  private StepStream stream;

  StepSender(Connection connection, Position position) {
    this.connection = connection;
    this.position = position;
  }

  /** Sends one step; the one before must have been answered. */
  CompletableFuture<StepResult> send(
      StepHeader header, CommitOptions options, Map<String, ? extends TensorData> gradients) {
    return send(header, options, gradients, () -> {});
  }

  /**
   * As {@link #send}; runs {@code sent} whenever all of it was handed to the transport, before the
   * answer comes.
   */
  CompletableFuture<StepResult> send(
      StepHeader header,
      CommitOptions options,
      Map<String, ? extends TensorData> gradients,
      Runnable sent) {
    return connection.retry(
        Retrier.Safety.REPEATABLE,
        attempt ->
            stream(attempt)
                .step(requests(header, options, gradients, sent), collector(header, options)));
  }

  /** As {@link #send}, once, behind the step before; fails if that is not on its way. */
  CompletableFuture<StepResult> sendBehind(
      StepHeader header,
      CommitOptions options,
      Map<String, ? extends TensorData> gradients,
      Runnable sent) {
    StepStream open;
    synchronized (this) {
      open = stream;
    }
    if (open == null) {
      return CompletableFuture.failedFuture(
          Errors.of(Status.Code.UNAVAILABLE, "no step is on its way"));
    }
    return open.stepBehind(requests(header, options, gradients, sent), collector(header, options));
  }

  private Iterator<OutgoingMessage> requests(
      StepHeader header,
      CommitOptions options,
      Map<String, ? extends TensorData> gradients,
      Runnable sent) {
    Chunker chunks = new Chunker(gradients, connection.settings().chunkSize());
    return new Ended<>(new StepRequests(header, chunks, options), sent);
  }

  private StepCollector collector(StepHeader header, CommitOptions options) {
    return new StepCollector(header.getStep(), answerBytes(options));
  }

  private synchronized StepStream stream(Attempt attempt) {
    if (stream == null || stream.ended()) {
      stream = new StepStream();
      connection.openSteps(attempt, stream);
    } else {
      attempt.markSent();
    }
    return stream;
  }

  /** Bytes of weights that come back. */
  long answerBytes(CommitOptions options) {
    if (options.getReturnWeights() == DataType.DATA_TYPE_UNSPECIFIED) {
      return 0;
    }
    long elements = 0;
    for (Parameter parameter : position.model().getParametersList()) {
      elements += DataTypes.elements(parameter.getShapeList().stream().mapToLong(s -> s).toArray());
    }
    return elements * DataTypes.bytes(options.getReturnWeights());
  }

  /** Ends the stream; a step in flight fails. */
  @Override
  public void close() {
    StepStream open;
    synchronized (this) {
      open = stream;
      stream = null;
    }
    if (open != null && !open.ended()) {
      open.close();
    }
  }

  /** Runs an action where an iterator is found to be at its end. */
  private record Ended<T>(Iterator<T> items, Runnable action) implements Iterator<T> {
    @Override
    public boolean hasNext() {
      if (items.hasNext()) {
        return true;
      }
      action.run();
      return false;
    }

    @Override
    public T next() {
      return items.next();
    }
  }
}
