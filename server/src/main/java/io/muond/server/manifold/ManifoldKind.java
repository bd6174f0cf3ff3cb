package io.muond.server.manifold;

/** The manifolds that a batch can live on. */
public enum ManifoldKind {
  /** Matrices whose singular values are all the radius. */
  STIEFEL,
  /** Matrices whose rows have the radius as their Euclidean norm; a sphere is a single row. */
  OBLIQUE
}
