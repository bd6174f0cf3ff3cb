package io.muond.server.manifold;

/** In which norm a batch is stepped. */
public enum NormKind {
  /** The largest singular value. */
  SPECTRAL,
  /** The square root of the sum of squares. */
  FROBENIUS,
  /** The largest Euclidean norm of a row. */
  LARGEST_ROW,
  /** The largest absolute value. */
  LARGEST_ENTRY,
  /** None: AdamW. */
  ADAMW
}
