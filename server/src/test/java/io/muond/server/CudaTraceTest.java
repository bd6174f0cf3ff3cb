package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ReportDetail;
import io.muond.v1.Rule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a step asks of the device, from the first chunk of a gradient to the report. */
class CudaTraceTest {
  private static final int ROWS = 48;
  private static final int COLUMNS = 32;

  /** Of a sphere: 2.4 MB, more than a chunk. */
  private static final int LONG = 600_000;

  private static final long GRADIENT_BYTES = 4L * (ROWS * COLUMNS + LONG);

  /** Two matrices' objective, largest entry of the gradient, and distance moved, in float64. */
  private static final long REPORT_BYTES = 2 * 3 * 8;

  /** For each of the two buffers of weights, a step that runs as it is and one that is captured. */
  private static final int WARM_UP = 4;

  private static final Pattern BYTES = Pattern.compile(": (\\d+) bytes from (host|device) to ");

  @TempDir Path directory;

  private Path trace;

  @BeforeEach
  void emulated() throws IOException {
    Emulator.libraries();
    trace = directory.resolve("trace");
  }

  @Test
  void aStepTakesItsGradientsInAndItsReportOutAndNothingElse() throws Exception {
    List<String> calls = calls();
    List<String> chunks = calls.stream().filter(call -> call.startsWith("cuMemcpyHtoD")).toList();
    List<String> out = calls.stream().filter(call -> call.startsWith("cuMemcpyDtoH")).toList();
    assertThat(calls.stream().filter(call -> call.startsWith("cuMemcpy")))
        .hasSize(chunks.size() + out.size());
    assertThat(chunks).hasSizeGreaterThan(2).allMatch(call -> bytes(call) <= 2 << 20);
    assertThat(sum(chunks)).isEqualTo(GRADIENT_BYTES);
    assertThat(sum(out)).isEqualTo(REPORT_BYTES);
    assertThat(calls).filteredOn(call -> call.startsWith("cuGraphLaunch")).hasSize(1);
    assertThat(calls).noneMatch(call -> call.startsWith("cuMem") && call.contains("Alloc"));
    isWaitedForOnce(calls.stream().filter(CudaTraceTest::onEngine).toList());
  }

  /** Nothing waits for the device before the report was asked for. */
  private static void isWaitedForOnce(List<String> calls) {
    List<String> waits = calls.stream().filter(call -> call.contains("Synchronize ")).toList();
    List<String> copies = calls.stream().filter(call -> call.startsWith("cuMemcpy")).toList();
    assertThat(waits).hasSize(1);
    assertThat(copies).hasSize(1);
    assertThat(calls.indexOf(waits.get(0))).isGreaterThan(calls.indexOf(copies.get(0)));
  }

  private static boolean onEngine(String call) {
    return !call.contains(", thread rpc-");
  }

  private static long sum(List<String> copies) {
    return copies.stream().mapToLong(CudaTraceTest::bytes).sum();
  }

  private static long bytes(String copy) {
    Matcher found = BYTES.matcher(copy);
    assertThat(found.find()).as(copy).isTrue();
    return Long.parseLong(found.group(1));
  }

  /** The calls of a step, when the same ones were made before. */
  private List<String> calls() throws Exception {
    Map<String, String> environment =
        Map.of("MUOND_EMULATOR_TRACE", trace.toString(), "MUOND_EMULATOR_DEVICES", "1");
    String classPath = System.getProperty("java.class.path");
    try (DaemonProcess daemon =
            DaemonProcess.start(
                directory, environment, classPath, "--port=0", "--http-port=0", "--engine=cuda");
        MuondClient client = MuondClient.connect(daemon.grpc());
        ModelHandle model = client.createModel(request())) {
      for (int step = 1; step <= WARM_UP; step++) {
        step(model, step);
      }
      int before = traced().size();
      step(model, WARM_UP + 1);
      List<String> lines = traced();
      return lines.subList(before, lines.size());
    }
  }

  private List<String> traced() throws IOException {
    return Files.readAllLines(trace).stream()
        .filter(line -> line.startsWith("call "))
        .map(line -> line.substring("call ".length()))
        .toList();
  }

  private static CreateModelRequest request() {
    Rule rule = Rule.newBuilder().setMomentum(0.9).build();
    Parameter matrix =
        Parameter.newBuilder().setName("matrix").addShape(ROWS).addShape(COLUMNS).build();
    Parameter sphere =
        Parameter.newBuilder()
            .setName("sphere")
            .addShape(LONG)
            .setManifold(Manifold.MANIFOLD_SPHERE)
            .build();
    return CreateModelRequest.newBuilder()
        .setModel("m")
        .setSeed(1)
        .setDefaultRule(rule)
        .setParameters(ParameterList.newBuilder().addParameters(matrix).addParameters(sphere))
        .build();
  }

  private static void step(ModelHandle model, int step) {
    model.step(
        Map.of(
            "matrix", Tensor.of(gradient(ROWS * COLUMNS, step), ROWS, COLUMNS),
            "sphere", Tensor.of(gradient(LONG, step), LONG)),
        StepOptions.learningRate(0.1).withReportDetail(ReportDetail.REPORT_DETAIL_BASIC));
  }

  private static float[] gradient(int n, int step) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) Math.sin(i + step);
    }
    return values;
  }
}
