package io.muond.modular;

import io.muond.manifold.Words;
import io.muond.v1.Bond;
import java.util.List;

/** The functions without weights, and their sensitivities. */
final class Bonds {
  private static final String SOFTMAX = "softmax";
  private static final String MULTIPLY = "multiply";

  /** All kinds, in the order of the documentation. */
  private static final List<String> KINDS =
      List.of(
          "relu",
          "gelu",
          SOFTMAX,
          "identity",
          "add",
          MULTIPLY,
          "attention_qk",
          "attention_apply",
          "causal_mask",
          "split_heads",
          "merge_heads",
          "rope");

  private Bonds() {}

  /** Refuses what is no bond. */
  static String kind(TreePath path, String kind) {
    if (!KINDS.contains(kind)) {
      throw new ModuleException(
          path, "unknown bond " + Words.quote(kind) + " (expected one of " + KINDS + ")");
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
