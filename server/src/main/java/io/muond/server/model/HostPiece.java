package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Region;
import io.muond.v1.ParameterReport;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A piece's numbers on the host, in the order of the device.
 *
 * @param weights W
 * @param before W before the last step; null if that is not known
 * @param taken what the last step took for G; null if that is not known
 * @param report what the last step reported; null if there is none
 */
record HostPiece(Piece piece, Values weights, Values before, Values taken, ParameterReport report) {

  /** Float32 numbers, which may be more than an array holds: one array for each matrix. */
  static final class Values {
    private final float[][] matrices;

    private Values(float[][] matrices) {
      this.matrices = matrices;
    }

    /** Copies a piece's matrices out of a region. */
    static Values read(Piece piece, Region region) {
      int length = Math.toIntExact(piece.spec().matrixFloats());
      float[][] matrices = new float[piece.matrices()][length];
      ByteBuffer chunk =
          ByteBuffer.allocate(Math.min(length, CHUNK_FLOATS) * Float.BYTES)
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int k = 0; k < matrices.length; k++) {
        long first = region.offset() + (long) k * length;
        for (int at = 0; at < length; at += CHUNK_FLOATS) {
          int floats = Math.min(CHUNK_FLOATS, length - at);
          chunk.clear().limit(floats * Float.BYTES);
          region.memory().send(first + at, ElementType.FLOAT32, chunk);
          chunk.flip();
          chunk.asFloatBuffer().get(matrices[k], at, floats);
        }
      }
      return new Values(matrices);
    }

    /** this ← a this + b other. */
    void combine(double a, double b, Values other) {
      for (int k = 0; k < matrices.length; k++) {
        for (int i = 0; i < matrices[k].length; i++) {
          matrices[k][i] = (float) (a * matrices[k][i] + b * other.matrices[k][i]);
        }
      }
    }

    /** A matrix in float64, a copy. */
    double[] matrix(int k) {
      double[] values = new double[matrices[k].length];
      for (int i = 0; i < values.length; i++) {
        values[i] = matrices[k][i];
      }
      return values;
    }

    /** A matrix less another one's, in float64. */
    double[] difference(int k, Values other) {
      double[] values = matrix(k);
      for (int i = 0; i < values.length; i++) {
        values[i] -= other.matrices[k][i];
      }
      return values;
    }
  }

  private static final int CHUNK_FLOATS = 1 << 18;

  /** The same, but for what the last step took. */
  HostPiece withoutTaken() {
    return new HostPiece(piece, weights, before, null, report);
  }
}
