package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Views.address;
import static io.muond.server.engine.cuda.Views.batch;
import static io.muond.server.engine.cuda.Views.requireAlike;

import io.muond.kernels.Batch;
import io.muond.kernels.DescentKernels;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Scalars;
import java.util.List;
import jcuda.driver.CUstream;

/** Steps without a constraint. */
final class CudaDescent {
  private final CudaDevice device;
  private final Lanes lanes;

  CudaDescent(CudaDevice device, Lanes lanes) {
    this.device = device;
    this.lanes = lanes;
  }

  private DescentKernels kernels() {
    return device.kernels().descent();
  }

  private CUstream stream() {
    return lanes.current().stream();
  }

  void signs(Matrices x, Matrices y) {
    requireAlike(x, y);
    kernels().signs(stream(), batch(x), batch(y));
  }

  void descend(Scalars keep, Scalars step, Matrices w, Matrices a, Matrices y) {
    requireAlike(w, a);
    requireAlike(w, y);
    kernels().descend(stream(), address(keep), address(step), batch(w), batch(a), batch(y));
  }

  /**
   * @param operands M, V, G, where the new V goes and where the direction goes
   */
  void adamw(
      double beta1, double beta2, double epsilon, Scalars corrections, List<Matrices> operands) {
    operands.forEach(x -> requireAlike(operands.get(0), x));
    Batch[] of = operands.stream().map(Views::batch).toArray(Batch[]::new);
    kernels()
        .adamw(
            stream(),
            beta1,
            beta2,
            epsilon,
            address(corrections),
            of[0],
            of[1],
            of[2],
            of[3],
            of[4]);
  }
}
