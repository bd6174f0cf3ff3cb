package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/**
 * β e + δ I, put into the lower part of a symmetric product's tile before what is added to it.
 *
 * @param e symmetric, or null
 */
record Prefill(double beta, Matrices e, double delta) {
  /** The part of matrix k's tile up to the diagonal: c ← β e + δ I. */
  void apply(Matrices c, int k, Products.Tile tile) {
    float[] row = new float[tile.width()];
    for (int i = tile.row(); i < tile.row() + tile.height(); i++) {
      int length = tile.onDiagonal() ? i - tile.col() + 1 : tile.width();
      if (e != null) {
        CpuCompute.memory(e).get(at(e, k, i, tile.col()), row, 0, length);
        float factor = (float) beta;
        for (int j = 0; j < length; j++) {
          row[j] *= factor;
        }
      }
      if (tile.onDiagonal()) {
        row[length - 1] += (float) delta;
      }
      CpuCompute.memory(c).put(at(c, k, i, tile.col()), row, 0, length);
      if (e == null) {
        row[length - 1] = 0;
      }
    }
  }

  private static long at(Matrices x, int k, int i, int j) {
    return x.offset() + k * x.stride() + (long) i * x.ld() + j;
  }
}
