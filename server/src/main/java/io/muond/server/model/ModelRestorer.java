package io.muond.server.model;

import io.muond.server.model.ModelStore.Saved;
import io.muond.server.model.StepLedger.Point;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Puts models back to checkpoints. */
final class ModelRestorer {
  private final ModelStore store;

  ModelRestorer(ModelStore store) {
    this.store = store;
  }

  /**
   * Puts {@code model} back. On failure it stays as it was.
   *
   * @param incarnation its new one
   */
  CompletableFuture<Void> restore(Model model, Saved saved, String incarnation) {
    requireSameParameters(model, saved);
    return model.withoutStep(
        "a checkpoint is being restored", () -> load(model, saved, incarnation));
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

  private CompletableFuture<Void> load(Model model, Saved saved, String incarnation) {
    LedgerCodec.History history = saved.history();
    Point next =
        new Point(incarnation, saved.info().step(), history.momentsBegan(), history.last());
    return model
        .vacateSpare()
        .thenCompose(vacated -> store.load(model, saved.info()))
        .thenCompose(loaded -> model.saver().saveRestored(next, saved.info()))
        .thenAccept(done -> model.publish(next, true));
  }
}
