package io.muond.server.status;

import io.muond.server.model.Model;
import io.muond.server.model.ModelGlance;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/** How fast models step, as seen by who looks at them again and again. Not thread-safe. */
final class StepRates {
  private static final double NANOS = 1e9;

  /** Over how long it is averaged. */
  private static final long WINDOW = 5_000_000_000L;

  private final Map<Model, Deque<Sample>> samples = new HashMap<>();

  private record Sample(long time, long step) {}

  /**
   * Takes note of where all models are.
   *
   * @param now in nanoseconds
   */
  void note(List<ModelGlance> glances, long now) {
    samples.keySet().retainAll(glances.stream().map(ModelGlance::model).toList());
    for (ModelGlance glance : glances) {
      Deque<Sample> seen = samples.computeIfAbsent(glance.model(), m -> new ArrayDeque<>());
      if (!seen.isEmpty() && seen.getLast().step() > glance.step()) {
        // Its history has changed.
        seen.clear();
      }
      seen.addLast(new Sample(now, glance.step()));
      while (now - seen.getFirst().time() > WINDOW) {
        seen.removeFirst();
      }
    }
  }

  /** Steps per second; empty for a model that was seen once only. */
  OptionalDouble of(Model model) {
    Deque<Sample> seen = samples.get(model);
    if (seen == null || seen.size() < 2) {
      return OptionalDouble.empty();
    }
    Sample first = seen.getFirst();
    Sample last = seen.getLast();
    return OptionalDouble.of((last.step() - first.step()) * NANOS / (last.time() - first.time()));
  }
}
