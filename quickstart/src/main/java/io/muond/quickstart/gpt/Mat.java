package io.muond.quickstart.gpt;

import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.CblasTrans;
import static org.bytedeco.openblas.global.openblas.cblas_sgemm;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.concurrent.ForkJoinPool;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.bytedeco.openblas.global.openblas;

/**
 * A float32 matrix in row-major order, outside the heap, where OpenBLAS finds it; or part of one.
 * Products are shared between the cores here and not by OpenBLAS, whose threads would go on
 * spinning while the server next door has work to do.
 */
final class Mat {
  static {
    openblas.blas_set_num_threads(1);
  }

  /** Products with fewer multiplications are not worth sharing. */
  private static final long SHARED = 1 << 20;

  private final int rows;
  private final int columns;
  private final int stride;
  private final FloatBuffer data;

  private Mat(int rows, int columns, int stride, FloatBuffer data) {
    this.rows = rows;
    this.columns = columns;
    this.stride = stride;
    this.data = data;
  }

  static Mat zeros(int rows, int columns) {
    int bytes = Math.multiplyExact(Float.BYTES, Math.multiplyExact(rows, columns));
    ByteBuffer direct = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    return new Mat(rows, columns, columns, direct.asFloatBuffer());
  }

  static Mat of(int rows, int columns, float[] values) {
    Mat matrix = zeros(rows, columns);
    requireSame("elements", values.length, matrix.size());
    matrix.data.put(0, values);
    return matrix;
  }

  /** A part of this matrix, which sees and makes its changes. */
  Mat part(int row, int column, int height, int width) {
    int from = row * stride + column;
    return new Mat(height, width, stride, data.slice(from, (height - 1) * stride + width));
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  int size() {
    return rows * columns;
  }

  float get(int row, int column) {
    return data.get(row * stride + column);
  }

  void set(int row, int column, float value) {
    data.put(row * stride + column, value);
  }

  /** to ← a row. */
  void read(int row, float[] to) {
    data.get(row * stride, to, 0, columns);
  }

  /** A row ← from. */
  void write(int row, float[] from) {
    data.put(row * stride, from, 0, columns);
  }

  /** A copy of the elements, row by row. */
  float[] values() {
    float[] values = new float[size()];
    for (int i = 0; i < rows; i++) {
      data.get(i * stride, values, i * columns, columns);
    }
    return values;
  }

  /** this ← other. */
  void set(Mat other) {
    requireSameShape(other);
    for (int i = 0; i < rows; i++) {
      data.put(i * stride, other.data, i * other.stride, columns);
    }
  }

  /** this ← α this + β other. */
  void combine(float alpha, float beta, Mat other) {
    requireSameShape(other);
    float[] mine = new float[columns];
    float[] theirs = new float[columns];
    for (int i = 0; i < rows; i++) {
      read(i, mine);
      other.read(i, theirs);
      for (int j = 0; j < columns; j++) {
        mine[j] = alpha * mine[j] + beta * theirs[j];
      }
      write(i, mine);
    }
  }

  /** this ← α x wᵀ: what a layer makes of the rows of x. */
  void timesTransposed(float alpha, Mat x, Mat w) {
    product(alpha, x, false, w, true, 0);
  }

  /** this ← α dy w + β this: how a loss depends on the rows of x. */
  void times(float alpha, Mat dy, Mat w, float beta) {
    product(alpha, dy, false, w, false, beta);
  }

  /** this ← α dyᵀ x: how a loss depends on w. */
  void transposedTimes(float alpha, Mat dy, Mat x) {
    product(alpha, dy, true, x, false, 0);
  }

  private void product(float alpha, Mat a, boolean aT, Mat b, boolean bT, float beta) {
    int depth = aT ? a.rows : a.columns;
    requireSame("depth", bT ? b.columns : b.rows, depth);
    requireSame("rows", aT ? a.columns : a.rows, rows);
    requireSame("columns", bT ? b.rows : b.columns, columns);
    int shares = (long) size() * depth < SHARED ? 1 : ForkJoinPool.getCommonPoolParallelism() + 1;
    parallel(
        shares,
        share -> {
          int from = rows * share / shares;
          int count = rows * (share + 1) / shares - from;
          if (count > 0) {
            Mat ofA = aT ? a.part(0, from, depth, count) : a.part(from, 0, count, depth);
            part(from, 0, count, columns).gemm(alpha, ofA, aT, b, bT, beta);
          }
        });
  }

  private void gemm(float alpha, Mat a, boolean aT, Mat b, boolean bT, float beta) {
    cblas_sgemm(
        CblasRowMajor,
        aT ? CblasTrans : CblasNoTrans,
        bT ? CblasTrans : CblasNoTrans,
        rows,
        columns,
        aT ? a.rows : a.columns,
        alpha,
        a.data,
        a.stride,
        b.data,
        b.stride,
        beta,
        data,
        stride);
  }

  /** Does something for 0, 1, …, count − 1 on all cores, in any order. */
  static void parallel(int count, IntConsumer each) {
    IntStream.range(0, count).parallel().forEach(each);
  }

  private void requireSameShape(Mat other) {
    requireSame("rows", other.rows, rows);
    requireSame("columns", other.columns, columns);
  }

  private static void requireSame(String what, int value, int expected) {
    if (value != expected) {
      throw new IllegalArgumentException("%s: %d (expected: %d)".formatted(what, value, expected));
    }
  }
}
