package io.muond.server.model;

import io.muond.server.engine.Dealing;
import io.muond.server.engine.cpu.Float64;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import io.muond.v1.LastStep;
import io.muond.v1.ParameterInspection;
import io.muond.v1.ParameterInspection.Measure;
import java.util.Arrays;

/** Measures one piece, in float64. */
final class PieceMeasures {
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
    ManifoldKind manifold = piece.spec().manifold();
    boolean vector = piece.shape().size() < 2;
    return switch (manifold) {
      case STIEFEL, SPECTRAL_BALL -> Measure.MEASURE_SINGULAR_VALUES;
      case EUCLIDEAN -> vector ? Measure.MEASURE_NORM : Measure.MEASURE_SINGULAR_VALUES;
      case CENTERED_OBLIQUE -> Measure.MEASURE_ROW_NORMS;
      case OBLIQUE -> {
        if (piece.spec().rows() == 1) {
          yield Measure.MEASURE_NORM;
        }
        // Columns are rows on the device.
        yield piece.dealing().equals(Dealing.NONE)
            ? Measure.MEASURE_ROW_NORMS
            : Measure.MEASURE_COLUMN_NORMS;
      }
    };
  }

  ParameterInspection inspect() {
    ParameterInspection.Builder inspection =
        ParameterInspection.newBuilder().setName(piece.name()).setMeasure(measure(piece));
    boolean singular = measure(piece) == Measure.MEASURE_SINGULAR_VALUES;
    double residual = 0;
    for (int k = 0; k < piece.matrices(); k++) {
      double[] w = host.weights().matrix(k);
      double[] values = singular ? singularValues(w.clone()) : descending(rowNorms(w));
      for (double value : values) {
        inspection.addValues(value);
      }
      inspection.setValuesPerMatrix(values.length);
      residual = Math.max(residual, residual(w, values));
    }
    inspection.setResidual(residual);
    if (host.before() != null && host.report() != null) {
      inspection.setLastStep(lastStep());
    }
    return inspection.build();
  }

  private double[] singularValues(double[] matrix) {
    return Float64.singularValues(rows, columns, matrix);
  }

  private double[] rowNorms(double[] x) {
    double[] norms = new double[rows];
    for (int i = 0; i < rows; i++) {
      double squares = 0;
      for (int j = 0; j < columns; j++) {
        squares += x[i * columns + j] * x[i * columns + j];
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
  private double residual(double[] w, double[] values) {
    return switch (piece.spec().manifold()) {
      case STIEFEL -> orthogonality(w);
      case SPECTRAL_BALL -> Math.max(0, values[0] / radius - 1);
      case OBLIQUE -> fromSphere(values);
      case CENTERED_OBLIQUE -> Math.max(fromSphere(values), largestMean(w));
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
  private double largestMean(double[] w) {
    double largest = 0;
    for (int i = 0; i < rows; i++) {
      double sum = 0;
      for (int j = 0; j < columns; j++) {
        sum += w[i * columns + j];
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
      update = Math.max(update, norms(host.weights().difference(k, host.before())).norm());
    }
    step.setUpdateNorm(update);
    boolean adamw = piece.spec().norm() == NormKind.ADAMW;
    if (!adamw && rate > 0) {
      step.setBudgetUsed(update / (radius * rate));
    }
    if (host.taken() != null) {
      gradient(step, adamw);
    }
    return step.build();
  }

  private void gradient(LastStep.Builder step, boolean adamw) {
    double norm = 0;
    double dual = 0;
    for (int k = 0; k < piece.matrices(); k++) {
      Norms norms = norms(host.taken().matrix(k));
      norm = Math.max(norm, norms.norm());
      dual += norms.dual();
    }
    step.setGradientNorm(norm);
    if (!adamw) {
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

  /** {@code x} is destroyed. */
  private Norms norms(double[] x) {
    return switch (piece.spec().norm()) {
      case SPECTRAL -> Norms.of(singularValues(x));
      case LARGEST_ROW -> Norms.of(rowNorms(x));
      case LARGEST_ENTRY -> Norms.of(Arrays.stream(x).map(Math::abs).toArray());
      case FROBENIUS, ADAMW -> {
        double norm = Math.sqrt(Arrays.stream(x).map(v -> v * v).sum());
        yield new Norms(norm, norm);
      }
    };
  }
}
