package io.muond.server.model;

import io.muond.server.engine.cpu.Float64;
import io.muond.server.manifold.ManifoldKind;
import io.muond.v1.LastStep;
import io.muond.v1.ParameterInspection;
import io.muond.v1.ParameterInspection.Measure;
import java.util.Arrays;
import java.util.function.LongToDoubleFunction;

/**
 * Measures one piece, in float64. Only what is decomposed is copied to arrays: everything else may
 * be larger than they are.
 */
final class PieceMeasures {
  /**
   * The most elements of a matrix without a constraint that is decomposed: 4096 x 4096, in half a
   * minute on two cores. What is larger is an embedding, whose rows say more.
   */
  private static final long MAX_DECOMPOSED = 1L << 24;

  private final HostPiece host;
  private final Piece piece;
  private final int rows;
  private final int columns;
  private final double radius;

  PieceMeasures(HostPiece host) {
    this.host = host;
    piece = host.piece();
    rows = Math.toIntExact(piece.spec().rows());
    columns = Math.toIntExact(piece.spec().columns());
    radius = piece.spec().radius();
  }

  /** What is measured of a piece's weights. */
  static Measure measure(Piece piece) {
    return switch (piece.pair()) {
      case STIEFEL_SPECTRAL, STIEFEL_FROBENIUS, SPECTRAL_BALL_SPECTRAL ->
          Measure.MEASURE_SINGULAR_VALUES;
      case SPHERE_FROBENIUS -> Measure.MEASURE_NORM;
      case OBLIQUE_LARGEST_ROW, CENTERED_OBLIQUE_LARGEST_ROW -> Measure.MEASURE_ROW_NORMS;
      // They are the rows of the device.
      case OBLIQUE_LARGEST_COLUMN -> Measure.MEASURE_COLUMN_NORMS;
      case EUCLIDEAN_ADAMW, EUCLIDEAN_SPECTRAL, EUCLIDEAN_FROBENIUS, EUCLIDEAN_LARGEST_ENTRY -> {
        if (piece.shape().size() < 2) {
          yield Measure.MEASURE_NORM;
        }
        yield piece.spec().matrixFloats() <= MAX_DECOMPOSED
            ? Measure.MEASURE_SINGULAR_VALUES
            : Measure.MEASURE_ROW_NORMS;
      }
    };
  }

  ParameterInspection inspect() {
    ParameterInspection.Builder inspection =
        ParameterInspection.newBuilder().setName(piece.name()).setMeasure(measure(piece));
    boolean singular = measure(piece) == Measure.MEASURE_SINGULAR_VALUES;
    double residual = 0;
    for (int k = 0; k < piece.matrices(); k++) {
      double[] values =
          singular
              ? singularValues(k, host.weights()::get)
              : descending(rowNorms(k, host.weights()::get));
      for (double value : values) {
        inspection.addValues(value);
      }
      inspection.setValuesPerMatrix(values.length);
      residual = Math.max(residual, residual(k, values));
    }
    inspection.setResidual(residual);
    if (host.before() != null && host.report() != null) {
      inspection.setLastStep(lastStep());
    }
    return inspection.build();
  }

  /** Index among all of the piece's elements of the first one of a row. */
  private long start(int k, int row) {
    return ((long) k * rows + row) * columns;
  }

  private double[] matrix(int k, LongToDoubleFunction x) {
    double[] values = new double[Math.multiplyExact(rows, columns)];
    Arrays.setAll(values, i -> x.applyAsDouble(start(k, 0) + i));
    return values;
  }

  private double[] singularValues(int k, LongToDoubleFunction x) {
    return Float64.singularValues(rows, columns, matrix(k, x));
  }

  private double[] rowNorms(int k, LongToDoubleFunction x) {
    double[] norms = new double[rows];
    for (int i = 0; i < rows; i++) {
      double squares = 0;
      for (long at = start(k, i); at < start(k, i + 1); at++) {
        double value = x.applyAsDouble(at);
        squares += value * value;
      }
      norms[i] = Math.sqrt(squares);
    }
    return norms;
  }

  private static double[] descending(double[] values) {
    Arrays.sort(values);
    for (int i = 0, j = values.length - 1; i < j; i++, j--) {
      double value = values[i];
      values[i] = values[j];
      values[j] = value;
    }
    return values;
  }

