package io.muond.client;

import io.muond.v1.ErrorReason;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.WeightsHeader;
import io.muond.wire.Chunk;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/**
 * Reads the weights of a model as its writer left it: if the server has lost steps meanwhile, after
 * they were sent again.
 */
final class WeightsReading extends Recovering<WeightsHeader> {
  private final Connection connection;
  private final Position position;
  private final Replay replay;
  private final ReadWeightsRequest request;
  private final WeightsSink sink;

  WeightsReading(
      Connection connection,
      Position position,
      Replay replay,
      ReadWeightsRequest request,
      WeightsSink sink) {
    super(replay);
    this.connection = connection;
    this.position = position;
    this.replay = replay;
    this.request = request;
    this.sink = sink;
  }

  @Override
  CompletableFuture<WeightsHeader> attempt() {
    return read(
        replay.isOn()
            ? new Checked(position.model().getIncarnation(), position.nextStep() - 1)
            : sink);
  }

  private CompletableFuture<WeightsHeader> read(WeightsSink into) {
    return connection.download(TensorMethods.READ_WEIGHTS, request, () -> new WeightsReader(into));
  }

  @Override
  boolean tellsOfLoss(MuondException failure) {
    return super.tellsOfLoss(failure) || failure.is(ErrorReason.STEP_NOT_AVAILABLE);
  }

  @Override
  CompletableFuture<Void> recover(MuondException seen) {
    CompletableFuture<Void> step = position.running();
    // The step that is running puts the model back by itself.
    return step == null ? super.recover(seen) : step.copy();
  }

  /** Others have replaced the weights: they are what is to be read now. */
  @Override
  CompletableFuture<WeightsHeader> giveUp(MuondException failure) {
    return read(sink);
  }

  /** Takes weights unless they are of before a step that was committed when the read began. */
  private final class Checked implements WeightsSink {
    private final String incarnation;
    private final long committed;

    private Checked(String incarnation, long committed) {
      this.incarnation = incarnation;
      this.committed = committed;
    }

    @Override
    public void begin(WeightsHeader header) throws IOException {
      if (!header.getIncarnation().equals(incarnation) || header.getStep() < committed) {
        throw Replay.rolledBack("weights are of step " + header.getStep());
      }
      sink.begin(header);
    }

    @Override
    public void accept(Chunk chunk) throws IOException {
      sink.accept(chunk);
    }
  }
}
