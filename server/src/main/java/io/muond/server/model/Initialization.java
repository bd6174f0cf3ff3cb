package io.muond.server.model;

/** Makes a model's first weights from its seed. */
final class Initialization {
  private Initialization() {}

  /** Fills the committed weights. Each matrix has a seed of its own, see {@link Mix64#seed}. */
  static void run(long seed, Layout layout, ModelMemory memory, Workspace workspace) {
    for (int b = 0; b < layout.batches().size(); b++) {
      Batch batch = layout.batches().get(b);
      long[] seeds = new long[batch.spec().count()];
      int matrix = 0;
      for (ParameterSpec parameter : batch.members()) {
        for (int i = 0; i < parameter.matrices(); i++) {
          seeds[matrix++] = Mix64.seed(seed, parameter.name(), i);
        }
      }
      batch.program().initialize(seeds, memory.stepBuffers(b).weights(), workspace.region());
    }
  }
}
