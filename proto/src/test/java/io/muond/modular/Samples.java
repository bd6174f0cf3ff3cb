package io.muond.modular;

import io.muond.manifold.Matrices;
import io.muond.manifold.Pair;
import io.muond.manifold.ParameterChecks;
import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.RowRange;
import io.muond.v1.View;
import java.util.Random;

/** Random weights on manifolds, row-major. */
final class Samples {
  private final Random random;

  Samples(Random random) {
    this.random = random;
  }

  /**
   * A weight.
   *
   * @param parameter complete
   */
  double[] weight(Parameter parameter) {
    int elements = (int) parameter.getShapeList().stream().reduce(1L, (a, b) -> a * b).longValue();
    double[] w = new double[elements];
    int at = 0;
    for (RowRange range : parameter.getRangesList()) {
      double[] part = weight(ParameterChecks.tensor(range, parameter.getShapeList()));
      System.arraycopy(part, 0, w, at, part.length);
      at += part.length;
    }
    if (parameter.getRangesCount() == 0) {
      fill(parameter, w);
    }
    return w;
  }

  private void fill(Parameter parameter, double[] w) {
    Pair pair = Pair.of(parameter.getManifold(), parameter.getNorm()).orElseThrow();
    Matrices shape = Matrices.of(pair, parameter.getView(), parameter.getShapeList());
    boolean interleaved = parameter.getView() == View.VIEW_KERNEL_POSITIONS;
    int count = (int) shape.count();
    int columns = (int) shape.columns();
    for (int k = 0; k < count; k++) {
      double[][] matrix = matrix(parameter, (int) shape.rows(), columns);
      for (int i = 0; i < matrix.length; i++) {
        for (int j = 0; j < columns; j++) {
          int at = i * columns + j;
          w[interleaved ? at * count + k : k * matrix.length * columns + at] =
              parameter.getRadius() * matrix[i][j];
        }
      }
    }
  }

  private double[][] matrix(Parameter parameter, int rows, int columns) {
    return switch (parameter.getManifold()) {
      case MANIFOLD_STIEFEL -> orthonormal(rows, columns);
      case MANIFOLD_SPECTRAL_BALL -> {
        // The ball is convex, and its surface holds the Stiefel manifold.
        double[][] a = orthonormal(rows, columns);
        double[][] b = orthonormal(rows, columns);
        double t = random.nextDouble();
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < columns; j++) {
            a[i][j] = t * a[i][j] + (1 - t) * b[i][j];
          }
        }
        yield a;
      }
      default -> rowsOfNormOne(parameter, rows, columns);
    };
  }

  private double[][] rowsOfNormOne(Parameter parameter, int rows, int columns) {
    if (parameter.getNorm() == Norm.NORM_LARGEST_COLUMN) {
      return transpose(rowsOfNormOne(false, columns, rows));
    }
    return rowsOfNormOne(
        parameter.getManifold() == Manifold.MANIFOLD_CENTERED_OBLIQUE, rows, columns);
  }

  private double[][] rowsOfNormOne(boolean centered, int rows, int columns) {
    double[][] a = gaussian(rows, columns);
    for (double[] row : a) {
      double mean = 0;
      for (double x : row) {
        mean += x / columns;
      }
      for (int j = 0; centered && j < columns; j++) {
        row[j] -= mean;
      }
      normalize(row);
    }
    return a;
  }

  /** All singular values 1: Gram and Schmidt's method, twice, on the shorter side's vectors. */
  private double[][] orthonormal(int rows, int columns) {
    if (rows > columns) {
      return transpose(orthonormal(columns, rows));
    }
    double[][] a = gaussian(rows, columns);
    for (int i = 0; i < rows; i++) {
      for (int k = 0; k < 2 * i; k++) {
        double[] other = a[k % i];
        double along = 0;
        for (int j = 0; j < columns; j++) {
          along += a[i][j] * other[j];
        }
        for (int j = 0; j < columns; j++) {
          a[i][j] -= along * other[j];
        }
      }
      normalize(a[i]);
    }
    return a;
  }

  private double[][] gaussian(int rows, int columns) {
    double[][] a = new double[rows][];
    for (int i = 0; i < rows; i++) {
      a[i] = vector(columns);
    }
    return a;
  }

  double[] vector(int size) {
    return random.doubles(size).map(x -> random.nextGaussian()).toArray();
  }

  private static void normalize(double[] x) {
    double norm = norm(x);
    for (int j = 0; j < x.length; j++) {
      x[j] /= norm;
    }
  }

  static double norm(double[] x) {
    double sum = 0;
    for (double value : x) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  static double rms(double[] x) {
    return norm(x) / Math.sqrt(x.length);
  }

  static double[][] transpose(double[][] a) {
    double[][] b = new double[a[0].length][a.length];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < b.length; j++) {
        b[j][i] = a[i][j];
      }
    }
    return b;
  }

  /** A x. */
  static double[] times(double[][] a, double[] x) {
    double[] y = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < x.length; j++) {
        y[i] += a[i][j] * x[j];
      }
    }
    return y;
  }

  /** The largest singular value, from below: a power iteration from a random vector. */
  double spectralNorm(double[][] a) {
    double[][] transposed = transpose(a);
    double[] x = vector(a[0].length);
    for (int i = 0; i < 200; i++) {
      normalize(x);
      x = times(transposed, times(a, x));
    }
    normalize(x);
    return norm(times(a, x));
  }
}
