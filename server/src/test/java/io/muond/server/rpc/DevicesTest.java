package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.parameter;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.ByteString;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ParameterReport;
import io.muond.v1.Rule;
import io.muond.v1.StepReport;
import io.muond.v1.TensorChunk;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model over two devices is the same model. */
class DevicesTest {
  private static final int STEPS = 4;

  @TempDir Path directory;

  private List<Engine> engines;

  @BeforeEach
  void open() {
    engines = TestEngines.openTwo();
  }

  @AfterEach
  void close() {
    engines.forEach(TestEngines::close);
  }

  /** Three shapes, so that each device has batches of one and of several matrices. */
  private static CreateModelRequest.Builder model() {
    ParameterList.Builder parameters = ParameterList.newBuilder();
    for (int i = 0; i < 5; i++) {
      parameters.addParameters(parameter("square" + i, 16, 16));
    }
    parameters.addParameters(parameter("tall", 48, 12)).addParameters(parameter("wide", 12, 48));
    parameters.addParameters(
        parameter("rows", 30, 8).toBuilder().setManifold(Manifold.MANIFOLD_OBLIQUE));
    return CreateModelRequest.newBuilder()
        .setModel("m")
        .setSeed(3)
        .setDefaultRule(Rule.newBuilder().setMomentum(0.9))
        .setParameters(parameters);
  }

  private static List<TensorChunk> gradients(Model model, long step) {
    Random random = new Random(step);
    List<TensorChunk> chunks = new ArrayList<>();
    for (Parameter p : model.getParametersList()) {
      float[] values = new float[(int) (p.getShape(0) * p.getShape(1))];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      chunks.add(TestClient.chunk(p, 0, values));
    }
    return chunks;
  }

  private static StepReport step(TestClient client, Model model, long step) {
    CommitOptions options = CommitOptions.newBuilder().setLearningRate(0.1).build();
    return client.step(TestClient.whole(header(model, step), gradients(model, step), options));
  }

  private static void assertClose(List<ByteString> found, List<ByteString> expected) {
    assertThat(found).hasSameSizeAs(expected);
    for (int i = 0; i < found.size(); i++) {
      FloatBuffer x = floats(found.get(i));
      FloatBuffer y = floats(expected.get(i));
      while (y.hasRemaining()) {
        assertThat(x.get()).isCloseTo(y.get(), within(1e-5f));
      }
    }
  }

  private static FloatBuffer floats(ByteString bytes) {
    return bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
  }

  @Test
  void stepsToTheSameWeightsAsOnOneDevice() {
    List<StepReport> reports = new ArrayList<>();
    List<ByteString> first;
    List<ByteString> last;
    try (EnginesServer one = new EnginesServer(engines.subList(0, 1), Optional.empty())) {
      Model alone = one.client().create(model());
      first = one.client().weights("m");
      for (long step = 1; step <= STEPS; step++) {
        reports.add(step(one.client(), alone, step));
      }
      last = one.client().weights("m");
    }
    try (EnginesServer two = new EnginesServer(engines, Optional.empty())) {
      Model spread = two.client().create(model());
      assertThat(engines).allSatisfy(e -> assertThat(e.allocatedBytes()).isPositive());
      assertClose(two.client().weights("m"), first);
      for (StepReport expected : reports) {
        StepReport report = step(two.client(), spread, expected.getStep());
        assertThat(report.getParametersList())
            .extracting(ParameterReport::getName)
            .containsExactlyElementsOf(
                model().getParameters().getParametersList().stream()
                    .map(Parameter::getName)
                    .toList());
        for (int i = 0; i < report.getParametersCount(); i++) {
          double objective = expected.getParameters(i).getObjective();
          assertThat(report.getParameters(i).getObjective())
              .isCloseTo(objective, within(1e-4 * objective));
        }
      }
      assertClose(two.client().weights("m"), last);
    }
  }

  @Test
  void isSavedRestoredAndContinuedBitForBit() {
    List<ByteString> after;
    try (EnginesServer server = new EnginesServer(engines, Optional.of(directory))) {
      TestClient client = server.client();
      Model model = client.create(model());
      step(client, model, 1);
      step(client, model, 2);
      client.save("m");
      List<ByteString> saved = client.weights("m");
      step(client, model, 3);
      after = client.weights("m");
      Model restored = client.restore("m", "");
      assertThat(client.weights("m")).isEqualTo(saved);
      step(client, restored, 3);
      assertThat(client.weights("m")).isEqualTo(after);
    }
    try (EnginesServer server = new EnginesServer(engines, Optional.of(directory))) {
      TestClient client = server.client();
      step(client, client.get("m"), 3);
      assertThat(client.weights("m")).isEqualTo(after);
    }
  }

  @Test
  void takesUploadsOnAllDevices() {
    try (EnginesServer server = new EnginesServer(engines, Optional.empty())) {
      TestClient client = server.client();
      Model model = client.create(model());
      List<ByteString> made = client.weights("m");
      List<TensorChunk> chunks = new ArrayList<>();
      for (int i = 0; i < made.size(); i++) {
        float[] values = new float[made.get(i).size() / Float.BYTES];
        floats(made.get(i)).get(values);
        chunks.add(TestClient.chunk(model.getParameters(i), 0, values));
      }
      step(client, model, 1);
      assertThat(client.write("m", chunks).getParametersList())
          .hasSize(made.size())
          .allSatisfy(written -> assertThat(written.getDistance()).isLessThan(1e-5));
      assertClose(client.weights("m"), made);
    }
  }

  @Test
  void leavesNothingBehindWhenItIsDeleted() {
    try (EnginesServer server = new EnginesServer(engines, Optional.empty())) {
      Model model = server.client().create(model());
      DeleteModelRequest delete = DeleteModelRequest.newBuilder().setModel("m").build();
      assertThat(server.client().models().deleteModel(delete).getFreedBytes())
          .isEqualTo(model.getMemory().getReservedBytes());
      assertThat(engines).allSatisfy(e -> assertThat(e.allocatedBytes()).isZero());
    }
  }
}
