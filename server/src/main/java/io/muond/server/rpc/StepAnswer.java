package io.muond.server.rpc;

import com.google.protobuf.MessageLite;
import io.muond.server.model.Committed;
import io.muond.server.model.WeightsReader;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.StepReport;
import io.muond.v1.StepResponse;
import io.muond.wire.OutgoingMessage;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The answer to a commit, in its place among a call's answers from the commit on: weights that are
 * finished before the step is committed, if they were asked for, then the report, then the other
 * weights. A step that is refused ends the call there. Thread-safe.
 */
final class StepAnswer implements Outbox.Source<OutgoingMessage> {
  private final Kind kind;
  private WeightsReader early;
  private Committed committed;
  private Throwable refusal;
  private boolean reported;
  private boolean closed;

  /**
   * A method's messages.
   *
   * @param report one with a report
   * @param weights what chunks are put into
   * @param provisional the same, before the report
   */
  record Kind(
      Function<StepReport, MessageLite> report, MessageLite weights, MessageLite provisional) {
    static final Kind STEP =
        new Kind(
            report -> StepResponse.newBuilder().setReport(report).build(),
            StepResponse.getDefaultInstance(),
            StepResponse.newBuilder().setProvisional(true).build());
    static final Kind COMMIT_STEP =
        new Kind(
            report -> CommitStepResponse.newBuilder().setReport(report).build(),
            CommitStepResponse.getDefaultInstance(),
            CommitStepResponse.newBuilder().setProvisional(true).build());
  }

  StepAnswer(Kind kind) {
    this.kind = kind;
  }

  /** Weights can be read before the step is committed. */
  synchronized void begin(WeightsReader reader) {
    if (closed) {
      reader.close();
    } else {
      early = reader;
    }
  }

  /** The step was committed, or refused; one of both is null. */
  synchronized void settle(Committed result, Throwable failure) {
    committed = result;
    refusal = failure;
    if (closed && result != null) {
      result.close();
    }
  }

  @Override
  public synchronized boolean isReady() {
    return committed != null || refusal != null || (early != null && early.hasNext());
  }

  @Override
  public synchronized boolean next(Consumer<OutgoingMessage> to) {
    if (refusal != null) {
      throw new CompletionException(refusal);
    }
    if (committed == null) {
      early.next(chunk -> to.accept(new OutgoingMessage(kind.provisional, List.of(chunk))));
      return true;
    }
    if (!reported) {
      reported = true;
      to.accept(new OutgoingMessage(kind.report.apply(committed.report()), List.of()));
      return true;
    }
    return committed.weights().isPresent()
        && committed
            .weights()
            .get()
            .next(chunk -> to.accept(new OutgoingMessage(kind.weights, List.of(chunk))));
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (early != null) {
      early.close();
    }
    if (committed != null) {
      committed.close();
    }
  }
}