  /**
   * How far a matrix is from its manifold, for unit radius.
   *
   * @param values its singular values or row norms
   */
  private double residual(int k, double[] values) {
    return switch (piece.spec().manifold()) {
      case STIEFEL -> orthogonality(matrix(k, host.weights()::get));
      case SPECTRAL_BALL -> Math.max(0, values[0] / radius - 1);
      case OBLIQUE -> fromSphere(values);
      case CENTERED_OBLIQUE -> Math.max(fromSphere(values), largestMean(k));
      case EUCLIDEAN -> 0;
    };
  }

  /** max |WᵀW / r² − I|, or of WWᵀ where that is smaller. */
  private double orthogonality(double[] w) {
    boolean tall = rows >= columns;
    int n = Math.min(rows, columns);
    double[] gram = Float64.product(n, n, Math.max(rows, columns), w, tall, w, !tall);
    double largest = 0;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        double expected = i == j ? 1 : 0;
        largest = Math.max(largest, Math.abs(gram[i * n + j] / (radius * radius) - expected));
      }
    }
    return largest;
  }

  private double fromSphere(double[] norms) {
    double largest = 0;
    for (double norm : norms) {
      double relative = norm / radius;
      largest = Math.max(largest, Math.abs(relative * relative - 1));
    }
    return largest;
  }

  /** The largest distance of a row from those of mean 0. */
  private double largestMean(int k) {
    double largest = 0;
    for (int i = 0; i < rows; i++) {
      double sum = 0;
      for (long at = start(k, i); at < start(k, i + 1); at++) {
        sum += host.weights().get(at);
      }
      largest = Math.max(largest, Math.abs(sum / Math.sqrt((double) columns) / radius));
    }
    return largest;
  }

  private LastStep lastStep() {
    double rate = host.report().getLearningRate();
    LastStep.Builder step =
        LastStep.newBuilder().setLearningRate(rate).setObjective(host.report().getObjective());
    if (host.report().hasTangencyRms()) {
      step.setTangencyRms(host.report().getTangencyRms());
    }
    double update = 0;
    for (int k = 0; k < piece.matrices(); k++) {
      update = Math.max(update, norms(k, host::moved).norm());
    }
    step.setUpdateNorm(update);
    if (hasOwnNorm() && rate > 0) {
      step.setBudgetUsed(update / (radius * rate));
    }
    if (host.taken() != null) {
      gradient(step);
    }
    return step.build();
  }

  /** Whether there is a norm of its own, and it can be measured. */
  private boolean hasOwnNorm() {
    return switch (piece.spec().norm()) {
      case SPECTRAL -> piece.spec().matrixFloats() <= MAX_DECOMPOSED || isConstrained();
      case ADAMW -> false;
      default -> true;
    };
  }

  private boolean isConstrained() {
    return piece.spec().manifold() != ManifoldKind.EUCLIDEAN;
  }

  private void gradient(LastStep.Builder step) {
    double norm = 0;
    double dual = 0;
    for (int k = 0; k < piece.matrices(); k++) {
      Norms norms = norms(k, host.taken()::get);
      norm = Math.max(norm, norms.norm());
      dual += norms.dual();
    }
    step.setGradientNorm(norm);
    if (hasOwnNorm()) {
      step.setGradientDualNorm(dual);
      if (dual > 0) {
        step.setAlignment(step.getObjective() / dual);
      }
    }
  }

  /** A matrix's norm, in the piece's own norm, and its dual norm. */
  private record Norms(double norm, double dual) {
    /** Of a direct sum: the norm is the largest of the parts', the dual norm their sum. */
    static Norms of(double[] parts) {
      return new Norms(Arrays.stream(parts).max().orElse(0), Arrays.stream(parts).sum());
    }
  }

  private Norms norms(int k, LongToDoubleFunction x) {
    if (!hasOwnNorm()) {
      return frobenius(k, x);
    }
    return switch (piece.spec().norm()) {
      case SPECTRAL -> Norms.of(singularValues(k, x));
      case LARGEST_ROW -> Norms.of(rowNorms(k, x));
      case LARGEST_ENTRY -> entries(k, x);
      case FROBENIUS, ADAMW -> frobenius(k, x);
    };
  }

  private Norms entries(int k, LongToDoubleFunction x) {
    double largest = 0;
    double sum = 0;
    for (long at = start(k, 0); at < start(k, rows); at++) {
      double size = Math.abs(x.applyAsDouble(at));
      largest = Math.max(largest, size);
      sum += size;
    }
    return new Norms(largest, sum);
  }

  private Norms frobenius(int k, LongToDoubleFunction x) {
    double squares = 0;
    for (double norm : rowNorms(k, x)) {
      squares += norm * norm;
    }
    return new Norms(Math.sqrt(squares), Math.sqrt(squares));
  }
}
