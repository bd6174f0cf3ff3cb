package io.muond.client;

import io.grpc.Status;
import io.muond.v1.StepReport;
import io.muond.wire.Chunk;

/** Gathers the answer to one step: its report, then as many bytes of weights as were asked for. */
final class StepCollector {
  private final long step;
  private final long expectedBytes;
  private final WeightsCollector weights = new WeightsCollector();
  private StepReport report;
  private final ChunkOrder order = new ChunkOrder();

  StepCollector(long step, long expectedBytes) {
    this.step = step;
    this.expectedBytes = expectedBytes;
  }

  /** The step's number. */
  long step() {
    return step;
  }

  void report(StepReport message) {
    if (report != null) {
      throw Errors.of(Status.Code.INTERNAL, "the server sent two reports for one step");
    }
    if (message.getStep() != step) {
      // The transport has delivered something twice: the call has to be made again.
      throw Errors.of(
          Status.Code.UNAVAILABLE,
          "the answer is that of step %d (expected: step %d)".formatted(message.getStep(), step));
    }
    report = message;
  }

  /**
   * @param provisional whether the server says that it is of a step that is not committed yet
   */
  void chunk(Chunk chunk, boolean provisional) {
    if (provisional == (report != null)) {
      throw Errors.of(
          Status.Code.INTERNAL,
          provisional
              ? "the server sent provisional weights after the step's report"
              : "the server sent weights before the step's report");
    }
    order.next(chunk);
    weights.accept(chunk);
  }

  boolean complete() {
    return report != null && order.bytes() >= expectedBytes;
  }

  StepResult result() {
    if (!complete()) {
      throw Errors.of(
          Status.Code.DATA_LOSS,
          "the step's answer ended after %d bytes of weights (expected: %d)"
              .formatted(order.bytes(), expectedBytes));
    }
    return new StepResult(report, weights.tensors());
  }
}
