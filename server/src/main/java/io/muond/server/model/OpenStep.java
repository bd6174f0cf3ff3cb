package io.muond.server.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * The step that is open: who contributes what, and who waits for it. Guarded by the model's lock,
 * but for {@link #news}.
 */
final class OpenStep {
  private final long number;
  private final long age;
  private final long opened = System.nanoTime();
  private final SortedMap<String, Part> parts = new TreeMap<>();
  private final List<Waiting> waiting = new ArrayList<>();
  private StepOptions options;
  private volatile long lastNews = opened;
  private volatile long lastArrival = opened;
  private boolean settled;

  /**
   * @param age how many steps there are, with this one, since all moments were zero
   */
  OpenStep(long number, long age) {
    this.number = number;
    this.age = age;
  }

  /** One worker's part. */
  static final class Part {
    final String worker;
    final int slot;
    final double weight;
    final long headerDigest;
    final Contribution contribution;
    private volatile long lastNews = System.nanoTime();
    private boolean sealed;
    private final CompletableFuture<Void> sealing = new CompletableFuture<>();

    Part(String worker, int slot, double weight, long headerDigest, Contribution contribution) {
      this.worker = worker;
      this.slot = slot;
      this.weight = weight;
      this.headerDigest = headerDigest;
      this.contribution = contribution;
    }

    /** Something arrived. */
    void news() {
      lastNews = System.nanoTime();
    }

    long silentNanos(long now) {
      return now - lastNews;
    }

    boolean isSealed() {
      return sealed;
    }

    /** To be followed by {@link #tellSealed}. */
    void seal() {
      sealed = true;
    }

    /** Completes {@link #sealing}; to be called without the lock. */
    void tellSealed() {
      sealing.complete(null);
    }

    /** Completes when it is sealed, or closed. */
    CompletableFuture<Void> sealing() {
      return sealing;
    }

    /** Refuses everything from now on. Returns once no write to its slot is in progress. */
    void close(MuondException reason) {
      contribution.close(reason);
      sealing.complete(null);
    }
  }

  /** A call that waits for the step. */
  static final class Waiting {
    private final StepOptions options;
    private final Consumer<WeightsReader> onEarly;
    private final CompletableFuture<Committed> answer = new CompletableFuture<>();
    private WeightsReader early;

    private Waiting(StepOptions options, Consumer<WeightsReader> onEarly) {
      this.options = options;
      this.onEarly = onEarly;
    }

    StepOptions options() {
      return options;
    }

    CompletableFuture<Committed> answer() {
      return answer;
    }

    /** A reader of the step's weights as they are finished, if the call has one. */
    Optional<WeightsReader> early() {
      return Optional.ofNullable(early);
    }

    /** To be followed by {@link #tellEarly}. */
    void setEarly(WeightsReader reader) {
      early = reader;
    }

    /** Hands the reader to the call; to be called without the lock. */
    void tellEarly() {
      onEarly.accept(early);
    }
  }

  long number() {
    return number;
  }

  long age() {
    return age;
  }

  /** When it was opened, by {@link System#nanoTime}. */
  long opened() {
    return opened;
  }

  SortedMap<String, Part> parts() {
    return parts;
  }

  /** Gradient bytes that are here, as they came over the wire. */
  long receivedBytes() {
    return parts.values().stream().mapToLong(part -> part.contribution.receivedBytes()).sum();
  }

  StepOptions options() {
    return options;
  }

  void setOptions(StepOptions options) {
    this.options = options;
  }

  /** Whether every one of {@code workers} has committed. */
  boolean isSealed(WorkerSet workers) {
    return missing(workers).isEmpty();
  }

  /** Whether that worker has committed. */
  boolean isSealed(String worker) {
    return parts.containsKey(worker) && parts.get(worker).isSealed();
  }

  /** The workers that have not committed. */
  List<String> missing(WorkerSet workers) {
    List<String> missing = new ArrayList<>(workers.ids());
    missing.removeIf(this::isSealed);
    return missing;
  }

  /**
   * @param onEarly takes a reader of weights that are finished, if the step is computed for one
   */
  CompletableFuture<Committed> await(StepOptions callOptions, Consumer<WeightsReader> onEarly) {
    Waiting call = new Waiting(callOptions, onEarly);
    waiting.add(call);
    return call.answer;
  }

  List<Waiting> waiting() {
    return waiting;
  }

  /** It was committed, or has failed. */
  void settle() {
    settled = true;
  }

  boolean isSettled() {
    return settled;
  }

  /** Something arrived. */
  void news() {
    lastNews = System.nanoTime();
  }

  /** Gradients arrived, or its turn has come. */
  void arrival() {
    long now = System.nanoTime();
    lastNews = now;
    lastArrival = now;
  }

  long lastArrival() {
    return lastArrival;
  }

  long silentNanos(long now) {
    return now - lastNews;
  }

  /** Refuses everything from now on. Returns once no write to its slots is in progress. */
  void close(MuondException reason) {
    parts.values().forEach(p -> p.close(reason));
  }
}
