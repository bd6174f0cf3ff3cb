package io.muond.server.model;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.model.StepLedger.Point;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.NotFiniteException;
import io.muond.v1.WriteWeightsResponse;
import io.muond.v1.WrittenParameter;
import io.muond.wire.Chunk;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * An upload of weights. It occupies the model's gradient slots from its first message to its end;
 * the weights change at the end, all of them or none.
 */
public final class WeightsUpload implements AutoCloseable {
  private final Model model;
  private final Contribution contribution;
  private volatile long lastNews = System.nanoTime();
  private boolean finishing;
  private boolean released;

  WeightsUpload(Model model, Contribution contribution) {
    this.model = model;
    this.contribution = contribution;
  }

  /** Takes a chunk of a weight, or refuses it by a {@link MuondException}. */
  public void stage(Chunk chunk) {
    contribution.stage(chunk);
    lastNews = System.nanoTime();
  }

  /** Tells {@code action}, run by {@code executor}, should the upload be dropped. */
  public void onDrop(Executor executor, Consumer<MuondException> action) {
    var unused = contribution.onClose(executor, action);
  }

  /** Projects the weights and makes them the model's. */
  public CompletableFuture<WriteWeightsResponse> finish() {
    synchronized (model.state()) {
      contribution.requireOpen();
      contribution.requireComplete();
      finishing = true;
    }
    return model
        .exclusively(() -> project().thenCompose(this::commit))
        .whenComplete((response, failure) -> release());
  }

  private CompletableFuture<List<WrittenParameter>> project() {
    return model.computeInSpare(WeightsUpload::project).thenApply(this::describe);
  }

  /** Returns the squares of the distances by which the shard's parameters moved. */
  private static Map<String, Double> project(Shard shard) {
    Map<String, Double> squares = new HashMap<>();
    ShardMemory memory = shard.memory();
    Region workspace = shard.device().workspace().region();
    for (int b = 0; b < shard.layout().batches().size(); b++) {
      Batch batch = shard.layout().batches().get(b);
      double[] distances;
      try {
        distances =
            batch.program().project(memory.gradientSlot(b, 0), memory.spareWeights(b), workspace);
      } catch (NotFiniteException e) {
        throw StepComputation.notFinite(batch, e);
      }
      addSquares(batch, distances, squares);
      // A commit makes the first gradient slot the momentum, and spare second moments the moments.
      Compute compute = shard.device().engine().compute();
      if (batch.spec().hasMomentum()) {
        compute.zero(matrices(batch, memory.gradientSlot(b, 0)));
      }
      if (batch.spec().hasSecondMoment()) {
        compute.zero(matrices(batch, memory.spareSecondMoment(b)));
      }
    }
    // Other threads save what is there now, or put gradients there if it cannot be saved.
    shard.device().engine().synchronize();
    return squares;
  }

  private static void addSquares(Batch batch, double[] distances, Map<String, Double> squares) {
    int matrix = 0;
    for (Piece piece : batch.members()) {
      for (int i = 0; i < piece.matrices(); i++, matrix++) {
        if (!Double.isFinite(distances[matrix])) {
          throw Refusals.notProjectable(piece.parameter());
        }
        squares.merge(piece.parameter(), distances[matrix] * distances[matrix], Double::sum);
      }
    }
  }

  private List<WrittenParameter> describe(List<Map<String, Double>> shards) {
    Map<String, Double> squares = new HashMap<>();
    shards.forEach(squares::putAll);
    return model.spec().parameters().stream()
        .map(
            p ->
                WrittenParameter.newBuilder()
                    .setName(p.name())
                    .setDistance(Math.sqrt(squares.get(p.name())))
                    .build())
        .toList();
  }

  private static Matrices matrices(Batch batch, Region region) {
    BatchSpec spec = batch.spec();
    return Matrices.packed(
        region, spec.count(), Math.toIntExact(spec.rows()), Math.toIntExact(spec.columns()));
  }

  private CompletableFuture<WriteWeightsResponse> commit(List<WrittenParameter> written) {
    Point next;
    synchronized (model.state()) {
      next = model.state().ledger().now().rewritten();
    }
    return model
        .saver()
        .saveRewritten(next)
        .thenApply(
            saved -> {
              model.publish(next, saved);
              return WriteWeightsResponse.newBuilder()
                  .setIncarnation(next.incarnation().id())
                  .setNextStep(next.step() + 1)
                  .addAllParameters(written)
                  .build();
            });
  }

  /** Drops the upload if nothing has arrived for {@code timeout}. */
  void expire(long now, Duration timeout) {
    if (now - lastNews > timeout.toNanos()) {
      cancel(Refusals.uploadExpired(model.spec().name(), timeout));
    }
  }

  /** Drops the upload, unless it is being finished. */
  void cancel(MuondException reason) {
    synchronized (model.state()) {
      if (finishing) {
        return;
      }
      contribution.close(reason);
    }
    release();
  }

  /** Drops the upload, unless it was finished. */
  @Override
  public void close() {
    cancel(Refusals.stepAborted(model.spec().name(), 0, "the upload of weights has ended early"));
  }

  private void release() {
    Runnable waiting;
    synchronized (model.state()) {
      if (released) {
        return;
      }
      released = true;
      model.uploadEnded();
      waiting = model.state().release();
    }
    waiting.run();
  }
}
