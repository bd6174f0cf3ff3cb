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

  /** What {@link Values} of so many elements take, at most: chunks have a head each. */
  static long bytes(long floats) {
    return Float.BYTES * floats + HEAD_BYTES * (floats / CHUNK_FLOATS + 1);
  }

  private static final int CHUNK_FLOATS = 1 << 18;
  private static final long HEAD_BYTES = 32;

  /** Float32 numbers, which may be more than an array holds. */
  static final class Values {
    private final float[][] chunks;

    private Values(float[][] chunks) {
      this.chunks = chunks;
    }

    /** Copies a region. */
    static Values read(Region region) {
      float[][] chunks = new float[Math.toIntExact((region.floats() - 1) / CHUNK_FLOATS + 1)][];
      for (int i = 0; i < chunks.length; i++) {
        long from = (long) i * CHUNK_FLOATS;
        chunks[i] = new float[(int) Math.min(CHUNK_FLOATS, region.floats() - from)];
        read(region, from, chunks[i]);
      }
      return new Values(chunks);
    }

    private static void read(Region region, long from, float[] to) {
      ByteBuffer bytes =
          ByteBuffer.allocate(to.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      region.memory().send(region.offset() + from, ElementType.FLOAT32, bytes);
      bytes.flip();
      bytes.asFloatBuffer().get(to);
    }

    /** this ← a this + b other. */
    void combine(double a, double b, Region other) {
      float[] x = new float[CHUNK_FLOATS];
      for (int k = 0; k < chunks.length; k++) {
        float[] chunk = chunks[k];
        if (chunk.length < x.length) {
          x = new float[chunk.length];
        }
        read(other, (long) k * CHUNK_FLOATS, x);
        for (int i = 0; i < chunk.length; i++) {
          chunk[i] = (float) (a * chunk[i] + b * x[i]);
        }
      }
    }

    /** An element. */
    double get(long i) {
      return chunks[(int) (i / CHUNK_FLOATS)][(int) (i % CHUNK_FLOATS)];
    }
  }

  /** An element of W less what it was before the last step. */
  double moved(long i) {
    return weights.get(i) - before.get(i);
  }

  /** The same, but for what the last step took. */
  HostPiece withoutTaken() {
    return new HostPiece(piece, weights, before, null, report);
  }
}
