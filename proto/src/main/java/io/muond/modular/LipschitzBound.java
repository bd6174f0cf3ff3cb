package io.muond.modular;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * By how much a network's output moves at most when its input, of a root mean square (RMS) of at
 * most 1, moves by 1. Goes through the tree in the order of application. Each atom counts with the
 * bound that its manifold gives. Attention multiplies what flows: where one factor has a root mean
 * square of r, the product moves by r times what the other moves, so that sizes are followed too.
 */
final class LipschitzBound {
  /** What a factor may have beyond 1 and count as 1: rounding, over a hundred thousand layers. */
  private static final double RMS_MARGIN = 1e-9;

  /** Modules visited, every copy counted: the largest GPT has 600,000. */
  private static final long MAX_VISITS = 2_000_000;

  /** More vectors side by side are followed as if they were one. */
  private static final int MAX_PARTS = 8;

  private long visits;
  private long products;

  /** Why what flows may be of any size, if it may. */
  private String unknown;

  /** Why there is no bound, if it was found on the way. */
  private String fault;

  private LipschitzBound() {}

  /**
   * A vector that flows between two modules.
   *
   * @param rms its root mean square, at most
   * @param slope by how much it moves at most when the network's input moves by 1
   */
  private record Part(double rms, double slope) {}

  /** What flows between two modules: one vector, or several side by side. */
  private record Flow(List<Part> parts) {
    static Flow one(double rms, double slope) {
      return new Flow(List.of(new Part(rms, slope)));
    }

    /** The sum, which is the norm of what a tuple gives. */
    double rms() {
      return parts.stream().mapToDouble(Part::rms).sum();
    }

    double slope() {
      return parts.stream().mapToDouble(Part::slope).sum();
    }

    Flow times(double factor) {
      return timesSlope(factor, factor);
    }

    Flow timesSlope(double factor, double slopeFactor) {
      return new Flow(
          parts.stream().map(p -> new Part(factor * p.rms, slopeFactor * p.slope)).toList());
    }

    /** As one vector. */
    Flow sum() {
      return parts.size() == 1 ? this : one(rms(), slope());
    }
  }

  /**
   * What was found.
   *
   * @param value the bound, if there is no fault
   * @param fault why there is none, for people
   */
  record Found(double value, Optional<String> fault) {}

  static Found of(Measured root) {
    LipschitzBound bound = new LipschitzBound();
    double value = bound.through(root, Flow.one(1, 1)).slope();
    if (bound.fault == null && !isBound(value)) {
      bound.fault = "the product of bounds is " + value + " in double precision";
    }
    return new Found(value, Optional.ofNullable(bound.fault));
  }

  /** Not where a weight is free, nor where products of bounds have left the range of double. */
  static boolean isBound(double bound) {
    return bound > 0 && Double.isFinite(bound);
  }

  private Flow through(Measured node, Flow in) {
    visits++;
    if (fault != null) {
      return in;
    }
    return switch (node.module().getKindCase()) {
      case LINEAR, EMBED, CONVOLUTION, BIAS, GAIN -> atom(node, in);
      case BOND -> bond(node, in);
      case SEQUENCE -> {
        Flow flow = in;
        for (Measured child : node.children()) {
          flow = through(child, flow);
        }
        yield flow;
      }
      case TUPLE -> sideBySide(node, in);
      case SUM -> sideBySide(node, in).sum();
      case SCALE -> through(node.child(), in).times(Math.abs(node.module().getScale().getFactor()));
      case REPEAT ->
          repeated(node.module().getRepeat().getCount(), in, flow -> through(node.child(), flow));
      case MASS -> through(node.child(), in);
      default ->
          throw new IllegalStateException(node.module().getKindCase() + " was not written out");
    };
  }

  private Flow atom(Measured node, Flow in) {
    Atom atom = node.atom();
    if (!isBound(atom.bound())) {
      fault = "the weight at " + atom.path() + " is not bounded on its manifold";
    }
    return switch (node.module().getKindCase()) {
      case EMBED -> Flow.one(atom.bound(), atom.bound() * in.slope());
      case BIAS -> {
        double rms = NormBounds.bias(atom.parameter());
        if (Double.isInfinite(rms)) {
          setUnknown("of any size, after what is added at " + atom.path());
        }
        yield Flow.one(in.rms() + rms, in.slope());
      }
      default -> in.times(atom.bound());
    };
  }

  private Flow bond(Measured node, Flow in) {
    return switch (Bonds.effect(node.module().getBond().getKind())) {
      case KEEPS -> in;
      case SCALES -> in.times(node.sensitivity());
      case ADDS -> in.sum();
      case DISTRIBUTES -> Flow.one(1, node.sensitivity() * in.slope());
      case MULTIPLIES -> product(node, in);
    };
  }

  /**
   * |xy − x'y'| <= |y| |x − x'| + |x'| |y − y'|. How one vector is cut into factors nobody knows:
   * each may be all of it.
   */
  private Flow product(Measured node, Flow in) {
    products++;
    if (unknown != null && Double.isInfinite(in.rms())) {
      fault =
          "%s at %s may see inputs %s"
              .formatted(node.module().getBond().getKind(), node.path(), unknown);
    }
    if (in.parts().size() == 2) {
      Part x = in.parts().get(0);
      Part y = in.parts().get(1);
      return Flow.one(x.rms * y.rms, factor(y.rms) * x.slope + factor(x.rms) * y.slope);
    }
    return Flow.one(in.rms() * in.rms(), factor(in.rms()) * in.slope());
  }

  /** A product's sensitivity is 1 at least. */
  private static double factor(double rms) {
    return rms <= 1 + RMS_MARGIN ? 1 : rms;
  }

  private Flow sideBySide(Measured node, Flow in) {
    List<Part> parts = new ArrayList<>();
    for (Measured child : node.children()) {
      parts.addAll(through(child, in).parts());
      if (parts.size() > MAX_PARTS) {
        Flow sum = new Flow(parts).sum();
        parts = new ArrayList<>(sum.parts());
      }
    }
    return new Flow(List.copyOf(parts));
  }

  /**
   * Copy after copy, until one gives what it got: so do all that follow. Every module gives no less
   * for larger inputs. So where a copy gives no more than it got, no later one gives more than that
   * copy, nor has a larger slope. What lies side by side between copies is followed as one vector.
   */
  private Flow repeated(long count, Flow in, UnaryOperator<Flow> copy) {
    Flow flow = in.sum();
    for (long i = 1; i <= count; i++) {
      long before = products;
      Flow next = copy.apply(flow).sum();
      boolean tooMany = visits > MAX_VISITS;
      boolean last = next.rms() == flow.rms() || (tooMany && next.rms() < flow.rms());
      if (last || tooMany || fault != null) {
        double growth = isBound(next.slope()) ? next.slope() / flow.slope() : 1;
        double rest = Math.pow(growth, (double) (count - i));
        if (last || fault != null) {
          return next.timesSlope(1, rest);
        }
        setUnknown("that have grown over too many copies to follow");
        if (products > before) {
          fault = "a repeat multiplies inputs " + unknown;
        }
        return Flow.one(Double.POSITIVE_INFINITY, next.slope() * rest);
      }
      flow = next;
    }
    return flow;
  }

  private void setUnknown(String why) {
    if (unknown == null) {
      unknown = why;
    }
  }
}
