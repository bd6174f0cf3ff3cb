package io.muond.quickstart.gpt;

import java.util.Comparator;
import java.util.List;

/**
 * The trainings of one optimizer at several learning rates.
 *
 * @param name of the optimizer
 * @param shape of the network
 * @param runs by ascending learning rate, at least one
 */
record Sweep(String name, GptShape shape, List<Run> runs) {
  /** A rate within this share of the best loss is as good. */
  static final double TOLERANCE = 0.02;

  Sweep {
    runs = List.copyOf(runs);
  }

  /** The lowest validation loss; NaN is none. */
  Run best() {
    return runs.stream().min(Comparator.comparingDouble(Run::validation)).orElseThrow();
  }

  /**
   * The learning rates, next to the best one, at which the loss is at most 2 % above the best:
   * where the broken line through the losses, over the logarithm of the rate, crosses that.
   *
   * @param from the smallest, or the smallest that was tried
   * @param to the largest, or the largest that was tried
   * @param open whether it may reach further than what was tried
   */
  record Range(double from, double to, boolean open) {
    /** How many times larger the largest rate is than the smallest. */
    double factor() {
      return to / from;
    }
  }

  Range range() {
    int best = runs.indexOf(best());
    double limit = (1 + TOLERANCE) * best().validation();
    double from = bound(best, -1, limit);
    double to = bound(best, 1, limit);
    return new Range(from, to, isOpen(best, -1, limit) || isOpen(best, 1, limit));
  }

  /** Whether all that were tried on this side of the best are within the limit. */
  private boolean isOpen(int best, int direction, double limit) {
    for (int i = best + direction; i >= 0 && i < runs.size(); i += direction) {
      if (!(runs.get(i).validation() <= limit)) {
        return false;
      }
    }
    return true;
  }

  private double bound(int best, int direction, double limit) {
    for (int i = best; i + direction >= 0 && i + direction < runs.size(); i += direction) {
      Run inside = runs.get(i);
      Run outside = runs.get(i + direction);
      // Not a number counts as outside.
      if (!(outside.validation() <= limit)) {
        double share =
            Double.isFinite(outside.validation())
                ? (limit - inside.validation()) / (outside.validation() - inside.validation())
                : 0;
        return inside.learningRate()
            * Math.pow(outside.learningRate() / inside.learningRate(), share);
      }
    }
    return runs.get(direction < 0 ? 0 : runs.size() - 1).learningRate();
  }
}
