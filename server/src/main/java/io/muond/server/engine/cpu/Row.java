package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;
import java.util.Arrays;

/**
 * One stored row of one matrix, walked in chunks. A long one is walked in pieces: sums are added
 * piece by piece in their order, however many threads share them, so that equal rows have equal
 * sums everywhere.
 */
final class Row {
  /** Elements of a piece: some 150 µs of work, worth waking another thread for. */
  private static final long PIECE = 16L * Runs.CHUNK;

  private final Workers crew;
  private final CpuMemory memory;
  private final long start;
  final long length;

  /**
   * @param crew who share the pieces
   */
  Row(Workers crew, Matrices x, int k, int i) {
    this.crew = crew;
    memory = CpuCompute.memory(x);
    start = x.offset() + k * x.stride() + (long) i * x.ld();
    length = x.storedCols();
  }

  /** Whether a row of that length has more pieces than one. */
  static boolean isLong(long length) {
    return length > PIECE;
  }

  /** Takes what the chunk of {@code n} elements from {@code at} on adds to a sum. */
  @FunctionalInterface
  interface Chunk {
    double add(double sum, long at, int n);
  }

  /** Σ over the chunks. */
  double sum(Chunk chunk) {
    return join(chunk, Double::sum);
  }

  /** Changes elements chunk by chunk. */
  @FunctionalInterface
  interface Change {
    void apply(long at, int n);
  }

  /** Runs {@code change} for every chunk. */
  void each(Change change) {
    sum(
        (none, at, n) -> {
          change.apply(at, n);
          return none;
        });
  }

  private double join(Chunk chunk, Elementwise.Join join) {
    if (!isLong(length)) {
      return piece(0, chunk);
    }
    double[] parts = new double[Math.toIntExact((length + PIECE - 1) / PIECE)];
    crew.run(parts.length, p -> parts[p] = piece(p * PIECE, chunk));
    double total = 0;
    for (double part : parts) {
      total = join.apply(total, part);
    }
    return total;
  }

  private double piece(long from, Chunk chunk) {
    double sum = 0;
    long end = Math.min(from + PIECE, length);
    for (long at = from; at < end; at += Runs.CHUNK) {
      sum = chunk.add(sum, at, (int) Math.min(Runs.CHUNK, end - at));
    }
    return sum;
  }

  void get(long at, float[] to, int n) {
    memory.get(start + at, to, 0, n);
  }

  void put(long at, float[] from, int n) {
    memory.put(start + at, from, 0, n);
  }

  double maxAbs() {
    return join(
        (max, at, n) -> {
          float[] x = Scratch.get().x;
          get(at, x, n);
          return Elementwise.larger(max, Elementwise.maxAbs(x, n));
        },
        Elementwise::larger);
  }

  double first() {
    float[] x = new float[1];
    get(0, x, 1);
    return x[0];
  }

  /** Σ (x − origin). */
  double sum(double origin) {
    return sum(
        (sum, at, n) -> {
          float[] x = Scratch.get().x;
          get(at, x, n);
          for (int e = 0; e < n; e++) {
            sum += x[e] - origin;
          }
          return sum;
        });
  }

  /** Σ (x − origin)². */
  double squares(double origin) {
    return sum(
        (sum, at, n) -> {
          float[] x = Scratch.get().x;
          get(at, x, n);
          for (int e = 0; e < n; e++) {
            sum += (x[e] - origin) * (x[e] - origin);
          }
          return sum;
        });
  }

  /** ⟨α this, β other⟩. */
  double dot(Row other, double alpha, double beta) {
    return sum(
        (sum, at, n) -> {
          Scratch s = Scratch.get();
          get(at, s.x, n);
          other.get(at, s.y, n);
          for (int e = 0; e < n; e++) {
            sum += alpha * s.x[e] * (beta * s.y[e]);
          }
          return sum;
        });
  }

  /** this ← 0, but for the first elements. */
  void fill(float... first) {
    each(
        (at, n) -> {
          float[] x = Scratch.get().x;
          Arrays.fill(x, 0, n, 0f);
          put(at, x, n);
        });
    put(0, first, first.length);
  }

  /** this ← α x, bit for bit x with α = 1. */
  void copyFrom(Row x, double alpha) {
    each(
        (at, n) -> {
          float[] s = Scratch.get().x;
          x.get(at, s, n);
          if (alpha != 1) {
            for (int e = 0; e < n; e++) {
              s[e] = (float) (alpha * s[e]);
            }
          }
          put(at, s, n);
        });
  }
}
