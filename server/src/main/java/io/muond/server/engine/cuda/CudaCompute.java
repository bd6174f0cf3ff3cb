package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Views.address;
import static io.muond.server.engine.cuda.Views.batch;
import static io.muond.server.engine.cuda.Views.requireAlike;
import static io.muond.server.engine.cuda.Views.wireType;

import io.muond.kernels.Batch;
import io.muond.kernels.ElementwiseKernels;
import io.muond.kernels.GramKernels;
import io.muond.kernels.HalfKernels;
import io.muond.kernels.ReductionKernels;
import io.muond.kernels.WireType;
import io.muond.server.engine.Compute;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import java.util.List;
import jcuda.driver.CUstream;

/**
 * The operations on one device, on the stream of the current lane: each finds what the one before
 * left.
 */
final class CudaCompute implements Compute {
  private final CudaDevice device;
  private final Lanes lanes;
  private final CudaCholesky cholesky;
  private final CudaRows rows;
  private final CudaDescent descent;
  private final NumberReader reader;

  CudaCompute(CudaDevice device) {
    this.device = device;
    lanes = new Lanes(device);
    cholesky = new CudaCholesky(device, lanes);
    rows = new CudaRows(device, lanes);
    descent = new CudaDescent(device, lanes);
    reader = new NumberReader(device);
  }

  Lanes lanes() {
    return lanes;
  }

  private CUstream stream() {
    return lanes.current().stream();
  }

  private Gemm gemm() {
    return lanes.current().gemm();
  }

  private ElementwiseKernels elementwise() {
    return device.kernels().elementwise();
  }

  private HalfKernels halves() {
    return device.kernels().halves();
  }

  private ReductionKernels reductions() {
    return device.kernels().reductions();
  }

  private long forReduction(Batch x) {
    return lanes.current().scratch().take(ReductionKernels.scratchBytes(x));
  }

  @Override
  public double[] read(Scalars scalars) {
    return reader.read(address(scalars), scalars.count());
  }

  @Override
  public void write(double[] values, Scalars s) {
    if (values.length != s.count()) {
      throw new IllegalArgumentException(values.length + " values for " + s.count() + " numbers");
    }
    device.kernels().scalars().setScalars(stream(), values, address(s));
  }

  @Override
  public void copy(Matrices x, Matrices y) {
    combine(1, x, 0, y);
  }

  @Override
  public void combine(double alpha, Matrices x, double beta, Matrices y) {
    requireAlike(x, y);
    elementwise().combine(stream(), alpha, 0, batch(x), beta, batch(y));
  }

  @Override
  public void combineEach(double alpha, Scalars s, Matrices x, double beta, Matrices y) {
    requireAlike(x, y);
    elementwise().combine(stream(), alpha, address(s), batch(x), beta, batch(y));
  }

  @Override
  public void momentum(double beta, boolean nesterov, Matrices m, Matrices g, Matrices taken) {
    requireAlike(m, g);
    if (nesterov) {
      requireAlike(g, taken);
      elementwise().momentum(stream(), beta, true, batch(g), batch(m), batch(taken));
    } else {
      combine(beta, m, 1, g);
    }
  }

  @Override
  public void signs(Matrices x, Matrices y) {
    descent.signs(x, y);
  }

  @Override
  public void descend(Scalars keep, Scalars step, Matrices w, Matrices a, Matrices y) {
    descent.descend(keep, step, w, a, y);
  }

  @Override
  public void adamw(
      double beta1,
      double beta2,
      double epsilon,
      Scalars corrections,
      Matrices m,
      Matrices v,
      Matrices g,
      Matrices next,
      Matrices a) {
    descent.adamw(beta1, beta2, epsilon, corrections, List.of(m, v, g, next, a));
  }

  @Override
  public void divide(Matrices x, Scalars s, Matrices y) {
    requireAlike(x, y);
    elementwise().divide(stream(), batch(x), address(s), batch(y));
  }

