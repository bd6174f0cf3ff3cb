package io.muond.server.model;

import io.muond.server.engine.Region;

/** Makes a model's first weights from its seed. */
final class Initialization {
  private Initialization() {}

  /**
   * Fills the committed weights of a shard. Each matrix has a seed of its own, see {@link
   * Mix64#seed}: which device it is on makes no difference.
   */
  static void run(long seed, Shard shard) {
    Region workspace = shard.device().workspace().region();
    for (int b = 0; b < shard.layout().batches().size(); b++) {
      Batch batch = shard.layout().batches().get(b);
      long[] seeds = new long[batch.spec().count()];
      int matrix = 0;
      for (Piece piece : batch.members()) {
        for (int i = 0; i < piece.matrices(); i++) {
          seeds[matrix++] = Mix64.seed(seed, piece.name(), i);
        }
      }
      batch.program().initialize(seeds, shard.memory().stepBuffers(b).weights(), workspace);
    }
    shard.device().engine().synchronize();
  }
}
