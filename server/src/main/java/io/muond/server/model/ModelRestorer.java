package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointInfo;
import io.muond.server.model.ModelStore.Saved;
import io.muond.server.model.StepLedger.Point;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** Puts models back to checkpoints. */
final class ModelRestorer {
  private final ModelStore store;

  ModelRestorer(ModelStore store) {
    this.store = store;
  }

  /**
   * A checkpoint to put a model back to.
   *
   * @param incarnation the model's from then on
   * @param restart whether nobody asked for it: the server has started
   */
  record Goal(Saved saved, Incarnation incarnation, boolean restart) {
    /** Somebody asked for it. */
    static Goal asked(Saved saved) {
      return new Goal(saved, Incarnation.original(saved.info().step()), false);
    }

    /**
     * The server has started.
     *
     * @param complete whether no step can have been lost
     */
    static Goal restarted(Saved saved, boolean complete) {
      Incarnation before = saved.incarnation();
      return new Goal(saved, complete ? before : before.continued(saved.info().step()), true);
    }
  }

  /** Puts {@code model} back. On failure it stays as it was. */
  CompletableFuture<Void> restore(Model model, Goal goal) {
    requireSameParameters(model, goal.saved());
    return model.withoutStep("a checkpoint is being restored", () -> load(model, goal));
  }

  private static void requireSameParameters(Model model, Saved saved) {
    List<ParameterSpec> parameters = ModelReader.read(saved.request()).parameters();
    if (!parameters.equals(model.spec().parameters())) {
      throw Refusals.invalidField(
          "checkpoint",
          '"' + saved.info().id() + "\", of other parameters",
          "a checkpoint of the model as it is now; delete the model first, keeping checkpoints");
    }
  }

  private CompletableFuture<Void> load(Model model, Goal goal) {
    CheckpointInfo info = goal.saved().info();
    LedgerCodec.History history = goal.saved().history();
    Point next =
        new Point(goal.incarnation(), info.step(), history.momentsBegan(), history.records());
    return model
        .vacateSpare()
        .thenCompose(vacated -> store.load(model, info))
        .thenCompose(loaded -> save(model, next, goal))
        .thenAccept(durable -> model.publish(next, durable));
  }

  private static CompletableFuture<Optional<Durable>> save(Model model, Point next, Goal goal) {
    CheckpointInfo info = goal.saved().info();
    return goal.restart()
        ? model.saver().saveRestarted(next, info)
        : model.saver().saveRestored(next, info);
  }
}
