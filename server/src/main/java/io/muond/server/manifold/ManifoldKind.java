package io.muond.server.manifold;

/** The manifolds that a batch can live on. */
public enum ManifoldKind {
  /** Matrices whose singular values are all the radius. */
  STIEFEL,
  /** Matrices whose rows have the radius as their Euclidean norm; a sphere is a single row. */
  OBLIQUE,
  /** The same with rows of mean 0. */
  CENTERED_OBLIQUE,
  /** Matrices whose singular values are at most the radius. */
  SPECTRAL_BALL,
  /** All matrices. */
  EUCLIDEAN
}
