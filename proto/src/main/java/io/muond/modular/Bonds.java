package io.muond.modular;

import io.muond.manifold.Words;
import io.muond.v1.Bond;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions without weights, and their sensitivities. */
final class Bonds {
  private static final String SOFTMAX = "softmax";
  private static final String MULTIPLY = "multiply";

  /** What a bond makes of the root mean squares (RMS) that come in. */
  enum Effect {
    /** What goes out is no larger. */
    KEEPS,
    /** It is {@code scale} times as large. */
    SCALES,
    /** It is the sum of all that comes in. */
    ADDS,
    /** It is shares of 1, whatever comes in. */
    DISTRIBUTES,
    /** It is as large as the product of two that come in. */
    MULTIPLIES
  }

  /** All kinds, in the order of the documentation. */
  private static final Map<String, Effect> KINDS = kinds();

  private Bonds() {}

  private static Map<String, Effect> kinds() {
    Map<String, Effect> kinds = new LinkedHashMap<>();
    kinds.put("relu", Effect.KEEPS);
    kinds.put("gelu", Effect.KEEPS);
    kinds.put(SOFTMAX, Effect.DISTRIBUTES);
    kinds.put("identity", Effect.KEEPS);
    kinds.put("add", Effect.ADDS);
    kinds.put(MULTIPLY, Effect.SCALES);
    kinds.put("attention_qk", Effect.MULTIPLIES);
    kinds.put("attention_apply", Effect.MULTIPLIES);
    for (String kind : List.of("causal_mask", "split_heads", "merge_heads", "rope")) {
      kinds.put(kind, Effect.KEEPS);
    }
    return kinds;
  }

  /**
   * What a bond does to sizes.
   *
   * @param kind a valid one
   */
  static Effect effect(String kind) {
    return KINDS.get(kind);
  }

  /** Refuses what is no bond. */
  static String kind(TreePath path, String kind) {
    if (!KINDS.containsKey(kind)) {
      throw new ModuleException(
          path, "unknown bond " + Words.quote(kind) + " (expected one of " + KINDS.keySet() + ")");
    }
    return kind;
  }

  /**
   * The sensitivity: 1 for most, gelu included, which stands for gelu divided by 1.1289, its
   * largest slope.
   */
  static double sensitivity(Bond bond, TreePath path) {
    kind(path, bond.getKind());
    if (!bond.hasScale()) {
      return 1;
    }
    TreePath scale = path.child("bond").field("scale");
    return switch (bond.getKind()) {
      case SOFTMAX -> Checks.positive(scale, bond.getScale());
      case MULTIPLY -> Math.abs(Checks.notZero(scale, bond.getScale()));
      default ->
          throw new ModuleException(
              scale, bond.getScale() + " (expected: only with softmax and multiply)");
    };
  }
}
