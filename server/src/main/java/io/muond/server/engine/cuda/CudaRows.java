package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Views.address;
import static io.muond.server.engine.cuda.Views.batch;

import io.muond.kernels.RowKernels;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import jcuda.driver.CUstream;

/** The operations on rows, which all need scratch memory. */
final class CudaRows {
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

  private long scratch(Matrices x) {
    return lanes.current().scratch().take(RowKernels.scratchBytes(batch(x)));
  }

  void directions(Matrices w, Matrices g, Matrices a, Scalars objective) {
    kernels().rowDirections(stream(), batch(w), batch(g), batch(a), address(objective), scratch(w));
  }

  void center(Matrices x, Matrices y) {
    kernels().centerRows(stream(), batch(x), batch(y), scratch(x));
  }

  void normalize(double radius, boolean centered, Matrices x, Matrices y) {
    kernels().normalizeRows(stream(), radius, centered, batch(x), batch(y), scratch(x));
  }

  void move(double radius, boolean centered, Scalars eta, Matrices w, Matrices a, Matrices y) {
    kernels()
        .moveRows(
            stream(), radius, centered, address(eta), batch(w), batch(a), batch(y), scratch(w));
  }

  void residuals(
      double radius,
      boolean centered,
      Matrices w,
      Matrices a,
      Matrices y,
      Scalars tangency,
      Scalars orthogonality) {
    kernels()
        .rowResiduals(
            stream(),
            radius,
            centered,
            batch(w),
            batch(a),
            batch(y),
            address(tangency),
            address(orthogonality),
            scratch(w));
  }
}
