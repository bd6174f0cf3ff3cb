package io.muond.server.optimizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import io.muond.server.engine.TestEngines;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Steps on a CUDA device beside the same ones on the CPU, and what the device is asked for. */
class CudaStepTest {
  /** The first runs as it is, the second is captured, the others replay it. */
  private static final int STEPS = 5;

  private static final String CALL = "call ";

  private static Engine cuda;
  private static Engine cpu;

  @TempDir Path directory;

  @BeforeAll
  static void open() {
    assumeTrue(TestEngines.isCuda(), "-Dmuond.test.engine=cuda");
    cuda = TestEngines.open(2, 0);
    cpu = new CpuEngine(2, 1L << 30);
  }

  @AfterAll
  static void close() {
    if (cpu != null) {
      cpu.close();
      TestEngines.close(cuda);
    }
  }

  private static BatchSpec spec(ManifoldKind manifold, int rows, int columns) {
    return spec(manifold, BatchSpec.ownNorm(manifold), rows, columns);
  }

  private static BatchSpec spec(ManifoldKind manifold, NormKind norm, int rows, int columns) {
    double decay = manifold == ManifoldKind.EUCLIDEAN ? 0.1 : 0;
    Rule rule =
        new Rule(
            Solver.EXACT,
            Precision.FLOAT32,
            20,
            norm == NormKind.ADAMW ? 0 : 0.9,
            norm != NormKind.ADAMW,
            0.01,
            1e-6,
            4,
            100,
            decay,
            AdamW.DEFAULT,
            false);
    return new BatchSpec(manifold, norm, 2, rows, columns, 1.5, rule, Start.GAUSSIAN);
  }

  /** The weights after a few steps; their reports are added to {@code reports}. */
  private static float[] steps(Engine engine, BatchSpec spec, List<MatrixReport> reports) {
    try (TestBatch batch = new TestBatch(engine, spec)) {
      batch.initialize(3);
      for (int step = 0; step < STEPS; step++) {
        float[] g = TestBatch.gaussian(Math.toIntExact(spec.floats()), 1, step);
        reports.addAll(batch.step(g, 0.1, ReportDetail.RESIDUALS));
      }
      return batch.weights();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "STIEFEL, SPECTRAL, 40, 40",
    "STIEFEL, SPECTRAL, 48, 30",
    "STIEFEL, SPECTRAL, 30, 48",
    "STIEFEL, SPECTRAL, 150, 33",
    "STIEFEL, SPECTRAL, 1, 9",
    "STIEFEL, SPECTRAL, 9, 1",
    "STIEFEL, SPECTRAL, 1, 1",
    "STIEFEL, SPECTRAL, 256, 128",
    "STIEFEL, FROBENIUS, 48, 30",
    "STIEFEL, FROBENIUS, 30, 48",
    "OBLIQUE, LARGEST_ROW, 33, 65",
    "OBLIQUE, LARGEST_ROW, 1, 9000",
    "CENTERED_OBLIQUE, LARGEST_ROW, 33, 65",
    "SPECTRAL_BALL, SPECTRAL, 48, 30",
    "SPECTRAL_BALL, SPECTRAL, 30, 48",
    "EUCLIDEAN, SPECTRAL, 48, 30",
    "EUCLIDEAN, SPECTRAL, 30, 48",
    "EUCLIDEAN, FROBENIUS, 33, 65",
    "EUCLIDEAN, LARGEST_ENTRY, 33, 65",
    "EUCLIDEAN, ADAMW, 33, 65",
  })
  void agreesWithTheCpu(ManifoldKind manifold, NormKind norm, int rows, int columns) {
    BatchSpec spec = spec(manifold, norm, rows, columns);
    List<MatrixReport> expected = new ArrayList<>();
    List<MatrixReport> found = new ArrayList<>();
    float[] onCpu = steps(cpu, spec, expected);
    float[] onCuda = steps(cuda, spec, found);
    for (int i = 0; i < onCpu.length; i++) {
      assertThat(onCuda[i]).isCloseTo(onCpu[i], within(1e-5f));
    }
    for (int i = 0; i < expected.size(); i++) {
      double objective = expected.get(i).objective();
      assertThat(found.get(i).objective()).isCloseTo(objective, within(1e-5 * Math.abs(objective)));
      assertThat(found.get(i).flops()).isEqualTo(expected.get(i).flops());
      assertThat(found.get(i).orthogonalityMax()).isLessThanOrEqualTo(5e-6);
      assertThat(found.get(i).tangencyRms()).isLessThanOrEqualTo(5e-7);
    }
  }

