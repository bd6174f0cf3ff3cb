package io.muond.modular;

import java.util.Optional;

/**
 * How large what flows through a network may become, if its inputs have a root mean square (RMS) of
 * at most 1. Goes through the tree in the order of application, until it finds inputs of one of
 * attention's products that may be larger than 1.
 */
final class Magnitudes {
  /** What a product's inputs may have beyond 1: rounding, over a hundred thousand layers. */
  private static final double ROUNDING = 1e-9;

  /** Modules visited, every copy counted: the largest GPT has 600,000. */
  private static final long MAX_VISITS = 2_000_000;

  private long visits;
  private Atom unbounded;
  private TooLarge found;

  private Magnitudes() {}

  /**
   * What flows between two modules: one vector, or several side by side.
   *
   * @param total the sum of their RMS, which is the norm of what a tuple gives
   * @param largest the largest
   */
  private record Flow(double total, double largest) {
    static Flow one(double rms) {
      return new Flow(rms, rms);
    }

    Flow times(double factor) {
      return new Flow(factor * total, factor * largest);
    }
  }

  /**
   * A product whose inputs may be larger than 1.
   *
   * @param bond the product
   * @param largest the bound of its inputs' RMS
   * @param unbounded the atom after which nothing is known, if that is why
   */
  record TooLarge(Measured bond, double largest, Optional<Atom> unbounded) {}

  /** The first product whose inputs may be larger than 1. */
  static Optional<TooLarge> firstTooLarge(Measured root) {
    Magnitudes magnitudes = new Magnitudes();
    magnitudes.through(root, Flow.one(1));
    return Optional.ofNullable(magnitudes.found);
  }

  private Flow through(Measured node, Flow in) {
    visits++;
    if (found != null) {
      return in;
    }
    return switch (node.module().getKindCase()) {
      case EMBED -> Flow.one(node.bound());
      case BIAS -> added(node.atom(), in);
      case LINEAR, CONVOLUTION, GAIN -> in.times(node.bound());
      case BOND -> bond(node, in);
      case SEQUENCE -> {
        Flow flow = in;
        for (Measured child : node.children()) {
          flow = through(child, flow);
        }
        yield flow;
      }
      case TUPLE -> sideBySide(node, in);
      case SUM -> Flow.one(sideBySide(node, in).total());
      case SCALE -> through(node.child(), in).times(Math.abs(node.module().getScale().getFactor()));
      case REPEAT -> repeated(node, in);
      case MASS -> through(node.child(), in);
      default ->
          throw new IllegalStateException(node.module().getKindCase() + " was not written out");
    };
  }

  private Flow added(Atom atom, Flow in) {
    double rms = NormBounds.bias(atom.parameter());
    if (Double.isInfinite(rms) && unbounded == null) {
      unbounded = atom;
    }
    return new Flow(in.total() + rms, in.largest() + rms);
  }

  private Flow bond(Measured node, Flow in) {
    return switch (Bonds.effect(node.module().getBond().getKind())) {
      case KEEPS -> in;
      case SCALES -> in.times(node.sensitivity());
      case ADDS -> Flow.one(in.total());
      // Shares of 1.
      case DISTRIBUTES -> Flow.one(1);
      case MULTIPLIES -> {
        if (!(in.largest() <= 1 + ROUNDING)) {
          Optional<Atom> cause =
              Optional.ofNullable(unbounded).filter(atom -> Double.isInfinite(in.largest()));
          found = new TooLarge(node, in.largest(), cause);
        }
        // |<x, y>| <= |x| |y|, neither of which is larger than 1.
        yield Flow.one(in.largest());
      }
    };
  }

  private Flow sideBySide(Measured node, Flow in) {
    double total = 0;
    double largest = 0;
    for (Measured child : node.children()) {
      Flow flow = through(child, in);
      total += flow.total();
      largest = Math.max(largest, flow.largest());
    }
    return new Flow(total, largest);
  }

  /**
   * Copy after copy. Every module gives no less for larger inputs: where a copy gives no more than
   * it got, no later one gives more than that copy, nor sees more.
   */
  private Flow repeated(Measured node, Flow in) {
    long count = node.module().getRepeat().getCount();
    Flow flow = in;
    for (long i = 0; i < count; i++) {
      Flow next = through(node.child(), flow);
      boolean grows = next.total() > flow.total() || next.largest() > flow.largest();
      if (next.equals(flow) || found != null || (visits > MAX_VISITS && !grows)) {
        return next;
      }
      if (visits > MAX_VISITS) {
        return Flow.one(Double.POSITIVE_INFINITY);
      }
      flow = next;
    }
    return flow;
  }
}
