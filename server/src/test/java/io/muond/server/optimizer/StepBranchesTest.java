package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Precision;
import io.muond.server.engine.Region;
import io.muond.server.engine.TestEngines;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Batches that are stepped in one sequence, some beside each other, as if each were alone. */
class StepBranchesTest {
  /** The first runs as it is, the second may be recorded, the others replay it. */
  private static final int STEPS = 4;

  private static Engine engine;

  @BeforeAll
  static void open() {
    engine = TestEngines.open(2, 1L << 30);
  }

  @AfterAll
  static void close() {
    TestEngines.close(engine);
  }

  private static BatchSpec spec(ManifoldKind manifold, int count, int rows, int columns) {
    return spec(manifold, count, rows, columns, Solver.EXACT);
  }

  private static BatchSpec spec(
      ManifoldKind manifold, int count, int rows, int columns, Solver solver) {
    Rule rule = new Rule(solver, Precision.FLOAT32, 8, 0, false, 0.01, 1e-6, 4, 5);
    return new BatchSpec(manifold, count, rows, columns, 1.25, rule);
  }

  private static BatchSpec euclidean(NormKind norm, int count, int rows, int columns) {
    return new BatchSpec(
        ManifoldKind.EUCLIDEAN, norm, count, rows, columns, 1, Rule.DEFAULT, Start.GAUSSIAN);
  }

  private static List<BatchSpec> small() {
    return List.of(
        spec(ManifoldKind.STIEFEL, 2, 24, 24),
        spec(ManifoldKind.STIEFEL, 1, 40, 12),
        spec(ManifoldKind.OBLIQUE, 3, 5, 7),
        spec(ManifoldKind.STIEFEL, 1, 9, 30),
        spec(ManifoldKind.STIEFEL, 1, 20, 16),
        spec(ManifoldKind.SPECTRAL_BALL, 2, 6, 3),
        spec(ManifoldKind.CENTERED_OBLIQUE, 1, 4, 5),
        euclidean(NormKind.SPECTRAL, 2, 7, 9),
        euclidean(NormKind.LARGEST_ENTRY, 2, 1, 40),
        spec(ManifoldKind.STIEFEL, 2, 3, 3));
  }

  /** What is too large to run beside others. */
  private static BatchSpec large() {
    return spec(ManifoldKind.OBLIQUE, 1, 800, 700);
  }

  /** The new weights of every batch after a few steps from the same weights. */
  private static List<ByteBuffer> steps(List<BatchSpec> specs, int firstSeed) {
    Optimizer optimizer = new MuonOptimizer(engine);
    List<BatchProgram> programs = specs.stream().map(optimizer::program).toList();
    long floats = 3 * specs.stream().mapToLong(BatchSpec::floats).sum();
    try (Memory memory = engine.allocate("buffers", floats);
        Memory workspace = engine.allocate("workspace", StepRunner.workspaceFloats(programs));
        StepRunner runner = new StepRunner(engine, optimizer, programs)) {
      List<StepRunner.Given> given = new ArrayList<>();
      long offset = 0;
      for (int b = 0; b < programs.size(); b++) {
        long n = specs.get(b).floats();
        Region weights = new Region(memory, offset, n);
        Region gradient = new Region(memory, offset + 2 * n, n);
        StepBuffers buffers =
            new StepBuffers(
                weights, new Region(memory, offset + n, n), gradient, /* momentum= */ null);
        offset += 3 * n;
        int count = specs.get(b).count();
        long[] seeds = new long[count];
        java.util.Arrays.setAll(seeds, k -> k + 100L);
        Region all = new Region(workspace, 0, workspace.floats());
        programs.get(b).initialize(seeds, weights, all);
        Gaussian.fill(gradient, 0, n, firstSeed + b);
        List<Double> rates = Collections.nCopies(count, 0.1);
        given.add(new StepRunner.Given(buffers, List.of(gradient), rates, 1));
      }
      for (int step = 0; step < STEPS; step++) {
        StepRunner.Done done =
            runner.run(given, new double[] {1}, ReportDetail.RESIDUALS, workspace);
        for (int b = 0; b < programs.size(); b++) {
          assertThat(done.reports(b)).hasSize(specs.get(b).count());
        }
      }
      return given.stream().map(g -> read(g.buffers().next())).toList();
    }
  }

  private static ByteBuffer read(Region region) {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(region.floats() * Float.BYTES));
    region.memory().send(region.offset(), ElementType.FLOAT32, bytes);
    return bytes.flip();
  }

  private static void assertAsIfAlone(List<BatchSpec> specs) {
    List<ByteBuffer> together = steps(specs, 0);
    for (int b = 0; b < specs.size(); b++) {
      assertThat(steps(List.of(specs.get(b)), b).get(0)).isEqualTo(together.get(b));
    }
  }

  @Test
  void smallBatches() {
    assertAsIfAlone(small());
  }

  @Test
  void smallBatchesBesideALargeOne() {
    List<BatchSpec> specs = new ArrayList<>(small().subList(0, 3));
    specs.add(large());
    specs.add(spec(ManifoldKind.STIEFEL, 1, 8, 8));
    assertAsIfAlone(specs);
  }

  /** It reads its residual as it goes on, so that nothing is recorded. */
  @Test
  void batchesOfASolverThatLooksAtItsResults() {
    assertAsIfAlone(
        List.of(
            spec(ManifoldKind.STIEFEL, 2, 20, 12, Solver.DUAL_ASCENT),
            spec(ManifoldKind.STIEFEL, 1, 16, 16)));
  }
}