  @Test
  void twoRunsAreEqualBitForBit() {
    BatchSpec spec = spec(ManifoldKind.STIEFEL, 100, 40);
    List<MatrixReport> first = new ArrayList<>();
    List<MatrixReport> second = new ArrayList<>();
    assertThat(steps(cuda, spec, first)).isEqualTo(steps(cuda, spec, second));
    assertThat(first).isEqualTo(second);
  }

  /** On the emulated device, which is told to refuse the graph. */
  @Test
  @SuppressWarnings("deprecation") // Only the emulated device knows that plan.
  void aStepThatCannotBeCapturedRunsAsItIs() {
    BatchSpec spec = spec(ManifoldKind.STIEFEL, 60, 20);
    float[] captured = steps(cuda, spec, new ArrayList<>());
    String plan = "cuGraphInstantiateWithFlags:1=2";
    int told = JCudaDriver.cuProfilerInitialize("muond-emulator", plan, 0);
    assumeTrue(told == CUresult.CUDA_SUCCESS, "the device is not the emulated one");
    assertThat(steps(cuda, spec, new ArrayList<>())).isEqualTo(captured);
  }

  /** On the emulated device, which writes down every call. */
  @Test
  void aReplayedStepIsOneLaunchAndOneCopyOfItsReport() throws Exception {
    List<String> calls = calls(traced(1));
    assertThat(calls).filteredOn(call -> call.startsWith("cuGraphLaunch ")).hasSize(1);
    List<String> copies = calls.stream().filter(call -> call.startsWith("cuMemcpy")).toList();
    // Five numbers of the report in float64.
    assertThat(copies).singleElement().asString().contains(": 40 bytes from device to host");
    assertThat(calls)
        .noneMatch(call -> call.startsWith("cuMemAlloc") || call.contains("HostAlloc"));
    List<String> waits = calls.stream().filter(call -> call.contains("Synchronize ")).toList();
    assertThat(waits).hasSize(1);
    assertThat(calls.indexOf(waits.get(0))).isGreaterThan(calls.indexOf(copies.get(0)));
  }

  /** One sequence of launches, not one for each matrix. */
  @Test
  void equalMatricesAreSteppedTogether() throws Exception {
    List<String> one = work(traced(1));
    assertThat(one).hasSizeGreaterThan(20);
    assertThat(work(traced(12))).hasSameSizeAs(one);
  }

  private static List<String> calls(List<String> lines) {
    return lines.stream()
        .filter(line -> line.startsWith(CALL))
        .map(line -> line.substring(CALL.length()))
        .toList();
  }

  /** What the device did. */
  private static List<String> work(List<String> lines) {
    return lines.stream().filter(line -> !line.startsWith(CALL)).toList();
  }

  /** What the device was asked for, and did, in the last of {@link TracedSteps}. */
  private List<String> traced(int matrices) throws IOException, InterruptedException {
    Path trace = directory.resolve("trace-" + matrices);
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            TracedSteps.class.getName(),
            String.valueOf(matrices));
    builder.environment().put("MUOND_EMULATOR_TRACE", trace.toString());
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
    assumeTrue(Files.exists(trace), "the device is not the emulated one");
    List<String> lines = Files.readAllLines(trace);
    List<Integer> marks = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).startsWith(CALL + TracedSteps.MARK)) {
        marks.add(i);
      }
    }
    int last = marks.size() - 1;
    return lines.subList(marks.get(last - 1) + 1, marks.get(last));
  }
}
