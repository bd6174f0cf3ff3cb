package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.engine.cuda.CudaEngine;
import java.util.Collections;
import java.util.List;
import jcuda.driver.JCudaDriver;

/**
 * A process that steps as many matrices as it is told a few times, and marks the beginning and the
 * end of the last step by a call of its own.
 */
final class TracedSteps {
  /** The call that marks; the engine makes it only when it opens. */
  static final String MARK = "cuDeviceGetCount";

  private static final int STEPS = 4;

  private TracedSteps() {}

  public static void main(String[] arguments) throws Exception {
    try (Engine engine = CudaEngine.open(0)) {
      Optimizer optimizer = new MuonOptimizer(engine);
      int count = Integer.parseInt(arguments[0]);
      BatchProgram program =
          optimizer.program(TestBatch.stiefel(16, 8, Rule.DEFAULT).withCount(count));
      List<BatchProgram> programs = List.of(program);
      long n = program.spec().floats();
      try (Memory memory = engine.allocate("buffers", 3 * n);
          Memory workspace = engine.allocate("workspace", StepRunner.workspaceFloats(programs));
          StepRunner runner = new StepRunner(engine, optimizer, programs)) {
        Region weights = new Region(memory, 0, n);
        Region gradient = new Region(memory, 2 * n, n);
        program.initialize(new long[count], weights, new Region(workspace, 0, workspace.floats()));
        StepBuffers buffers =
            new StepBuffers(weights, new Region(memory, n, n), gradient, /* momentum= */ null);
        StepRunner.Given given =
            new StepRunner.Given(buffers, List.of(gradient), Collections.nCopies(count, 0.1), 1);
        for (int step = 1; step <= STEPS; step++) {
          Gaussian.fill(gradient, 0, n, step);
          mark();
          runner
              .run(List.of(given), new double[] {1}, ReportDetail.RESIDUALS, workspace)
              .reports(0);
          mark();
        }
      }
    }
  }

  private static void mark() {
    JCudaDriver.cuDeviceGetCount(new int[1]);
  }
}
