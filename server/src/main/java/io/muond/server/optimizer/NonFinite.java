package io.muond.server.optimizer;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Finds the element that makes a matrix unusable: the slow path of a refusal. */
final class NonFinite {
  private static final int CHUNK = 1 << 14;

  private NonFinite() {}

  /**
   * The exception for the first element of one packed matrix that is not finite.
   *
   * @param x the very numbers that were found wanting: a momentum may be finite whose look-ahead is
   *     not
   */
  static NotFiniteException find(Matrices x, int matrix) {
    NotFiniteException found = search(x, matrix);
    if (found == null) {
      throw new IllegalStateException("matrix " + matrix + " has finite elements only");
    }
    return found;
  }

  /** The same, or null if all elements are finite. */
  static NotFiniteException search(Matrices x, int matrix) {
    long floats = x.matrixFloats();
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (long from = 0; from < floats; from += CHUNK) {
      int n = (int) Math.min(CHUNK, floats - from);
      chunk.clear().limit(n * Float.BYTES);
      x.memory().send(x.offset() + from, ElementType.FLOAT32, chunk);
      chunk.flip();
      for (int i = 0; i < n; i++) {
        float value = chunk.getFloat(i * Float.BYTES);
        if (!Float.isFinite(value)) {
          return new NotFiniteException(matrix, from + i, value);
        }
      }
    }
    return null;
  }
}
