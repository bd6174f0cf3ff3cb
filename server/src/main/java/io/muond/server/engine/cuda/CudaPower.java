package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Views.address;
import static io.muond.server.engine.cuda.Views.batch;

import io.muond.kernels.ScalarKernels;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Scalars;
import jcuda.driver.CUstream;

/** Power iteration, without a return to the host. */
final class CudaPower {
  private final CudaDevice device;
  private final Lanes lanes;
  private final CudaCompute compute;

  CudaPower(CudaDevice device, Lanes lanes, CudaCompute compute) {
    this.device = device;
    this.lanes = lanes;
    this.compute = compute;
  }

  void largestEigenvalue(Matrices h, Matrices v, Matrices w, int iterations, Scalars s) {
    CUstream stream = lanes.current().stream();
    ScalarKernels scalars = device.kernels().scalars();
    scalars.powerStart(stream, batch(v));
    for (int i = 0; i < iterations; i++) {
      compute.product(1, h, false, v, false, 0, w, Precision.FLOAT32);
      compute.maxAbs(w, s);
      compute.divide(w, s, v);
    }
    compute.product(1, h, false, v, false, 0, w, Precision.FLOAT32);
    long squares = lanes.current().kept().take((long) Double.BYTES * h.count());
    compute.dot(v, w, s);
    compute.dot(v, v, squares);
    scalars.quotient(stream, h.count(), address(s), squares, address(s));
  }
}