  @Override
  public void copyWhereZero(Scalars s, Matrices x, Matrices y) {
    requireAlike(x, y);
    elementwise().copyWhereZero(stream(), address(s), batch(x), batch(y));
  }

  @Override
  public void maxAbs(Matrices x, Scalars s) {
    Batch of = batch(x);
    reductions().maxAbs(stream(), of, address(s), forReduction(of));
  }

  @Override
  public void frobenius(Matrices x, Scalars s) {
    Batch of = batch(x);
    reductions().frobenius(stream(), of, address(s), forReduction(of));
  }

  @Override
  public void zeroRounding(double relative, Scalars of, Scalars s) {
    device.kernels().scalars().zeroRounding(stream(), s.count(), relative, address(of), address(s));
  }

  @Override
  public void distance(Matrices x, Matrices y, Scalars s) {
    requireAlike(x, y);
    Batch of = batch(x);
    reductions().distance(stream(), of, batch(y), address(s), forReduction(of));
  }

  @Override
  public void dot(Matrices x, Matrices y, Scalars s) {
    dot(x, y, address(s));
  }

  void dot(Matrices x, Matrices y, long s) {
    requireAlike(x, y);
    Batch of = batch(x);
    reductions().dot(stream(), of, batch(y), s, forReduction(of));
  }

  @Override
  public void frobeniusOfSymmetricPart(Matrices x, Scalars s) {
    Batch of = batch(x);
    reductions().symmetricPart(stream(), of, address(s), forReduction(of));
  }

  @Override
  public void product(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices c,
      Precision precision) {
    gemm().product(new Gemm.Product(alpha, a, aT, b, bT, beta, c, precision));
  }

  @Override
  public void symmetricProduct(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      double beta,
      Matrices e,
      double delta,
      Matrices c,
      Precision precision) {
    boolean inPlace = isResult(e, c);
    double kept = inPlace ? beta : 0;
    gemm().lowerHalf(new Gemm.Product(alpha, a, aT, b, bT, kept, upright(c), precision));
    mirrorSymmetric(c, beta, inPlace ? null : e, delta);
  }

  private static boolean isResult(Matrices e, Matrices c) {
    return e != null && address(e) == address(c);
  }

  /** In memory a transposed result is itself, as it is symmetric. */
  private static Matrices upright(Matrices c) {
    return c.transposed() ? c.transpose() : c;
  }

  private void mirrorSymmetric(Matrices c, double beta, Matrices e, double delta) {
    Batch other = e == null ? null : batch(e);
    if (c.type() == ElementType.FLOAT32) {
      device.kernels().squares().mirrorSymmetric(stream(), batch(c), beta, other, delta);
    } else {
      halves().mirrorSymmetric(stream(), wireType(c.type()), batch(c), beta, other, delta);
    }
  }

  @Override
  public void symmetricSum(List<Term> terms, double beta, Matrices e, double delta, Matrices c) {
    boolean inPlace = isResult(e, c);
    double kept = inPlace ? beta : 0;
    for (Term t : terms) {
      gemm()
          .lowerHalf(
              new Gemm.Product(
                  t.alpha(), t.a(), t.aT(), t.b(), t.bT(), kept, upright(c), Precision.FLOAT16));
      kept = 1;
    }
    mirrorSymmetric(c, beta, inPlace ? null : e, delta);
  }

  @Override
  public void skewProduct(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      Matrices c,
      Precision precision) {
    // In memory lies the transpose of a transposed result: its negative.
    double signed = c.transposed() ? -alpha : alpha;
    gemm().lowerHalf(new Gemm.Product(signed, a, aT, b, bT, 0, upright(c), precision));
    if (c.type() == ElementType.FLOAT32) {
      device.kernels().squares().mirrorSkew(stream(), batch(c));
    } else {
      halves().mirrorSkew(stream(), wireType(c.type()), batch(c));
    }
  }

