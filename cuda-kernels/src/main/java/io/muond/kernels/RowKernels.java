package io.muond.kernels;

import jcuda.driver.CUstream;

/**
 * Operations on the rows of float32 matrices: many short ones, or a few that may have billions of
 * elements. Sums are in float64 and deterministic. See {@link ReductionKernels} for {@code
 * scratch}.
 */
public final class RowKernels {
  private static final int DIRECTION_SUMS = 3;
  private static final int RESIDUALS = 2;

  private final Module directions;
  private final Module rows;
  private final Module residuals;
  private final ReductionKernels reductions;

  RowKernels(Module directions, Module rows, Module residuals, ReductionKernels reductions) {
    this.directions = directions;
    this.rows = rows;
    this.residuals = residuals;
    this.reductions = reductions;
  }

  /** Bytes of scratch for any operation here. */
  public static long scratchBytes(Batch x) {
    RowShape shape = RowShape.of(x);
    long parts = shape.cut() ? shape.items() * RowShape.NUMBERS_PER_PART : 0;
    return 8 * (parts + shape.allGroups() * RowShape.NUMBERS_PER_GROUP);
  }

  /**
   * With P the projection onto the tangent space at a row of w: a ← P(g) / ‖P(g)‖, or 0 where P(g)
   * is 0, row by row; a may be g. objective_k ← Σ ⟨g, a⟩ over the rows of matrix k.
   */
  public void rowDirections(
      CUstream stream, Batch w, Batch g, Batch a, long objective, long scratch) {
    RowShape shape = RowShape.of(w, g, a);
    long groups = shape.groups() == 1 ? objective : scratch;
    if (shape.cut()) {
      long parts = scratch + 8 * shape.allGroups();
      long squares = parts + 8 * DIRECTION_SUMS * shape.items();
      part(stream, directions, "directionSums", shape, start(shape).batches(w, g).i64(parts));
      Arguments project = start(shape).batches(w, g, a).i64(parts).i64(squares);
      part(stream, directions, "directionProject", shape, project);
      Arguments normalize = start(shape).batches(a).i64(parts).i64(squares).i64(groups);
      part(stream, directions, "directionNormalize", shape, normalize);
    } else {
      group(stream, directions, "directions", shape, start(shape).batches(w, g, a).i64(groups));
    }
    reductions.finishSums(stream, shape.count(), shape.groups(), groups, objective);
  }

  /** y ← x − mean, row by row; 0 where that is nothing but the rounding of x; y may be x. */
  public void centerRows(CUstream stream, Batch x, Batch y, long scratch) {
    RowShape shape = RowShape.of(x, y);
    if (shape.cut()) {
      part(stream, rows, "rowSpreads", shape, start(shape).batches(x).i64(scratch));
      part(stream, rows, "centerParts", shape, start(shape).batches(x, y).i64(scratch));
    } else {
      group(stream, rows, "centerRows", shape, start(shape).batches(x, y));
    }
  }

  /**
   * y ← radius · x / ‖x‖, row by row; y may be x.
   *
   * @param centered whether x is: a row of zeros becomes (radius / √2, −radius / √2, 0, …), else
   *     (radius, 0, …)
   */
  public void normalizeRows(
      CUstream stream, double radius, boolean centered, Batch x, Batch y, long scratch) {
    RowShape shape = RowShape.of(x, y);
    if (shape.cut()) {
      part(stream, rows, "rowSquares", shape, start(shape).batches(x).i64(scratch));
      Arguments arguments = start(shape, radius, centered).batches(x, y).i64(scratch);
      part(stream, rows, "normalizeParts", shape, arguments);
    } else {
      group(stream, rows, "normalizeRows", shape, start(shape, radius, centered).batches(x, y));
    }
  }

  /**
   * y ← radius · v / ‖v‖, v = w − radius · eta_k · a, row by row; a row whose direction is zero
   * stays bit for bit. y may be w.
   *
   * @param centered whether v − mean is taken for v
   * @param eta scalars
   */
  public void moveRows(
      CUstream stream,
      double radius,
      boolean centered,
      long eta,
      Batch w,
      Batch a,
      Batch y,
      long scratch) {
    RowShape shape = RowShape.of(w, a, y);
    if (shape.cut()) {
      Arguments sums = start(shape).f64(radius).i64(eta).batches(w, a).i64(scratch);
      part(stream, rows, "moveSums", shape, sums);
      Arguments apply = start(shape, radius, centered).i64(eta).batches(w, a, y).i64(scratch);
      part(stream, rows, "moveParts", shape, apply);
    } else {
      Arguments arguments = start(shape, radius, centered).i64(eta).batches(w, a, y);
      group(stream, rows, "moveRows", shape, arguments);
    }
  }

  /**
   * tangency_k ← the root mean square of ⟨w, a⟩ / radius over the rows, orthogonality_k ← max |‖y‖²
   * / radius² − 1|.
   *
   * @param centered whether ⟨1, a⟩ / √cols and |⟨1, y⟩| / (radius √cols) count too
   */
  public void rowResiduals(
      CUstream stream,
      double radius,
      boolean centered,
      Batch w,
      Batch a,
      Batch y,
      long tangency,
      long orthogonality,
      long scratch) {
    RowShape shape = RowShape.of(w, a, y);
    if (shape.cut()) {
      long parts = scratch + 8 * RESIDUALS * shape.allGroups();
      part(stream, residuals, "residualProducts", shape, start(shape).batches(w, a, y).i64(parts));
      Arguments arguments = start(shape, radius, centered).i64(parts).i64(scratch);
      group(stream, residuals, "residualRows", shape, arguments);
    } else {
      Arguments arguments = start(shape, radius, centered).batches(w, a, y).i64(scratch);
      group(stream, residuals, "residuals", shape, arguments);
    }
    Arguments finish = start(shape).i64(scratch).i64(tangency).i64(orthogonality);
    int threads = ReductionKernels.threads(shape.groups(), 1);
    residuals.launch(stream, "finishResiduals", shape.count(), threads, finish);
  }

  private static Arguments start(RowShape shape, double radius, boolean centered) {
    return start(shape).f64(radius).i32(centered ? 1 : 0);
  }

  private static Arguments start(RowShape shape) {
    return new Arguments().i64(shape.argument());
  }

  private static void part(
      CUstream stream, Module module, String kernel, RowShape shape, Arguments arguments) {
    module.launch(stream, kernel, shape.items(), shape.threads(), arguments);
  }

  private static void group(
      CUstream stream, Module module, String kernel, RowShape shape, Arguments arguments) {
    module.launch(stream, kernel, shape.allGroups(), shape.threads(), arguments);
  }
}
