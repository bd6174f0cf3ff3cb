package io.muond.quickstart.gpt;

/** Pieces of a text of the same length. */
final class Batch {
  private final int context;
  private final int[] inputs;
  private final int[] targets;

  /**
   * @param context the length of a piece
   * @param inputs the pieces' characters, piece after piece
   * @param targets to each of them the one that follows
   */
  Batch(int context, int[] inputs, int[] targets) {
    this.context = context;
    this.inputs = inputs;
    this.targets = targets;
  }

  /** The number of characters. */
  int size() {
    return inputs.length;
  }

  /** The length of a piece. */
  int context() {
    return context;
  }

  int input(int i) {
    return inputs[i];
  }

  int target(int i) {
    return targets[i];
  }
}