  @Override
  public void round(double alpha, Scalars s, Matrices x, Matrices y) {
    requireAlike(x, y);
    long divisors = s == null ? 0 : address(s);
    halves().toHalf(stream(), wireType(y.type()), alpha, divisors, batch(x), batch(y));
  }

  @Override
  public void widen(Matrices x, Matrices y) {
    requireAlike(x, y);
    halves().fromHalf(stream(), wireType(x.type()), batch(x), batch(y));
  }

  @Override
  public void split(Matrices x, Matrices high, Matrices low) {
    requireAlike(x, high);
    requireAlike(x, low);
    halves().splitHalf(stream(), batch(x), batch(high), batch(low));
  }

  @Override
  public void gramDiagonal(double delta, Matrices y, Matrices x) {
    Batch of = batch(y);
    boolean byColumns = !y.transposed();
    long partial = lanes.current().scratch().take(GramKernels.scratchBytes(of, byColumns));
    device.kernels().gram().gramDiagonal(stream(), of, byColumns, delta, batch(x), partial);
  }

  @Override
  public void scaledPolynomial(
      double a, double b, double c, Scalars f, Matrices s, Matrices s2, Matrices p) {
    if (p.type() == ElementType.FLOAT32) {
      elementwise().scaledPolynomial(stream(), a, b, c, address(f), batch(s), batch(s2), batch(p));
    } else {
      WireType type = wireType(p.type());
      halves().scaledPolynomial(stream(), type, a, b, c, address(f), batch(s), batch(s2), batch(p));
    }
  }

  @Override
  public void skew(Matrices x, Matrices y) {
    requireAlike(x, y);
    device.kernels().squares().skew(stream(), batch(x), batch(y));
  }

  @Override
  public void symmetrize(Matrices x, Matrices y) {
    requireAlike(x, y);
    device.kernels().squares().symmetrize(stream(), batch(x), batch(y));
  }

  @Override
  public void largestEigenvalue(Matrices h, Matrices v, Matrices w, int iterations, Scalars s) {
    new CudaPower(device, lanes, this).largestEigenvalue(h, v, w, iterations, s);
  }

  @Override
  public void capBySquareRoot(Scalars s, Matrices y) {
    elementwise().capBySquareRoot(stream(), address(s), batch(y));
  }

  @Override
  public void negativeTranspose(Matrices x, Matrices y) {
    requireAlike(x, y);
    device.kernels().squares().negativeTranspose(stream(), batch(x), batch(y));
  }

  @Override
  public void addIdentity(double delta, Matrices x) {
    elementwise().addIdentity(stream(), delta, batch(x));
  }

  @Override
  public void zero(Matrices x) {
    elementwise().zero(stream(), batch(x));
  }

  @Override
  public void cholesky(double relative, double absolute, Matrices x) {
    cholesky.factor(relative, absolute, x);
  }

  @Override
  public void invertUpper(Matrices r) {
    cholesky.invert(r);
  }

  @Override
  public void solveUpper(Matrices r, Matrices x) {
    cholesky.solve(r, x);
  }

  @Override
  public void rowDirections(Matrices w, Matrices g, Matrices a, Scalars objective) {
    rows.directions(w, g, a, objective);
  }

  @Override
  public void centerRows(Matrices x, Matrices y) {
    rows.center(x, y);
  }

  @Override
  public void normalizeRows(double radius, boolean centered, Matrices x, Matrices y) {
    rows.normalize(radius, centered, x, y);
  }

  @Override
  public void moveRows(
      double radius, boolean centered, Scalars eta, Matrices w, Matrices a, Matrices y) {
    rows.move(radius, centered, eta, w, a, y);
  }

  @Override
  public void rowResiduals(
      double radius,
      boolean centered,
      Matrices w,
      Matrices a,
      Matrices y,
      Scalars tangency,
      Scalars orthogonality) {
    rows.residuals(radius, centered, w, a, y, tangency, orthogonality);
  }
}
