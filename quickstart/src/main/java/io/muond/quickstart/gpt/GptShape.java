package io.muond.quickstart.gpt;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A GPT's sizes.
 *
 * @param vocabulary the number of characters
 * @param width the length of the vectors; the heads divide it
 * @param blocks how many there are in sequence
 * @param heads of attention, in each block
 * @param context how many characters it sees
 * @param stretches of its weights
 */
record GptShape(
    int vocabulary, int width, int blocks, int heads, int context, Stretches stretches) {

  /**
   * By how much weights on their manifolds stretch root mean squares; v, down and the embedding by
   * 1.
   *
   * @param queries q and k, where scores are q · k / d
   * @param attended o, after attention's 1/3
   * @param inner up, before the gelu
   * @param logits the head
   */
  record Stretches(double queries, double attended, double inner, double logits) {
    /**
     * What manifold Muon does best with: a weight that can't grow must be able from the beginning
     * to tell characters apart, to bend the gelu and to be heard beside the residual.
     */
    static final Stretches CONSTRAINED = new Stretches(4, 6, 8, 4);

    /** What AdamW does best with: its weights grow where they need to. */
    static final Stretches FREE = new Stretches(2, 3, 2, 4);
  }

  GptShape {
    if (width % (2 * heads) != 0) {
      throw new IllegalArgumentException(
          "width: %d (expected: a multiple of 2 x %d heads)".formatted(width, heads));
    }
  }

  /** The MLP's inner width. */
  int hidden() {
    return 4 * width;
  }

  /** The length of a head's vectors. */
  int headWidth() {
    return width / heads;
  }

  /** What a block adds: x ← (1 − r) x + r f(x), twice. */
  float residual() {
    return 1f / (2 * blocks);
  }

  /**
   * A weight.
   *
   * @param stretch by how much it stretches root mean squares, on its manifold
   */
  record Weight(int rows, int columns, double stretch) {
    /** The singular values of a matrix that stretches by 1. */
    double unit() {
      return Math.sqrt((double) rows / columns);
    }

    boolean isMatrix() {
      return rows > 1;
    }
  }

  /** The weights by their names, in the order in which they are applied. */
  Map<String, Weight> weights() {
    Map<String, Weight> weights = new LinkedHashMap<>();
    weights.put("embed", new Weight(vocabulary, width, 1));
    for (int i = 0; i < blocks; i++) {
      weights.put("v." + i, new Weight(width, width, 1));
      weights.put("q." + i, new Weight(width, width, stretches.queries));
      weights.put("k." + i, new Weight(width, width, stretches.queries));
      weights.put("o." + i, new Weight(width, width, stretches.attended));
      weights.put("up." + i, new Weight(hidden(), width, stretches.inner));
      weights.put("down." + i, new Weight(width, hidden(), 1));
    }
    weights.put("head", new Weight(vocabulary, width, stretches.logits));
    weights.put("bias", new Weight(1, vocabulary, 1));
    return weights;
  }
}
