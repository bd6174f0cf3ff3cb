package io.muond.server.rpc;

import com.google.protobuf.MessageLite;
import io.muond.server.model.Committed;
import io.muond.v1.StepReport;
import io.muond.wire.OutgoingMessage;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/** A report, then the new weights if there are any. */
final class CommittedSource implements Outbox.Source<OutgoingMessage> {
  private final Committed committed;
  private final Function<StepReport, MessageLite> envelope;
  private final MessageLite empty;
  private boolean reported;

  /**
   * @param envelope the answer with a report
   * @param empty the answer with nothing, to put chunks in
   */
  CommittedSource(
      Committed committed, Function<StepReport, MessageLite> envelope, MessageLite empty) {
    this.committed = committed;
    this.envelope = envelope;
    this.empty = empty;
  }

  @Override
  public boolean next(Consumer<OutgoingMessage> to) {
    if (!reported) {
      reported = true;
      to.accept(new OutgoingMessage(envelope.apply(committed.report()), List.of()));
      return true;
    }
    return committed.weights().isPresent()
        && committed
            .weights()
            .get()
            .next(chunk -> to.accept(new OutgoingMessage(empty, List.of(chunk))));
  }

  @Override
  public void close() {
    committed.close();
  }
}
