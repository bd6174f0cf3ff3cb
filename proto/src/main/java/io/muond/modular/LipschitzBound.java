package io.muond.modular;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Optional;

/**
 * Whether the product of bounds that {@link Measurer} finds is a Lipschitz bound of the network. It
 * is if every weight is bounded and the bonds keep what they promise: attention's two products do
 * so only where what they multiply has root mean squares (RMS) of at most 1.
 */
final class LipschitzBound {
  private LipschitzBound() {}

  /** Not where a weight is free, nor where products of bounds have left the range of double. */
  static boolean isBound(double bound) {
    return bound > 0 && Double.isFinite(bound);
  }

  /** Why the network has no bound, if it has none. */
  static Optional<String> fault(Measured root) {
    if (isBound(root.bound())) {
      return Magnitudes.firstTooLarge(root).map(LipschitzBound::words);
    }
    return Optional.of(
        free(root)
            .map(LipschitzBound::words)
            .orElse("the product of bounds is " + root.bound() + " in double precision"));
  }

  /** The first atom whose weight has no bound. */
  private static Optional<Atom> free(Measured node) {
    if (node.atom() != null) {
      return Optional.of(node.atom()).filter(atom -> !isBound(atom.bound()));
    }
    return node.carriers().stream()
        .map(carrier -> free(carrier.module()))
        .flatMap(Optional::stream)
        .findFirst();
  }

  private static String words(Atom atom) {
    return "the weight at " + atom.path() + " is not bounded on its manifold";
  }

  private static String words(Magnitudes.TooLarge found) {
    String where = found.bond().module().getBond().getKind() + " at " + found.bond().path();
    if (found.unbounded().isPresent()) {
      return "%s may see inputs of any size, after what is added at %s"
          .formatted(where, found.unbounded().get().path());
    }
    return Double.isFinite(found.largest())
        ? "%s may see inputs of root mean square %s (expected: at most 1)"
            .formatted(where, number(found.largest()))
        : where + " may see inputs that have grown over too many copies to follow";
  }

  /** Digits enough to tell what is just too large. */
  private static String number(double value) {
    return new BigDecimal(value).round(new MathContext(10)).stripTrailingZeros().toPlainString();
  }
}
