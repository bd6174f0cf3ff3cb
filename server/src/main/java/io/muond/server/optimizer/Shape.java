package io.muond.server.optimizer;

import io.muond.server.engine.Matrices;
import io.muond.server.engine.Region;
import io.muond.server.linalg.Carver;

/**
 * The shape of a batch's matrices as the mathematics sees them.
 *
 * @param m rows
 * @param n columns
 * @param transposed how they are stored, see {@link Matrices#transposed}
 */
record Shape(int m, int n, boolean transposed) {
  /** As users see them. */
  static Shape asStored(BatchSpec spec) {
    return new Shape(Math.toIntExact(spec.rows()), Math.toIntExact(spec.columns()), false);
  }

  /** With m ≥ n: wide matrices are seen transposed. */
  static Shape tall(BatchSpec spec) {
    Shape stored = asStored(spec);
    return stored.m < stored.n ? new Shape(stored.n, stored.m, true) : stored;
  }

  /** Elements of one matrix, or of one 2n × 2n where that has more. */
  long floatsOrSquare() {
    return Math.max((long) m * n, 4L * n * n);
  }

  /** The matrices that fill a region. */
  Matrices view(Region region, int count) {
    return transposed
        ? Matrices.packed(region, count, n, m).transpose()
        : Matrices.packed(region, count, m, n);
  }

  /** Intermediates of this shape. */
  Matrices carve(Carver carver) {
    return carver.tall(m, n, transposed);
  }
}
