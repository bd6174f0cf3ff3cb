package io.muond.manifold;

import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.View;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A manifold and a norm that go together, with what can be said of a parameter on them: the table
 * at the head of {@code parameter.proto}. Each manifold's default norm comes first.
 */
public enum Pair {
  /** Singular values all equal; a step's spectral norm is 1. */
  STIEFEL_SPECTRAL(Manifold.MANIFOLD_STIEFEL, Norm.NORM_SPECTRAL),
  /** Singular values all equal; a step's Frobenius norm is 1 in each matrix. */
  STIEFEL_FROBENIUS(Manifold.MANIFOLD_STIEFEL, Norm.NORM_FROBENIUS),
  /** The whole tensor on a sphere. */
  SPHERE_FROBENIUS(Manifold.MANIFOLD_SPHERE, Norm.NORM_FROBENIUS),
  /** Each row on a sphere. */
  OBLIQUE_LARGEST_ROW(Manifold.MANIFOLD_OBLIQUE, Norm.NORM_LARGEST_ROW),
  /** Each column on a sphere. */
  OBLIQUE_LARGEST_COLUMN(Manifold.MANIFOLD_OBLIQUE, Norm.NORM_LARGEST_COLUMN),
  /** Each row on a sphere, with mean 0. */
  CENTERED_OBLIQUE_LARGEST_ROW(Manifold.MANIFOLD_CENTERED_OBLIQUE, Norm.NORM_LARGEST_ROW),
  /** Singular values bounded. */
  SPECTRAL_BALL_SPECTRAL(Manifold.MANIFOLD_SPECTRAL_BALL, Norm.NORM_SPECTRAL),
  /** AdamW. */
  EUCLIDEAN_ADAMW(Manifold.MANIFOLD_EUCLIDEAN, Norm.NORM_ADAMW),
  /** Muon. */
  EUCLIDEAN_SPECTRAL(Manifold.MANIFOLD_EUCLIDEAN, Norm.NORM_SPECTRAL),
  /** Normalised gradient descent. */
  EUCLIDEAN_FROBENIUS(Manifold.MANIFOLD_EUCLIDEAN, Norm.NORM_FROBENIUS),
  /** Sign descent. */
  EUCLIDEAN_LARGEST_ENTRY(Manifold.MANIFOLD_EUCLIDEAN, Norm.NORM_LARGEST_ENTRY);

  private final Manifold manifold;
  private final Norm norm;

  Pair(Manifold manifold, Norm norm) {
    this.manifold = manifold;
    this.norm = norm;
  }

  /**
   * The pair, or nothing if the two do not go together.
   *
   * @param manifold one that is specified, see {@link #defaultManifold}
   * @param norm NORM_UNSPECIFIED stands for the manifold's own
   */
  public static Optional<Pair> of(Manifold manifold, Norm norm) {
    return Arrays.stream(values())
        .filter(pair -> pair.manifold == manifold)
        .filter(pair -> norm == Norm.NORM_UNSPECIFIED || pair.norm == norm)
        .findFirst();
  }

  /** The norms that go with a manifold, its own first; empty if the manifold is not specified. */
  public static List<Norm> norms(Manifold manifold) {
    return Arrays.stream(values())
        .filter(pair -> pair.manifold == manifold)
        .map(Pair::norm)
        .toList();
  }

  /** Where a tensor lives of which nothing is said. */
  public static Manifold defaultManifold(int dimensions) {
    return dimensions >= 2 ? Manifold.MANIFOLD_STIEFEL : Manifold.MANIFOLD_SPHERE;
  }

  /** The manifold. */
  public Manifold manifold() {
    return manifold;
  }

  /** The norm. */
  public Norm norm() {
    return norm;
  }

  /** Both, for errors: {@code oblique with largest-row}. */
  String words() {
    return Words.of(manifold) + " with " + Words.of(norm);
  }

  /** Whether a tensor of so many dimensions is seen as matrices, so that {@code view} applies. */
  public boolean seesMatrices(int dimensions) {
    boolean rows = this == OBLIQUE_LARGEST_ROW || this == CENTERED_OBLIQUE_LARGEST_ROW;
    return needsMatrices() || (rows && dimensions >= 2);
  }

  /** Whether a tensor of fewer than 2 dimensions makes no sense. */
  public boolean needsMatrices() {
    return manifold == Manifold.MANIFOLD_STIEFEL
        || manifold == Manifold.MANIFOLD_SPECTRAL_BALL
        || norm == Norm.NORM_SPECTRAL
        || norm == Norm.NORM_LARGEST_COLUMN;
  }

  /** Whether {@code rule.solver} and the solvers' options apply. */
  public boolean hasSolver() {
    return this == STIEFEL_SPECTRAL;
  }

  /** Whether {@code rule.precision} and {@code rule.msign_steps} apply. */
  public boolean hasMsign() {
    return norm == Norm.NORM_SPECTRAL;
  }

  /** Whether {@code rule.momentum} and {@code rule.nesterov} apply. */
  public boolean hasMomentum() {
    return norm != Norm.NORM_ADAMW;
  }

  /** Whether {@code rule.weight_decay} applies. */
  public boolean hasWeightDecay() {
    return manifold == Manifold.MANIFOLD_EUCLIDEAN;
  }

  /** Whether {@code rule.adamw} applies. */
  public boolean hasAdamW() {
    return norm == Norm.NORM_ADAMW;
  }

  /** Whether {@code initial} applies. */
  public boolean hasInitial() {
    return manifold == Manifold.MANIFOLD_EUCLIDEAN;
  }

  /** Fewest elements that a row of the tensor may have. */
  public long leastColumns() {
    // A row of mean 0 with one element is 0.
    return manifold == Manifold.MANIFOLD_CENTERED_OBLIQUE ? 2 : 1;
  }

  /**
   * The radius of a tensor of which none is said.
   *
   * @param view how the tensor is seen, of no meaning where it is not seen as matrices
   * @param matrices what it is then
   */
  public double defaultRadius(View view, Matrices matrices) {
    return switch (manifold) {
      case MANIFOLD_STIEFEL, MANIFOLD_SPECTRAL_BALL -> {
        double radius = Math.sqrt((double) matrices.rows() / matrices.columns());
        yield view == View.VIEW_KERNEL_POSITIONS ? radius / matrices.count() : radius;
      }
      case MANIFOLD_OBLIQUE, MANIFOLD_CENTERED_OBLIQUE ->
          Math.sqrt(
              (double) (norm == Norm.NORM_LARGEST_COLUMN ? matrices.rows() : matrices.columns()));
      default -> 1;
    };
  }
}
