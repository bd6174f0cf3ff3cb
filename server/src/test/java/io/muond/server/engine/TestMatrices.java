package io.muond.server.engine;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * An engine and matrices of any layout on it. Every element of the memory that no matrix covers is
 * a NaN of its own kind: an operation that reads one spoils its result, and one that writes there
 * is found on close.
 */
final class TestMatrices implements AutoCloseable {
  /** How matrices lie in memory. */
  enum Layout {
    PACKED,
    TRANSPOSED,
    BLOCK,
    TRANSPOSED_BLOCK
  }

  private static final int GUARD = 0x7fc0abcd;
  private static final int MARGIN = 3;

  private final Engine engine;
  private final List<Memory> memories = new ArrayList<>();
  private final List<Matrices> made = new ArrayList<>();

  TestMatrices(int threads) {
    engine = TestEngines.open(threads, 1L << 28);
  }

  Compute compute() {
    return engine.compute();
  }

  /** Matrices of NaN. */
  Matrices make(Layout layout, int count, int rows, int cols) {
    boolean transposed = layout == Layout.TRANSPOSED || layout == Layout.TRANSPOSED_BLOCK;
    boolean block = layout == Layout.BLOCK || layout == Layout.TRANSPOSED_BLOCK;
    int storedRows = transposed ? cols : rows;
    int storedCols = transposed ? rows : cols;
    int ld = block ? storedCols + 2 * MARGIN : storedCols;
    long stride = (long) ld * (storedRows + (block ? 1 : 0));
    Memory memory = engine.allocate("test matrices", count * stride + 2L * MARGIN);
    memories.add(memory);
    write(memory, 0, fill(Math.toIntExact(memory.floats())));
    Matrices x =
        new Matrices(
            memory, ElementType.FLOAT32, MARGIN, count, rows, cols, stride, ld, transposed);
    made.add(x);
    return x;
  }

  /** Matrices of given elements, row-major one after the other. */
  Matrices make(Layout layout, int count, int rows, int cols, float[] values) {
    Matrices x = make(layout, count, rows, cols);
    set(x, values);
    return x;
  }

  /** So many elements, uninitialised for all that a caller may know. */
  Region region(long floats) {
    Memory memory = engine.allocate("test region", floats);
    memories.add(memory);
    return new Region(memory, 0, floats);
  }

  /** Matrices of 16-bit elements in the shape of x, lying as x does. */
  Matrices halves(ElementType type, Matrices x) {
    int storedRows = x.storedRows();
    int storedCols = x.storedCols();
    Region region = region(Matrices.floatsOfHalves(x.count(), storedRows, storedCols));
    Matrices y = Matrices.halves(region, type, x.count(), storedRows, storedCols);
    return x.transposed() ? y.transpose() : y;
  }

  /** Room for so many numbers. */
  Scalars scalars(int count) {
    Memory memory = engine.allocate("test numbers", (long) Scalars.FLOATS * count);
    memories.add(memory);
    return new Scalars(memory, 0, count);
  }

  /** These numbers. */
  Scalars scalars(double... values) {
    Scalars s = scalars(values.length);
    compute().write(values, s);
    return s;
  }

  private static float[] fill(int n) {
    float[] values = new float[n];
    Arrays.fill(values, Float.intBitsToFloat(GUARD));
    return values;
  }

  void set(Matrices x, float[] values) {
    float[] row = new float[x.storedCols()];
    for (int k = 0; k < x.count(); k++) {
      for (int i = 0; i < x.storedRows(); i++) {
        for (int j = 0; j < row.length; j++) {
          row[j] = values[at(x, k, i, j)];
        }
        write(x.memory(), x.offset() + k * x.stride() + (long) i * x.ld(), row);
      }
    }
  }

  float[] get(Matrices x) {
    float[] values = new float[Math.toIntExact(x.count() * x.matrixFloats())];
    for (int k = 0; k < x.count(); k++) {
      for (int i = 0; i < x.storedRows(); i++) {
        long start = x.offset() + k * x.stride() + (long) i * x.ld();
        float[] row = read(x.memory(), start, x.storedCols());
        for (int j = 0; j < row.length; j++) {
          values[at(x, k, i, j)] = row[j];
        }
      }
    }
    return values;
  }

  /** The place of a stored element in row-major order. */
  private static int at(Matrices x, int k, int i, int j) {
    int row = x.transposed() ? j : i;
    int col = x.transposed() ? i : j;
    return (k * x.rows() + row) * x.cols() + col;
  }

  private void write(Memory to, long index, float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    to.receive(index, ElementType.FLOAT32, bytes);
  }

  private float[] read(Memory from, long index, int n) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * n);
    from.send(index, ElementType.FLOAT32, bytes);
    float[] values = new float[n];
    bytes.flip().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Numbers between −1 and 1. */
  static float[] random(int n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  @Override
  public void close() {
    try {
      made.forEach(this::assertSurroundingsUntouched);
    } finally {
      memories.forEach(Memory::close);
      TestEngines.close(engine);
    }
  }

  private void assertSurroundingsUntouched(Matrices x) {
    set(x, fill(Math.toIntExact(x.count() * x.matrixFloats())));
    float[] all = read(x.memory(), 0, Math.toIntExact(x.memory().floats()));
    for (int i = 0; i < all.length; i++) {
      if (Float.floatToRawIntBits(all[i]) != GUARD) {
        throw new AssertionError("element " + i + " outside of " + x + " became " + all[i]);
      }
    }
  }
}
