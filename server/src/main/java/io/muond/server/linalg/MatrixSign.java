package io.muond.server.linalg;

import io.muond.server.engine.Compute;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import java.util.List;

/**
 * msign(X) = UVᵀ for X = UΣVᵀ, by Polar Express: X ← X (aI + bS + cS²), S = XᵀX. The first
 * iteration computes S² anyway, and ‖S²‖_F^{1/4} ≥ ‖X‖ is a far tighter scale than ‖X‖_F. A zero
 * matrix stays zero. Elements should be of moderate size, or powers of the scale leave float32:
 * callers of {@link #general} divide by the largest.
 *
 * <p>In half precision everything between the products is kept in 16 bits, so that half as much
 * goes over the memory bus; only the first S² is float32, which may be far smaller than S.
 */
public final class MatrixSign {
  /**
   * ‖X‖_F as it is rounded to 16 bits: S = XᵀX stays below 2¹⁴, and little of X is so small that
   * float16 has fewer bits for it.
   */
  private static final double HALF_NORM = 128;

  private final Compute compute;
  private final List<PolarExpress.Quintic> schedule;
  private final Precision precision;

  public MatrixSign(Compute compute, int steps, Precision precision) {
    this.compute = compute;
    this.schedule = PolarExpress.schedule(steps);
    this.precision = precision;
  }

  /**
   * Intermediates: {@code next} like X, and two symmetric matrices of X's number of columns; in
   * half precision they have 16 bits, and {@code rounded} is one more like X.
   */
  public record Buffers(Matrices rounded, Matrices next, Matrices s, Matrices p, Scalars scale) {
    /** Those of float32. */
    public Buffers(Matrices next, Matrices s, Matrices p, Scalars scale) {
      this(null, next, s, p, scale);
    }

    /** Those of matrix k. */
    public Buffers matrix(int k) {
      return new Buffers(
          rounded == null ? null : rounded.matrix(k),
          next.matrix(k),
          s.matrix(k),
          p.matrix(k),
          scale.slice(k, 1));
    }
  }

  /** Takes the intermediates out of a carver, for m × n matrices stored as they are. */
  public Buffers carve(Carver carver, int m, int n, boolean transposed) {
    if (!precision.isHalf()) {
      return new Buffers(
          carver.tall(m, n, transposed),
          carver.matrices(n, n),
          carver.matrices(n, n),
          carver.scalars());
    }
    ElementType type = precision.operands();
    return new Buffers(
        carver.tallHalves(type, m, n, transposed),
        carver.tallHalves(type, m, n, transposed),
        carver.halves(type, n, n),
        carver.halves(type, n, n),
        carver.scalars());
  }

  public int steps() {
    return schedule.size();
  }

  /**
   * msign of an m × n matrix, m ≥ n.
   *
   * @param x is overwritten
   * @return where the result is, in float32: x or {@code buffers.next}
   */
  public Matrices general(Matrices x, Buffers buffers, Flops flops) {
    Matrices from = start(x, buffers);
    Matrices to = buffers.next();
    for (int k = 0; k < schedule.size(); k++) {
      polynomial(k, from, x, buffers, flops);
      compute.product(1, from, false, buffers.p(), false, 0, to, precision);
      flops.product(x.rows(), x.cols(), x.cols());
      Matrices swap = from;
      from = to;
      to = swap;
    }
    if (precision.isHalf()) {
      compute.widen(from, x);
      return x;
    }
    return from;
  }

  /**
   * msign of a skew n × n matrix: every product is half a product, and the result exactly skew. Its
   * elements may be of any size: it is a difference, of which little may be left.
   *
   * @param x is overwritten
   * @param columns how many columns of the result are wanted; the others are undefined
   * @return the result in float32, or in float16 if the precision is a half
   */
  public Matrices skew(Matrices x, int columns, Buffers buffers, Flops flops) {
    if (!precision.isHalf()) {
      compute.maxAbs(x, buffers.scale());
      compute.divide(x, buffers.scale(), x);
    }
    Matrices from = start(x, buffers);
    Matrices to = buffers.next();
    int n = x.rows();
    for (int k = 0; k < schedule.size(); k++) {
      polynomial(k, from, x, buffers, flops);
      if (k < schedule.size() - 1 || columns == n) {
        compute.skewProduct(1, from, false, buffers.p(), false, to, precision);
        flops.half(n, n);
      } else {
        firstColumns(from, columns, buffers.p(), to, flops);
      }
      Matrices swap = from;
      from = to;
      to = swap;
    }
    return precision == Precision.BFLOAT16 ? inFloat16(from, x, columns) : from;
  }

  /** X as the iteration takes it. */
  private Matrices start(Matrices x, Buffers buffers) {
    if (!precision.isHalf()) {
      return x;
    }
    compute.frobenius(x, buffers.scale());
    compute.round(HALF_NORM, buffers.scale(), x, buffers.rounded());
    return buffers.rounded();
  }

  /** The same numbers: bfloat16 has fewer bits than float16. */
  private Matrices inFloat16(Matrices k, Matrices spare, int columns) {
    Matrices wanted = k.block(0, 0, k.rows(), columns);
    Matrices wide = spare.block(0, 0, k.rows(), columns);
    compute.widen(wanted, wide);
    compute.round(1, null, wide, wanted.as(ElementType.FLOAT16));
    return k.as(ElementType.FLOAT16);
  }

  private void firstColumns(Matrices x, int columns, Matrices p, Matrices to, Flops flops) {
    int n = x.rows();
    Matrices wanted = p.block(0, 0, n, columns);
    compute.skewProduct(
        1,
        x.block(0, 0, columns, n),
        false,
        wanted,
        false,
        to.block(0, 0, columns, columns),
        precision);
    flops.half(columns, n);
    compute.product(
        1,
        x.block(columns, 0, n - columns, n),
        false,
        wanted,
        false,
        0,
        to.block(columns, 0, n - columns, columns),
        precision);
    flops.product(n - columns, columns, n);
  }

  /**
   * p ← aI + bS + cS² of iteration k.
   *
   * @param spare m × n, free in half precision
   */
  private void polynomial(int k, Matrices x, Matrices spare, Buffers buffers, Flops flops) {
    PolarExpress.Quintic q = schedule.get(k);
    Matrices s = buffers.s();
    Matrices p = buffers.p();
    compute.symmetricProduct(1, x, true, x, false, 0, null, 0, s, precision);
    flops.half(x.cols(), x.rows());
    flops.half(x.cols(), x.cols());
    if (k > 0) {
      compute.symmetricProduct(q.c(), s, false, s, false, q.b(), s, q.a(), p, precision);
      return;
    }
    Matrices s2 = precision.isHalf() ? square(spare) : p;
    compute.symmetricProduct(1, s, false, s, false, 0, null, 0, s2, precision);
    compute.frobenius(s2, buffers.scale());
    compute.scaledPolynomial(q.a(), q.b(), q.c(), buffers.scale(), s, s2, p);
  }

  /** A part of an m × n matrix that holds an n × n one, not stored transposed. */
  private static Matrices square(Matrices x) {
    int n = x.cols();
    return x.transposed() ? x.transpose().block(0, 0, n, n) : x.block(0, 0, n, n);
  }
}
