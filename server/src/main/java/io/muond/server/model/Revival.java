package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointException;
import io.muond.server.model.ModelRestorer.Goal;
import io.muond.server.model.ModelStore.Saved;
import io.muond.v1.ErrorReason;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings models back when the server starts, each from its newest checkpoint that is intact and
 * holds its tensors. What cannot be used is logged.
 */
final class Revival {
  private static final Logger logger = LoggerFactory.getLogger(Revival.class);

  private final ModelStore store;
  private final Function<Goal, CompletableFuture<Model>> recreate;

  /**
   * @param recreate makes a model of a checkpoint
   */
  Revival(ModelStore store, Function<Goal, CompletableFuture<Model>> recreate) {
    this.store = store;
    this.recreate = recreate;
  }

  void run() throws CheckpointException {
    for (String model : store.models()) {
      try {
        Saved saved = revive(model);
        logger.info(
            "model \"{}\": restored step {} from checkpoint {}",
            model,
            saved.info().step(),
            saved.info().id());
      } catch (RuntimeException e) {
        logger.error("model \"{}\" cannot be restored", model, e);
      }
    }
  }

  /**
   * Where every step was saved, or the server was stopped in peace, the incarnation stays;
   * otherwise steps may have been lost, and it is renewed.
   */
  private Saved revive(String model) throws CheckpointException {
    Optional<String> end = store.takeComplete(model);
    while (true) {
      Saved saved = store.newestLiving(model).join();
      boolean complete =
          (saved.request().getDurability().getEverySteps() == 1
                  || end.equals(Optional.of(saved.info().id())))
              && store.isNewest(saved.info());
      try {
        recreate.apply(Goal.restarted(saved, complete)).join();
        return saved;
      } catch (CompletionException e) {
        if (!isCorrupt(e)) {
          throw e;
        }
        // The store does not offer it again.
        logger.warn("checkpoint skipped: {}", e.getCause().getMessage());
      }
    }
  }

  /** Whether a checkpoint was not what it should be. */
  static boolean isCorrupt(Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause instanceof MuondException refusal
        && refusal.reason() == ErrorReason.CHECKPOINT_CORRUPT;
  }
}
