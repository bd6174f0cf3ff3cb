package io.muond.server.rpc;

import io.muond.server.model.Committed;
import io.muond.v1.StepReport;
import io.muond.v1.TensorChunk;
import java.util.function.Function;

/** A report, then the new weights if there are any. */
final class CommittedSource<T> implements Outbox.Source<T> {
  private final Committed committed;
  private final Function<StepReport, T> report;
  private final Function<TensorChunk, T> chunk;
  private boolean reported;

  CommittedSource(
      Committed committed, Function<StepReport, T> report, Function<TensorChunk, T> chunk) {
    this.committed = committed;
    this.report = report;
    this.chunk = chunk;
  }

  @Override
  public T next() {
    if (!reported) {
      reported = true;
      return report.apply(committed.report());
    }
    TensorChunk next = committed.weights().map(w -> w.next()).orElse(null);
    return next == null ? null : chunk.apply(next);
  }

  @Override
  public void close() {
    committed.weights().ifPresent(w -> w.close());
  }
}
