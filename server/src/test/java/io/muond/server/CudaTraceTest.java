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
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
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

  private static final String CALL = "call ";

  private static final Pattern LAUNCH =
      Pattern.compile("run (?:cuLaunchKernel|cublasGemm\\w*) [^:]*: (\\w+).*");

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
    List<String> calls = calls(step(matrixAndSphere()));
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

  /** One sequence of launches, not one for each matrix. */
  @Test
  void equalParametersAreSteppedTogether() throws Exception {
    List<Launch> one = launches(step(equal(1)));
    List<Launch> twelve = launches(step(equal(12)));
    assertThat(one).hasSizeGreaterThan(20);
    assertThat(twelve).extracting(Launch::of).isEqualTo(one.stream().map(Launch::of).toList());
    List<Launch> products = twelve.stream().filter(Launch::isProduct).toList();
    assertThat(products)
        .hasSizeGreaterThan(20)
        .allMatch(product -> product.line().contains(", 12 times "));
  }

  /**
   * A kernel that ran or a matrix product.
   *
   * @param of the kernel's name or the product's size
   */
  private record Launch(String line, String of) {
    boolean isProduct() {
      return line.startsWith("run cublasGemm");
    }
  }

  /** What a step runs, once gradients are there. */
  private static List<Launch> launches(List<String> lines) {
    return lines.stream()
        .filter(CudaTraceTest::onEngine)
        .map(LAUNCH::matcher)
        .filter(Matcher::lookingAt)
        .map(found -> new Launch(found.group(), found.group(1)))
        .toList();
  }

  private static List<String> calls(List<String> lines) {
    return lines.stream()
        .filter(line -> line.startsWith(CALL))
        .map(line -> line.substring(CALL.length()))
        .toList();
  }

  /** What is written down of a step, when the same one was made before. */
  private List<String> step(CreateModelRequest request) throws Exception {
    Map<String, String> environment =
        Map.of("MUOND_EMULATOR_TRACE", trace.toString(), "MUOND_EMULATOR_DEVICES", "1");
    String classPath = System.getProperty("java.class.path");
    Files.deleteIfExists(trace);
    try (DaemonProcess daemon =
            DaemonProcess.start(
                directory, environment, classPath, "--port=0", "--http-port=0", "--engine=cuda");
        MuondClient client = MuondClient.connect(daemon.grpc());
        ModelHandle model = client.createModel(request)) {
      for (int step = 1; step <= WARM_UP; step++) {
        step(model, step);
      }
      int before = Files.readAllLines(trace).size();
      step(model, WARM_UP + 1);
      List<String> lines = Files.readAllLines(trace);
      return lines.subList(before, lines.size());
    }
  }

  private static CreateModelRequest matrixAndSphere() {
    Parameter sphere =
        Parameter.newBuilder()
            .setName("sphere")
            .addShape(LONG)
            .setManifold(Manifold.MANIFOLD_SPHERE)
            .build();
    return request(List.of(matrix("matrix"), sphere));
  }

  private static CreateModelRequest equal(int count) {
    return request(IntStream.range(0, count).mapToObj(i -> matrix("matrix" + i)).toList());
  }

  private static Parameter matrix(String name) {
    return Parameter.newBuilder().setName(name).addShape(ROWS).addShape(COLUMNS).build();
  }

  private static CreateModelRequest request(List<Parameter> parameters) {
    return CreateModelRequest.newBuilder()
        .setModel("m")
        .setSeed(1)
        .setDefaultRule(Rule.newBuilder().setMomentum(0.9))
        .setParameters(ParameterList.newBuilder().addAllParameters(parameters))
        .build();
  }

  private static void step(ModelHandle model, int step) {
    Map<String, Tensor> gradients = new LinkedHashMap<>();
    for (Parameter parameter : model.parameters()) {
      long[] shape = parameter.getShapeList().stream().mapToLong(n -> n).toArray();
      int n = Math.toIntExact(Arrays.stream(shape).reduce(1, (a, b) -> a * b));
      gradients.put(parameter.getName(), Tensor.of(gradient(n, step), shape));
    }
    model.step(
        gradients,
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
