package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Views.address;
import static io.muond.server.engine.cuda.Views.batch;

import io.muond.kernels.Batch;
import io.muond.kernels.RowKernels;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import jcuda.driver.CUstream;

/**
 * The operations on rows, which all need scratch memory: where there are very many matrices, some
 * of them at a time.
 */
final class CudaRows {
  /** Matrices at a time: two numbers each fill half of a lane's scratch, or all of a branch's. */
  static final int AT_ONCE = 1 << 19;

  private final CudaDevice device;
  private final Lanes lanes;

  CudaRows(CudaDevice device, Lanes lanes) {
    this.device = device;
    this.lanes = lanes;
  }

  private RowKernels kernels() {
    return device.kernels().rows();
  }

  private CUstream stream() {
    return lanes.current().stream();
  }

  private long scratch(Batch x) {
    return lanes.current().scratch().take(RowKernels.scratchBytes(x));
  }

  /** Works on the matrices from {@code from} on. */
  @FunctionalInterface
  private interface Part {
    void run(int from, int count);
  }

  private static void inParts(Matrices x, Part part) {
    for (int from = 0; from < x.count(); from += AT_ONCE) {
      part.run(from, Math.min(AT_ONCE, x.count() - from));
    }
  }

  void directions(Matrices w, Matrices g, Matrices a, Scalars objective) {
    inParts(
        w,
        (from, n) -> {
          Batch of = batch(w.matrices(from, n));
          Batch by = batch(g.matrices(from, n));
          Batch to = batch(a.matrices(from, n));
          long sums = address(objective.slice(from, n));
          kernels().rowDirections(stream(), of, by, to, sums, scratch(of));
        });
  }

  void center(Matrices x, Matrices y) {
    inParts(
        x,
        (from, n) -> {
          Batch of = batch(x.matrices(from, n));
          kernels().centerRows(stream(), of, batch(y.matrices(from, n)), scratch(of));
        });
  }

  void normalize(double radius, boolean centered, Matrices x, Matrices y) {
    inParts(
        x,
        (from, n) -> {
          Batch of = batch(x.matrices(from, n));
          Batch to = batch(y.matrices(from, n));
          kernels().normalizeRows(stream(), radius, centered, of, to, scratch(of));
        });
  }

  void move(double radius, boolean centered, Scalars eta, Matrices w, Matrices a, Matrices y) {
    inParts(
        w,
        (from, n) -> {
          Batch of = batch(w.matrices(from, n));
          Batch along = batch(a.matrices(from, n));
          Batch to = batch(y.matrices(from, n));
          long rates = address(eta.slice(from, n));
          kernels().moveRows(stream(), radius, centered, rates, of, along, to, scratch(of));
        });
  }

  void residuals(
      double radius,
      boolean centered,
      Matrices w,
      Matrices a,
      Matrices y,
      Scalars tangency,
      Scalars orthogonality) {
    inParts(
        w,
        (from, n) -> {
          Batch of = batch(w.matrices(from, n));
          kernels()
              .rowResiduals(
                  stream(),
                  radius,
                  centered,
                  of,
                  batch(a.matrices(from, n)),
                  batch(y.matrices(from, n)),
                  address(tangency.slice(from, n)),
                  address(orthogonality.slice(from, n)),
                  scratch(of));
        });
  }
}
