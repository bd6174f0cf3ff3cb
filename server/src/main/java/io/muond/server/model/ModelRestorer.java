package io.muond.server.model;

import io.muond.server.model.ModelStore.Saved;
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
    return model
        .state()
        .whenIdle(
            () -> {
              model.desk().drop("a checkpoint is being restored");
              model.state().occupy();
              return model;
            })
        .thenCompose(
            occupied ->
                model
                    .exclusively(() -> load(model, saved, incarnation))
                    .whenComplete((done, failure) -> release(model)));
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
    return model
        .vacateSpare()
        .thenCompose(ignored -> store.load(model, saved.info()))
        .thenCompose(ignored -> store.renew(saved.info()))
        .thenCompose(
            ignored -> {
              synchronized (model.state()) {
                model.memory().commit();
                model
                    .state()
                    .ledger()
                    .restore(incarnation, saved.info().step(), saved.history().last().orElse(null));
                model.state().repeats().clear();
                model.state().setReady();
              }
              boolean renewed = !incarnation.equals(saved.info().incarnation());
              return renewed
                  ? model.saver().saveIfAutomatic()
                  : CompletableFuture.<Void>completedFuture(null);
            });
  }

  private static void release(Model model) {
    CompletableFuture<Void> busy;
    synchronized (model.state()) {
      busy = model.state().release();
    }
    busy.complete(null);
  }
}
