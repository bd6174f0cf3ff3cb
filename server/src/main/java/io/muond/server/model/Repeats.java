package io.muond.server.model;

import io.muond.v1.StepHeader;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Repeats of committed steps that are arriving. Guarded by the model's lock. */
final class Repeats {
  private final Map<Key, OpenStep.Part> parts = new HashMap<>();

  private record Key(long step, String worker) {
    static Key of(StepHeader header) {
      return new Key(header.getStep(), header.getWorker());
    }
  }

  /** A worker's repeat of a step. */
  record Repeat(long step, OpenStep.Part part) {}

  /** The repeat of a header's step by its worker, which is made if there is none. */
  OpenStep.Part begin(StepHeader header, Supplier<OpenStep.Part> make) {
    return parts.computeIfAbsent(Key.of(header), key -> make.get());
  }

  /** The same; null if there is none. */
  OpenStep.Part find(StepHeader header) {
    return parts.get(Key.of(header));
  }

  /** False if it had ended before. */
  boolean end(OpenStep.Part part) {
    return parts.values().remove(part);
  }

  boolean isEmpty() {
    return parts.isEmpty();
  }

  /** Those for which nothing has come for longer than {@code timeout}. */
  List<Repeat> silent(long now, Duration timeout) {
    return parts.entrySet().stream()
        .filter(entry -> entry.getValue().silentNanos(now) > timeout.toNanos())
        .map(entry -> new Repeat(entry.getKey().step(), entry.getValue()))
        .toList();
  }

  /** Forgets those of steps that can be repeated no longer. */
  void keep(StepLedger ledger) {
    parts.keySet().removeIf(key -> ledger.find(key.step()).isEmpty());
  }
}
